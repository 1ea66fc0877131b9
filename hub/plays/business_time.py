"""Business hours: when people at work can be expected to answer, and how long a span lasts that counts them alone. Pure
functions.

```yaml
business_hours:
  days: [mon, tue, wed, thu, fri]
  from: 9
  to: 17
  holidays: [2026-12-25, 2027-01-01]
```

The hours are those of the clock on the wall where the account is.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from hub.blueprint.values import Entry

_SPAN: Final = re.compile(r"([0-9]{1,3})([hd])")


class Day(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WEEK: Final = tuple(Day)


class BusinessHours(Entry):
    """The section `business_hours`."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)] = WEEK[:5]
    """The working days."""
    from_: Annotated[int, Field(alias="from", ge=0, le=23)] = 9
    """The full hour at which work begins, in the account's time zone."""
    to: Annotated[int, Field(ge=1, le=24)] = 17
    """The full hour at which it ends."""
    holidays: tuple[date, ...] = ()
    """Dates on which nobody works."""

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> BusinessHours:
        if self.from_ >= self.to:
            raise ValueError("work begins before it ends: make `from` smaller than `to`")
        return self


class BusinessTime(Entry):
    """A span that passes in business hours only: so many hours, or so many working days, each as long as the section
    `business_hours` says."""

    business: Annotated[str, Field(pattern=r"^[0-9]{1,3}[hd]$", examples=["4h", "2d"])]

    @field_validator("business", mode="before")
    @classmethod
    def _is_a_span(cls, value: object) -> object:
        found = _SPAN.fullmatch(value) if isinstance(value, str) else None
        if found is None or not int(found[1]):
            raise ValueError("write business time as a whole number of hours or working days: 4h or 2d")
        return value

    def within(self, hours: BusinessHours) -> timedelta:
        """The time of work that it stands for."""
        count, unit = int(self.business[:-1]), self.business[-1]
        return timedelta(hours=count * (hours.to - hours.from_ if unit == "d" else 1))


def over(wait: timedelta | BusinessTime, hours: BusinessHours, time_zone: str, began: datetime) -> datetime:
    """When a wait that began then at an account in this time zone is over, in UTC."""
    if isinstance(wait, timedelta):
        return began + wait
    return after_business(hours, time_zone, wait.within(hours), began)


def after_business(hours: BusinessHours, time_zone: str, span: timedelta, moment: datetime) -> datetime:
    """When so much time of work has passed since the moment, in UTC. What the clocks skip in spring is no time of work,
    and what they repeat in autumn is twice as much."""
    zone = ZoneInfo(time_zone)
    day, holidays = moment.astimezone(zone).date(), frozenset(hours.holidays)
    while True:
        if WEEK[day.weekday()] in hours.days and day not in holidays:
            begins = max(_at(day, hours.from_, zone), moment)
            ends = _at(day, hours.to, zone)
            if begins < ends:
                if begins + span <= ends:
                    return begins + span
                span -= ends - begins
        day += timedelta(days=1)


def _at(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """A full hour of the day on the wall, in UTC; 24 is the midnight behind it."""
    whole, hour = divmod(hour, 24)
    return datetime.combine(day + timedelta(days=whole), time(hour), zone).astimezone(UTC)
