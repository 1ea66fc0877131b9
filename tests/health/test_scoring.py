"""Points: exact sums, the same bits in any company, curves."""

from __future__ import annotations

from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from hub.health.scoring import micro, score
from hub.health.section import Profile
from hub.health.weights import WHOLE


def _profile(**curves: list[tuple[float, float]]) -> Profile:
    measures = {name: {"curve": curve} for name, curve in curves.items()}
    return Profile.model_validate({"indicators": {"product_engagement": {"weight": 1, "measures": measures}}})


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_parts_add_up_to_the_score(
    data: DataObject, profiles: SearchStrategy[Profile], tables: SearchStrategy[pl.DataFrame]
) -> None:
    """For any profile and any missing values: parts sum to the score, which is the weighted sum, rounded once."""
    profile, table = data.draw(profiles), data.draw(tables)
    for row in score(profile, table).iter_rows(named=True):
        known = [points is not None for points in row["points"]]
        assert (row["micro_points"] is not None) == any(known)
        assert sum(row["parts"]) == (row["micro_points"] or 0)
        assert sum(row["weights"]) == (WHOLE if any(known) else 0)
        assert all(not part for part, there in zip(row["parts"], known, strict=True) if not there)
        exact = sum(points * weight for points, weight in zip(row["points"], row["weights"], strict=True) if points)
        assert abs(Fraction(exact, WHOLE) - (row["micro_points"] or 0)) <= Fraction(1, 2)
        assert 0 <= (row["micro_points"] or 0) <= 100_000_000


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_an_account_alone_has_the_same_bits_as_among_others(
    data: DataObject, profiles: SearchStrategy[Profile], tables: SearchStrategy[pl.DataFrame]
) -> None:
    """Scoring row by row, in a batch, and in another order gives the same numbers."""
    profile, table = data.draw(profiles), data.draw(tables)
    together = score(profile, table)
    assert pl.concat([score(profile, table[nth]) for nth in range(table.height)]).equals(together)
    assert score(profile, table.reverse()).reverse().equals(together)


def test_a_hundred_thousand_accounts_have_the_bits_of_one() -> None:
    """One account, scored among 100,000, differs in nothing from itself alone."""
    profile = _profile(a=[(0, 0), (3, 40), (10, 80), (25, 100)], b=[(0, 100), (7, 0)])
    table = pl.DataFrame(
        {
            "a": [nth % 31 / 3 if nth % 5 else None for nth in range(100_000)],
            "b": [nth % 17 / 7 if nth % 7 else None for nth in range(100_000)],
        },
        schema={"a": pl.Float64, "b": pl.Float64},
    )
    together = score(profile, table)
    for nth in (0, 1, 35, 54_321, 99_999):
        assert score(profile, table[nth]).equals(together[nth])


@pytest.mark.parametrize(
    ("value", "points"),
    [(-5.0, 10.0), (0.0, 10.0), (5.0, 25.0), (10.0, 40.0), (15.0, 30.0), (20.0, 20.0), (99.0, 20.0)],
)
def test_a_curve_is_straight_between_its_pairs_and_level_beyond_them(value: float, points: float) -> None:
    """Ends are level; in between, the points lie on the line."""
    profile = _profile(a=[(0, 10), (10, 40), (20, 20)])
    assert score(profile, pl.DataFrame({"a": [value]}))["micro_points"].to_list() == [points * 1_000_000]


def test_equal_points_everywhere_are_exactly_the_score() -> None:
    """When every curve says 75, the score is 75 and not a micro-point less, so it reaches a threshold of 75."""
    level = {name: [(0, 75), (1, 75)] for name in "abcdefg"}
    table = pl.DataFrame({name: [1.0, None] for name in "bcdefg"}).with_columns(a=pl.lit(2.0))
    assert score(_profile(**level), table)["micro_points"].to_list() == [75_000_000, 75_000_000]


def test_what_is_not_a_number_is_missing() -> None:
    """NaN, the infinite, and a measure that nobody has computed are all without a value."""
    profile = _profile(a=[(0, 0), (1, 100)], b=[(0, 0), (1, 100)])
    table = pl.DataFrame({"a": [float("nan"), float("inf"), 1.0]})
    scored = score(profile, table)
    assert scored["micro_points"].to_list() == [None, None, 100_000_000]
    assert scored["coverage_ppm"].to_list() == [0, 0, 500_000]


def test_micro_points_are_whole() -> None:
    """The blueprint allows six decimals, and none of them is lost."""
    profile = _profile(a=[(0, 33.333333), (1, 100)])
    (_, _, measure), *_ = profile.measures()
    assert micro(measure.curve[0][1]) == 33_333_333
