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
