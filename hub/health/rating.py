"""The health of accounts, decided: profile, score, caps, floor, band, in this order and for a whole table at once.

Rules of caps look at the score and the band as they were before this moment, the rule for purple looks at the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import polars as pl

from hub.health.bands import banded
from hub.health.rules import ReadyProfile
from hub.health.scoring import MICRO, micro, score
from hub.health.section import Profiles
from hub.health.terms import Override
from hub.health.vocabulary import Band
from hub.kit.ids import read_id
from hub.measures.division import quotient

RATED = {
    "profile": pl.String,
    "micro_points": pl.Int64,
    "coverage_ppm": pl.Int64,
    "band": pl.String,
    "computed_band": pl.String,
    "override": pl.String,
    "counting": pl.String,
}

COMPUTED_BEFORE = "computed band before"
"""The band that the score itself gave before: hysteresis follows it, and no person's override. Without this column it
is `band`. With a space in its name it is no measure's."""

ROW = "row number"
"""A column for the time being; with a space in its name it is no measure's."""

COUNTING = (
    "uncapped",
    "computed",
    "purple",
    "indicators",
    "measures",
    "points",
    "weights",
    "parts",
    "caps",
    "at_most",
    "holds",
    "takes",
)
"""The keys of `counting`."""


def rate(frame: pl.DataFrame, names: pl.Series, profiles: Mapping[str, ReadyProfile]) -> pl.DataFrame:
    """The health of every account of `frame`, row by row in the same order.

    `frame` has measures and facts, among them `score` and `band` as they were before; `names` is the name of the
    profile that applies to each row (null: none). Columns given: those of `RATED`. `micro_points` is null where the
    band is unknown. `band` is the computed one, until `overridden` lays a person's word over it. `counting` is the JSON
    of everything that counts in the score, the greater part of `Score.terms`: two scores with the same text are made of
    the same parts. Without a profile nothing is known.
    """
    numbered = frame.with_row_index(ROW)
    parts = [numbered.select(ROW, *_unrated()).filter(names.is_null())]
    for name in names.drop_nulls().unique().sort():
        mine = numbered.filter(names == name)
        parts.append(mine.select(ROW).hstack(_rate(mine, profiles[name])))
    return pl.concat(parts).sort(ROW).drop(ROW)


def in_points(micro_points: pl.Series) -> pl.Series:
    """A column of micro-points as points, called `score`."""
    return micro_points.to_frame("score").select(quotient(pl.col("score"), float(MICRO))).to_series()


def profile_names(frame: pl.DataFrame, profiles: Profiles) -> pl.Series:
    """The name of the profile that applies to each account by its `segment` and `stage`; null: none."""
    places = frame.select("segment", "stage")
    distinct = places.unique()
    names = [profiles.name_for(segment, stage) for segment, stage in distinct.iter_rows()]
    table = distinct.with_columns(pl.Series("profile", names, dtype=pl.String))
    return places.join(table, on=["segment", "stage"], how="left", nulls_equal=True, maintain_order="left")["profile"]


def overridden(rated: pl.DataFrame, account_ids: pl.Series, overrides: Mapping[UUID, Override]) -> pl.DataFrame:
    """`rated` with each override in force laid over the computed band; `override` is its JSON (null: none)."""
    found = [overrides.get(read_id(account_id)) for account_id in account_ids]
    bands = pl.Series("band", [one.band.value if one else None for one in found], dtype=pl.String)
    stored = pl.Series("override", [one.stored() if one else None for one in found], dtype=pl.String)
    return rated.with_columns(bands.zip_with(bands.is_not_null(), rated["computed_band"]), stored)


def _unrated() -> list[pl.Expr]:
    nothing = dict.fromkeys(COUNTING, "[]") | {"uncapped": "null", "computed": "null", "purple": "false"}
    text = "{" + ",".join(f'"{name}":{value}' for name, value in nothing.items()) + "}"
    unknown = pl.lit(Band.UNKNOWN.value)
    known = {"coverage_ppm": pl.lit(0), "band": unknown, "computed_band": unknown, "counting": pl.lit(text)}
    return [known.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in RATED.items()]


