"""Years of history decided at once against a look at the end of every day."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.blueprint.service import Blueprint
from hub.journeys import milestones
from hub.journeys.milestones import Progress, Reached
from hub.journeys.progress import days_between, move
from hub.journeys.replay import History, held_first, milestones_then, replay
from hub.journeys.rules import ready
from hub.journeys.stays import Staying

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EXAMPLES = int(os.environ.get("HUB_TEST_REPLAYS", "25"))

WORLD = ready(
    Blueprint(
        1,
        {
            "measures": {name: {"kind": "count", "of": ["product.used"]} for name in ("use", "size", "gone")},
            "segments": {"enterprise": {"when": "size > 2"}, "smb": {"when": "size >= 0"}},
            "journeys": {
                "smb": {
                    "stages": {
                        "onboarding": {
                            "milestones": {
                                "used": {"when": "use >= 2", "expected": "3d"},
                                "settled": {"when": "days_in_stage > 2.5 AND use >= 1", "expected": "2d"},
                                "set_up": {"event": "setup.completed", "expected": "4d"},
                            }
                        },
                        "established": {"milestones": {"again": {"when": "use >= 3"}}},
                        "loved": {},
                    },
                    "transitions": [
                        {"from": "onboarding", "to": "established", "when": "use >= 3 OR days_known >= 9"},
                        {"from": "established", "to": "loved", "when": "use >= 4 AND days_in_stage >= 1"},
                        {"from": "loved", "to": "established", "when": "use < 4"},
                        {"from": "established", "to": "onboarding", "when": "use = 0"},
                        {"from": "churned", "to": "onboarding", "when": "gone = 0"},
                        {"from": "any", "to": "churned", "when": "gone > 0 AND stage <> 'loved'"},
                    ],
                },
                "enterprise": {
                    "stages": {"implementation": {}, "established": {}},
                    "transitions": [{"from": "any", "to": "established", "when": "days_in_stage > 4"}],
                },
            },
        },
    )
)

_numbers = st.sampled_from([None, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0])
_days = st.fixed_dictionaries({"use": _numbers, "size": st.sampled_from([None, 0.0, 1.0, 1.0, 3.0]), "gone": _numbers})
_accounts = st.lists(
    st.tuples(st.timedeltas(timedelta(0), 3 * DAY), st.lists(_days, min_size=1, max_size=14)), min_size=1, max_size=4
)


def _table(accounts: list[tuple[timedelta, list[dict[str, Any]]]]) -> tuple[pl.DataFrame, dict[str, datetime]]:
    rows, seen = [], {}
    for number, (age, days) in enumerate(accounts):
        id_ = str(UUID(int=number))
        seen[id_] = START - age
        rows += [
            {"account_id": id_, "as_of": at, "days_known": days_between(seen[id_], at), "owner": None}
            | {"score": None, "band": None}
            | measures
            for at, measures in ((START + nth * DAY, one) for nth, one in enumerate(days))
        ]
    text = {"account_id": pl.String, "as_of": pl.Datetime("us", "UTC"), "owner": pl.String, "band": pl.String}
    return pl.DataFrame(rows, schema={name: text.get(name, pl.Float64) for name in rows[0]}), seen


def _looked_at(
    frame: pl.DataFrame, seen: dict[str, datetime]
) -> tuple[dict[str, list[Staying]], dict[tuple[UUID, str], Progress]]:
    """Every day on its own, as the hub does it from the day on which it knows an account."""
    current: dict[str, Staying] = {}
    stays: dict[str, dict[UUID, Staying]] = {}
    known: dict[tuple[UUID, str], Progress] = {}
    for (at,), day in frame.sort("as_of").group_by("as_of", maintain_order=True):
        assert isinstance(at, datetime)
        moves = move(day.drop("as_of"), WORLD, current, seen, at)
        for stay in moves.touched:
            stays.setdefault(stay.account_id, {})[stay.id] = stay
        reached = milestones.held(WORLD, day, moves.touched, known, at)
        for one in milestones.follow(WORLD, moves.touched, known, reached, at):
            known[one.stay_id, one.milestone] = one
        current = dict(moves.current)
    return {account_id: list(of.values()) for account_id, of in stays.items()}, known


def _said(stay: Staying) -> Staying:
    return replace(stay, id=UUID(int=0))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_accounts)
def test_a_replay_is_what_a_look_at_the_end_of_every_day_finds(
    accounts: list[tuple[timedelta, list[dict[str, Any]]]],
) -> None:
    """The same stays for the same reasons, and the same milestones on the same days."""
    frame, seen = _table(accounts)
    history = replay(frame, WORLD, seen)
    stays, known = _looked_at(frame, seen)
    assert {id_: [_said(stay) for stay in of] for id_, of in history.stays.items()} == {
        id_: [_said(stay) for stay in of] for id_, of in stays.items()
    }
    reached = held_first(frame, WORLD, history)
    found = {
        (one.stay_id, one.milestone): one for one in milestones_then(WORLD, history, reached, frame["as_of"].max())
    }
    for id_, mine in history.stays.items():
        for stay, other in zip(mine, stays[id_], strict=True):
            for milestone in WORLD.journeys[stay.segment].milestones.get(stay.stage, ()):
                ours, theirs = found[stay.id, milestone.name], known[other.id, milestone.name]
                assert (ours.expected_at, ours.reached_at, ours.evidence) == (
                    theirs.expected_at,
                    theirs.reached_at,
                    theirs.evidence,
                )
                # A look notices at the end of the day what a replay dates to the moment, also when both come at once.
                if theirs.overdue_at is not None:
                    assert ours.overdue_at is not None
                    assert ours.overdue_at <= theirs.overdue_at
                elif ours.overdue_at is not None:
                    assert theirs.reached_at is not None
                    assert ours.overdue_at < theirs.reached_at


def test_what_is_over_keeps_its_dates() -> None:
    """Each stay from the day on which its rule began to hold; the last one goes on."""
    used = [{"use": use, "size": 1.0, "gone": 0.0} for use in (0.0, 1.0, 3.0, 3.0, 4.0, 1.0)]
    frame, seen = _table([(DAY, used)])
    history = replay(frame, WORLD, seen)
    (stays,) = history.stays.values()
    assert [(stay.stage, stay.entered_at, stay.left_at) for stay in stays] == [
        ("onboarding", START - DAY, START + 2 * DAY),
        ("established", START + 2 * DAY, START + 4 * DAY),
        ("loved", START + 4 * DAY, START + 5 * DAY),
        ("established", START + 5 * DAY, None),
    ]
    assert isinstance(history, History)
    assert history.current == {stays[0].account_id: stays[-1]}


def test_an_event_proves_at_its_own_moment_and_what_came_late_was_overdue() -> None:
    """Reached exactly when it happened; overdue from the moment expected, although it was reached afterwards."""
    used = [{"use": 0.0, "size": 1.0, "gone": 0.0}] * 8
    frame, seen = _table([(timedelta(hours=3), used)])
    history = replay(frame, WORLD, seen)
    (stay,) = history
    at = START + 5 * DAY + timedelta(minutes=7)
    proof = {(stay.id, "set_up"): Reached(at, {"events": []})}
    found = {one.milestone: one for one in milestones_then(WORLD, history, proof, START + 7 * DAY)}
    begun = START - timedelta(hours=3)
    assert (found["set_up"].reached_at, found["set_up"].overdue_at) == (at, begun + 4 * DAY)
    assert (found["used"].reached_at, found["used"].overdue_at) == (None, begun + 3 * DAY)
