"""From measures to points: one pure function over a table of accounts.

Every number is a whole one: a point is 1,000,000 micro-points, a weight is in parts per billion. There are three places
where something is rounded, each once, and nowhere else:

1. A curve turns a measure into micro-points: one interpolation in IEEE doubles, element by element, then rounded.
2. The weights that count for a pattern of missing values are shared out exactly (`hub.health.weights`).
3. The score is the weighted sum, rounded half up to a micro-point; the parts are rounded down and the largest
   remainders get what is left, so they add up to the score.

So one account scored alone and the same account among 100,000 give the same bits, and differences between scores are
sums of whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl

from hub.health.section import Curve, Profile
from hub.health.weights import WHOLE, weights
from hub.measures.division import quotient

MICRO = 1_000_000
"""Micro-points in a point."""

_LISTS = {"points": "points", "weight": "weights", "part": "parts"}
_TIE = 64  # more than the measures of a profile: room to order equal remainders by the order of the document


def micro(number: Decimal) -> int:
    """Points as whole micro-points, or a weight as a whole number of millionths."""
    return int(number * MICRO)


def score(profile: Profile, frame: pl.DataFrame) -> pl.DataFrame:
    """Points of every account of `frame`, whose columns are measures (Float64; null or not finite: without a value).

    A measure that has no column has no value. Returns, row by row in the same order: `micro_points` (Int64, before
    caps; null when no measure has a value), `coverage_ppm` (Int64), and three lists in the order of
    `profile.measures()`: `points`, what the curve gave in micro-points (null without a value), `weights`, the weights
    that counted in parts per billion, and `parts`, the micro-points given to the score. The parts add up to it.
    """
    count = len(list(profile.measures()))
    return _with_parts(_weighed(profile, frame), count).select(
        "micro_points",
        "coverage_ppm",
        *(pl.concat_list(_all(what, range(count))).alias(name) for what, name in _LISTS.items()),
    )


def totals(profile: Profile, frame: pl.DataFrame) -> pl.DataFrame:
    """`score` without what it was made of: `micro_points` and `coverage_ppm` alone, for many days at once."""
    count = len(list(profile.measures()))
    return _with_rounded(_weighed(profile, frame), count).select("micro_points", "coverage_ppm")


def _weighed(profile: Profile, frame: pl.DataFrame) -> pl.DataFrame:
    """Points and weights of every measure of the profile, row by row."""
    terms = list(profile.measures())
    values = frame.select(_value(frame, name).alias(f"value {nth}") for nth, (_, name, _) in enumerate(terms))
    curves = (
        _on_curve(pl.col(f"value {nth}"), measure.curve).alias(f"points {nth}")
        for nth, (_, _, measure) in enumerate(terms)
    )
    return _with_weights(profile, values.with_columns(curves), len(terms))


def _value(frame: pl.DataFrame, name: str) -> pl.Expr:
    found = (pl.col(name) if name in frame.columns else pl.lit(None)).cast(pl.Float64)
    return pl.when(found.is_finite()).then(found)


def _on_curve(value: pl.Expr, curve: Curve) -> pl.Expr:
    """Micro-points where the straight lines through the pairs of the curve are at `value`; null stays null."""
    pairs = [(x, float(micro(points))) for x, points in curve]
    found: Any = pl.when(value <= pairs[0][0]).then(pairs[0][1])
    for (x0, y0), (x1, y1) in pairwise(pairs):
        found = found.when(value <= x1).then(y0 + (y1 - y0) * quotient(value - x0, x1 - x0))
    points: pl.Expr = found.when(value.is_not_null()).then(pairs[-1][1]).otherwise(None)
    return points.round(mode="half_away_from_zero").cast(pl.Int64)


def _with_weights(profile: Profile, scored: pl.DataFrame, count: int) -> pl.DataFrame:
    """Adds the weights that count for each row, worked out once for each pattern of missing values that occurs."""
    groups = tuple(
        (micro(indicator.weight), tuple(micro(measure.weight) for measure in indicator.measures.values()))
        for indicator in profile.indicators.values()
    )
    bits = (pl.col(f"points {nth}").is_not_null().cast(pl.Int64) * (1 << nth) for nth in range(count))
    scored = scored.with_columns(pl.sum_horizontal(bits).alias("pattern"))
    distinct = scored["pattern"].unique().sort().to_list()
    shared = [weights(groups, pattern) for pattern in distinct]
    columns = {"pattern": distinct, "coverage_ppm": [found.coverage_ppm for found in shared]}
    columns |= {f"weight {nth}": [found.ppb[nth] for found in shared] for nth in range(count)}
    table = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64))
    return scored.join(table, on="pattern", how="left", maintain_order="left")


def _with_rounded(weighed: pl.DataFrame, count: int) -> pl.DataFrame:
    """Adds what each measure weighs in points and weights, and the sum of these, rounded: `micro_points`.

    The largest number on the way is 10⁹ × 10⁸ = 10¹⁷, well inside 64 bits.
    """
    every = range(count)
    products = (pl.col(f"points {nth}").fill_null(0) * pl.col(f"weight {nth}") for nth in every)
    rounded = (pl.sum_horizontal(_all("product", every)) + WHOLE // 2) // WHOLE
    return (
        weighed.with_columns(product.alias(f"product {nth}") for nth, product in enumerate(products))
        .with_columns(rounded.alias("rounded"))
        .with_columns(pl.when(pl.col("pattern") > 0).then(pl.col("rounded")).alias("micro_points"))
    )


def _with_parts(weighed: pl.DataFrame, count: int) -> pl.DataFrame:
    """Adds `micro_points` and what each measure gives to it.

    A remainder and its place in the document make one number, its rank; no two are the same, so the parts that get one
    more are those whose rank is at least that of the last one that does.
    """
    every = range(count)
    ranks = (pl.col(f"product {nth}") % WHOLE * _TIE + (_TIE - 1 - nth) for nth in every)
    return (
        _with_rounded(weighed, count)
        .with_columns(
            *((pl.col(f"product {nth}") // WHOLE).alias(f"floor {nth}") for nth in every),
            *(rank.alias(f"rank {nth}") for nth, rank in enumerate(ranks)),
        )
        .with_columns((pl.col("rounded") - pl.sum_horizontal(_all("floor", every))).alias("left"))
        .with_columns(
            pl.when(pl.col("left") > 0)
            .then(pl.concat_list(_all("rank", every)).list.sort(descending=True).list.get(pl.col("left") - 1))
            .otherwise(WHOLE * _TIE)
            .alias("last")
        )
        .with_columns(
            *(
                (pl.col(f"floor {nth}") + (pl.col(f"rank {nth}") >= pl.col("last")).cast(pl.Int64)).alias(f"part {nth}")
                for nth in every
            ),
        )
    )


def _all(what: str, every: Sequence[int]) -> list[str]:
    return [f"{what} {nth}" for nth in every]
