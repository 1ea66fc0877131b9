"""The decisions of plays: what starts one, whom it addresses, what comes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from hub.plays.decisions import (
    AskVendor,
    BeginWait,
    GiveTask,
    GoOn,
    Hold,
    MakeCalls,
    Move,
    Rest,
    Somebody,
    address,
    addressed,
    call_key,
    next_move,
    occurrence_of,
    settle,
)
from hub.plays.model import CallStatus, StepStatus
from hub.plays.step_kinds import ActionStep, Audience, Step, TaskStep, WaitStep
from hub.plays.team import Team
from hub.plays.trigger_kinds import Trigger

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)

ALERT = {"alert_id": "a1", "rule": "decline"}
BAND = {"score_id": "s1", "band": "red", "previous_band": "green"}
STAGE = {"stay_id": "t1", "stage": "onboarding", "segment": "smb"}
MILESTONE = {"stay_id": "t1", "milestone": "first_report"}


@pytest.mark.parametrize(
    ("trigger", "topic", "payload", "occurrence"),
    [
        ({"alert": "decline"}, "alert.opened", ALERT, "alert:a1"),
        ({"alert": "other"}, "alert.opened", ALERT, None),
        ({"alert": "decline"}, "alert.resolved", ALERT, None),
        ({"band": ["red", "yellow"]}, "band.changed", BAND, "score:s1"),
        ({"band": "red", "previously": "yellow"}, "band.changed", BAND, None),
        ({"band": "green"}, "band.changed", BAND, None),
        ({"band": "red", "previously": "unknown"}, "band.changed", {**BAND, "previous_band": None}, "score:s1"),
        ({"stage": "onboarding"}, "stage.entered", STAGE, "stay:t1"),
        ({"stage": "onboarding", "segment": "enterprise"}, "stage.entered", STAGE, None),
        ({"milestone_reached": "first_report"}, "milestone.reached", MILESTONE, "milestone_reached:t1:first_report"),
        ({"milestone_reached": "first_report"}, "milestone.overdue", MILESTONE, None),
        ({"milestone_overdue": "first_report"}, "milestone.overdue", MILESTONE, "milestone_overdue:t1:first_report"),
        ({"by_hand": True}, "alert.opened", ALERT, None),
    ],
)
def test_a_fact_starts_the_plays_that_wait_for_it(
    trigger: dict[str, Any], topic: str, payload: dict[str, Any], occurrence: str | None
) -> None:
    """A trigger fits its own topic and names only, and names the occurrence by what happened."""
    read: Trigger = TypeAdapter(Trigger).validate_python(trigger)
    assert occurrence_of(read, topic, payload) == occurrence


def somebody(number: int, **known: Any) -> Somebody:
    return Somebody(UUID(int=number), **known)


def test_an_audience_is_those_with_the_role_who_may_be_contacted() -> None:
    """Others, and people who do not want to be contacted, are never addressed; the order is steady."""
    people = [
        somebody(3, role="champion"),
        somebody(1, role="administrator"),
        somebody(2, role="administrator", do_not_contact=True),
        somebody(4, role="end_user"),
        somebody(5),
    ]
    found = addressed(Audience(role=("administrator", "champion")), people)
    assert [person.id.int for person in found] == [1, 3]
    assert [person.id.int for person in addressed(Audience(role=("any",)), people)] == [1, 3, 4, 5]


@pytest.mark.parametrize(
    ("fields", "given", "found"),
    [
        (("user", "title"), (), {"user": "u1"}),
        (("email", "title"), (), None),
        (("user",), ("user",), {}),
        (("title",), (), {}),
    ],
)
def test_an_action_is_addressed_by_what_it_asks_for(
    fields: tuple[str, ...], given: tuple[str, ...], found: dict[str, str] | None
) -> None:
    """The fields `user` and `email` are filled in, unless the play does; an unknown address is no address."""
    assert address(somebody(1, user="u1"), fields, given) == found


ACTION, TASK, WAIT = ActionStep(action="a.b"), TaskStep(task="Call", due=3 * DAY), WaitStep(wait=2 * DAY)


@pytest.mark.parametrize(
    ("step", "status", "due_at", "move"),
    [
        (ACTION, "pending", None, AskVendor()),
        (ACTION, "waiting", None, MakeCalls()),
        (TASK, "pending", None, GiveTask(due_at=NOW + 3 * DAY, rest=True)),
        (TaskStep(task="Call", until_done=False), "pending", None, GiveTask(due_at=None, rest=False)),
        (TASK, "waiting", NOW - DAY, Rest(until=None)),
        (WAIT, "pending", None, BeginWait()),
        (WAIT, "waiting", NOW + DAY, Rest(until=NOW + DAY)),
        (WAIT, "waiting", NOW, GoOn()),
        (ACTION, "done", None, GoOn()),
        (ACTION, "skipped", None, GoOn()),
        (ACTION, "failed", None, Hold()),
        (ACTION, "unknown", None, Hold()),
    ],
)
def test_the_next_move_follows_from_the_step_and_its_state(
    step: Step, status: str, due_at: datetime | None, move: Move
) -> None:
    """Each kind of step begins, goes on and ends in its own way; what failed or is unclear holds the run."""
    assert next_move(step, StepStatus(status), due_at, NOW) == move


def test_a_step_ends_with_the_worst_of_its_calls() -> None:
    """Unclear is worse than failed, failed worse than done; no call at all is done."""
    done, failed, unknown = CallStatus.DONE, CallStatus.FAILED, CallStatus.UNKNOWN
    assert settle([done, done]) is StepStatus.DONE
    assert settle([done, failed]) is StepStatus.FAILED
    assert settle([failed, unknown, done]) is StepStatus.UNKNOWN


def test_a_key_names_run_step_and_person() -> None:
    """The idempotency key is `run:step`, and the person where there is one."""
    run = UUID(int=1)
    assert call_key(run, 2) == f"{run}:2"
    assert call_key(run, 2, "p") == f"{run}:2:p"


def test_a_task_goes_to_the_owner_of_the_account() -> None:
    """Without an owner it is anybody's."""
    team = Team({"manager": "kim"})
    assert [team.who(role, "sam") for role in ("csm", "manager", "gone")] == ["sam", "kim", None]
    assert team.who("csm", None) is None
