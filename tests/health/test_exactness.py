"""Explanations add up without a remainder, and what is not known never makes an account green, over random profiles,
histories and changes of the blueprint.

A run checks some hundred changes; HUB_TEST_CHANGES=100000 checks so many.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from hub.health.explain import Cause, Rules, ScoreAt, difference
from hub.health.rating import COMPUTED_BEFORE, overridden, rate
from hub.health.results import terms_text
from hub.health.rules import ReadyProfile
from hub.health.scoring import micro
from hub.health.section import Cap, Profile, Profiles
from hub.health.terms import Override, read_terms
from hub.health.vocabulary import Band
from hub.measures.rules import FACTS, Rule
from tests.conftest import CHANGES

AT_ONCE = 40
"""Changes of one example: as many accounts, each with a value before and after."""

MEASURES = tuple(f"measure_{nth}" for nth in range(8))
PLACES = ("smb", "smb.onboarding", "smb.established")
NAMES = frozenset({*MEASURES, *FACTS})
AT = datetime(2026, 3, 1, tzinfo=UTC)
BIG = settings(
    max_examples=max(1, CHANGES // AT_ONCE), deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

Side = tuple[Rules, list[ScoreAt]]


def _ready(name: str, profile: Profile, chance: random.Random) -> ReadyProfile:
    limit = chance.choice(["0", "12.345678", "50", "99.999999"])
    caps = (
        Cap(name="low", when="measure_0 > 10 OR band = 'red'", at_most=limit),
        Cap(name="lower", when="measure_1 < measure_2", at_most=40),
    )
    rules = tuple((cap, Rule.parse(cap.when, NAMES)) for cap in caps)
    return ReadyProfile(name, profile, rules, Rule.parse("measure_3 > 0 OR measure_4 > 0", NAMES))


def _value(chance: random.Random) -> float | None:
    return chance.choice([None, chance.uniform(-50, 150), float(chance.randrange(30)), -50.0, 150.0])


def _override(chance: random.Random, nth: int) -> Override | None:
    band = chance.choice([None, None, Band.RED, Band.GREEN, Band.PURPLE])
    return band and Override(UUID(int=nth + 1), band, f"reason {nth % 3}", "key:anna", AT, AT + timedelta(days=nth + 1))


def _side(profiles: dict[str, Profile], version: int, chance: random.Random, count: int) -> Side:
    """So many scores, made the way the hub makes them, and the rules that they were made by."""
    rows: list[dict[str, Any]] = [{name: _value(chance) for name in MEASURES} for _ in range(count)]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(MEASURES, pl.Float64)).with_columns(
        pl.Series("account_id", [str(UUID(int=nth)) for nth in range(count)]),
        pl.Series("score", [chance.choice([None, 20.0, 80.0]) for _ in rows], dtype=pl.Float64),
        pl.Series("band", [chance.choice([None, *Band]) for _ in rows], dtype=pl.String),
        pl.Series(COMPUTED_BEFORE, [chance.choice([None, *Band]) for _ in rows], dtype=pl.String),
    )
    names = pl.Series([chance.choice(sorted(profiles)) for _ in rows])
    ready = {name: _ready(name, profile, chance) for name, profile in profiles.items()}
    words = {UUID(int=nth): word for nth in range(count) if (word := _override(chance, nth))}
    rated = overridden(rate(frame, names, ready), frame["account_id"], words)
    known = {name for name in MEASURES if chance.random() < 0.8}
    scores = [
        _score(row, rated_row, version)
        for row, rated_row in zip(frame.iter_rows(named=True), rated.iter_rows(named=True), strict=True)
    ]
    return Rules(Profiles(profiles), known), scores


def _score(row: dict[str, Any], rated: dict[str, Any], version: int) -> ScoreAt:
    values = orjson.dumps({name: row[name] for name in MEASURES}).decode()
    text = terms_text(rated["counting"], row[COMPUTED_BEFORE], values, rated["override"])
    segment, _, stage = rated["profile"].partition(".")
    return ScoreAt(
        None,
        UUID(row["account_id"]),
        AT,
        AT,
        version,
        segment,
        stage,
        rated["profile"],
        rated["micro_points"],
        rated["coverage_ppm"],
        Band(rated["band"]),
        Band(rated["computed_band"]),
        read_terms(orjson.loads(text)),
    )


def _profiles_by_place(data: DataObject, profiles: SearchStrategy[Profile]) -> dict[str, Profile]:
    return {name: data.draw(profiles) for name in sorted(data.draw(st.sets(st.sampled_from(PLACES), min_size=1)))}


@BIG
@given(data=st.data())
def test_the_terms_sum_to_the_difference_without_a_remainder(
    data: DataObject, profiles: SearchStrategy[Profile]
) -> None:
    """Blueprint, stage, values that move, appear and vanish, caps, overrides: the sum is the difference, exactly."""
    chance = random.Random(data.draw(st.integers(0, 2**63)))
    old, new = _profiles_by_place(data, profiles), _profiles_by_place(data, profiles)
    then, befores = _side(old, 1, chance, AT_ONCE)
    now, afters = _side(new, 2, chance, AT_ONCE)
    for before, after in zip(befores, afters, strict=True):
        terms = difference(before, after, then, now)
        assert sum(term.micro_points for term in terms) == after.computed - before.computed
        words = [term for term in terms if term.cause is Cause.OVERRIDE]
        assert len(words) == (str(before.terms.override) != str(after.terms.override) and _said(before) != _said(after))
        assert all(not term.micro_points for term in words)
        for term in terms:
            if term.cause in (Cause.MEASURE, Cause.COVERAGE):
                assert (term.cause is Cause.COVERAGE) == ((term.before is None) != (term.after is None))


def _said(score: ScoreAt) -> tuple[str, str] | None:
    word = score.terms.override
    return (word.band, word.reason) if word else None


@BIG
@given(data=st.data())
def test_what_is_not_known_never_makes_green(data: DataObject, profiles: SearchStrategy[Profile]) -> None:
    """Below the floor the band is unknown; above it a score is never better than the best of what is known."""
    chance = random.Random(data.draw(st.integers(0, 2**63)))
    places = _profiles_by_place(data, profiles)
    for score in _side(places, 1, chance, AT_ONCE)[1]:
        profile = places[score.profile]
        known = [term.points for term in score.terms.measures if term.points is not None]
        if score.coverage_ppm < micro(profile.floor) or not known:
            assert (score.computed_band, score.micro_points) == (Band.UNKNOWN, None)
            continue
        assert min(known) <= (score.terms.uncapped or 0) <= max(known)
        easy_green = micro(profile.bands.green_from) - micro(profile.bands.hysteresis)
        if max(known) < easy_green:
            assert score.computed_band not in (Band.GREEN, Band.PURPLE)
