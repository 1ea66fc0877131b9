"""The health of accounts decided: caps last, too little known is unknown, purple is green and more."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from hub.health.rating import rate
from hub.health.rules import ReadyProfile
from hub.health.section import Profile
from hub.health.terms import Terms, read_terms
from hub.measures.rules import FACTS, Rule

NAMES = frozenset({"use", "bills", "nps", *FACTS})

PROFILE: dict[str, Any] = {
    "indicators": {
        "product_engagement": {"weight": 3, "measures": {"use": {"curve": [[0, 0], [100, 100]]}}},
        "support_operations": {"weight": 1, "measures": {"bills": {"curve": [[0, 100], [100, 0]]}}},
    },
    "caps": [
        {"name": "unpaid", "when": "bills > 50", "at_most": 60},
        {"name": "angry", "when": "nps < 5", "at_most": 30},
        {"name": "was_low", "when": "score < 20", "at_most": 40},
    ],
    "purple": "nps >= 9 AND score >= 80 AND band = 'green'",
}


def _ready(document: dict[str, Any], name: str = "smb") -> ReadyProfile:
    profile = Profile.model_validate(document)
    caps = tuple((cap, Rule.parse(cap.when, NAMES)) for cap in profile.caps)
    return ReadyProfile(name, profile, caps, Rule.parse(profile.purple, NAMES) if profile.purple else None)


def _rate(document: dict[str, Any] = PROFILE, **facts: Any) -> tuple[dict[str, Any], Terms]:
    profile = pl.Series([facts.pop("profile", "smb")], dtype=pl.String)
    row = {"use": None, "bills": None, "nps": None, "score": None, "band": None} | facts
    schema = {name: pl.String if name == "band" else pl.Float64 for name in row}
    rated = rate(pl.DataFrame([row], schema=schema), profile, {"smb": _ready(document)}).row(0, named=True)
    stored = orjson.loads(rated["counting"]) | {"values": {}, "previous_band": facts.get("band")}
    return rated, read_terms(stored)


def test_a_cap_comes_last() -> None:
    """The score that the measures give stays visible; the cap takes what is above its limit."""
    rated, terms = _rate(use=100, bills=60)
    assert (terms.uncapped, terms.computed) == (85_000_000, 60_000_000)
    assert [(cap.name, cap.holds, cap.takes) for cap in terms.caps] == [
        ("unpaid", True, -25_000_000),
        ("angry", False, 0),
        ("was_low", False, 0),
    ]
    assert (rated["micro_points"], rated["band"]) == (60_000_000, "yellow")


def test_several_caps_take_in_turn() -> None:
    """The lowest limit decides; each cap's part is what it took after those before it."""
    rated, terms = _rate(use=100, bills=60, nps=2)
    assert [cap.takes for cap in terms.caps] == [-25_000_000, -30_000_000, 0]
    assert rated["micro_points"] == 30_000_000


def test_a_cap_above_the_score_takes_nothing() -> None:
    """A limit that is not reached changes nothing."""
    rated, terms = _rate(use=20, bills=60)
    assert (terms.caps[0].holds, terms.caps[0].takes) == (True, 0)
    assert rated["micro_points"] == terms.uncapped == 25_000_000


def test_rules_of_caps_see_the_score_as_it_was_before() -> None:
    """A cap may depend on the last score; the new one is not known yet when caps are decided."""
    assert _rate(use=100, bills=0, score=10)[0]["micro_points"] == 40_000_000
    assert _rate(use=100, bills=0, score=90)[0]["micro_points"] == 100_000_000


def test_too_little_known_is_unknown_but_its_points_are_kept() -> None:
    """A quarter of the weight is below the floor of a half: no points and no band, though the terms know them."""
    rated, terms = _rate(bills=0)
    assert (rated["micro_points"], rated["band"], rated["coverage_ppm"]) == (None, "unknown", 250_000)
    assert terms.computed == 100_000_000
    assert _rate(use=100)[0]["band"] == "green"


