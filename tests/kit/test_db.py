"""Bulk merging is idempotent and transactional; locks exclude."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from hub.kit.db import merge_by_copy, try_lock
from hub.kit.runtime import Kit
from hub.kit.work import WorkItem

COLUMNS = ("list", "key", "due_at", "generation", "attempts")


def rows(kit: Kit, *keys: str) -> list[tuple[object, ...]]:
    return [("bulk", key, kit.clock.now(), 1, 0) for key in keys]


async def count(kit: Kit) -> int:
    async with kit.reading() as session:
        return int((await session.execute(text("SELECT count(*) FROM work_item"))).scalar_one())


async def merge(kit: Kit, *keys: str) -> list[str]:
    async with kit.transaction() as session:
        returned = await merge_by_copy(
            session,
            WorkItem.metadata.tables["work_item"],
            COLUMNS,
            rows(kit, *keys),
            order_by=("list", "key"),
            returning=("key",),
        )
        return [row.key for row in returned]


async def test_only_new_rows_are_returned(kit: Kit) -> None:
    """What was there already, or stands twice in one batch, is merged once."""
    assert await merge(kit, "b", "a", "a") == ["a", "b"]
    assert await merge(kit, "a", "c") == ["c"]
    assert await count(kit) == 3


async def test_a_merge_belongs_to_its_transaction(kit: Kit) -> None:
    """The COPY underneath is rolled back with everything else, also when it is the first thing that happens."""
    with pytest.raises(RuntimeError):
        async with kit.transaction() as session:
            await merge_by_copy(
                session, WorkItem.metadata.tables["work_item"], COLUMNS, rows(kit, "a"), order_by=("list", "key")
            )
            raise RuntimeError("no")
    assert await count(kit) == 0


async def test_two_merges_in_one_transaction(kit: Kit) -> None:
    """The second merge does not see the first one's staged rows."""
    async with kit.transaction() as session:
        for key in ("a", "b"):
            returned = await merge_by_copy(
                session,
                WorkItem.metadata.tables["work_item"],
                COLUMNS,
                rows(kit, key),
                order_by=("list", "key"),
                returning=("key",),
            )
            assert [row.key for row in returned] == [key]


async def test_an_advisory_lock_excludes_others_until_the_end(kit: Kit) -> None:
    """A name is held by one transaction; another name is free."""
    async with kit.transaction() as holder:
        assert await try_lock(holder, "identity")
        async with kit.transaction() as other:
            assert not await try_lock(other, "identity")
            assert await try_lock(other, "something else")
    async with kit.transaction() as later:
        assert await try_lock(later, "identity")
