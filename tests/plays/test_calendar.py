"""Times of the calendar, where the account is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from hub.accounts.model import Account
from hub.health.moments import MOMENTS
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.kit.work import WorkItem
from hub.plays.calendar import around, between
from hub.plays.trigger_kinds import Calendar

from .scene import CALL, add_account, apply, look, runs

BERLIN = "Europe/Berlin"


def utc(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_an_hour_is_that_of_the_place() -> None:
    """Nine in the morning is eight UTC in winter and seven in summer; it has come at nine and not a second before."""
    assert around("0 9 * * *", BERLIN, utc(3, 28, 8)) == (utc(3, 28, 8), utc(3, 29, 7))
    assert around("0 9 * * *", BERLIN, utc(3, 28, 8) - timedelta(seconds=1))[0] == utc(3, 27, 8)
    assert around("0 9 * * *", BERLIN, utc(3, 29, 7, 30)) == (utc(3, 29, 7), utc(3, 30, 7))


def test_a_skipped_time_comes_late_and_a_repeated_one_once() -> None:
    """Half past two, on the days on which the clocks are changed."""
    daily = "30 2 * * *"
    assert between(daily, BERLIN, utc(3, 28, 12), utc(3, 30, 12)) == [utc(3, 29, 1), utc(3, 30, 0, 30)]
    assert between(daily, BERLIN, utc(10, 24, 12), utc(10, 26, 12)) == [utc(10, 25, 0, 30), utc(10, 26, 1, 30)]
    spring, autumn = utc(3, 28, 0), utc(10, 24, 0)
    assert [len(between(daily, BERLIN, start, start + timedelta(days=4))) for start in (spring, autumn)] == [4, 4]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 9 * *", "five fields"),
        ("61 9 * * *", "bad minute"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("x x x x x", "bad"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, says: str) -> None:
    """With a word about what is wrong."""
    with pytest.raises(ValidationError, match=says):
        Calendar(cron=text)


async def test_a_play_starts_at_its_time_in_each_place(still: Kit, clock: FrozenClock) -> None:
    """Once for each time, wherever the account is; in between it is known when to look again."""
    trigger = {"cron": "0 9 * * 1-5", "when": "owner = 'sam'"}
    await apply(still, [CALL], followed={"trigger": trigger, "steps": [{"notify": "Well"}]})
    places = {BERLIN: await add_account(still), "America/New_York": await add_account(still, name="Far")}
    async with still.transaction() as session:
        for zone, account in places.items():
            await session.execute(update(Account).where(Account.id == account).values(time_zone=zone))
    await look(still, *places.values(), before=None)
    for _ in range(24):
        before, _ = clock.now(), clock.advance(timedelta(hours=3))
        await look(still, *places.values(), before=before)
    await look(still, *places.values(), before=clock.now() - timedelta(days=1))
    started = sorted((run.account_id == places[BERLIN], run.occurrence[5:21]) for run in await runs(still))
    far = [(False, f"2026-03-0{day}T14:00") for day in (2, 3, 4)]
    near = [(True, f"2026-03-0{day}T08:00") for day in (3, 4, 5)]
    assert started == far + near
    async with still.reading() as session:
        due = select(WorkItem.due_at).where(WorkItem.list == MOMENTS, WorkItem.key == f"look:{places[BERLIN]}:cron")
        # The first of them, as nobody takes entries off the list here.
        assert (await session.execute(due)).scalar_one() == utc(3, 3, 8)
