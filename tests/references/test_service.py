"""Who could be quoted, since when, and what speaks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer
from hub.accounts.model import Account, SourceAccount
from hub.health.model import Health, Score
from hub.journeys.model import MilestoneProgress
from hub.kit.errors import NotAllowed
from hub.kit.ids import derived_id
from hub.kit.paging import Page
from hub.kit.runtime import Kit
from hub.references.queries import Answer, PurpleAccount
from hub.references.service import Evidence, EvidenceKind, eligible, eligible_by_id, evidence_for
from hub.timeline.model import EventRow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MARKETING = Viewer("key:site", Role.MARKETING)


def key(*parts: str) -> UUID:
    return derived_id("references", *parts)


def account(name: str, bands: list[tuple[int, str]], **more: Any) -> list[Any]:
    """An account with its scores, (days ago, band) each, the newest last."""
    scores = [
        Score(
            id=key(name, str(days)),
            account_id=key(name),
            as_of=NOW - days * DAY,
            recorded_at=NOW - days * DAY,
            micro_points=91_234_567,
            coverage_ppm=1_000_000,
            band=band,
            computed_band=band,
            segment="smb",
            stage="established",
            profile="smb",
            terms={},
            blueprint_version=1,
        )
        for days, band in bands
    ]
    health = Health(
        account_id=key(name),
        score_id=scores[-1].id,
        micro_points=91_234_567,
        coverage_ppm=1_000_000,
        band=bands[-1][1],
        segment="smb",
        stage="established",
        scored_at=NOW,
        changed_at=NOW - bands[-1][0] * DAY,
        digest=b"",
    )
    place = SourceAccount(
        id=key(name, "place"), connection_id=key("c"), place=name, account_id=key(name), profile={}, first_seen_at=NOW
    )
    return [
        Account(id=key(name), name=name, time_zone="UTC", facts={}, created_at=NOW, first_seen_at=NOW, **more),
        *scores,
        health,
        place,
    ]


def answer(name: str, days: int, value: float, **more: Any) -> EventRow:
    return EventRow(
        source_account_id=key(name, "place"),
        id=key(name, "answer", str(days)),
        revision=0,
        kind="survey.answered",
        occurred_at=NOW - days * DAY,
        recorded_at=NOW,
        flow="operational_execution",
        people=[],
        value=value,
        attributes={},
        **more,
    )


@pytest.fixture
async def session(kit: Kit) -> AsyncIterator[AsyncSession]:
    """Acme has been purple twice; Beta is green; Gamma was merged away; Delta is purple with poor answers."""
    async with kit.transaction() as writing:
        everything = [
            *account("Acme", [(90, "purple"), (60, "green"), (30, "purple"), (10, "purple")]),
            *account("Beta", [(10, "green")]),
            *account("Delta", [(5, "purple")]),
            *account("Gamma", [(10, "purple")]),
        ]
        for part in everything:
            writing.add(part)
            await writing.flush()
        (await writing.get_one(Account, key("Gamma"))).merged_into = key("Acme")
        writing.add_all(
            [
                answer("Acme", 20, 10.0),
                answer("Acme", 40, 9.0),
                answer("Acme", 1, 3.0),
                answer("Acme", 2, 10.0, retracted_at=NOW),
                answer("Delta", 500, 10.0),
                answer("Delta", 3, 6.0),
                MilestoneProgress(
                    stay_id=key("stay"),
                    milestone="first_report",
                    account_id=key("Acme"),
                    reached_at=NOW - 80 * DAY,
                    evidence={},
                ),
                MilestoneProgress(stay_id=key("stay"), milestone="second", account_id=key("Acme"), evidence={}),
            ]
        )
    async with kit.reading() as reading:
        yield reading


async def test_purple_accounts_are_eligible_with_their_evidence(session: AsyncSession) -> None:
    """Since the last time they became purple; the latest good answer of the last year; milestones that were reached."""
    found = await eligible(session, MARKETING, Page(10), NOW)
    acme, delta = found.rows
    assert (acme.name, acme.purple_since, acme.micro_points) == ("Acme", NOW - 30 * DAY, 91_234_567)
    assert acme.evidence == (
        Evidence(EvidenceKind.HEALTH, "Referenceable health: 91 points out of 100", NOW - 30 * DAY),
        Evidence(EvidenceKind.MILESTONE, "Reached the milestone first report", NOW - 80 * DAY),
        Evidence(
            EvidenceKind.SURVEY,
            "Answered a survey with 10",
            NOW - 20 * DAY,
            (key("Acme", "place"), key("Acme", "answer", "20")),
        ),
    )
    assert (delta.name, [one.kind for one in delta.evidence]) == ("Delta", [EvidenceKind.HEALTH])


async def test_pages_by_name(session: AsyncSession) -> None:
    """One a page, the second behind the first."""
    first = await eligible(session, MARKETING, Page(1), NOW)
    assert ([one.name for one in first.rows], first.has_next) == (["Acme"], True)
    second = await eligible(session, MARKETING, Page(1, after=first.keys[0]), NOW)
    assert ([one.name for one in second.rows], second.has_next) == (["Delta"], False)


async def test_by_id_only_those_that_are_eligible(session: AsyncSession) -> None:
    """A green account has no reference, whatever its id says."""
    ids = [key("Acme"), key("Beta"), key("Gamma"), key("nobody")]
    assert set(await eligible_by_id(session, MARKETING, ids, NOW)) == {key("Acme")}


async def test_it_takes_marketing_or_a_csm(session: AsyncSession) -> None:
    """Others see no references."""
    for role in (Role.VIEWER, Role.INGEST, Role.PLUGIN):
        with pytest.raises(NotAllowed):
            await eligible(session, Viewer("key:x", role), Page(10), NOW)


def test_evidence_without_milestones_or_answers_is_the_health_alone() -> None:
    """Points are rounded down: nothing is claimed that is not so."""
    purple = PurpleAccount(key("a"), "A", None, NOW, 89_999_999)
    (only,) = evidence_for(purple, [], None)
    assert only.statement == "Referenceable health: 89 points out of 100"
    last = evidence_for(purple, [], Answer(key("a"), key("e"), 9.5, NOW))[-1]
    assert last.statement == "Answered a survey with 9.5"
