"""Business time passes in working hours alone, as the clock on the wall shows them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from hub.plays.business_time import BusinessHours, BusinessTime, over

HOURS = BusinessHours.model_validate({"holidays": ["2026-05-01"]})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("wait", "time_zone", "began", "ends"),
    [
        ("4h", "UTC", "2026-04-27 09:30", "2026-04-27 13:30"),
        ("4h", "UTC", "2026-04-27 05:00", "2026-04-27 13:00"),
        ("4h", "UTC", "2026-04-27 15:00", "2026-04-28 11:00"),
        ("8h", "UTC", "2026-04-27 09:00", "2026-04-27 17:00"),
        ("4h", "UTC", "2026-04-27 17:00", "2026-04-28 13:00"),
        ("2d", "UTC", "2026-04-27 10:15", "2026-04-29 10:15"),
        # Thursday, then a holiday and a weekend.
        ("1d", "UTC", "2026-04-30 16:00", "2026-05-04 16:00"),
        # Nine o'clock is an hour later behind the change of the clocks in autumn, one earlier in spring.
        ("2h", "Europe/Berlin", "2026-10-23 14:00", "2026-10-26 09:00"),
        ("2h", "Europe/Berlin", "2026-03-27 15:00", "2026-03-30 08:00"),
        ("2h", "Asia/Kolkata", "2026-04-27 11:00", "2026-04-28 05:00"),
        # It is Monday there already, and still Sunday.
        ("1h", "Pacific/Auckland", "2026-04-26 20:00", "2026-04-26 22:00"),
        ("1h", "America/Los_Angeles", "2026-04-27 02:00", "2026-04-27 17:00"),
    ],
)
def test_business_time_passes_in_working_hours(wait: str, time_zone: str, began: str, ends: str) -> None:
    """From the end of the night, over holidays and weekends, in the account's own time."""
    assert over(BusinessTime(business=wait), HOURS, time_zone, at(began)) == at(ends)


def test_a_night_shift_that_the_clocks_cut_short_is_shorter() -> None:
    """The hour that is skipped in spring is no time of work, the one repeated in autumn is worked twice."""
    hours = BusinessHours.model_validate({"days": ["sun"], "from": 0, "to": 6})
    wait = BusinessTime(business="6h")
    assert over(wait, hours, "Europe/Berlin", at("2026-03-28 23:00")) == at("2026-04-04 23:00")
    assert over(wait, hours, "Europe/Berlin", at("2026-10-24 22:00")) == at("2026-10-25 04:00")


def test_a_plain_span_passes_at_any_time() -> None:
    """Without `business`, nights and weekends count."""
    began = at("2026-05-01 22:00")
    assert over(timedelta(hours=4), HOURS, "Europe/Berlin", began) == began + timedelta(hours=4)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"from": 17, "to": 9}, "begins before it ends"),
        ({"days": []}, "at least 1"),
        ({"days": ["monday"]}, "'mon'"),
        ({"holidays": ["2026-02-30"]}, "date"),
    ],
)
def test_hours_that_cannot_be_are_refused(section: dict[str, object], words: str) -> None:
    """At least one hour of one day, on dates that there are."""
    with pytest.raises(ValidationError, match=words):
        BusinessHours.model_validate(section)
    assert BusinessHours.model_validate({"holidays": ["2026-12-25"]}).holidays == (date(2026, 12, 25),)
