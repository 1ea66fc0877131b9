"""A mended mapping corrects the timeline, and what was known before can still be asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import text

from hub.connections import registry
from hub.connections.registry import Registry
from hub.kit.runtime import Kit
from hub.timeline.service import Remapped, fingerprint, remap
from tests.timeline import world
from tests.timeline.acme import About, Acme, Named, Record, Told, connect, drain, receive, tell, tombstone

ACME = Named(place="group:1", keys=["segment.group=1"])
AT = datetime(2026, 5, 1, tzinfo=UTC)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


class Titled(Acme):
    """The next version: it gives events another title."""

    titled = "!"


class Silent(Acme):
    """A version that tells nothing of two records."""

    silent = frozenset({"r1", "a"})


async def anew(kit: Kit, connection: UUID, now: datetime = LATER) -> Remapped:
    async with kit.transaction() as session:
        return await remap(session, kit.vault, connection, now=now)


async def rows(kit: Kit, columns: str) -> list[Any]:
    async with kit.reading() as session:
        found = await session.execute(text(f"SELECT {columns} FROM event ORDER BY record_id, kind, revision"))
        return [tuple(row) for row in found]


async def test_the_same_mapping_changes_nothing(kit: Kit) -> None:
    """A whole world read anew: no event is touched, nobody is marked."""
    connections = (await connect(kit, "product"), await connect(kit, "billing"))
    rng = Random(5)
    for connection, records in zip(connections, (world.product(rng), world.billing(rng)), strict=True):
        await receive(kit, connection, records)
    await drain(kit)
    async with kit.transaction() as session:
        before = await fingerprint(session)
        versions = (await session.execute(text("SELECT id, xmin::text FROM event ORDER BY id"))).all()
        await session.execute(text("DELETE FROM work_item"))
    for connection in connections:
        done = await anew(kit, connection)
        assert (done.refused, done.retracted, done.added) == (0, 0, 0)
        assert done.read > 50
    async with kit.reading() as session:
        assert await fingerprint(session) == before
        assert (await session.execute(text("SELECT id, xmin::text FROM event ORDER BY id"))).all() == versions
        assert (await session.execute(text("SELECT count(*) FROM work_item"))).scalar_one() == 0


async def test_what_is_told_otherwise_is_the_next_revision(kit: Kit, acme: UUID) -> None:
    """The old row is retracted, the new one known from now on; again and again, and back."""
    await tell(kit, acme, Record(id="r1", events=[Told(at=AT, account=ACME, title="Hi")]))
    with registry.using(Registry.of(Titled)):
        assert await anew(kit, acme) == Remapped(read=1, refused=0, retracted=1, added=1)
        assert await anew(kit, acme) == Remapped(read=1, refused=0, retracted=0, added=0)
    again = LATER + timedelta(days=1)
    assert (await anew(kit, acme, again)).added == 1
    assert await rows(kit, "revision, title, retracted_at, recorded_at = '2027-01-01Z'") == [
        (0, "Hi", LATER, False),
        (1, "Hi!", again, True),
        (2, "Hi", None, False),
    ]


async def test_what_is_no_longer_told_is_retracted(kit: Kit, acme: UUID) -> None:
    """Also the deletion of a thing that the record is not about any more; the account is marked."""
    told = Told(kind="ticket.created", at=AT, account=ACME, thing=About(type="ticket", id="7", state="open"))
    await tell(kit, acme, Record(id="r1", events=[told]), Record(id="r2", events=[told]))
    await receive(kit, acme, [tombstone("r1", AT)])
    await drain(kit)
    async with kit.transaction() as session:
        await session.execute(text("DELETE FROM work_item"))
    with registry.using(Registry.of(Silent)):
        assert await anew(kit, acme) == Remapped(read=3, refused=0, retracted=2, added=0)
    assert await rows(kit, "record_id, kind, retracted_at IS NULL") == [
        ("r1", "thing.deleted", False),
        ("r1", "ticket.created", False),
        ("r2", "ticket.created", True),
    ]
    async with kit.reading() as session:
        assert (await session.execute(text("SELECT count(*) FROM work_item"))).scalar_one() == 1


async def test_what_cannot_be_read_any_more_stays(kit: Kit, acme: UUID) -> None:
    """A record that breaks the new mapping keeps the events that it had."""
    await tell(kit, acme, Record(id="r1", events=[Told(at=AT, account=ACME)]))
    async with kit.transaction() as session:
        await session.execute(text("UPDATE raw_record SET payload = CAST('{}' AS bytea)"))
    assert await anew(kit, acme) == Remapped(read=1, refused=1, retracted=0, added=0)
    assert await rows(kit, "retracted_at IS NULL") == [(True,)]


async def test_a_fact_that_another_record_still_tells_stays_in_force(kit: Kit, acme: UUID) -> None:
    """It points to that record from then on."""
    fact = Told(at=AT, account=ACME, natural_key="in_1/paid")
    await tell(kit, acme, Record(id="a", events=[fact]), Record(id="b", events=[fact]))
    with registry.using(Registry.of(Silent)):
        await anew(kit, acme)
    assert await rows(kit, "record_id, retracted_at IS NULL") == [("a", False), ("b", True)]
