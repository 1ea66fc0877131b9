"""The `plays` section reads like a sentence, tells kinds apart by their key, and is checked before anything runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from hub.health.section import Alerts
from hub.journeys.section import Journeys
from hub.plays.section import Level, Play, Plays
from hub.plays.step_kinds import STEPS, ActionStep, TaskStep, WaitStep, kind_of, walk
from hub.plays.team import Team
from hub.plays.trigger_kinds import TRIGGERS, AlertOpened, BandChanged

WIN_BACK: dict[str, Any] = {
    "trigger": {"alert": "active_people_decline"},
    "steps": [
        {
            "action": "inapp.send_message",
            "to": {"role": ["administrator", "champion"]},
            "input": {"title": "Hi {{ person.name or 'there' }}", "body": "{{ account.name }} is quiet."},
        },
        {"wait": "2d"},
        {"task": "Call {{ account.name }}", "owner": "csm", "due": "3d"},
    ],
}


def play(**changes: Any) -> dict[str, Any]:
    return {**WIN_BACK, **changes}


def problems(document: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        Play.model_validate(document)
    return str(caught.value)


def test_a_play_is_read_into_its_kinds() -> None:
    """Each trigger and step becomes the model that its key names."""
    read = Play.model_validate(WIN_BACK)
    assert read.trigger == AlertOpened(alert="active_people_decline")
    action, wait, task = read.steps
    assert isinstance(action, ActionStep)
    assert (action.connection_name, action.action_name) == ("inapp", "send_message")
    assert isinstance(wait, WaitStep)
    assert wait.wait == timedelta(days=2)
    assert isinstance(task, TaskStep)
    assert (task.due, task.until_done) == (timedelta(days=3), True)
    assert [kind_of(step) for step in read.steps] == ["action", "wait", "task"]


def test_a_definition_survives_json() -> None:
    """A run keeps its definition as JSON, and reads the same play back."""
    read = Play.model_validate(WIN_BACK)
    assert Play.model_validate_json(read.model_dump_json()) == read


def test_one_name_may_stand_for_a_list() -> None:
    """`band: red` is the same as `band: [red]`."""
    one = Play.model_validate(play(trigger={"band": "red"}))
    assert one.trigger == BandChanged(band=("red",))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"trigger": {"alarm": "x"}}, f"write one of {', '.join(TRIGGERS)}"),
        ({"steps": [{"sleep": "2d"}]}, f"write one of {', '.join(STEPS)}"),
        ({"steps": []}, "at least 1 item"),
        ({"steps": [{"wait": "2 days"}]}, "36h, 28d or 2w"),
        ({"steps": [{"task": "Call", "until": "x"}]}, "Extra inputs"),
        ({"steps": [{"task": "Call {{ account.nmae }}"}]}, "there is no 'nmae'"),
        ({"steps": [{"action": "send_message"}]}, "pattern"),
        ({"steps": [{"approve": "Go on with {{ account.nmae }}?"}]}, "there is no 'nmae'"),
        ({"steps": [{"set": {}}]}, "at least 1 item"),
        ({"steps": [{"set": {"note": "{{ acount.id }}"}}]}, "'acount'"),
        ({"steps": [{"branch": "score < 50"}]}, "Field required"),
        ({"steps": [{"branch": "score < 50", "then": [{"sleep": 1}]}]}, f"write one of {', '.join(STEPS)}"),
        ({"trigger": {"event": "ticket.createt"}}, "did you mean 'ticket.created'?"),
        ({"trigger": {"schedule": "weekly"}}, "36h, 28d or 2w"),
        ({"level": "1:N"}, "1:1"),
        ({"frequency": {"at_most": 0, "every": "7d"}}, "greater than or equal to 1"),
        ({"priority": 0}, "greater than or equal to 1"),
        ({"holdout": 1}, "less than 1"),
        ({"goal": {"when": "score > 50"}}, "Field required"),
        ({"steps": [{"action": "a.b", "to": {"role": "boss"}}]}, "administrator"),
        ({"trigger": {"band": "pink"}}, "red"),
        ({"trigger": {"band": []}}, "at least 1 item"),
    ],
)
def test_a_mistake_is_named(changes: dict[str, Any], complaint: str) -> None:
    """What cannot work is refused with what to write instead."""
    assert complaint in problems(play(**changes))


@pytest.mark.parametrize(
    ("step", "key"),
    [
        ({"task": "Call {{ person.email or '' }}"}, "task"),
        ({"action": "inapp.send_message", "input": {"user": "{{ person.id }}"}}, "input"),
        ({"notify": "{{ person.id }}"}, "notify"),
        ({"set": {"met": "{{ person.id }}"}}, "set"),
    ],
)
def test_a_text_names_a_person_only_where_the_play_is_for_one(step: dict[str, Any], key: str) -> None:
    """A play for the account has nobody to name; one that runs for each champion does."""
    nothing = Alerts.model_validate({}), Journeys.model_validate({}), Team({})
    for_one = Plays.model_validate({"one": play(trigger={"by_hand": True}, steps=[step])})
    [(path, message)] = for_one.problems(*nothing)
    assert path == ("one", "steps", 0, key)
    assert "there is no 'person'" in message
    for_each = {"one": play(trigger={"by_hand": True}, steps=[step], each={"role": "champion"})}
    assert list(Plays.model_validate(for_each).problems(*nothing)) == []


@pytest.mark.parametrize(
    ("trigger", "found"),
    [
        ({"alert": "active_people_declin"}, [("alert", "did you mean 'active_people_decline'?")]),
        ({"stage": "onbording"}, [("stage", "did you mean 'onboarding'?")]),
        ({"stage": "churned", "segment": "smbs"}, [("segment", "did you mean 'smb'?")]),
        ({"milestone_overdue": "first_report"}, []),
        ({"milestone_reached": "frist_report"}, [("milestone_reached", "did you mean 'first_report'?")]),
        ({"alert": "active_people_decline"}, []),
        ({"band": "red"}, []),
        ({"by_hand": True}, []),
    ],
)
def test_a_trigger_names_what_exists(trigger: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Alerts, stages, segments and milestones of a trigger stand in the other sections."""
    alerts = Alerts.model_validate({"active_people_decline": {"when": "a < b"}})
    milestones = {"first_report": {"event": "report.viewed"}}
    journeys = Journeys.model_validate({"smb": {"stages": {"onboarding": {"milestones": milestones}}}})
    plays = Plays.model_validate({"win_back": play(trigger=trigger)})
    assert [
        (path, any(hint in message for _, hint in found))
        for path, message in plays.problems(alerts, journeys, Team({}))
    ] == [(("win_back", "trigger", key), True) for key, _ in found]


