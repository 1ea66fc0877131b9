"""An account that arrives with years of history: the right stage, with the right dates, and no old news."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from hub.blueprint.service import Blueprint
from hub.journeys import arriving
from hub.journeys.service import facts, progress
from hub.kit.runtime import Kit
from hub.measures.section import Catalogue
from hub.measures.service import compute
from hub.timeline.model import EventRow

from .test_service import DAY, START, Traveller

BLUEPRINT = Blueprint(
    3,
    {
        "measures": {
            "use_10d": {"kind": "count", "of": ["product.used"], "window": "10d"},
            "paid": {"kind": "things", "type": "subscription", "state": ["active"], "missing": "unknown"},
            "unrelated": {"kind": "count", "of": ["ticket.created"]},
        },
        "segments": {"smb": {}},
        "journeys": {
            "smb": {
                "stages": {
                    "onboarding": {
                        "milestones": {
                            "setup": {"event": "setup.completed", "expected": "14d"},
                            "habit": {"when": "use_10d >= 2", "expected": "30d"},
                            "report": {"event": "report.viewed", "expected": "20d"},
                        }
                    },
                    "established": {"milestones": {"review": {"event": "survey.answered", "expected": "100d"}}},
                },
                "transitions": [
                    {"from": "any", "to": "churned", "when": "paid = 0"},
                    {"from": "churned", "to": "established", "when": "paid > 0"},
                    {"from": "onboarding", "to": "established", "when": "use_10d >= 3"},
                ],
            }
        },
    },
)
HOURS = timedelta(hours=1)


class Arrival(Traveller):
    """An account whose whole history lies there before the hub looks for the first time."""

    async def subscription(self, state: str, at: datetime) -> None:
        row = {"subject_type": "subscription", "subject_id": "s", "subject_state": state}
        await self.event("subscription.changed", at)
        async with self.kit.transaction() as session:
            query = "UPDATE event SET subject_type = :subject_type, subject_id = :subject_id, "
            await session.execute(
                text(f"{query} subject_state = :subject_state WHERE subject_type IS NULL AND kind LIKE 'subscr%'"), row
            )

    async def look_for_itself(self, blueprint: Blueprint = BLUEPRINT) -> dict[str, Any]:
        """What the hub finds now by its own measures."""
        async with self.kit.transaction() as session:
            catalogue = blueprint.section("measures", Catalogue)
            measures = await compute(session, catalogue, [self.id], as_of=self.now)
            frame = measures.join(await facts(session, [self.id], self.now), on="account_id")
            frame = frame.with_columns(score=None, band=None).cast({"score": float, "band": str})
            return (await progress(session, blueprint, frame, self.now)).row(0, named=True)


@pytest.fixture
async def arrival(kit: Kit) -> Arrival:
    """Used from the third day on, set up on the fifth, paid for until day 200, and again from day 300 on."""
    account = Arrival(kit)
    await account.arrive()
    await account.subscription("active", START + 2 * HOURS)
    for day in (3, 8, 12):
        await account.event("product.used", START + day * DAY + 5 * HOURS)
    await account.event("setup.completed", START + 4 * DAY + 7 * HOURS)
    await account.event("survey.answered", START + 150 * DAY + 9 * HOURS)
    await account.subscription("canceled", START + 200 * DAY + 3 * HOURS)
    await account.subscription("active", START + 300 * DAY + 3 * HOURS)
    account.now = START + 700 * DAY + 6 * HOURS
    return account


async def test_every_stay_has_the_day_on_which_its_rule_began_to_hold(arrival: Arrival) -> None:
    """Also back and forth, with the values that held then; the last one goes on."""
    found = await arrival.look_for_itself()
    assert [
        (stay.stage, stay.entered_at, stay.left_at, stay.because.get("values")) for stay in await arrival.stays()
    ] == [
        ("onboarding", START, START + 13 * DAY, None),
        ("established", START + 13 * DAY, START + 201 * DAY, {"use_10d": 3.0}),
        ("churned", START + 201 * DAY, START + 301 * DAY, {"paid": 0.0}),
        ("established", START + 301 * DAY, None, {"paid": 1.0}),
    ]
    assert {stay.recorded_at for stay in await arrival.stays()} == {arrival.now}
    assert (found["stage"], found["days_in_stage"]) == ("established", 399.25)


async def test_milestones_have_their_own_dates(arrival: Arrival) -> None:
    """An event to the moment, a rule to the end of its day, overdue to the moment; each stay has its own."""
    await arrival.look_for_itself()
    stays = {stay.id: stay.entered_at for stay in await arrival.stays()}
    async with arrival.kit.reading() as session:
        rows = (await session.execute(text("SELECT * FROM milestone_progress"))).mappings().all()
    found = {(stays[row["stay_id"]], row["milestone"]): (row["reached_at"], row["overdue_at"]) for row in rows}
    assert found == {
        (START, "setup"): (START + 4 * DAY + 7 * HOURS, None),
        (START, "habit"): (START + 9 * DAY, None),
        (START, "report"): (None, None),
        (START + 13 * DAY, "review"): (START + 150 * DAY + 9 * HOURS, START + 113 * DAY),
        (START + 301 * DAY, "review"): (None, START + 401 * DAY),
    }


async def test_the_past_stands_on_the_timeline_and_is_no_news(arrival: Arrival) -> None:
    """Everything at its date, and nothing that a play could start by."""
    await arrival.look_for_itself()
    assert await arrival.announced() == []
    assert await arrival.told() == [
        ("stage.entered", START),
        ("milestone.reached", START + 4 * DAY + 7 * HOURS),
        ("milestone.reached", START + 9 * DAY),
        ("stage.entered", START + 13 * DAY),
        ("milestone.overdue", START + 113 * DAY),
        ("milestone.reached", START + 150 * DAY + 9 * HOURS),
        ("stage.entered", START + 201 * DAY),
        ("stage.entered", START + 301 * DAY),
        ("milestone.overdue", START + 401 * DAY),
    ]
    arrival.now += 10 * DAY
    await arrival.look_for_itself()
    assert (len(await arrival.stays()), await arrival.announced()) == (4, [])


async def test_what_begins_now_is_news(arrival: Arrival) -> None:
    """A customer who came back yesterday is told of, in spite of the years before."""
    arrival.now = START + 301 * DAY + 4 * HOURS
    await arrival.look_for_itself()
    assert await arrival.announced() == [("stage.entered", "established")]


async def test_it_is_where_it_would_be_had_the_hub_looked_every_day(arrival: Arrival, kit: Kit) -> None:
    """The stays of a replay are those of a look at the end of every day."""
    end, arrival.now = START + 320 * DAY, START
    while arrival.now <= end:
        await arrival.look_for_itself()
        arrival.now += DAY
    watched = [(stay.stage, stay.entered_at, stay.left_at, stay.because) for stay in await arrival.stays()]
    async with kit.transaction() as session:
        for table in ("stay", "milestone_progress"):
            await session.execute(text(f"DELETE FROM {table}"))
    arrival.now = end
    await arrival.look_for_itself()
    assert [(stay.stage, stay.entered_at, stay.left_at, stay.because) for stay in await arrival.stays()] == watched


async def test_many_are_replayed_in_bounded_batches(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the pasts, no batch is larger than its bound, and everybody gets their stays."""
    monkeypatch.setattr(arriving, "POINTS", 500)
    accounts = [Arrival(kit) for _ in range(4)]
    for nth, account in enumerate(accounts):
        await account.arrive()
        await account.subscription("active", START + nth * DAY)
    now = START + 200 * DAY + HOURS
    async with kit.transaction() as session:
        frame = await facts(session, [account.id for account in accounts], now)
        sizes = [batch.height for batch in arriving.batches(frame, now)]
        frame = frame.with_columns(score=None, band=None).cast({"score": float, "band": str})
        measures = await compute(
            session, BLUEPRINT.section("measures", Catalogue), [account.id for account in accounts], as_of=now
        )
        found = await progress(session, BLUEPRINT, measures.join(frame, on="account_id"), now)
    assert sizes == [2, 2]
    assert found["stage"].to_list() == ["onboarding"] * 4
    async with kit.reading() as session:
        assert len((await session.execute(select(EventRow).where(EventRow.kind == "milestone.overdue"))).all()) == 12


