"""What the blueprint may say about health, and how its mistakes are named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from hub.blueprint.service import Blueprint
from hub.health.rules import problems, ready
from hub.health.section import AlertRule, Bands, Profile, Profiles, Rearm

CURVE = [[0, 0], [10, 100]]
MEASURES = {name: {"kind": "count", "of": ["product.used"]} for name in ("use", "visits")}
JOURNEY = {"stages": {"onboarding": {}, "established": {}}}


def _profile(**given: Any) -> dict[str, Any]:
    return {"indicators": {"product_engagement": {"weight": 1, "measures": {"use": {"curve": CURVE}}}}} | given


def _problems(**sections: Any) -> list[tuple[str, str]]:
    document = {
        "measures": MEASURES,
        "segments": {"smb": {}},
        "journeys": {"smb": JOURNEY},
        "profiles": {"smb": _profile()},
    }
    found = problems(Blueprint(1, document | sections))
    return [(".".join(map(str, problem.path)), problem.message) for problem in found]


def test_a_sound_document_has_no_problems() -> None:
    """Profiles of a segment and of one of its stages, with rules over measures and facts."""
    assert (
        _problems(
            profiles={
                "smb": _profile(purple="use > 100 AND stage = 'established'"),
                "smb.onboarding": _profile(caps=[{"name": "idle", "when": "days_known > 3", "at_most": 60}]),
                "smb.churned": _profile(),
            },
            alerts={"idle": {"when": "use = 0 AND band <> 'red'", "severity": "low", "watch": True}},
        )
        == []
    )


def test_unknown_names_are_said_with_what_was_meant() -> None:
    """Profiles of nowhere, measures and names in rules that do not exist: each with its place."""
    found = _problems(
        profiles={
            "smb.onbording": _profile(),
            "smb": {"indicators": {"product_engagement": {"weight": 1, "measures": {"uses": {"curve": CURVE}}}}},
            "smb.onboarding": _profile(caps=[{"name": "idle", "when": "visit = 0", "at_most": 60}], purple="scor > 3"),
        },
        alerts={"idle": {"when": "use <"}},
    )
    assert [path for path, _ in found] == [
        "profiles.smb.onbording",
        "profiles.smb.indicators.product_engagement.measures.uses",
        "profiles.smb.onboarding.caps.0.when",
        "profiles.smb.onboarding.purple",
        "alerts.idle.when",
    ]
    assert "did you mean 'smb.onboarding'?" in found[0][1]
    assert "did you mean 'use'?" in found[1][1]
    assert "did you mean 'visits'?" in found[2][1]
    assert "did you mean 'score'?" in found[3][1]


def test_every_segment_needs_a_profile() -> None:
    """An account must never be without a way to be scored."""
    assert _problems(profiles={}) == [("profiles.smb", "is missing: every segment needs a profile")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"indicators": {}},
        {"indicators": {"engagement": {"weight": 1, "measures": {"use": {"curve": CURVE}}}}},
        {"indicators": {"product_engagement": {"weight": 1, "measures": {}}}},
        {"indicators": {"product_engagement": {"weight": 0, "measures": {"use": {"curve": CURVE}}}}},
        {"indicators": {"product_engagement": {"weight": 1, "measures": {"use": {"curve": [[0, 0]]}}}}},
        {"indicators": {"product_engagement": {"weight": 1, "measures": {"use": {"curve": [[1, 0], [1, 9]]}}}}},
        {"indicators": {"product_engagement": {"weight": 1, "measures": {"use": {"curve": [[0, 0], [1, 101]]}}}}},
        {"indicators": {"product_engagement": {"weight": 1, "measures": {"use": {"curve": [[0, 0], [1e-300, 1]]}}}}},
        _profile(floor=1.5),
        _profile(caps=[{"name": "a", "when": "use > 1", "at_most": 1}, {"name": "a", "when": "use > 2", "at_most": 2}]),
        _profile(bands={"red_below": 60, "green_from": 61, "hysteresis": 2}),
        _profile(colour="red"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """Empty or unknown indicators, weights of nought, curves that do not rise, thresholds that overlap."""
    with pytest.raises(ValidationError):
        Profile.model_validate(wrong)


def test_a_profile_weighs_sixty_measures_at_most() -> None:
    """More would not fit the integer that says which of them have a value."""
    many = {f"m{nth}": {"curve": CURVE} for nth in range(61)}
    with pytest.raises(ValidationError, match="at most 60"):
        Profile.model_validate({"indicators": {"product_engagement": {"weight": 1, "measures": many}}})


def test_the_stage_s_profile_goes_before_the_segment_s() -> None:
    """A profile may be for a stage only; then other stages have none."""
    profiles = Profiles.model_validate({"smb": _profile(), "smb.onboarding": _profile(), "big.live": _profile()})
    assert profiles.name_for("smb", "onboarding") == "smb.onboarding"
    assert profiles.name_for("smb", "established") == "smb"
    assert profiles.name_for("big", "onboarding") is None
    assert profiles.name_for(None, None) is None


def test_defaults() -> None:
    """Red below 50, green from 75, left two points later, half of the weight known."""
    profile = Profile.model_validate(_profile())
    assert profile.bands == Bands.model_validate({"red_below": 50, "green_from": 75, "hysteresis": 2})
    assert str(profile.floor) == "0.5"


def test_a_blueprint_is_made_ready_once() -> None:
    """Rules are parsed once a version, not once a batch."""
    document = {"measures": MEASURES, "profiles": {"smb": _profile(purple="use > 3")}}
    blueprint = Blueprint(1, document)
    assert ready(blueprint) is ready(blueprint)
    assert ready(blueprint).profiles["smb"].purple is not None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("ceased", Rearm()),
        ("7d", Rearm(after=timedelta(days=7))),
        ("by_hand", Rearm(by_hand=True)),
        ({"ceased_for": "36h"}, Rearm(ceased_for=timedelta(hours=36))),
    ],
)
def test_when_an_alert_is_armed_again_can_be_said_shortly(said: Any, meant: Rearm) -> None:
    """A span, a word, or the whole of it."""
    assert AlertRule.model_validate({"when": "use > 1", "rearm": said}).rearm == meant


@pytest.mark.parametrize("said", ["soon", {"after": "7d", "by_hand": True}, {"ceased_for": "0d"}])
def test_one_way_of_arming_again_is_enough(said: Any) -> None:
    """Two at once, nothing that is a span, and no time at all are refused."""
    with pytest.raises(ValidationError):
        AlertRule.model_validate({"when": "use > 1", "rearm": said})
