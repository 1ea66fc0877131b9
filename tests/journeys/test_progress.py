"""Moving along a journey: the right stage, for the right reason, at the right moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import polars as pl

from hub.blueprint.service import Blueprint
from hub.journeys.progress import Moves, at_stays, days_between, move, segment_of
from hub.journeys.rules import ReadyMap, ready
from hub.journeys.stays import Staying

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SEEN = NOW - timedelta(days=100)
MEASURES = {name: {"kind": "count", "of": ["product.used"]} for name in ("use", "renews_in_days", "size", "gone")}
STAGES: dict[str, Any] = {"onboarding": {}, "established": {}, "pre_renewal": {}}
TRANSITIONS = [
    {"from": "onboarding", "to": "established", "when": "days_known >= 90 OR use > 10"},
    {"from": "established", "to": "pre_renewal", "when": "renews_in_days <= 90"},
    {"from": "pre_renewal", "to": "established", "when": "renews_in_days > 90"},
    {"from": "any", "to": "churned", "when": "gone > 0"},
]


def _world(**journeys: Any) -> ReadyMap:
    document = {
        "measures": MEASURES,
        "segments": {"enterprise": {"when": "size > 100"}, "smb": {}},
        "journeys": {
            "smb": {"stages": STAGES, "transitions": TRANSITIONS},
            "enterprise": {"stages": {"implementation": {}, "established": {}}},
        }
        | journeys,
    }
    return ready(Blueprint(1, document))


WORLD = _world()


def _frame(**accounts: dict[str, float]) -> pl.DataFrame:
    rows = [
        {"account_id": name, "days_known": 100.0}
        | dict.fromkeys(MEASURES)
        | {"owner": None, "score": None, "band": None}
        | given
        for name, given in accounts.items()
    ]
    text = ("account_id", "owner", "band")
    return pl.DataFrame(rows, schema={name: pl.String if name in text else pl.Float64 for name in rows[0]})


def _move(given: dict[str, float], stay: Staying | None = None, world: ReadyMap = WORLD) -> Moves:
    return move(_frame(a=given), world, {"a": stay} if stay else {}, {"a": SEEN}, NOW)


def _stay(stage: str, segment: str = "smb") -> Staying:
    return Staying(UUID(int=1), "a", segment, stage, NOW - timedelta(days=10), None, True, {})


def test_a_new_account_enters_its_first_stage_when_it_was_first_seen() -> None:
    """However late the hub looks at it."""
    moves = _move({"days_known": 40})
    (stay,) = moves.entered
    assert (stay.stage, stay.entered_at, stay.left_at, stay.first) == ("onboarding", SEEN, None, True)
    assert stay.because == {"reason": "first_seen"}
    assert moves.left == ()


def test_nobody_enters_a_stage_in_the_future() -> None:
    """Should a vendor's clock be ahead, the moment of the look counts."""
    moves = move(_frame(a={"days_known": 0}), WORLD, {}, {"a": NOW + timedelta(hours=1)}, NOW)
    assert moves.current["a"].entered_at == NOW


def test_a_transition_is_taken_with_its_reason() -> None:
    """The stay that was left ends now, the new one begins now and says which rule held against which values."""
    moves = _move({"use": 11, "days_known": 30}, _stay("onboarding"))
    assert [(stay.stage, stay.left_at) for stay in moves.left] == [("onboarding", NOW)]
    (stay,) = moves.entered
    assert (stay.stage, stay.entered_at, stay.first) == ("established", NOW, False)
    assert stay.because == {
        "reason": "transition",
        "from": "onboarding",
        "rule": "days_known >= 90 OR use > 10",
        "values": {"days_known": 30.0, "use": 11.0},
    }


def test_several_transitions_follow_one_another_in_one_look() -> None:
    """An account that the hub meets late goes through all of its journey at once, each stage once."""
    moves = _move({"renews_in_days": 30})
    assert [(stay.stage, stay.entered_at, stay.left_at) for stay in moves.entered] == [
        ("onboarding", SEEN, NOW),
        ("established", NOW, NOW),
        ("pre_renewal", NOW, None),
    ]
    assert moves.current["a"].stage == "pre_renewal"
    assert [stay.stage for stay in moves.touched] == ["onboarding", "established", "pre_renewal"]


