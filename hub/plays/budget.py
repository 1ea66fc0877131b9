"""The contact budget: how often people are contacted, over all plays together, and at which hours. Pure functions.

```yaml
contact_budget:
  per_person_per_week: 2
  per_account_per_day: 5
  quiet: {from: 20, to: 8, weekends: true, not_for: [inapp]}    # hours in the person's own time zone
  patience: 7d                                # a step that waited longer for its turn is dropped
```

A week and a day are the seven days and the twenty-four hours before the moment, so no boundary lets twice as much pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import Field

from hub.blueprint.values import Duration, Entry

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
SATURDAY: Final = 5


class Quiet(Entry):
    """Hours of the day, in the person's own time zone, at which nobody is contacted: from one full hour to another,
    over midnight where the second is not the later one."""

    from_: Annotated[int, Field(alias="from", ge=0, le=23)] = 20
    """The first quiet hour."""
    to: Annotated[int, Field(ge=0, le=23)] = 8
    """The hour at which people may be contacted again. The same as `from`: no hour is quiet."""
    weekends: bool = True
    """Whether Saturday and Sunday are quiet as a whole."""
    not_for: tuple[str, ...] = ("inapp",)
    """Connectors whose messages disturb nobody, because they wait in the product until the person is there."""


class ContactBudget(Entry):
    """The section `contact_budget`."""

    per_person_per_week: Annotated[int, Field(ge=1, le=1000)] = 2
    """Touches of one person within seven days."""
    per_account_per_day: Annotated[int, Field(ge=1, le=100_000)] = 25
    """Touches of all people at one account within a day."""
    quiet: Quiet = Quiet()
    """When nobody is contacted."""
    patience: Duration = timedelta(days=7)
    """How long a message waits for its turn before it is dropped."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: `until` is the first moment at which it may be, `why` is for the person who looks at the run. `never`:
    not then either."""

    until: datetime
    why: str
    never: bool = False


def not_before(
    budget: ContactBudget,
    connector: str,
    time_zone: str,
    of_person: Sequence[datetime],
    at_account: Sequence[datetime],
    now: datetime,
) -> Wait | None:
    """Whether a person may be contacted by this connector now (None), or why not and from when on.

    `of_person` are the touches of the person in the week before `now`, `at_account` those of everybody at the account
    in the day before it.
    """
    found = [
        wait
        for wait in (
            _spent(of_person, budget.per_person_per_week, WEEK, now, "The person was contacted", "week"),
            _spent(at_account, budget.per_account_per_day, DAY, now, "People at the account were contacted", "day"),
        )
        if wait is not None
    ]
    free = max((wait.until for wait in found), default=now)
    allowed = free if connector in budget.quiet.not_for else after_quiet(budget.quiet, time_zone, free)
    if not found and allowed == now:
        return None
    return Wait(allowed, found[0].why if found else f"It is a quiet hour where the person is ({time_zone}).")


def _spent(touches: Sequence[datetime], most: int, span: timedelta, now: datetime, who: str, what: str) -> Wait | None:
    within = sorted(touch for touch in touches if touch > now - span)
    if len(within) < most:
        return None
    return Wait(within[len(within) - most] + span, f"{who} {len(within)} times within a {what}; at most {most}.")


def after_quiet(quiet: Quiet, time_zone: str, moment: datetime) -> datetime:
    """The first moment from this one on that is not quiet in the time zone; the same one when it is not."""
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone)
    for _ in range(10):  # a night, a weekend, and the nights around it
        if quiet.weekends and local.weekday() >= SATURDAY:
            local = _at(local + DAY, 0)
        elif _is_quiet(quiet, local.hour):
            local = _at(local if local.hour < quiet.to else local + DAY, quiet.to)
        else:
            break
    return moment if local == moment.astimezone(zone) else local.astimezone(UTC)


def _is_quiet(quiet: Quiet, hour: int) -> bool:
    if quiet.from_ <= quiet.to:
        return quiet.from_ <= hour < quiet.to
    return hour >= quiet.from_ or hour < quiet.to


def _at(local: datetime, hour: int) -> datetime:
    return local.replace(hour=hour, minute=0, second=0, microsecond=0)