async def test_a_milestone_may_ask_for_certain_events(arrival: Arrival) -> None:
    """By their attributes: the first that fits is the proof, in the past and later on."""
    chosen = {
        "plan_chosen": {"event": "product.used", "where": {"feature": "plans", "seats": {"at_least": 10}}},
        "export": {"event": "product.used", "where": {"feature": ["export", "plans"]}},
        "any_use": {"event": "product.used"},
    }
    smb = {"stages": {"onboarding": {"milestones": chosen}}}
    blueprint = Blueprint(4, {**BLUEPRINT.document, "journeys": {"smb": smb}})
    proofs = {}
    for day, seats in ((20, 5), (30, 12), (40, 20)):
        proofs[day] = await arrival.event("product.used", START + day * DAY + HOURS)
        async with arrival.kit.transaction() as session:
            query = (
                "UPDATE event SET attributes = jsonb_build_object('feature', 'plans', 'seats', CAST(:seats AS int)) "
            )
            await session.execute(text(query + "WHERE id = :id"), {"seats": seats, "id": proofs[day]})
    arrival.now = START + 10 * DAY + HOURS
    await arrival.look_for_itself(blueprint)
    found = await arrival.milestones()
    assert [found[name].reached_at for name in chosen] == [None, None, START + 3 * DAY + 5 * HOURS]
    arrival.now = START + 50 * DAY
    await arrival.look_for_itself(blueprint)
    found = await arrival.milestones()
    assert [found[name].reached_at for name in ("plan_chosen", "export")] == [
        START + 30 * DAY + HOURS,
        START + 20 * DAY + HOURS,
    ]
    assert found["plan_chosen"].evidence["events"][0]["id"] == str(proofs[30])