def _rate(frame: pl.DataFrame, ready: ReadyProfile) -> pl.DataFrame:
    """`rate` for accounts that all have the same profile."""
    terms = list(ready.definition.measures())
    return (
        judged(score(ready.definition, frame), frame, ready)
        .with_columns(
            pl.col("band").alias("computed_band"),
            pl.lit(None, pl.String).alias("override"),
            pl.lit(ready.name).alias("profile"),
            pl.lit([str(indicator) for indicator, _, _ in terms]).alias("indicators"),
            pl.lit([measure for _, measure, _ in terms]).alias("measures"),
        )
        .select(*list(RATED)[:-1], _counting().alias("counting"))
    )


def judged(scored: pl.DataFrame, frame: pl.DataFrame, ready: ReadyProfile) -> pl.DataFrame:
    """From the points of accounts of one profile to their health, row by row: caps, floor, band.

    `scored` has `micro_points` and `coverage_ppm` before caps (see `scoring`), `frame` measures and facts, among them
    `score` and `band` as they were before. Given back is `scored` with `micro_points` (null: unknown) and `band` as
    they are now.
    """
    profile = ready.definition
    capped = _cap(scored, frame, ready)
    enough = pl.col("coverage_ppm") >= micro(profile.floor)
    rated = capped.with_columns(
        frame[COMPUTED_BEFORE if COMPUTED_BEFORE in frame.columns else "band"].alias("before"),
        pl.when(enough).then("computed").alias("micro_points"),
    ).with_columns(banded(profile.bands, pl.col("micro_points"), pl.col("before")).alias("band"))
    rated = rated.with_columns(_is_purple(frame, rated, ready).alias("purple"))
    return rated.with_columns(pl.when("purple").then(pl.lit(Band.PURPLE.value)).otherwise("band").alias("band"))


def _cap(scored: pl.DataFrame, frame: pl.DataFrame, ready: ReadyProfile) -> pl.DataFrame:
    """Adds `uncapped`, `computed` (after the caps, each in turn), and what every cap did, as lists side by side."""
    left = scored["micro_points"]
    holds, takes = [], []
    for nth, (cap, rule) in enumerate(ready.caps):
        held = rule.holds(frame).alias(f"holds {nth}")
        limited = pl.select(pl.when(held).then(pl.min_horizontal(left, micro(cap.at_most))).otherwise(left)).to_series()
        # A cap can take only what is there: without a score it takes nothing.
        limited = pl.select(pl.when(left.is_not_null()).then(limited)).to_series()
        takes.append((limited - left).fill_null(0).alias(f"takes {nth}"))
        holds.append(held)
        left = limited
    none = pl.lit([], dtype=pl.List(pl.Int64))
    return scored.with_columns(left.alias("computed"), pl.col("micro_points").alias("uncapped")).with_columns(
        pl.lit([cap.name for cap, _ in ready.caps], dtype=pl.List(pl.String)).alias("caps"),
        pl.lit([micro(cap.at_most) for cap, _ in ready.caps], dtype=pl.List(pl.Int64)).alias("at_most"),
        (pl.concat_list(holds) if holds else none).alias("holds"),
        (pl.concat_list(takes) if takes else none).alias("takes"),
    )


def _is_purple(frame: pl.DataFrame, rated: pl.DataFrame, ready: ReadyProfile) -> pl.Series:
    if ready.purple is None:
        return pl.Series([False]).new_from_index(0, frame.height)
    now = frame.with_columns(in_points(rated["micro_points"]), rated["band"])
    return ready.purple.holds(now) & (rated["band"] == Band.GREEN)


def _counting() -> pl.Expr:
    return pl.struct(COUNTING).struct.json_encode()