def test_rules_that_contradict_each_other_end() -> None:
    """There and back is taken once in a look, not for ever."""
    contrary = [
        {"from": "onboarding", "to": "established", "when": "TRUE"},
        {"from": "established", "to": "onboarding", "when": "TRUE"},
    ]
    moves = _move({}, _stay("onboarding"), _world(smb={"stages": STAGES, "transitions": contrary}))
    assert [stay.stage for stay in moves.entered] == ["established"]


def test_the_first_transition_that_holds_is_taken() -> None:
    """In the order of the document, from any stage too; churned accounts do not churn again."""
    assert [stay.stage for stay in _move({"gone": 1}, _stay("pre_renewal")).entered] == ["churned"]
    assert _move({"gone": 1}, _stay("churned")).entered == ()


def test_unknown_is_not_true() -> None:
    """A rule about a measure without a value moves nobody."""
    assert _move({}, _stay("established")).entered == ()


def test_the_first_segment_whose_rule_holds() -> None:
    """The last has no rule and takes the rest; without such a one an account may have none."""
    frame = _frame(a={"size": 500.0}, b={"size": 5.0}, c={})
    assert segment_of(frame, WORLD.segments).to_list() == ["enterprise", "smb", "smb"]
    assert segment_of(frame, WORLD.segments[:1]).to_list() == ["enterprise", None, None]


def test_another_segment_is_another_journey() -> None:
    """The stage of the same name goes on, otherwise the journey begins at its first stage."""
    moves = _move({"size": 500}, _stay("established"))
    assert [(stay.segment, stay.stage) for stay in moves.entered] == [("enterprise", "established")]
    assert moves.entered[0].because["reason"] == "segment"
    moves = _move({"size": 500}, _stay("onboarding"))
    assert [(stay.segment, stay.stage) for stay in moves.entered] == [("enterprise", "implementation")]


def test_without_a_segment_nobody_travels() -> None:
    """No journey is not an error: the account has no stage."""
    world = ReadyMap(WORLD.segments[:1], WORLD.journeys, 1)
    assert _move({}, None, world) == Moves((), (), {})


def test_a_stage_that_the_blueprint_dropped_is_left_by_rules_for_any_stage() -> None:
    """The account stays where it is until such a rule holds."""
    assert _move({}, _stay("retired")).entered == ()
    assert [stay.stage for stay in _move({"gone": 1}, _stay("retired")).entered] == ["churned"]


def test_many_accounts_move_as_each_alone() -> None:
    """A batch decides for each account what it would decide for it alone."""
    given: dict[str, dict[str, float]] = {
        "a": {"renews_in_days": 30},
        "b": {"days_known": 4},
        "c": {"gone": 1},
        "d": {"size": 900},
    }
    together = move(_frame(**given), WORLD, {}, dict.fromkeys(given, SEEN), NOW)
    for name, facts in given.items():
        alone = move(_frame(**{name: facts}), WORLD, {}, {name: SEEN}, NOW)
        assert [stay.stage for stay in alone.entered] == [
            stay.stage for stay in together.entered if stay.account_id == name
        ]


def test_days_in_stage_are_those_of_the_stay() -> None:
    """To now for a present stay, to the end for one that was left; a row for each stay."""
    left = Staying(UUID(int=2), "a", "smb", "onboarding", SEEN, SEEN + timedelta(days=6), True, {})
    table = at_stays(_frame(a={}), [left, _stay("established")], NOW)
    assert table["days_in_stage"].to_list() == [6.0, 10.0]
    assert table["stage"].to_list() == ["onboarding", "established"]


def test_days_between_are_never_negative() -> None:
    """A clock that runs ahead makes no negative age."""
    assert days_between(SEEN, SEEN + timedelta(hours=36)) == 1.5
    assert days_between(NOW, SEEN) == 0.0
