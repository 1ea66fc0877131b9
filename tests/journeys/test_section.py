"""What the blueprint may say about journeys, and how its mistakes are named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from hub.blueprint.service import Blueprint
from hub.journeys.rules import problems, ready
from hub.journeys.section import Journey, Journeys, Milestone, Segments, Stage

MEASURES = {"use": {"kind": "count", "of": ["product.used"]}, "mrr": {"kind": "things", "type": "subscription"}}
JOURNEY: dict[str, Any] = {
    "stages": {
        "onboarding": {
            "expected": "90d",
            "milestones": {
                "setup_completed": {"event": "setup.completed", "expected": "14d"},
                "first_use": {"when": "use >= 1", "expected": "30d", "required": False},
            },
        },
        "established": {},
    },
    "transitions": [
        {"from": "onboarding", "to": "established", "when": "days_known >= 90"},
        {"from": "any", "to": "churned", "when": "mrr = 0"},
    ],
}


def _problems(**sections: Any) -> list[tuple[str, str]]:
    document = {"measures": MEASURES, "segments": {"smb": {}}, "journeys": {"smb": JOURNEY}}
    found = problems(Blueprint(1, document | sections))
    return [(".".join(map(str, problem.path)), problem.message) for problem in found]


def test_a_sound_document_has_no_problems() -> None:
    """Segments with rules, stages, milestones of both sorts, and `churned`, which nobody has to declare."""
    assert (
        _problems(
            segments={"enterprise": {"when": "mrr > 500000"}, "smb": {}},
            journeys={"enterprise": JOURNEY, "smb": JOURNEY},
        )
        == []
    )


def test_only_events_have_attributes_to_choose_by() -> None:
    """A milestone with a rule asks its measures instead."""
    assert Milestone(event="product.used", where={"feature": "plans"}).where["feature"].any_of == ("plans",)
    with pytest.raises(ValidationError, match="name the `event`"):
        Milestone(when="use >= 1", where={"feature": "plans"})


def test_segments_and_journeys_belong_together() -> None:
    """A segment without a journey, and the journey of no segment."""
    assert _problems(journeys={"smbs": JOURNEY}) == [
        ("journeys.smb", "is missing: every segment needs a journey"),
        ("journeys.smbs", "is the journey of no segment; did you mean 'smb'?"),
    ]


def test_unknown_names_in_rules_are_said_with_their_place() -> None:
    """In segments, milestones and transitions alike."""
    journey = {
        "stages": {"onboarding": {"milestones": {"first_use": {"when": "uses >= 1"}}}},
        "transitions": [{"from": "onboarding", "to": "churned", "when": "mrrr = 0"}],
    }
    found = _problems(segments={"smb": {"when": "mr > 1"}}, journeys={"smb": journey})
    assert [path for path, _ in found] == [
        "segments.smb.when",
        "journeys.smb.stages.onboarding.milestones.first_use.when",
        "journeys.smb.transitions.0.when",
    ]
    assert all("did you mean" in message for _, message in found)


def test_transitions_lead_somewhere() -> None:
    """From a stage that does not exist, to one that does not, and back to where they come from."""
    journey = {
        "stages": {"onboarding": {}, "established": {}},
        "transitions": [
            {"from": "onbording", "to": "established", "when": "TRUE"},
            {"from": "any", "to": "any", "when": "TRUE"},
            {"from": "churned", "to": "churned", "when": "TRUE"},
        ],
    }
    found = list(Journeys.model_validate({"smb": journey}).problems())
    assert [(path[-2:], message.split(";")[0]) for path, message in found] == [
        ((0, "from"), "'onbording' is not a stage"),
        ((1, "to"), "'any' is not a stage"),
        ((1, "to"), "leads back to where it comes from"),
        ((2, "to"), "leads back to where it comes from"),
    ]


def test_a_segment_behind_one_that_takes_everybody_is_never_reached() -> None:
    """Order matters, so this is said."""
    segments = Segments.model_validate({"all": {}, "enterprise": {"when": "mrr > 1"}})
    assert list(segments.problems()) == [
        (("enterprise",), "is never reached: 'all' has no rule and takes every account")
    ]


@pytest.mark.parametrize("wrong", [{}, {"event": "setup.completed", "when": "TRUE"}, {"event": "setup.complete"}])
def test_a_milestone_is_reached_in_one_way(wrong: dict[str, Any]) -> None:
    """By an event of a known kind or by a rule; neither, both and unknown kinds are refused."""
    with pytest.raises(ValidationError):
        Milestone.model_validate(wrong)


def test_a_journey_needs_a_stage() -> None:
    """Otherwise there is nowhere to begin."""
    with pytest.raises(ValidationError):
        Journey.model_validate({"stages": {}})
    assert Journey.model_validate(JOURNEY).first == "onboarding"


def test_limits_of_a_stage() -> None:
    """Behind after the expected time, stuck after twice that, unless the stage says otherwise."""
    month = timedelta(days=30)
    assert Stage.model_validate({}).limits() == (None, None)
    assert Stage.model_validate({"expected": "30d"}).limits() == (month, 2 * month)
    assert Stage.model_validate({"expected": "30d", "stuck_after": "40d"}).limits() == (month, timedelta(days=40))
    assert Stage.model_validate({"behind_after": "60d"}).limits() == (2 * month, 4 * month)


def test_a_blueprint_is_made_ready_once() -> None:
    """Rules are parsed once a version, not once a batch."""
    blueprint = Blueprint(1, {"measures": MEASURES, "segments": {"smb": {}}, "journeys": {"smb": JOURNEY}})
    world = ready(blueprint)
    assert world is ready(blueprint)
    assert [milestone.rule is None for milestone in world.journeys["smb"].milestones["onboarding"]] == [True, False]
