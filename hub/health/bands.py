"""What a score means, with memory: a band is entered at its threshold and left only some points beyond it.

Red is entered below `red_below` and left at `red_below + hysteresis`; green is entered at `green_from` and left below
`green_from - hysteresis`. A score that trembles by less than the hysteresis around a threshold therefore changes the
band once at most. Too little known is `unknown`, whatever the score; the next known score is then judged afresh.
"""

from __future__ import annotations

import polars as pl

from hub.health.scoring import micro
from hub.health.section import Bands
from hub.health.vocabulary import Band


def banded(bands: Bands, micro_points: pl.Expr, previous: pl.Expr) -> pl.Expr:
    """The band of each score in micro-points (null: unknown), given the band before (null: none). Never purple."""
    red_below, green_from, hysteresis = map(micro, (bands.red_below, bands.green_from, bands.hysteresis))
    was_red = (previous == Band.RED).fill_null(False)
    was_green = previous.is_in([Band.GREEN, Band.PURPLE]).fill_null(False)
    return (
        pl.when(micro_points.is_null())
        .then(pl.lit(Band.UNKNOWN.value))
        .when((micro_points < red_below) | (was_red & (micro_points < red_below + hysteresis)))
        .then(pl.lit(Band.RED.value))
        .when((micro_points >= green_from) | (was_green & (micro_points >= green_from - hysteresis)))
        .then(pl.lit(Band.GREEN.value))
        .otherwise(pl.lit(Band.YELLOW.value))
    )
