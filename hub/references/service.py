"""Who could speak for us: purple accounts, each with the evidence for what may be claimed of it.

An account is eligible while its band is purple. Consent is recorded for each person and use later; until then a
reference names the company and cites facts, never a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer
from hub.kit.paging import Page, Slice
from hub.references import queries
from hub.references.queries import ORDER, Answer, PurpleAccount

__all__ = ["ORDER", "Evidence", "EvidenceKind", "Reference", "eligible", "eligible_by_id"]

MICRO = 1_000_000


class EvidenceKind(StrEnum):
    """What a claim about an account rests on."""

    HEALTH = "health"
    MILESTONE = "milestone"
    SURVEY = "survey"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that speaks for the account: a sentence, when it was so, and the event (its source account and id)."""

    kind: EvidenceKind
    statement: str
    at: datetime
    event: tuple[UUID, UUID] | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """An account that could be quoted; `micro_points` is its score now."""

    account_id: UUID
    name: str
    domain: str | None
    purple_since: datetime
    micro_points: int
    evidence: tuple[Evidence, ...]


async def eligible(
    session: AsyncSession, viewer: Viewer, page: Page, now: datetime, *, ids: Sequence[UUID] | None = None
) -> Slice[Reference]:
    """A page of the accounts that could be quoted, by name. Three statements, whatever the number of accounts."""
    viewer.require(Role.MARKETING, Role.CSM)
    accounts = await queries.purple_accounts(session, page, ids)
    account_ids = [account.id for account in accounts.rows]
    milestones = await queries.milestones_reached(session, account_ids)
    answers = await queries.best_answers(session, account_ids, now)
    references = [
        Reference(
            account.id,
            account.name,
            account.domain,
            account.since,
            account.micro_points,
            tuple(evidence_for(account, milestones[account.id], answers.get(account.id))),
        )
        for account in accounts.rows
    ]
    return Slice(references, accounts.keys, accounts.has_next, accounts.has_previous)


async def eligible_by_id(
    session: AsyncSession, viewer: Viewer, ids: Sequence[UUID], now: datetime
) -> dict[UUID, Reference]:
    """Those of the accounts that could be quoted."""
    found = await eligible(session, viewer, Page(max(len(ids), 1)), now, ids=ids)
    return {reference.account_id: reference for reference in found.rows}


def evidence_for(
    account: PurpleAccount, milestones: Sequence[tuple[str, datetime]], answer: Answer | None
) -> list[Evidence]:
    """The facts that speak for an account: its health first, then what it proved, then what it said."""
    points = account.micro_points // MICRO
    found = [Evidence(EvidenceKind.HEALTH, f"Referenceable health: {points} points out of 100", account.since)]
    found += [
        Evidence(EvidenceKind.MILESTONE, f"Reached the milestone {name.replace('_', ' ')}", at)
        for name, at in milestones
    ]
    if answer is not None:
        event = (answer.source_account_id, answer.event_id)
        found.append(
            Evidence(EvidenceKind.SURVEY, f"Answered a survey with {answer.value:g}", answer.occurred_at, event)
        )
    return found
