"""Weights of what has a value, shared out in whole numbers that add up."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from hub.health.weights import PPM, WHOLE, share_out, weights

GROUPS = ((30_000_000, (2_000_000, 1_000_000)), (10_000_000, (1_000_000,)), (333_333, (7, 500_000, 1_000_000)))
EVERY = 0b111111

positive = st.integers(1, 10**12)
groups = st.lists(st.tuples(positive, st.lists(positive, min_size=1, max_size=4).map(tuple)), min_size=1, max_size=5)


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**18), min_size=1, max_size=30))
def test_parts_add_up_and_are_never_more_than_one_off(whole: int, shares: list[int]) -> None:
    """Each part is the exact share rounded down or up, and together they are the whole."""
    parts = share_out(whole, shares)
    total = sum(shares)
    assert sum(parts) == (whole if total else 0)
    for part, share in zip(parts, shares, strict=True):
        assert abs(part - (Fraction(whole * share, total) if total else 0)) < 1


def test_what_is_left_goes_to_those_that_lost_most_and_first_among_equals() -> None:
    """Three equal shares of ten are 4, 3, 3; of 1:1:4 the part that was cut most gets the one."""
    assert share_out(10, [1, 1, 1]) == (4, 3, 3)
    assert share_out(10, [1, 1, 4]) == (2, 2, 6)
    assert share_out(100, [1, 2]) == (33, 67)


@given(groups.map(tuple), st.integers(0))
def test_weights_that_count_add_up_to_the_whole(made: tuple[tuple[int, tuple[int, ...]], ...], pattern: int) -> None:
    """Whatever is missing, the weights of what is there are the whole; what is missing weighs nothing."""
    count = sum(len(members) for _, members in made)
    pattern &= (1 << count) - 1
    found = weights(made, pattern)
    assert sum(found.ppb) == (WHOLE if pattern else 0)
    assert all(not weight for nth, weight in enumerate(found.ppb) if not pattern >> nth & 1)
    assert 0 <= found.coverage_ppm <= PPM
    assert found.coverage_ppm < PPM or pattern == (1 << count) - 1


def test_a_missing_measure_leaves_its_weight_inside_its_indicator() -> None:
    """Two measures of an indicator with 30 of 40: without the first, the second has all the 30."""
    two = ((30, (2, 1)), (10, (1,)))
    assert weights(two, 0b111).ppb == (500_000_000, 250_000_000, 250_000_000)
    assert weights(two, 0b110).ppb == (0, 750_000_000, 250_000_000)
    assert weights(two, 0b110).coverage_ppm == 500_000


def test_an_indicator_without_values_leaves_its_weight_to_the_others() -> None:
    """With one indicator out of two unknown, the other is everything, and coverage says how little that is."""
    found = weights(((30, (2, 1)), (10, (1,))), 0b100)
    assert found.ppb == (0, 0, WHOLE)
    assert found.coverage_ppm == 250_000


def test_nothing_known_weighs_nothing() -> None:
    """Without any value there are no weights and no coverage."""
    assert weights(GROUPS, 0).ppb == (0,) * 6
    assert weights(GROUPS, 0).coverage_ppm == 0
    assert weights(GROUPS, EVERY).coverage_ppm == PPM
