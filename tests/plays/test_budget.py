"""The contact budget: nobody is contacted more often than it says, nor at a quiet hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.plays.budget import DAY, WEEK, ContactBudget, Quiet, after_quiet, not_before

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Auckland"]

_moments = st.timedeltas(timedelta(0), timedelta(days=365)).map(lambda past: datetime(2026, 1, 1, tzinfo=UTC) + past)
_quiets = st.builds(
    lambda from_, to, weekends: Quiet.model_validate({"from": from_, "to": to, "weekends": weekends}),
    st.integers(0, 23),
    st.integers(0, 23),
    st.booleans(),
)


def is_quiet(quiet: Quiet, zone: str, moment: datetime) -> bool:
    """Said in another way than the code says it: hour by hour."""
    local = moment.astimezone(ZoneInfo(zone))
    hours = set()
    hour = quiet.from_
    while hour != quiet.to:
        hours.add(hour)
        hour = (hour + 1) % 24
    return local.hour in hours or (quiet.weekends and local.isoweekday() > 5)


@given(_quiets, st.sampled_from(ZONES), _moments)
def test_after_quiet_is_the_first_moment_that_is_not(quiet: Quiet, zone: str, moment: datetime) -> None:
    """It is not quiet then, and it is at every quarter of an hour before."""
    allowed = after_quiet(quiet, zone, moment)
    assert allowed >= moment
    assert not is_quiet(quiet, zone, allowed)
    step = moment
    while step < allowed - timedelta(minutes=15):
        assert is_quiet(quiet, zone, step)
        step += timedelta(minutes=15)


@given(
    st.integers(1, 4),
    st.integers(1, 6),
    _quiets,
    st.sampled_from(ZONES),
    st.lists(st.integers(0, 60 * 24), max_size=60),
)
def test_whoever_waits_as_told_never_exceeds_the_budget(
    person: int, account: int, quiet: Quiet, zone: str, gaps: list[int]
) -> None:
    """Two people of one account, asked for at random moments, each contacted as soon as it is allowed."""
    budget = ContactBudget(per_person_per_week=person, per_account_per_day=account, quiet=quiet)
    touches: list[tuple[int, datetime]] = []
    now = MONDAY
    for nth, gap in enumerate(gaps):
        now += timedelta(minutes=gap)
        for _ in range(20):
            of_person = [at for who, at in touches if who == nth % 2 and at > now - WEEK]
            at_account = [at for _, at in touches if at > now - DAY]
            wait = not_before(budget, "mail", zone, of_person, at_account, now)
            if wait is None:
                touches.append((nth % 2, now))
                break
            assert wait.until > now
            now = wait.until
    for who, at in touches:
        assert not is_quiet(quiet, zone, at)
        assert sum(other == who and at - WEEK < when <= at for other, when in touches) <= person
        assert sum(at - DAY < when <= at for _, when in touches) <= account


def test_messages_that_wait_in_the_product_disturb_nobody() -> None:
    """For their connector no hour is quiet, but they count like any other."""
    night = datetime(2026, 3, 2, 2, tzinfo=UTC)
    budget = ContactBudget(per_person_per_week=1)
    assert not_before(budget, "inapp", "UTC", [], [], night) is None
    held = not_before(budget, "mail", "UTC", [], [], night)
    assert held is not None
    assert (held.until, held.why) == (night.replace(hour=8), "It is a quiet hour where the person is (UTC).")
    spent = not_before(budget, "inapp", "UTC", [night - DAY], [], night)
    assert spent is not None
    assert (spent.until, spent.why) == (night + 6 * DAY, "The person was contacted 1 times within a week; at most 1.")


@pytest.mark.parametrize(("hour", "quiet"), [(19, False), (20, True), (7, True), (8, False)])
def test_the_hours_are_those_where_the_person_is(hour: int, quiet: bool) -> None:
    """At Auckland's evening it is morning in Greenwich."""
    there = datetime(2026, 3, 3, hour, 30, tzinfo=ZoneInfo("Pacific/Auckland"))
    assert (after_quiet(Quiet(), "Pacific/Auckland", there) != there) is quiet
