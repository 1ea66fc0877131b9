"""Digests in the blueprint: when, by which clock, and by what connection.

```yaml
digest: {at: "08:00", zone: Europe/Berlin, connection: mail}
```

Without a connection nobody gets any.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from hub.blueprint.values import Entry


def _known(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{zone!r} is not a time zone; write for example Europe/Berlin") from None
    return zone


class Digest(Entry):
    """The section `digest`. `action` is what the connection is asked to do; it takes email, subject, text and html."""

    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "08:00"
    zone: Annotated[str, AfterValidator(_known)] = "UTC"
    connection: str | None = None
    action: str = "send"

    def day_of(self, now: datetime) -> date:
        """Which day it is there."""
        return now.astimezone(ZoneInfo(self.zone)).date()

    def due(self, day: date) -> datetime:
        """The moment of a day's digest. An hour that the clocks skip is an hour later, one they repeat is the first."""
        local = datetime.combine(day, time.fromisoformat(self.at), ZoneInfo(self.zone))
        return local.astimezone(UTC)

    def next_day(self, now: datetime) -> date:
        """The day of the next digest that is due after now."""
        today = self.day_of(now)
        return today if self.due(today) > now else today + timedelta(days=1)
