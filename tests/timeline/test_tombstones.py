"""A deleted record takes its things with it, and leaves its history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy import text

from hub.kit.runtime import Kit
from hub.timeline.service import things
from tests.timeline.acme import About, Named, Record, Told, drain, receive, row, tell, tombstone

ACME = Named(place="customer:1", keys=["segment.group=1"])
AT = datetime(2026, 5, 1, tzinfo=UTC)
GONE = AT + timedelta(days=30)


def version(number: int, *things: str) -> Record:
    at = AT + timedelta(days=number)
    return Record(
        id="sub",
        version=str(number),
        events=[
            Told(
                kind="subscription.changed",
                at=at,
                account=ACME,
                thing=About(type="subscription", id=thing, state="active"),
            )
            for thing in things
        ],
    )


async def states(kit: Kit, as_of: datetime | None = None) -> dict[str, str | None]:
    async with kit.reading() as session:
        accounts = (await session.execute(text("SELECT id FROM account"))).scalars().all()
        return {thing.id: thing.state for thing in await things(session, accounts, as_of=as_of)}


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_a_tombstone_deletes_things_whatever_the_order(kit: Kit, acme: UUID, order: tuple[int, ...]) -> None:
    """Before, between or after the record's versions: everything any of them was about is deleted, once each."""
    arriving = [row(version(1, "a")), row(version(2, "a", "b")), tombstone("sub", GONE)]
    for nth in order:
        await receive(kit, acme, [arriving[nth]])
        await drain(kit)
    assert await states(kit) == {"a": "deleted", "b": "deleted"}
    assert await states(kit, as_of=GONE - timedelta(days=1)) == {"a": "active", "b": "active"}
    async with kit.reading() as session:
        kinds = await session.execute(text("SELECT kind, occurred_at FROM event ORDER BY kind, occurred_at"))
        assert kinds.all() == [
            *[("subscription.changed", AT + timedelta(days=day)) for day in (1, 2, 2)],
            *[("thing.deleted", GONE)] * 2,
        ]


async def test_all_in_one_batch_is_the_same(kit: Kit, acme: UUID) -> None:
    """Tombstone and versions are read in one transaction."""
    await receive(kit, acme, [tombstone("sub", GONE), row(version(1, "a")), row(version(2, "b"))])
    await drain(kit)
    assert await states(kit) == {"a": "deleted", "b": "deleted"}


async def test_what_comes_back_is_there_again(kit: Kit, acme: UUID) -> None:
    """A version after the deletion is the newer truth."""
    await receive(kit, acme, [row(version(1, "a")), tombstone("sub", GONE)])
    await drain(kit)
    await tell(kit, acme, version(40, "a"))
    assert await states(kit) == {"a": "active"}


async def test_a_deletion_and_a_change_at_the_same_time_is_a_deletion(kit: Kit, acme: UUID) -> None:
    """Vendors give both the same second."""
    await receive(kit, acme, [row(version(30, "a")), tombstone("sub", GONE)])
    await drain(kit)
    assert await states(kit) == {"a": "deleted"}


async def test_a_tombstone_of_nothing_known_changes_nothing(kit: Kit, acme: UUID) -> None:
    """No event, no account, nothing in quarantine."""
    await receive(kit, acme, [tombstone("never seen", GONE)])
    assert await drain(kit) == 1
    async with kit.reading() as session:
        for table in ("event", "source_account", "quarantine", "raw_pending"):
            assert (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0
