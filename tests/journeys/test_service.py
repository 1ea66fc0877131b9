"""Looking at accounts again and again: stays, milestones and facts as they are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import polars as pl
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import Account, SourceAccount
from hub.blueprint.service import Blueprint
from hub.journeys.model import MilestoneProgress, Stay
from hub.journeys.service import DEADLINE, StayStatus, facts, placed_at, progress, status_of
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.timeline.model import EventRow

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

BLUEPRINT = Blueprint(
    7,
    {
        "measures": {
            "use": {"kind": "count", "of": ["product.used"]},
            "renews_in_days": {"kind": "days_since", "of": ["product.used"]},
        },
        "segments": {"smb": {}},
        "journeys": {
            "smb": {
                "stages": {
                    "onboarding": {
                        "expected": "90d",
                        "milestones": {
                            "setup": {"event": "setup.completed", "expected": "14d"},
                            "first_use": {"when": "use >= 1", "expected": "30d"},
                        },
                    },
                    "established": {"milestones": {"review": {"event": "survey.answered"}}},
                    "pre_renewal": {},
                },
                "transitions": [
                    {"from": "onboarding", "to": "established", "when": "days_known >= 90"},
                    {"from": "established", "to": "pre_renewal", "when": "renews_in_days <= 90"},
                    {"from": "pre_renewal", "to": "established", "when": "renews_in_days > 90"},
                ],
            }
        },
    },
)


@dataclass
class Traveller:
    """One account, looked at by the hub at whatever moment a test chooses."""

    kit: Kit
    now: datetime = START
    id: UUID = field(default_factory=new_id)
    place: UUID = field(default_factory=uuid4)

    async def arrive(self) -> None:
        async with self.kit.transaction() as session:
            session.add(
                Account(id=self.id, name="Acme", time_zone="UTC", facts={}, created_at=START, first_seen_at=START)
            )
            await session.flush()
            session.add(SourceAccount(id=self.place, place="test", account_id=self.id, profile={}, first_seen_at=START))

    async def event(self, kind: str, at: datetime) -> UUID:
        row = EventRow(
            source_account_id=self.place,
            id=new_id(),
            revision=0,
            kind=kind,
            occurred_at=at,
            recorded_at=self.now,
            flow="operational_execution",
            people=[],
            attributes={},
        )
        async with self.kit.transaction() as session:
            session.add(row)
        return row.id

    async def look(self, **measures: float) -> dict[str, Any]:
        """What the hub finds now; measures that are not given are unknown."""
        async with self.kit.transaction() as session:
            frame = await self.frame(session, self.now, **measures)
            return (await progress(session, BLUEPRINT, frame, self.now)).row(0, named=True)

    async def frame(self, session: AsyncSession, as_of: datetime, **measures: float) -> pl.DataFrame:
        unknown = {name: pl.lit(None, pl.Float64) for name in ("use", "renews_in_days", "score")}
        known = {name: pl.lit(value, pl.Float64) for name, value in measures.items()}
        found = await facts(session, [self.id], as_of)
        return found.with_columns(band=pl.lit(None, pl.String), **(unknown | known))

    async def stays(self) -> list[Stay]:
        async with self.kit.reading() as session:
            return list((await session.execute(select(Stay).order_by(Stay.entered_at, Stay.id))).scalars())

    async def milestones(self) -> dict[str, MilestoneProgress]:
        async with self.kit.reading() as session:
            return {row.milestone: row for row in (await session.execute(select(MilestoneProgress))).scalars()}

    async def announced(self) -> list[tuple[str, str]]:
        """Topic, and the stage or the milestone that it is about."""
        async with self.kit.reading() as session:
            found = await session.execute(text("SELECT topic, payload FROM outbox ORDER BY id"))
            return [(topic, payload.get("milestone") or payload["stage"]) for topic, payload in found]

    async def told(self) -> list[tuple[str, datetime]]:
        async with self.kit.reading() as session:
            query = select(EventRow.kind, EventRow.occurred_at).where(EventRow.flow == "meta")
            return [tuple(row) for row in await session.execute(query.order_by(EventRow.occurred_at, EventRow.kind))]


@pytest.fixture
async def account(kit: Kit) -> Traveller:
    """An account that was first seen at the start."""
    traveller = Traveller(kit)
    await traveller.arrive()
    return traveller


async def test_an_account_travels_through_its_journey(account: Traveller) -> None:
    """Each stage from the moment at which its rule was found to hold; the facts of the account follow."""
    await account.look()
    account.now = START + 10 * DAY
    found = await account.look()
    assert (found["segment"], found["stage"], found["days_in_stage"], found["days_known"]) == (
        "smb",
        "onboarding",
        10.0,
        10.0,
    )
    account.now = START + 90 * DAY
    assert (await account.look())["stage"] == "established"
    account.now = START + 200 * DAY
    assert (await account.look(renews_in_days=91))["days_in_stage"] == 110.0
    account.now = START + 201 * DAY
    assert (await account.look(renews_in_days=90))["stage"] == "pre_renewal"
    account.now = START + 300 * DAY
    assert (await account.look(renews_in_days=350))["stage"] == "established"
    assert [(stay.stage, stay.entered_at, stay.left_at) for stay in await account.stays()] == [
        ("onboarding", START, START + 90 * DAY),
        ("established", START + 90 * DAY, START + 201 * DAY),
        ("pre_renewal", START + 201 * DAY, START + 300 * DAY),
        ("established", START + 300 * DAY, None),
    ]
    assert [stage for topic, stage in await account.announced() if topic == "stage.entered"] == [
        "onboarding",
        "established",
        "pre_renewal",
        "established",
    ]
    assert (await account.stays())[1].because == {
        "reason": "transition",
        "from": "onboarding",
        "rule": "days_known >= 90",
        "values": {"days_known": 90.0},
    }


async def test_what_was_passed_through_is_not_announced(account: Traveller) -> None:
    """Met late, an account has been onboarding; its timeline says so, but nobody has to react."""
    account.now = START + 400 * DAY
    await account.look(renews_in_days=30)
    assert [(stay.stage, stay.blueprint_version) for stay in await account.stays()] == [
        ("onboarding", 7),
        ("established", 7),
        ("pre_renewal", 7),
    ]
    assert await account.announced() == [("stage.entered", "pre_renewal")]
    assert [kind for kind, _ in await account.told()].count("stage.entered") == 3


async def test_a_milestone_is_reached_by_the_first_event(account: Traveller) -> None:
    """With the event as evidence, at the moment at which it happened."""
    account.now = START + 20 * DAY
    await account.event("setup.completed", START + 12 * DAY)
    proof = await account.event("setup.completed", START + 8 * DAY)
    await account.look()
    setup = (await account.milestones())["setup"]
    assert (setup.expected_at, setup.reached_at, setup.overdue_at) == (START + 14 * DAY, START + 8 * DAY, None)
    assert setup.evidence == {"events": [{"source_account_id": str(account.place), "id": str(proof)}]}
    assert ("milestone.reached", START + 8 * DAY) in await account.told()


async def test_in_the_first_stay_earlier_events_count_in_later_ones_they_do_not(account: Traveller) -> None:
    """What happened before the hub knew the account is a proof; in a later stage it has to happen again."""
    await account.event("setup.completed", START - 100 * DAY)
    await account.event("survey.answered", START + 5 * DAY)
    account.now = START + 90 * DAY
    await account.look()
    milestones = await account.milestones()
    assert milestones["setup"].reached_at == START - 100 * DAY
    assert milestones["review"].reached_at is None
    account.now = START + 95 * DAY
    await account.event("survey.answered", START + 94 * DAY)
    await account.look()
    assert (await account.milestones())["review"].reached_at == START + 94 * DAY


async def test_a_milestone_is_reached_by_a_rule(account: Traveller) -> None:
    """At the look at which it holds, with what it saw."""
    account.now = START + 3 * DAY
    await account.look(use=0)
    assert (await account.milestones())["first_use"].reached_at is None
    account.now = START + 4 * DAY
    await account.look(use=2)
    first_use = (await account.milestones())["first_use"]
    assert (first_use.reached_at, first_use.evidence) == (account.now, {"rule": "use >= 1", "values": {"use": 2.0}})


async def test_a_milestone_is_overdue_by_time_alone(account: Traveller) -> None:
    """Nothing happens, and that is noticed; told once, and reached later all the same."""
    account.now = START + 13 * DAY
    assert (await account.look())[DEADLINE] == START + 14 * DAY
    assert (await account.milestones())["setup"].overdue_at is None
    account.now = START + 14 * DAY
    assert (await account.look())[DEADLINE] == START + 30 * DAY
    account.now = START + 15 * DAY
    await account.look()
    assert (await account.milestones())["setup"].overdue_at == START + 14 * DAY
    assert (await account.announced()).count(("milestone.overdue", "setup")) == 1
    await account.event("setup.completed", account.now)
    await account.look()
    setup = (await account.milestones())["setup"]
    assert (setup.overdue_at, setup.reached_at) == (START + 14 * DAY, START + 15 * DAY)
    assert [kind for kind, _ in await account.told()] == ["stage.entered", "milestone.overdue", "milestone.reached"]


async def test_looking_again_writes_nothing(account: Traveller) -> None:
    """The same moment and the same facts: no stay, no milestone, no fact is added."""
    account.now = START + 95 * DAY
    await account.look(use=3)
    before = (len(await account.stays()), await account.announced(), await account.told())
    await account.look(use=3)
    assert (len(await account.stays()), await account.announced(), await account.told()) == before


async def test_older_events_that_come_late_move_the_beginning_back(account: Traveller) -> None:
    """The journey began when the account was first seen, in whatever order that became known."""
    account.now = START + 2 * DAY
    await account.look()
    earlier = START - 5 * DAY
    async with account.kit.transaction() as session:
        await session.execute(text("UPDATE account SET first_seen_at = :at"), {"at": earlier})
    found = await account.look()
    assert found["days_in_stage"] == 7.0
    ((stay,), milestones) = await account.stays(), await account.milestones()
    assert (stay.entered_at, milestones["setup"].expected_at) == (earlier, earlier + 14 * DAY)


async def test_the_stage_of_a_past_day(account: Traveller) -> None:
    """As of any moment, and only as far as it was known at another."""
    for days in (10, 95, 200):
        account.now = START + days * DAY
        await account.look(renews_in_days=90)

    async def stage(as_of: int, known_at: int | None) -> tuple[str | None, float | None]:
        async with account.kit.reading() as session:
            at = START + as_of * DAY
            known = None if known_at is None else START + known_at * DAY
            frame = await account.frame(session, at)
            row = (await placed_at(session, BLUEPRINT, frame, at, known)).row(0, named=True)
            return row["stage"], row["days_in_stage"]

    assert await stage(50, None) == ("onboarding", 50.0)
    assert await stage(300, None) == ("pre_renewal", 205.0)
    assert await stage(300, 94) == ("onboarding", 300.0)


async def test_the_stage_before_the_hub_knew_the_account(account: Traveller) -> None:
    """Nothing was noted then: it is placed as if it were met then, with its past, and nothing is written."""
    async with account.kit.reading() as session:
        for days, expected in ((50, ("onboarding", 50.0)), (100, ("established", 10.0))):
            at = START + days * DAY
            row = (await placed_at(session, BLUEPRINT, await account.frame(session, at), at, at)).row(0, named=True)
            assert (row["stage"], row["days_in_stage"]) == expected
    assert await account.stays() == []


async def test_how_a_stay_goes(account: Traveller) -> None:
    """On track, behind by a milestone, stuck by time: worked out when asked, from what is kept."""
    account.now = START + 20 * DAY
    await account.look()
    milestones = (await account.milestones()).values()
    for days, expected in ((10, StayStatus.ON_TRACK), (20, StayStatus.BEHIND), (181, StayStatus.STUCK)):
        at = START + days * DAY
        assert status_of(BLUEPRINT, "smb", "onboarding", START, milestones, at) == expected


async def test_accounts_that_are_no_more_have_no_facts(account: Traveller) -> None:
    """Merged into another, or unknown: left out."""
    async with account.kit.transaction() as session:
        assert (await facts(session, [account.id, uuid4()], START))["account_id"].to_list() == [str(account.id)]
        await session.execute(text("UPDATE account SET merged_into = id"))
        assert (await facts(session, [account.id], START)).is_empty()
