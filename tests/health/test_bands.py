"""Bands: thresholds with memory."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.health.bands import banded
from hub.health.section import Bands
from hub.health.vocabulary import Band

BANDS = Bands()  # red below 50, green from 75, hysteresis 2


def _band(points: float | None, previous: Band | None) -> str:
    micro = None if points is None else round(points * 1_000_000)
    table = pl.DataFrame({"m": [micro], "p": [previous]}, schema={"m": pl.Int64, "p": pl.String})
    return str(table.select(banded(BANDS, pl.col("m"), pl.col("p"))).item())


@pytest.mark.parametrize(
    ("points", "previous", "band"),
    [
        (49.999999, None, Band.RED),
        (50, None, Band.YELLOW),
        (74.999999, None, Band.YELLOW),
        (75, None, Band.GREEN),
        (51.999999, Band.RED, Band.RED),
        (52, Band.RED, Band.YELLOW),
        (80, Band.RED, Band.GREEN),
        (49.999999, Band.YELLOW, Band.RED),
        (75, Band.YELLOW, Band.GREEN),
        (73, Band.GREEN, Band.GREEN),
        (72.999999, Band.GREEN, Band.YELLOW),
        (73, Band.PURPLE, Band.GREEN),
        (40, Band.GREEN, Band.RED),
        (51, Band.UNKNOWN, Band.YELLOW),
        (None, Band.GREEN, Band.UNKNOWN),
    ],
)
def test_a_band_is_entered_at_its_threshold_and_left_beyond_it(
    points: float | None, previous: Band | None, band: Band
) -> None:
    """The documented thresholds lead in; leaving red or green takes two points more."""
    assert _band(points, previous) == band


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([50.0, 75.0]), st.lists(st.floats(-0.99, 0.99), min_size=2, max_size=10))
def test_a_score_that_trembles_does_not_flap(threshold: float, noise: list[float]) -> None:
    """While the score stays within the hysteresis around a threshold, the band changes once at most."""
    band: Band | None = None
    seen = []
    for jitter in noise:
        band = Band(_band(threshold + jitter, band))
        seen.append(band)
    assert sum(before != after for before, after in pairwise(seen)) <= 1


@given(st.floats(0, 100), st.sampled_from([None, *Band]))
@settings(max_examples=30, deadline=None)
def test_judging_again_changes_nothing(points: float, previous: Band | None) -> None:
    """The same score judged a second time has the same band (purple is decided elsewhere)."""
    once = Band(_band(points, previous))
    assert _band(points, once) == once
