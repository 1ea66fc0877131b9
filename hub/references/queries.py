"""Reading what speaks for an account: since when it is purple, what it proved, how it answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import Account, SourceAccount
from hub.health.model import Band, Health, Score
from hub.journeys.model import MilestoneProgress
from hub.kit.paging import Order, Page, Slice, among, bounded, each, slice_of
from hub.timeline.model import EventRow

ORDER = Order("references", Account.name, Account.id)
GOOD_ANSWER = 9.0
"""An answer of at least this, out of ten, is a promoter's (Net Promoter Score, Reichheld 2003)."""

RECENT = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Answer:
    """One good answer to a survey; who gave it stays unsaid until that person has consented."""

    source_account_id: UUID
    event_id: UUID
    value: float
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class PurpleAccount:
    """An account that is purple, since when without a break, and its points now in micro-points."""

    id: UUID
    name: str
    domain: str | None
    since: datetime
    micro_points: int


async def purple_accounts(session: AsyncSession, page: Page, ids: Sequence[UUID] | None = None) -> Slice[PurpleAccount]:
    """A page of the accounts that are purple now (of those with the ids, where given), by name."""
    of_account = select(func.max(Score.as_of)).where(Score.account_id == Account.id)
    last_other = of_account.where(Score.band != Band.PURPLE).correlate(Account).scalar_subquery()
    since = (
        select(func.min(Score.as_of))
        .where(Score.account_id == Account.id, Score.as_of > func.coalesce(last_other, func.to_timestamp(0)))
        .correlate(Account)
        .scalar_subquery()
    )
    query = (
        select(Account.id, Account.name, Account.domain, func.coalesce(since, Health.changed_at), Health.micro_points)
        .join(Health, Health.account_id == Account.id)
        .where(Health.band == Band.PURPLE, Health.micro_points.is_not(None), Account.merged_into.is_(None))
    )
    if ids is not None:
        query = query.where(among(Account.id, ids))
    rows = [PurpleAccount(*row) for row in await session.execute(bounded(query, ORDER, page))]
    return slice_of([(row, (row.name, row.id)) for row in rows], page)


async def milestones_reached(
    session: AsyncSession, account_ids: Sequence[UUID]
) -> dict[UUID, list[tuple[str, datetime]]]:
    """The milestones that each account has reached, the first one first."""
    found = await session.execute(
        select(MilestoneProgress.account_id, MilestoneProgress.milestone, MilestoneProgress.reached_at)
        .where(among(MilestoneProgress.account_id, account_ids), MilestoneProgress.reached_at.is_not(None))
        .order_by(MilestoneProgress.reached_at, MilestoneProgress.milestone)
    )
    below: dict[UUID, list[tuple[str, datetime]]] = {id_: [] for id_ in account_ids}
    for account_id, milestone, reached_at in found:
        if reached_at is not None:
            below[account_id].append((milestone, reached_at))
    return below


async def best_answers(session: AsyncSession, account_ids: Sequence[UUID], now: datetime) -> dict[UUID, Answer]:
    """The latest good answer of each account to a survey within the last year."""
    account = each(account_ids)
    answer = (
        select(EventRow.source_account_id, EventRow.id.label("event_id"), EventRow.value, EventRow.occurred_at)
        .join(SourceAccount, SourceAccount.id == EventRow.source_account_id)
        .where(
            and_(
                SourceAccount.account_id == account.c.id,
                EventRow.kind == "survey.answered",
                EventRow.retracted_at.is_(None),
                EventRow.value >= GOOD_ANSWER,
                EventRow.occurred_at > now - RECENT,
                EventRow.occurred_at <= now,
            )
        )
        .order_by(EventRow.occurred_at.desc(), EventRow.id.desc())
        .limit(1)
        .lateral("answer")
    )
    found = await session.execute(select(account.c.id, answer).select_from(account.join(answer, true())))
    return {row[0]: Answer(*row[1:]) for row in found}
