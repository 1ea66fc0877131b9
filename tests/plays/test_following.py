"""What a look at accounts starts: rules that begin or cease to hold, fresh events, spans that ended; each once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.plays.model import RuleHolds, Run
from hub.sdk import Subject
from hub.timeline.service import append_fact

from .scene import CALL, NOW, add_account, apply, count, look, own, runs

KIM = "owner = 'kim'"


async def watch(kit: Kit, trigger: dict[str, Any], **more: Any) -> UUID:
    """An account that has been looked at since the play of this trigger is followed."""
    await apply(kit, [CALL], followed={"trigger": trigger, "steps": [{"notify": "Well"}], **more})
    account = await add_account(kit)
    await look(kit, account)
    await look(kit, account, before=kit.clock.now())
    return account


async def started(kit: Kit) -> list[str]:
    """The occurrences for which the play was started."""
    return [run.occurrence for run in await runs(kit) if run.play == "followed"]


async def test_a_rule_starts_its_play_when_it_begins_to_hold(still: Kit, clock: FrozenClock) -> None:
    """Once, however often it is looked at; again when it ceased to hold meanwhile."""
    account = await watch(still, {"rule_enters": KIM})
    assert await started(still) == []
    await own(still, account, "kim")
    for _ in range(3):
        await look(still, account, before=NOW)
    [run] = await runs(still)
    assert run.trigger == {"topic": "rule", "rule": KIM, "values": {"owner": "kim"}}
    assert await count(still, RuleHolds) == 1
    await own(still, account, "sam")
    await look(still, account, before=NOW)
    assert await count(still, RuleHolds) == 0
    clock.advance(timedelta(hours=1))
    await own(still, account, "kim")
    await look(still, account, before=NOW)
    assert len(await started(still)) == 2


async def test_a_rule_starts_its_play_when_it_ceases_to_hold(still: Kit) -> None:
    """And not when it begins to."""
    account = await watch(still, {"rule_exits": KIM})
    await own(still, account, "kim")
    await look(still, account, before=NOW)
    assert await started(still) == []
    await own(still, account, None)
    await look(still, account, before=NOW)
    await look(still, account, before=NOW)
    assert len(await started(still)) == 1


@pytest.mark.parametrize(("existing", "begun"), [("skip", 0), ("start", 1)])
async def test_those_who_are_there_already_begin_only_where_the_play_says_so(
    still: Kit, clock: FrozenClock, existing: str, begun: int
) -> None:
    """An account older than the play, for which the rule holds at the first look; a younger one always begins."""
    clock.advance(timedelta(days=1))
    trigger = {"rule_enters": KIM, "existing": existing}
    await apply(still, [CALL], followed={"trigger": trigger, "steps": [{"notify": "Well"}]})
    there_before = await add_account(still, owner="kim")
    await look(still, there_before, before=None)
    assert len(await started(still)) == begun
    clock.advance(timedelta(days=1))
    younger = await add_account(still, name="Younger", owner="kim", first_seen=clock.now())
    await look(still, younger, before=None)
    assert len(await started(still)) == begun + 1


async def test_a_rule_that_reads_otherwise_is_followed_anew(still: Kit, clock: FrozenClock) -> None:
    """Those for whom it holds then were there before."""
    account = await watch(still, {"rule_enters": KIM})
    clock.advance(timedelta(days=1))
    await apply(still, [CALL], followed={"trigger": {"rule_enters": "owner = 'sam'"}, "steps": [{"notify": "Well"}]})
    await look(still, account, before=NOW)
    assert await started(still) == []


async def happens(kit: Kit, account: UUID, key: str, at: datetime, run: UUID | None = None, **attributes: str) -> None:
    """An event about the account's business review."""
    async with kit.transaction() as session:
        subject = Subject("meeting", key, state="held")
        await append_fact(
            session,
            account,
            "meeting.held",
            occurred_at=at,
            natural_key=key,
            subject=subject,
            attributes=attributes,
            caused_by_run=run,
            now=kit.clock.now(),
        )


