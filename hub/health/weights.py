"""Sharing whole numbers out so that the parts add up to the whole.

Percentages that are each rounded for themselves add up to 99 or 101. Here every share is rounded down and what is left
goes, one by one, to those that lost most (the largest remainder; ties go to the first): the parts are whole numbers and
their sum is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import lcm

WHOLE = 1_000_000_000
"""All of the weight, in parts per billion."""

PPM = 1_000_000

Groups = tuple[tuple[int, tuple[int, ...]], ...]
"""Indicators as whole numbers: the weight of each, and the weights of its measures."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight of each measure (parts per billion, 0 where it has no value), and the share that had a value."""

    ppb: tuple[int, ...]
    coverage_ppm: int


def share_out(whole: int, shares: Sequence[int]) -> tuple[int, ...]:
    """Whole numbers in the ratio of `shares` that add up to `whole`; all 0 when every share is 0."""
    total = sum(shares)
    if not total:
        return (0,) * len(shares)
    parts, lost = map(list, zip(*(divmod(whole * share, total) for share in shares), strict=True))
    most_lost = sorted(range(len(lost)), key=lost.__getitem__, reverse=True)
    for at in most_lost[: whole - sum(parts)]:
        parts[at] += 1
    return tuple(parts)


@lru_cache(maxsize=20_000)
def weights(groups: Groups, pattern: int) -> Weights:
    """The weights that count when only some measures have a value.

    Bit n of `pattern` says whether the nth measure, counted through all groups, has one. A measure without a value
    leaves its weight to the others of its indicator; an indicator without any leaves its weight to the other
    indicators. Coverage is rounded down.
    """
    nominal = _shares(groups, (1 << sum(len(members) for _, members in groups)) - 1)
    counting = _shares(groups, pattern)
    covered = sum(share for share, counts in zip(nominal, counting, strict=True) if counts)
    return Weights(share_out(WHOLE, counting), covered * PPM // sum(nominal))


@lru_cache(maxsize=20_000)
def _shares(groups: Groups, pattern: int) -> tuple[int, ...]:
    """The share of each measure in whole numbers over a common denominator; 0 for those without a value."""
    starts = accumulate((len(members) for _, members in groups), initial=0)
    present = [
        (weight, [member * (pattern >> (start + nth) & 1) for nth, member in enumerate(members)])
        for start, (weight, members) in zip(starts, groups, strict=False)
    ]
    sums = [sum(members) for _, members in present]
    common = lcm(*(there for there in sums if there))
    return tuple(
        weight * member * (common // there) if there else 0
        for there, (weight, members) in zip(sums, present, strict=True)
        for member in members
    )
