"""The watch list: in by an alert, out when it is green and quiet, or lost."""

from __future__ import annotations

from typing import Any

import pytest

from hub.health.vocabulary import Band, WatchStatus
from hub.health.watching import Entry, Standing, watch, yearly_minor

REASON: dict[str, Any] = {"rule": "decline"}
ENTRY = Entry(WatchStatus.AT_RISK, (REASON,), 1200)


def _standing(**given: Any) -> Standing:
    usual: dict[str, Any] = {
        "band": Band.YELLOW,
        "stage": "established",
        "alive": 1,
        "opened": [],
        "revenue_minor": 1200,
    }
    return Standing(**usual | given)


def test_an_alert_brings_it_on_the_list() -> None:
    """With its reason and the revenue at risk; without a new alert nobody enters."""
    assert watch(None, _standing(opened=[REASON])) == ENTRY
    assert watch(None, _standing()) is None


def test_a_churned_account_does_not_enter() -> None:
    """There is nothing left to save."""
    assert watch(None, _standing(opened=[REASON], stage="churned")) is None


def test_it_stays_while_nothing_changes() -> None:
    """The entry is equal, so nothing is written."""
    assert watch(ENTRY, _standing()) == ENTRY
    assert watch(ENTRY, _standing(band=Band.GREEN)) == ENTRY
    assert watch(ENTRY, _standing(alive=0, band=Band.YELLOW)) == ENTRY
    assert watch(ENTRY, _standing(alive=0, band=Band.UNKNOWN)) == ENTRY
    assert watch(ENTRY, _standing(revenue_minor=None)) == ENTRY


@pytest.mark.parametrize("band", [Band.GREEN, Band.PURPLE])
def test_green_and_quiet_is_recovered(band: Band) -> None:
    """Both are needed: a green band, and no such alert alive."""
    entry = watch(ENTRY, _standing(alive=0, band=band))
    assert entry is not None
    assert (entry.status, entry.ended) == (WatchStatus.RECOVERED, True)


def test_churned_is_lost() -> None:
    """Whatever the band says."""
    entry = watch(ENTRY, _standing(alive=0, band=Band.GREEN, stage="churned"))
    assert entry is not None
    assert (entry.status, entry.ended) == (WatchStatus.LOST, True)


def test_further_alerts_are_further_reasons() -> None:
    """The list of reasons grows, the status of the rescue stays; the revenue is today's."""
    saving = Entry(WatchStatus.SAVING, (REASON,), 1200)
    other = {"rule": "unpaid"}
    assert watch(saving, _standing(opened=[other], revenue_minor=2400)) == Entry(
        WatchStatus.SAVING, (REASON, other), 2400
    )


def test_a_year_of_revenue() -> None:
    """Twelve months in whole minor units."""
    assert yearly_minor(99.99) == 1200
    assert yearly_minor(None) is None
