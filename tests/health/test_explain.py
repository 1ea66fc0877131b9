"""Explained change: the terms add up, whatever changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from hub.health.explain import Cause, Rules, ScoreAt, difference
from hub.health.rating import rate
from hub.health.rules import ReadyProfile
from hub.health.section import Cap, Profile, Profiles
from hub.health.terms import read_terms
from hub.health.vocabulary import Band
from hub.measures.rules import FACTS, Rule

ACCOUNT = UUID(int=1)
AT = datetime(2026, 3, 1, tzinfo=UTC)

Values = dict[str, float | None]


def _score(name: str, rules: Rules, values: Values, *, version: int = 1, caps: tuple[Cap, ...] = ()) -> ScoreAt:
    """Score one account with one profile; its segment and stage are read off the profile's name."""
    known = {measure: value for measure, value in values.items() if value is not None}
    segment, _, stage = name.partition(".")
    row = {"score": None, "band": None} | values
    schema = {column: pl.String if column == "band" else pl.Float64 for column in row}
    names = frozenset({*values, *FACTS})
    profile = rules.profiles.root[name]
    ready = ReadyProfile(name, profile, tuple((cap, Rule.parse(cap.when, names)) for cap in caps), None)
    rated = rate(pl.DataFrame([row], schema=schema), pl.Series([name]), {name: ready}).row(0, named=True)
    terms = read_terms(orjson.loads(rated["counting"]) | {"values": known, "previous_band": None})
    return ScoreAt(
        None,
        ACCOUNT,
        AT,
        AT,
        version,
        segment,
        stage,
        name,
        rated["micro_points"],
        rated["coverage_ppm"],
        Band(rated["band"]),
        Band(rated["computed_band"]),
        terms,
    )


def _rules(measures: set[str] | None = None, **profiles: Any) -> Rules:
    named = {name.replace("__", "."): profile for name, profile in profiles.items()}
    return Rules(Profiles.model_validate(named), measures if measures is not None else {"use", "bills", "nps"})


def _profile(**weights: int) -> dict[str, Any]:
    measures = {name: {"weight": weight, "curve": [[0, 0], [100, 100]]} for name, weight in weights.items()}
    return {"indicators": {"product_engagement": {"weight": 1, "measures": measures}}, "floor": 0}


def _parts(before: ScoreAt, after: ScoreAt, then: Rules, now: Rules) -> dict[tuple[str, str], int]:
    terms = difference(before, after, then, now)
    assert sum(term.micro_points for term in terms) == after.computed - before.computed
    return {(term.cause.value, term.name): term.micro_points for term in terms}


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_terms_add_up_whatever_changed(
    data: DataObject, profiles: SearchStrategy[Profile], values: SearchStrategy[Values]
) -> None:
    """Random profiles under two versions, random values, random gaps, caps: no remainder, ever."""
    names = st.sampled_from(["smb", "smb.onboarding", "smb.established"])

    def side() -> tuple[Rules, str, Values, tuple[Cap, ...]]:
        found = {name: data.draw(profiles) for name in data.draw(st.sets(names, min_size=1))}
        known = data.draw(st.sets(st.sampled_from([f"measure_{nth}" for nth in range(8)])))
        cap = Cap(name="low", when="measure_0 > 10", at_most=data.draw(st.integers(0, 100)))
        rules = Rules(Profiles(found), known)
        return rules, data.draw(st.sampled_from(sorted(found))), data.draw(values), (cap,)

    (then, old_name, old, old_caps), (now, new_name, new, new_caps) = side(), side()
    before = _score(old_name, then, old, version=1, caps=old_caps)
    after = _score(new_name, now, new, version=2, caps=new_caps)
    _parts(before, after, then, now)
    _parts(before, _score(old_name, then, new, caps=old_caps), then, then)


