"""Work lists coalesce, are claimed by one at a time, and survive the death of a worker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from hub.kit import work
from hub.kit.runtime import Kit

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)


async def mark(kit: Kit, *keys: str, due_at: datetime = NOW) -> None:
    async with kit.transaction() as session:
        await work.mark(session, "chores", keys, due_at=due_at)


async def claim(kit: Kit, *, now: datetime = NOW, limit: int = 10) -> list[work.Claim]:
    async with kit.transaction() as session:
        return await work.claim(session, "chores", limit=limit, now=now, lease=LEASE)


async def finish(kit: Kit, claims: list[work.Claim]) -> None:
    async with kit.transaction() as session:
        await work.finish(session, claims)


async def test_marks_coalesce_to_one_entry(kit: Kit) -> None:
    """A key marked many times is claimed once."""
    for _ in range(5):
        await mark(kit, "a", "a")
    assert [claimed.key for claimed in await claim(kit)] == ["a"]


async def test_a_claimed_entry_is_not_claimed_again_until_its_lease_ends(kit: Kit) -> None:
    """The lease hides an entry; when the worker died, the entry comes back with one more attempt."""
    await mark(kit, "a")
    assert [claimed.attempts for claimed in await claim(kit)] == [1]
    assert await claim(kit, now=NOW + LEASE) == []
    again = await claim(kit, now=NOW + LEASE + timedelta(seconds=1))
    assert [claimed.attempts for claimed in again] == [2]


async def test_a_mark_during_the_work_keeps_the_entry(kit: Kit) -> None:
    """What is marked between claim and finish is done again."""
    await mark(kit, "a", "b")
    claims = await claim(kit)
    await mark(kit, "a")
    await finish(kit, claims)
    assert [claimed.key for claimed in await claim(kit)] == ["a"]


async def test_nothing_is_claimed_before_it_is_due(kit: Kit) -> None:
    """A key due later waits; marking it for an earlier time moves it forward."""
    await mark(kit, "a", due_at=NOW + timedelta(days=1))
    assert await claim(kit) == []
    await mark(kit, "a", due_at=NOW)
    assert [claimed.key for claimed in await claim(kit)] == ["a"]


async def test_a_postponed_entry_keeps_its_error_and_comes_back(kit: Kit) -> None:
    """An entry that failed is free again at the time it was postponed to."""
    await mark(kit, "a")
    [claimed] = await claim(kit)
    async with kit.transaction() as session:
        await work.postpone(session, claimed, until=NOW + timedelta(minutes=1), error="the vendor sleeps")
    assert await claim(kit) == []
    assert [claimed.attempts for claimed in await claim(kit, now=NOW + timedelta(minutes=1))] == [2]


async def test_a_mark_during_the_work_is_not_postponed(kit: Kit) -> None:
    """Putting an entry off does not put off what was marked after the claim."""
    await mark(kit, "a")
    [claimed] = await claim(kit)
    await mark(kit, "a")
    async with kit.transaction() as session:
        await work.postpone(session, claimed, until=NOW + timedelta(days=3))
    assert [again.key for again in await claim(kit)] == ["a"]


async def test_a_renewed_lease_lasts_longer_and_a_lost_one_is_not_taken_back(kit: Kit) -> None:
    """Work that takes its time keeps its entry; once somebody else has claimed it, it is theirs."""
    await mark(kit, "a")
    first = await claim(kit)
    async with kit.transaction() as session:
        await work.renew(session, first, until=NOW + 2 * LEASE)
    assert await claim(kit, now=NOW + LEASE + timedelta(seconds=1)) == []
    later = NOW + 3 * LEASE
    assert len(await claim(kit, now=later)) == 1
    async with kit.transaction() as session:
        await work.renew(session, first, until=later + timedelta(days=1))
    assert len(await claim(kit, now=later + LEASE + timedelta(seconds=1))) == 1


async def test_parallel_workers_share_a_list_without_overlap(kit: Kit) -> None:
    """Two hundred entries claimed by eight workers at once are claimed exactly once each."""
    await mark(kit, *(f"k{number:03}" for number in range(200)))

    async def worker() -> list[str]:
        taken: list[str] = []
        while batch := await claim(kit, limit=7):
            taken += [claimed.key for claimed in batch]
        return taken

    taken = [key for keys in await asyncio.gather(*(worker() for _ in range(8))) for key in keys]
    assert sorted(taken) == [f"k{number:03}" for number in range(200)]


async def test_depth_counts_each_list(kit: Kit) -> None:
    """What waits is visible, due or not."""
    await mark(kit, "a", "b", due_at=NOW + timedelta(days=1))
    async with kit.reading() as session:
        assert await work.depth(session) == {"chores": 2}


async def settle(kit: Kit, *keys: str, now: datetime = NOW) -> None:
    async with kit.transaction() as session:
        await work.mark_and_settle(session, "chores", marked=(), settling=keys, now=now, quiet=timedelta(seconds=5))


async def test_what_settles_waits_for_quiet(kit: Kit) -> None:
    """Each further mark puts it off, and a mark without settling in between does not bring it forward."""
    await settle(kit, "a")
    await settle(kit, "a", now=NOW + timedelta(seconds=4))
    await mark(kit, "a", due_at=NOW)
    assert await claim(kit, now=NOW + timedelta(seconds=8)) == []
    assert [claimed.key for claimed in await claim(kit, now=NOW + timedelta(seconds=9))] == ["a"]


async def test_settling_ends_at_the_latest_after_a_while(kit: Kit) -> None:
    """A history that never stops arriving is judged all the same."""
    now = NOW
    while now < NOW + work.LONGEST_SETTLING:
        await settle(kit, "a", now=now)
        now += timedelta(seconds=4)
    assert [claimed.key for claimed in await claim(kit, now=NOW + work.LONGEST_SETTLING)] == ["a"]


async def test_settling_does_not_put_off_what_is_due_anyway(kit: Kit) -> None:
    """An entry that is due stays due; one that is due much later becomes due when it has settled."""
    await mark(kit, "due")
    await mark(kit, "later", due_at=NOW + timedelta(days=1))
    await settle(kit, "due", "later")
    assert [claimed.key for claimed in await claim(kit)] == ["due"]
    assert [claimed.key for claimed in await claim(kit, now=NOW + timedelta(seconds=5))] == ["later"]


async def test_settling_can_be_ended(kit: Kit) -> None:
    """Whoever knows that no more is coming makes all of it due."""
    await settle(kit, "a", "b")
    async with kit.transaction() as session:
        await work.stop_settling(session, "chores", now=NOW)
    assert len(await claim(kit)) == 2


async def test_what_settles_waits_while_more_is_known_to_come(kit: Kit) -> None:
    """Whoever claims may know that more is on its way; then only what does not settle is taken."""
    await settle(kit, "history")
    await mark(kit, "news")
    later = NOW + timedelta(minutes=1)
    async with kit.transaction() as session:
        claims = await work.claim(session, "chores", limit=10, now=later, lease=LEASE, still_arriving=True)
    assert [claimed.key for claimed in claims] == ["news"]
    assert [claimed.key for claimed in await claim(kit, now=later)] == ["history"]