EVERYTHING: dict[str, Any] = {
    "description": "All there is.",
    "enabled": False,
    "level": "1:M",
    "trigger": {"rule_enters": "logins > 3"},
    "audience": "segment = 'smb'",
    "frequency": {"at_most": 2, "every": "30d"},
    "cool_down": "14d",
    "priority": 80,
    "exit": "band = 'green'",
    "goal": {"when": "score >= 75", "within": "60d"},
    "holdout": "0.1",
    "steps": [
        {"wait": "14d", "until": "logins > 10"},
        {
            "branch": "score < 50",
            "then": [{"approve": "Write to {{ account.name }}?"}, {"notify": "{{ account.name }} is in trouble"}],
            "otherwise": [{"set": {"tone": "friendly", "level": 2}}],
        },
    ],
}


def test_the_whole_language_survives_json() -> None:
    """Every word of a play is read, and kept with a run as it was."""
    read = Play.model_validate(EVERYTHING)
    assert Play.model_validate_json(read.model_dump_json()) == read
    assert read.level is Level.ONE_TO_MANY
    assert [kind_of(step) for _, step in walk(read.steps)] == ["wait", "branch", "approve", "notify", "set"]


def test_every_rule_of_a_play_is_known_with_its_place() -> None:
    """In the trigger, around the steps, and inside them."""
    assert dict(Play.model_validate(EVERYTHING).rules()) == {
        ("trigger", "rule_enters"): "logins > 3",
        ("audience",): "segment = 'smb'",
        ("exit",): "band = 'green'",
        ("goal", "when"): "score >= 75",
        ("steps", 0, "until"): "logins > 10",
        ("steps", 1, "branch"): "score < 50",
    }
    left = (
        Play.model_validate(play(trigger={"rule_exits": "a > 1"})),
        Play.model_validate(play(trigger={"schedule": "7d", "when": "b > 1"})),
    )
    assert [dict(one.rules()) for one in left] == [{("trigger", "rule_exits"): "a > 1"}, {("trigger", "when"): "b > 1"}]


def test_a_play_cannot_avoid_one_that_there_is_not() -> None:
    """`not_with` names plays of the document."""
    nothing = Alerts.model_validate({}), Journeys.model_validate({}), Team({})
    by_hand = play(trigger={"by_hand": True})
    plays = Plays.model_validate({"one": by_hand | {"not_with": ["two", "onee"]}, "two": by_hand})
    assert list(plays.problems(*nothing)) == [(("one", "not_with", 1), "there is no play 'onee'; did you mean 'one'?")]
