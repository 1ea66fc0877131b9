"""From a rated table to the rows that are kept, and whether they say anything new: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
import polars as pl

from hub.health.rating import COMPUTED_BEFORE
from hub.health.vocabulary import Band
from hub.health.watching import REVENUE, yearly_minor
from hub.kit.ids import new_id, read_id


@dataclass(frozen=True, slots=True)
class Standing:
    """The health of an account as it stands."""

    score_id: UUID
    micro_points: int | None
    band: Band
    scored_at: datetime
    changed_at: datetime
    digest: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """The health of an account as it was decided now; `terms` is the JSON of `Score.terms`. When nothing that counts
    has changed, the score and the moment of the change are those that stand, and `terms` is empty: nobody writes them
    again. `band` is the one in effect.
    `revenue_minor` is what a year of the account is worth now."""

    account_id: UUID
    score_id: UUID
    micro_points: int | None
    coverage_ppm: int
    band: Band
    computed_band: Band
    segment: str
    stage: str
    profile: str
    terms: str
    changed_at: datetime
    digest: bytes
    revenue_minor: int | None


def results(
    frame: pl.DataFrame, rated: pl.DataFrame, measures: Iterable[str], before: Mapping[UUID, Standing], now: datetime
) -> list[Result]:
    """A result for each account. `frame` has the measures and facts that `rated` was made from, row by row.

    What counts is everything but the raw values of measures: a value that moves without moving a point, such as one
    more day since something happened on the level end of a curve, makes no new score.
    """
    table = pl.DataFrame(
        [
            frame["account_id"],
            frame["segment"].fill_null("").alias("segment"),
            frame["stage"].fill_null("").alias("stage"),
            rated["profile"].fill_null("").alias("profile"),
            *rated.select("micro_points", "coverage_ppm", "band", "computed_band", "override", "counting"),
            frame[COMPUTED_BEFORE if COMPUTED_BEFORE in frame.columns else "band"].alias("previous_band"),
            (frame[REVENUE] if REVENUE in frame.columns else pl.Series([None] * frame.height)).alias("revenue"),
        ]
    ).rows()
    digests = [_digest(row) for row in table]
    stands = [
        (stood := before.get(read_id(row[0]))) is not None and stood.digest == digest
        for row, digest in zip(table, digests, strict=True)
    ]
    values = iter(_values(frame.filter(~pl.Series(stands, dtype=pl.Boolean)), list(measures)))
    found = []
    for row, digest, same in zip(table, digests, stands, strict=True):
        account, segment, stage, profile, points, coverage, band, computed, override, counting, previous, revenue = row
        account_id = read_id(account)
        found.append(
            Result(
                account_id,
                before[account_id].score_id if same else new_id(),
                points,
                coverage,
                Band(band),
                Band(computed),
                segment,
                stage,
                profile,
                "" if same else terms_text(counting, previous, next(values), override),
                before[account_id].changed_at if same else now,
                digest,
                yearly_minor(revenue),
            )
        )
    return found


def terms_text(counting: str, previous_band: str | None, values: str, override: str | None = None) -> str:
    """`Score.terms` as JSON: what counts, the computed band before, the values of all measures (a JSON object), and a
    person's word against the band, where there is one."""
    against = f',"override":{override}' if override else ""
    return f'{counting[:-1]},"previous_band":{orjson.dumps(previous_band).decode()},"values":{values}{against}}}'


def is_new(result: Result, before: Mapping[UUID, Standing]) -> bool:
    """Whether the result is another score than the one that stands."""
    stood = before.get(result.account_id)
    return stood is None or stood.score_id != result.score_id


def _values(frame: pl.DataFrame, measures: list[str]) -> pl.Series:
    """The values of all measures of each account as a JSON object, null where there is none."""
    if not measures:
        return pl.Series("values", ["{}"] * frame.height, dtype=pl.String)
    return frame.select(pl.struct(measures).struct.json_encode().alias("values")).to_series()


def _digest(row: Sequence[Any]) -> bytes:
    """What counts, in sixteen bytes: a person's word and the band against which it stands only where there is one."""
    _, segment, stage, profile, points, coverage, band, computed, override, counting, *_ = row
    against = f"\x1f{computed}\x1f{override}" if override else ""
    counts = f"{segment}\x1f{stage}\x1f{profile}\x1f{points}\x1f{coverage}\x1f{band}\x1f{counting}{against}"
    return blake2b(counts.encode(), digest_size=16).digest()