def test_nothing_known_is_unknown_even_without_a_floor() -> None:
    """A floor of 0 does not make a score out of nothing."""
    rated, terms = _rate(PROFILE | {"floor": 0}, bills=None)
    assert (rated["band"], terms.computed, terms.uncapped) == ("unknown", None, None)


def test_purple_is_green_and_its_rule() -> None:
    """The rule sees the new score and band; without green it does not help, and unknown is not true."""
    assert _rate(use=100, bills=0, nps=9)[0]["band"] == "purple"
    assert _rate(use=100, bills=0)[0]["band"] == "green"
    assert _rate(use=60, bills=0, nps=10)[0]["band"] == "yellow"
    assert _rate(bills=0, nps=10)[0]["band"] == "unknown"


def test_an_account_without_a_profile_is_unknown() -> None:
    """Where no profile applies, nothing is known, and the terms are empty."""
    rated, terms = _rate(use=100, profile=None)
    assert (rated["profile"], rated["band"], rated["coverage_ppm"]) == (None, "unknown", 0)
    assert (terms.measures, terms.caps, terms.indicators()) == ((), (), [])


def test_accounts_of_several_profiles_keep_their_order() -> None:
    """Each row is scored by its own profile and stands where it stood."""
    other = {"indicators": {"product_engagement": {"weight": 1, "measures": {"use": {"curve": [[0, 100], [100, 0]]}}}}}
    profiles = {"smb": _ready(PROFILE | {"caps": []}), "other": _ready(other, "other")}
    table = pl.DataFrame({"use": [0.0, 100.0, 1.0, 100.0], "bills": [0.0] * 4}).with_columns(
        pl.lit(None, pl.Float64).alias("nps"), score=None, band=pl.lit(None, pl.String)
    )
    rated = rate(table, pl.Series(["other", "smb", None, "other"]), profiles)
    assert rated["profile"].to_list() == ["other", "smb", None, "other"]
    assert rated["micro_points"].to_list() == [100_000_000, 100_000_000, None, 0]


def test_indicators_have_a_score_of_their_own() -> None:
    """An indicator's own points do not depend on its weight; one without values has none."""
    engagement, support = _rate(use=40)[1].indicators()
    assert (engagement.micro_points, engagement.weight, engagement.part) == (40_000_000, 1_000_000_000, 40_000_000)
    assert (support.micro_points, support.weight, support.part) == (None, 0, 0)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_below_the_floor_no_account_is_green(
    data: DataObject, profiles: SearchStrategy[Profile], tables: SearchStrategy[pl.DataFrame]
) -> None:
    """Whatever is missing: an account of which too little is known is unknown, and nothing else is."""
    profile = data.draw(profiles)
    table = data.draw(tables).with_columns(pl.lit(None, pl.Float64).alias("score"), pl.lit("green").alias("band"))
    ready = {"any": ReadyProfile("any", profile, (), None)}
    for row in rate(table, pl.Series(["any"] * table.height), ready).iter_rows(named=True):
        enough = row["coverage_ppm"] >= profile.floor * 1_000_000
        assert (row["band"] == "unknown") == (row["micro_points"] is None)
        assert row["band"] == "unknown" or enough


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_an_account_alone_is_rated_as_among_others(
    data: DataObject, profiles: SearchStrategy[Profile], tables: SearchStrategy[pl.DataFrame]
) -> None:
    """The text of everything that counts is the same to the last character, alone and in a batch."""
    profile = data.draw(profiles)
    ready = {"any": ReadyProfile("any", profile, (), None)}
    table = data.draw(tables).with_columns(
        pl.lit(None, pl.Float64).alias("score"), pl.lit(None, pl.String).alias("band")
    )
    together = rate(table, pl.Series(["any"] * table.height), ready)
    alone = [rate(table[nth], pl.Series(["any"]), ready) for nth in range(table.height)]
    assert together.equals(pl.concat(alone))
