"""The watch list (the member-at-risk monitor, MAR): which accounts enter it, how they are saved, and how they leave.

An account enters when an alert with `watch` opens on it, when its band in effect becomes red, or when a person puts it
there; whatever else of that kind happens meanwhile is a further reason. Its life is at risk → plan in place → saving →
recovered or lost. People move it along, in either direction; it leaves by a person, or by itself:

- recovered, when the band is green or purple again and no alert with `watch` is alive (a snoozed one is);
- lost, when it churns.

Then its clock stops for good. An account that comes back has a new entry, whose clock starts anew.

The revenue at risk is twelve times the blueprint's measure `mrr`, what the active subscriptions pay in a month, as of
the last look at the account while it was on the list; the currency is that of its newest event with money.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.health.vocabulary import Band, WatchStatus
from hub.journeys.section import CHURNED

ENDS = frozenset({WatchStatus.RECOVERED, WatchStatus.LOST})
"""The two ways in which an entry ends."""

REVENUE = "mrr"
"""The measure that says what a month of an account is worth, in minor units."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an account at the moment of the decision.

    `alive` counts its alerts with `watch` that are alive, `opened` are the reasons for watching it that came just now,
    `revenue_minor` is what a year of it is worth in minor units.
    """

    band: Band
    stage: str | None
    alive: int
    opened: Sequence[dict[str, Any]]
    revenue_minor: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """The account's entry as it stands on the list, or as it is going to."""

    status: WatchStatus
    reasons: tuple[dict[str, Any], ...]
    revenue_minor: int | None

    @property
    def ended(self) -> bool:
        return self.status in ENDS


def watch(entry: Entry | None, standing: Standing) -> Entry | None:
    """The account's entry from now on (None: it is not on the list). Equal to `entry` when nothing changes."""
    if entry is None:
        if not standing.opened or standing.stage == CHURNED:
            return None
        return Entry(WatchStatus.AT_RISK, tuple(standing.opened), standing.revenue_minor)
    status = entry.status
    if standing.stage == CHURNED:
        status = WatchStatus.LOST
    elif not standing.alive and standing.band in (Band.GREEN, Band.PURPLE):
        status = WatchStatus.RECOVERED
    revenue = entry.revenue_minor if standing.revenue_minor is None else standing.revenue_minor
    return Entry(status, (*entry.reasons, *standing.opened), revenue)


def yearly_minor(mrr_minor: float | None) -> int | None:
    """Twelve months of a monthly amount, in whole minor units."""
    return None if mrr_minor is None else round(mrr_minor * 12)


def band_reason(previous_band: str | None, now: datetime) -> dict[str, Any]:
    """The reason of an account whose band became red, as it is kept."""
    return {"band": Band.RED.value, "previous_band": previous_band, "at": now.isoformat()}


def hand_reason(text: str, by: str, now: datetime) -> dict[str, Any]:
    """The reason of an account that a person put on the list, as it is kept."""
    return {"text": text, "by": by, "at": now.isoformat()}
