"""Whether a play works: the share of accounts that reached its goal among those it was for, against the holdout.

By intention to treat: an account counts where it was put, whatever came of its run, and once, by its first run; only
runs whose time for the goal is over count. Runs that somebody started by hand do not: nobody drew lots for them.

The interval is Newcombe's for the difference of two independent proportions, from two Wilson score intervals (R. G.
Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17, 1998,
method 10). An interval of 95 % excludes a truth of nought in one of twenty cases, so a verdict also asks the test of
two proportions with Yates' correction for continuity (1934): chance is called an effect in fewer than one of twenty.
The number needed is that of the usual comparison of two proportions at 5 % and 80 % power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil, sqrt
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

Z_95: Final = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""

Z_80: Final = 0.8416212335729143
"""The 80 % quantile."""

FEWEST: Final = 10
"""Of fewer accounts on one side nothing is said."""


class Verdict(StrEnum):
    """What the figures say."""

    WORKS = "works"
    HARMS = "harms"
    NO_DIFFERENCE_SEEN = "no_difference_seen"
    NOT_ENOUGH_YET = "not_enough_yet"


@dataclass(frozen=True, slots=True)
class Side:
    """Accounts of one side, and how many of them reached the goal."""

    accounts: int
    reached: int

    @property
    def share(self) -> float | None:
        """The share that reached the goal."""
        return self.reached / self.accounts if self.accounts else None


@dataclass(frozen=True, slots=True)
class Effect:
    """The difference of the two shares with its 95 % interval (None: one side is empty), what it says, and how many
    accounts the smaller side needs for a verdict if the difference stays as it is (None: there is none to see)."""

    treated: Side
    held_out: Side
    difference: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    needed: int | None


def effect(treated: Side, held_out: Side) -> Effect:
    """The effect that two sides show."""
    if not treated.accounts or not held_out.accounts:
        return Effect(treated, held_out, None, None, None, Verdict.NOT_ENOUGH_YET, None)
    low, high = interval(treated, held_out)
    difference = treated.reached / treated.accounts - held_out.reached / held_out.accounts
    needed = number_needed(treated, held_out)
    return Effect(treated, held_out, difference, low, high, _verdict(treated, held_out, low, high, needed), needed)


def _verdict(treated: Side, held_out: Side, low: float, high: float, needed: int | None) -> Verdict:
    if min(treated.accounts, held_out.accounts) < FEWEST:
        return Verdict.NOT_ENOUGH_YET
    if not low <= 0 <= high and is_beyond_chance(treated, held_out):
        return Verdict.WORKS if low > 0 else Verdict.HARMS
    enough = needed is not None and held_out.accounts >= needed
    return Verdict.NO_DIFFERENCE_SEEN if enough else Verdict.NOT_ENOUGH_YET


def is_beyond_chance(treated: Side, held_out: Side) -> bool:
    """Whether two sides without a difference would seldom look like this: two-sided, 5 %, corrected for continuity."""
    n, m = treated.accounts, held_out.accounts
    both = (treated.reached + held_out.reached) / (n + m)
    away = abs(treated.reached / n - held_out.reached / m) - (1 / n + 1 / m) / 2
    return away > Z_95 * sqrt(both * (1 - both) * (1 / n + 1 / m))


def wilson(side: Side) -> tuple[float, float]:
    """The 95 % score interval of one share."""
    n, p, z = side.accounts, side.reached / side.accounts, Z_95
    middle, spread = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


def interval(treated: Side, held_out: Side) -> tuple[float, float]:
    """The 95 % interval of the difference treated - held out."""
    p, q = treated.reached / treated.accounts, held_out.reached / held_out.accounts
    (low_p, high_p), (low_q, high_q) = wilson(treated), wilson(held_out)
    return (
        p - q - sqrt((p - low_p) ** 2 + (high_q - q) ** 2),
        p - q + sqrt((high_p - p) ** 2 + (q - low_q) ** 2),
    )


def number_needed(treated: Side, held_out: Side) -> int | None:
    """How many accounts each side needs so that a difference as large as the present one is seen in four of five
    cases; None when there is no difference."""
    p, q = treated.reached / treated.accounts, held_out.reached / held_out.accounts
    if p == q:
        return None
    both = (p + q) / 2
    spread = Z_95 * sqrt(2 * both * (1 - both)) + Z_80 * sqrt(p * (1 - p) + q * (1 - q))
    return ceil(spread * spread / ((p - q) ** 2))


async def effects_of(session: AsyncSession, plays: Sequence[str], now: datetime) -> dict[str, Effect]:
    """The effect of each of these plays until now. One statement; it reads the plays' runs."""
    found = await session.execute(
        text(
            "SELECT play, holdout, count(*) AS accounts, count(goal_reached_at) AS reached FROM ("
            "SELECT DISTINCT ON (play, account_id) play, holdout, goal_by, goal_reached_at FROM run "
            "WHERE play = ANY(CAST(:plays AS text[])) AND goal_by IS NOT NULL AND occurrence NOT LIKE 'hand:%' "
            "ORDER BY play, account_id, started_at, id) AS first WHERE goal_by <= :now GROUP BY play, holdout"
        ),
        {"plays": list(plays), "now": now},
    )
    sides = {(row.play, row.holdout): Side(row.accounts, row.reached) for row in found}
    nobody = Side(0, 0)
    return {play: effect(sides.get((play, False), nobody), sides.get((play, True), nobody)) for play in plays}