async def test_an_event_starts_its_play_once(still: Kit, clock: FrozenClock) -> None:
    """When it has the attributes asked for and is fresh; not one that an earlier run of the play brought about."""
    account = await watch(still, {"event": "meeting.held", "where": {"type": ["kickoff", "review"]}, "within": "2d"})
    clock.advance(timedelta(days=3))
    before = clock.now() - timedelta(minutes=1)
    await happens(still, account, "fresh", clock.now() - timedelta(days=1), type="review")
    await happens(still, account, "stale", clock.now() - timedelta(days=2, seconds=1), type="review")
    await happens(still, account, "other", clock.now(), type="lunch")
    await look(still, account, before=before)
    await look(still, account, before=before)
    [run] = [run for run in await runs(still) if run.play == "followed"]
    assert run.trigger["attributes"] == {"type": "review"}
    await happens(still, account, "own", clock.now(), run=run.id, type="review")
    await look(still, account, before=before)
    assert len(await started(still)) == 1


async def test_an_event_from_before_the_play_starts_nothing(still: Kit, clock: FrozenClock) -> None:
    """Switching a play on is no reason to react to yesterday."""
    account = await add_account(still)
    await happens(still, account, "yesterday", NOW)
    clock.advance(timedelta(days=1))
    trigger = {"event": "meeting.held", "within": "7d"}
    await apply(still, [CALL], followed={"trigger": trigger, "steps": [{"notify": "Well"}]})
    await look(still, account, before=None)
    assert await started(still) == []


async def test_a_schedule_starts_its_play_after_each_span(still: Kit, clock: FrozenClock) -> None:
    """Counted from the account's first day; of spans that were slept through the last one counts."""
    account = await watch(still, {"schedule": "7d", "when": "owner = 'sam'"})
    for day in range(1, 15):
        before, _ = clock.now(), clock.advance(timedelta(days=1))
        await look(still, account, before=before)
        await look(still, account, before=clock.now())
        assert len(await started(still)) == day // 7
    before, _ = clock.now(), clock.advance(timedelta(days=30))
    await look(still, account, before=before)
    assert await started(still) == ["schedule:1", "schedule:2", "schedule:6"]
    await own(still, account, "kim")
    before, _ = clock.now(), clock.advance(timedelta(days=7))
    await look(still, account, before=before)
    assert len(await started(still)) == 3


@pytest.mark.parametrize(("rule", "starts"), [("owner = 'kim'", 1), ("owner = 'sam'", 0), ("days_in_stage >= 0", 0)])
async def test_a_play_has_its_audience(still: Kit, rule: str, starts: int) -> None:
    """It starts only for accounts for which the rule is true; unknown is not true."""
    account = await watch(still, {"rule_enters": KIM}, audience=rule)
    await own(still, account, "kim")
    await look(still, account, before=NOW)
    assert len(await started(still)) == starts


async def test_a_play_keeps_its_distance(still: Kit, clock: FrozenClock) -> None:
    """`once` is once, whatever begins to hold again."""
    account = await watch(still, {"rule_enters": KIM}, frequency="once")
    for owner in ("kim", "sam", "kim"):
        clock.advance(timedelta(hours=1))
        await own(still, account, owner)
        await look(still, account, before=NOW)
    assert len(await started(still)) == 1


async def test_the_number_of_statements_does_not_grow_with_the_accounts(still: Kit) -> None:
    """Looking at many accounts of which nothing is to be said costs as much as looking at one."""
    await apply(still, [CALL], followed={"trigger": {"rule_enters": KIM}, "steps": [{"notify": "Well"}]})
    accounts = [await add_account(still, name=f"Account {nth}") for nth in range(40)]
    await look(still, *accounts)
    async with still.reading() as session:
        assert (await session.execute(select(Run))).first() is None
