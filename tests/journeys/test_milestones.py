"""Milestones: reached by events or rules, overdue by time alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import polars as pl
import pytest

from hub.blueprint.service import Blueprint
from hub.journeys.milestones import Progress, Reached, Sought, StayStatus, follow, held, sought, status
from hub.journeys.rules import ready
from hub.journeys.section import Stage
from hub.journeys.stays import Staying

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ENTERED = NOW - timedelta(days=10)
DAY = timedelta(days=1)
ONBOARDING = {
    "expected": "30d",
    "milestones": {
        "setup": {"event": "setup.completed", "expected": "14d"},
        "first_use": {"when": "use >= 1 AND stage = 'onboarding'", "expected": "7d"},
        "delight": {"when": "use >= 100", "required": False},
    },
}
WORLD = ready(
    Blueprint(
        1,
        {
            "measures": {"use": {"kind": "count", "of": ["product.used"]}},
            "segments": {"smb": {}},
            "journeys": {"smb": {"stages": {"onboarding": ONBOARDING, "established": {}}}},
        },
    )
)
STAY = Staying(UUID(int=1), "a", "smb", "onboarding", ENTERED, None, True, {})
PENDING = {
    (STAY.id, "setup"): Progress(STAY.id, "setup", "a", ENTERED + 14 * DAY),
    (STAY.id, "first_use"): Progress(STAY.id, "first_use", "a", ENTERED + 7 * DAY, overdue_at=NOW),
    (STAY.id, "delight"): Progress(STAY.id, "delight", "a", None),
}


def _frame(use: float | None) -> pl.DataFrame:
    return pl.DataFrame({"account_id": ["a"], "use": [use]}, schema={"account_id": pl.String, "use": pl.Float64})


def test_a_stay_begins_with_all_of_its_milestones() -> None:
    """Each with the moment at which it is expected; what is late already is overdue at once."""
    assert {one.milestone: one for one in follow(WORLD, [STAY], {}, {}, NOW)} == {
        name: progress for (_, name), progress in PENDING.items()
    }


def test_nothing_changes_when_nothing_happens() -> None:
    """A second look writes nothing."""
    assert follow(WORLD, [STAY], PENDING, {}, NOW + DAY) == []


def test_overdue_comes_by_time_alone() -> None:
    """At the moment at which it is expected, and not before."""
    at = ENTERED + 14 * DAY
    assert follow(WORLD, [STAY], PENDING, {}, at - timedelta(microseconds=1)) == []
    assert follow(WORLD, [STAY], PENDING, {}, at) == [replace(PENDING[STAY.id, "setup"], overdue_at=at)]


def test_reached_keeps_its_proof() -> None:
    """When and by what; a milestone that was overdue may still be reached, and stays reached."""
    proof = Reached(NOW, {"events": ["x"]})
    (reached,) = follow(WORLD, [STAY], PENDING, {(STAY.id, "first_use"): proof}, NOW)
    assert (reached.reached_at, reached.overdue_at, reached.evidence) == (NOW, NOW, {"events": ["x"]})
    known = PENDING | {(STAY.id, "first_use"): reached}
    assert follow(WORLD, [STAY], known, {(STAY.id, "first_use"): Reached(NOW + DAY, {})}, NOW + DAY) == []


def test_events_are_sought_from_the_beginning_of_the_stay() -> None:
    """In an account's first stay from ever; until now, or until the stay was left; not for what is reached already."""
    assert sought(WORLD, [STAY], PENDING, NOW) == [Sought(STAY.id, "setup", "a", "setup.completed", None, NOW)]
    later = replace(STAY, first=False, left_at=ENTERED + DAY)
    assert sought(WORLD, [later], {}, NOW) == [Sought(STAY.id, "setup", "a", "setup.completed", ENTERED, ENTERED + DAY)]
    reached = {(STAY.id, "setup"): replace(PENDING[STAY.id, "setup"], reached_at=ENTERED)}
    assert sought(WORLD, [STAY], reached, NOW) == []


def test_rules_are_held_in_the_stage_of_the_stay() -> None:
    """The evidence is the rule and the values that it saw; unknown does not reach anything."""
    found = held(WORLD, _frame(3.0), [STAY], PENDING, NOW)
    assert found == {
        (STAY.id, "first_use"): Reached(
            NOW, {"rule": "use >= 1 AND stage = 'onboarding'", "values": {"stage": "onboarding", "use": 3.0}}
        )
    }
    assert held(WORLD, _frame(None), [STAY], PENDING, NOW) == {}


def test_a_stay_that_was_left_before_a_milestone_was_due_is_not_overdue() -> None:
    """The clock of a milestone stops with its stay."""
    left = replace(STAY, left_at=ENTERED + 13 * DAY)
    assert follow(WORLD, [left], PENDING, {}, NOW + 30 * DAY) == []


@pytest.mark.parametrize(
    ("days", "open_since", "expected"),
    [
        (5, None, StayStatus.ON_TRACK),
        (20, 14, StayStatus.BEHIND),
        (31, None, StayStatus.BEHIND),
        (61, None, StayStatus.STUCK),
    ],
)
def test_how_a_stay_goes(days: int, open_since: int | None, expected: StayStatus) -> None:
    """Behind by a required milestone that is late or by the time spent, stuck by twice that time."""
    stage = Stage.model_validate(ONBOARDING)
    milestones = [Progress(STAY.id, "setup", "a", ENTERED + 14 * DAY, None if open_since else ENTERED)]
    assert status(stage, ENTERED, milestones, ENTERED + days * DAY) == expected


def test_what_is_not_required_makes_nobody_late() -> None:
    """Nor does a stage without limits, or one that the blueprint no longer knows."""
    late = [Progress(STAY.id, "delight", "a", ENTERED)]
    assert status(Stage.model_validate(ONBOARDING), ENTERED, late, NOW) == StayStatus.ON_TRACK
    assert status(None, ENTERED, [], NOW + 1000 * DAY) == StayStatus.ON_TRACK
