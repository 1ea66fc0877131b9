"""The watch list (the member-at-risk monitor): which accounts enter it, and how they leave.

An account enters when an alert with `watch` opens on it, and stays through whatever is planned and done. It leaves as
recovered when the band is green again and no such alert is alive, as lost when it churns. Its clock starts anew when it
enters again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.health.vocabulary import Band, WatchStatus
from hub.journeys.section import CHURNED


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an account at the moment of the decision.

    `alive` counts its alerts with `watch` that are alive, `opened` are the reasons of those that opened just now,
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
        return self.status in (WatchStatus.RECOVERED, WatchStatus.LOST)


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