def test_a_measure_s_term_is_its_weight_times_its_change() -> None:
    """With the same measures known, each term is the weighted difference of the points."""
    rules = _rules(smb=_profile(use=3, nps=1))
    before = _score("smb", rules, {"use": 40, "nps": 80})
    after = _score("smb", rules, {"use": 60, "nps": 40})
    terms = difference(before, after, rules, rules)
    assert [(term.cause, term.name, term.micro_points, term.before, term.after) for term in terms] == [
        (Cause.MEASURE, "use", 15_000_000, 40, 60),
        (Cause.MEASURE, "nps", -10_000_000, 80, 40),
    ]


def test_knowing_less_is_part_of_the_measure_s_term() -> None:
    """A low value that vanishes raises the score, and the term of that measure says so."""
    rules = _rules(smb=_profile(use=3, nps=1))
    before = _score("smb", rules, {"use": 80, "nps": 0})
    after = _score("smb", rules, {"use": 80, "nps": None})
    assert _parts(before, after, rules, rules) == {("coverage", "nps"): 20_000_000}


def test_from_nothing_known_to_something() -> None:
    """A score out of nothing is explained from 0."""
    rules = _rules(smb=_profile(use=1))
    before, after = _score("smb", rules, {"use": None}), _score("smb", rules, {"use": 70})
    assert _parts(before, after, rules, rules) == {("coverage", "use"): 70_000_000}


def test_another_stage_is_a_term_of_its_own() -> None:
    """The profile of the new stage with the old values: what the stage alone changed."""
    rules = _rules(smb=_profile(use=1), smb__onboarding=_profile(nps=1))
    before = _score("smb.onboarding", rules, {"use": 50, "nps": 20})
    after = _score("smb", rules, {"use": 60, "nps": 20})
    terms = difference(before, after, rules, rules)
    assert [(term.cause, term.micro_points, term.before, term.after) for term in terms] == [
        (Cause.STAGE, 30_000_000, "smb.onboarding", "smb"),
        (Cause.MEASURE, 10_000_000, 50, 60),
    ]


def test_another_version_is_a_term_of_its_own() -> None:
    """New weights are the blueprint's doing; a measure that only it knows comes in with its value."""
    then = _rules({"use", "nps"}, smb=_profile(use=1, nps=1))
    now = _rules({"use", "nps", "bills"}, smb=_profile(use=1, bills=1))
    before = _score("smb", then, {"use": 50, "nps": 20})
    after = _score("smb", now, {"use": 60, "nps": 90, "bills": 100}, version=2)
    terms = difference(before, after, then, now)
    assert [(term.cause, term.micro_points, term.before, term.after) for term in terms] == [
        (Cause.BLUEPRINT, 40_000_000, 1, 2),
        (Cause.MEASURE, 5_000_000, 50, 60),
    ]


def test_a_segment_that_the_new_version_dropped() -> None:
    """Where the old place has no profile any more, the whole change of profile is the blueprint's."""
    then, now = _rules(gone=_profile(use=1)), _rules(smb=_profile(nps=1))
    before = _score("gone", then, {"use": 50, "nps": 20})
    after = _score("smb", now, {"use": 50, "nps": 20}, version=2)
    parts = _parts(before, after, then, now)
    assert parts == {("blueprint", "blueprint"): -30_000_000, ("stage", "stage"): 0}


def test_caps_are_named() -> None:
    """What a cap takes now less what it took before; measures keep the effect they have without caps."""
    rules = _rules(smb=_profile(use=1))
    cap = (Cap(name="angry", when="nps < 5", at_most=30),)
    before = _score("smb", rules, {"use": 50, "nps": 9}, caps=cap)
    after = _score("smb", rules, {"use": 90, "nps": 1}, caps=cap)
    assert _parts(before, after, rules, rules) == {("measure", "use"): 40_000_000, ("cap", "angry"): -60_000_000}
    assert after.computed == 30_000_000


def test_nothing_changed_is_no_term() -> None:
    """Two equal scores have nothing to explain."""
    rules = _rules(smb=_profile(use=1))
    score = _score("smb", rules, {"use": 50})
    assert difference(score, score, rules, rules) == []
