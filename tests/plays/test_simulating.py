"""A play tried over the past says what it would have done, as the past was, and does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.access.service import Role, Viewer
from hub.accounts.service import mark_changed
from hub.blueprint import service as blueprints
from hub.kit.clock import FrozenClock
from hub.kit.errors import Invalid, NotAllowed
from hub.kit.outbox import OutboxRow
from hub.kit.runtime import Kit
from hub.plays import service
from hub.plays.model import Run, Touch
from hub.plays.service import End, Outcome, Simulation
from hub.sdk import Subject
from hub.timeline.service import append_fact

from .scene import NOW, SEND, Somebody, add_account, count
from .vendor import Loft

ADMIN = Viewer("key:ops", Role.ADMIN)
DAY = timedelta(days=1)
MEASURES = {"meetings_7d": {"kind": "count", "of": ["meeting.held"], "window": "7d"}}
BUSY = "meetings_7d >= 2"


async def known(kit: Kit, play: Mapping[str, Any], budget: Mapping[str, Any] | None = None) -> None:
    """A blueprint with one measure and one play."""
    document = {
        "blueprint": 1,
        "name": "test",
        "measures": MEASURES,
        "plays": {"tried": play},
        "contact_budget": {"quiet": {"from": 0, "to": 0, "weekends": False}, **(budget or {})},
    }
    async with kit.transaction() as session:
        await blueprints.apply(session, document, "test", NOW)


async def met(kit: Kit, account: UUID, *days_ago: float, kind: str = "meeting.held") -> None:
    """Meetings that were held so many days before now."""
    async with kit.transaction() as session:
        for nth, ago in enumerate(days_ago):
            at = kit.clock.now() - ago * DAY
            subject = Subject(kind.partition(".")[0], f"{kind}{ago}", state=kind.partition(".")[2])
            await append_fact(
                session, account, kind, occurred_at=at, natural_key=f"{kind}:{ago}:{nth}", subject=subject, now=at
            )
        await mark_changed(session, [account], kit.clock.now())


async def tried(kit: Kit, since: timedelta = 30 * DAY, viewer: Viewer = ADMIN) -> Simulation:
    async with kit.reading() as session:
        return await service.simulate(session, viewer, "tried", since=kit.clock.now() - since, now=kit.clock.now())


def midnight(at: datetime) -> datetime:
    return at.replace(hour=0)


async def an_account(kit: Kit, *people: Somebody, name: str = "Acme") -> UUID:
    return await add_account(kit, *(people or (Somebody(),)), name=name, first_seen=NOW - 200 * DAY)


@pytest.mark.parametrize(
    ("trigger", "days_ago"),
    [
        ({"rule_enters": BUSY}, [20, 5]),
        ({"rule_exits": BUSY}, [14]),
        ({"event": "meeting.held"}, [21.5, 20.5, 6.5, 5.5]),
        ({"schedule": "7d", "when": BUSY}, [18, 4]),
        ({"cron": "0 6 * * 1", "when": BUSY}, [0.125]),
    ],
)
async def test_a_trigger_of_the_past_starts_the_play_then(
    still: Kit, vendor: Loft, trigger: dict[str, Any], days_ago: list[float]
) -> None:
    """Two busy weeks: at the ends of the days on which the rule began or ceased to hold, at events, at times."""
    await known(still, {"trigger": trigger, "steps": [SEND]})
    await met(still, await an_account(still), 60.5, 60.4, 21.5, 20.5, 6.5, 5.5)
    found = await tried(still)
    whole = "event" not in trigger and "cron" not in trigger and "schedule" not in trigger
    wanted = [midnight(NOW) - int(ago) * DAY if whole else NOW - ago * DAY for ago in days_ago]
    assert [run.at for run in found.first] == wanted
    assert found.totals == {"runs": len(wanted), "sent": len(wanted)}


async def test_nothing_is_sent_or_written(still: Kit, vendor: Loft) -> None:
    """No letter, no run, no touch, no fact; and it takes an admin, as it looks at every account."""
    await known(
        still, {"trigger": {"rule_enters": BUSY}, "steps": [SEND, {"task": "Call", "due": "2d"}, {"set": {"a": 1}}]}
    )
    await met(still, await an_account(still), 20.5, 20.4)
    before = await count(still, OutboxRow)
    found = await tried(still)
    assert [word.said.kind for word in found.first[0].words] == ["action", "task", "set"]
    assert found.first[0].words[2].at == found.first[0].at + 2 * DAY
    assert (vendor.letters, await count(still, Run), await count(still, Touch)) == ([], 0, 0)
    assert await count(still, OutboxRow) == before
    with pytest.raises(NotAllowed):
        await tried(still, viewer=Viewer("key:sam", Role.CSM))
    with pytest.raises(Invalid, match="366"):
        await tried(still, 400 * DAY)


async def test_the_contact_budget_says_what_it_would_have_stopped(still: Kit, vendor: Loft) -> None:
    """Three letters to one person within three days, two of them a week: the third waits, and is dropped where nobody
    has the patience."""
    play = {"trigger": {"event": "meeting.held"}, "steps": [SEND]}
    await known(still, play, {"per_person_per_week": 2, "patience": "10d"})
    await met(still, await an_account(still), 20, 19, 18)
    words = [run.words[0] for run in (await tried(still)).first]
    assert [(word.outcome, word.at) for word in words] == [
        (Outcome.SENT, NOW - 20 * DAY),
        (Outcome.SENT, NOW - 19 * DAY),
        (Outcome.LATE, NOW - 13 * DAY),
    ]
    await known(still, play, {"per_person_per_week": 2, "patience": "2d"})
    found = await tried(still)
    assert found.totals == {"runs": 3, "sent": 2, "dropped": 1}
    assert "at most 2" in (found.first[2].words[0].why or "")


async def test_a_run_goes_its_way_through_the_past(still: Kit, vendor: Loft) -> None:
    """A wait ends when its rule holds, a branch goes as the rule was then, an exit rule ends the run, the time is over
    for one that began yesterday, and a text that cannot be filled in holds it."""
    steps = [
        {"wait": "20d", "until": BUSY},
        {"branch": BUSY, "then": [{"notify": "busy"}], "otherwise": [{"notify": "quiet"}]},
    ]
    await known(still, {"trigger": {"event": "opportunity.won", "within": "2d"}, "steps": steps})
    busy, quiet, late = [await an_account(still, name=name) for name in ("Busy", "Quiet", "Late")]
    for account, ago in ((busy, 25), (quiet, 26), (late, 1)):
        await met(still, account, ago, kind="opportunity.won")
    await met(still, busy, 20.5, 20.2)
    found = {found_name(found, run.account_id): run for found in [await tried(still)] for run in found.first}
    assert [(word.at, word.said.texts) for word in found["Busy"].words] == [
        (midnight(NOW) - 19 * DAY, {"notify": "busy"})
    ]
    assert [(word.at, word.said.texts) for word in found["Quiet"].words] == [(NOW - 6 * DAY, {"notify": "quiet"})]
    assert (found["Late"].ended, found["Late"].words) == (End.UNDER_WAY, [])
    play = {"trigger": {"event": "opportunity.won"}, "exit": BUSY, "steps": [{"wait": "10d"}, {"notify": "ten"}]}
    await known(still, play)
    ended = {found_name(found, run.account_id): run.ended for found in [await tried(still)] for run in found.first}
    assert ended == {"Busy": End.EXIT, "Quiet": End.DONE, "Late": End.UNDER_WAY}
    await known(still, {"trigger": {"event": "opportunity.won"}, "steps": [{"notify": "{{ trigger.nothing }}"}]})
    assert {run.ended for run in (await tried(still)).first} == {End.HELD}


async def test_waits_of_the_past_end_with_their_event_or_in_business_hours(still: Kit, vendor: Loft) -> None:
    """An answer that came meanwhile ends the wait; without one it lasts so many hours of work (from Monday at nine)."""
    wait = {"wait": {"business": "12h"}, "until": {"event": "survey.answered"}}
    await known(still, {"trigger": {"event": "opportunity.won"}, "steps": [wait, {"notify": "there"}]})
    fast, slow = [await an_account(still, name=name) for name in ("Fast", "Slow")]
    for account in (fast, slow):
        await met(still, account, 7, kind="opportunity.won")
        await met(still, account, 8, 2, kind="survey.answered")
    await met(still, fast, 6.9, kind="survey.answered")
    found = {found_name(found, run.account_id): run for found in [await tried(still)] for run in found.first}
    assert found["Fast"].words[0].at == NOW - 6.9 * DAY
    assert found["Slow"].words[0].at == NOW - 6 * DAY + timedelta(hours=4)


def found_name(found: Simulation, account_id: UUID) -> str:
    return found.names[account_id]


async def test_a_play_keeps_its_manners_in_the_past(still: Kit, clock: FrozenClock, vendor: Loft) -> None:
    """It has its frequency, its audience and its holdout; what it would not have started is counted by why."""
    play = {"trigger": {"event": "meeting.held"}, "steps": [SEND]}
    await met(still, await an_account(still), 20, 10, 5)
    await known(still, {**play, "frequency": {"at_most": 1, "every": "7d"}})
    found = await tried(still)
    assert (found.totals["runs"], dict(found.left_out)) == (2, {"It has started 1 times within its span already.": 1})
    await known(still, {**play, "audience": "owner = 'kim'"})
    found = await tried(still)
    assert (dict(found.totals), dict(found.left_out)) == ({}, {"It is for other accounts.": 3})
    await known(still, {**play, "holdout": 0.9999})
    assert (await tried(still)).totals == {"held_out": 3}
