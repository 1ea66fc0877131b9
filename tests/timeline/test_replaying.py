"""A mended mapping corrects the timeline, and what was known before can still be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from hub import sdk
from hub.connections import registry
from hub.connections.records import RawRow
from hub.connections.registry import Registry
from hub.kit.clock import FrozenClock
from hub.kit.errors import Invalid, NotFound
from hub.kit.runtime import Kit
from hub.sdk import payloads
from hub.timeline import replaying
from hub.timeline.service import Replayed, ReplayProgress, fingerprint, replay
from tests.timeline import world
from tests.timeline.acme import (
    About,
    Acme,
    Config,
    Named,
    Record,
    Told,
    connect,
    drain,
    event_of,
    receive,
    tell,
    tombstone,
)

ACME = Named(place="group:1", keys=["segment.group=1"])
AT = datetime(2026, 5, 1, tzinfo=UTC)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


class Titled(Acme):
    """The next version: it gives events another title."""

    titled = "!"


class Silent(Acme):
    """A version that tells nothing of two records."""

    silent = frozenset({"r1", "a"})


async def anew(kit: Kit, connection: UUID, now: datetime = LATER, stream: str | None = None) -> Replayed:
    return await replay(replace(kit, clock=FrozenClock(now)), connection, stream=stream)


class Mended(Acme):
    """A version that reads what broke before, and stumbles over something else."""

    broken = False
    stumbles_over = frozenset({"r2"})


class Two(sdk.Connector[Config]):
    """A vendor with two streams that may tell the same facts."""

    id, name, Config = "two", "Two", Config
    silent, titled = False, ""

    left = sdk.pushed(record=Record, key=lambda one: one.id, version=lambda one: one.version, emits={"product.used"})
    right = sdk.pushed(record=Record, key=lambda one: one.id, version=lambda one: one.version, emits={"product.used"})

    @left.normalize
    def _(self, record: Record) -> Iterable[sdk.Event]:
        return [] if self.silent else [event_of(told) for told in record.events]

    @right.normalize
    def _(self, record: Record) -> Iterable[sdk.Event]:
        return [event_of(told, self.titled) for told in record.events]

    async def check(self) -> str:
        return "two"


class Quiet(Two):
    """Its next version: the left stream tells nothing any more, the right one gives another title."""

    silent, titled = True, "later"


class Interrupted(Exception):
    """Somebody stopped the replay."""


def stop_after(times: int) -> Callable[[ReplayProgress], None]:
    """A watcher that stops the replay when it is told something for the nth time."""
    told = 0

    def stop(progress: ReplayProgress) -> None:
        nonlocal told
        told += 1
        if told == times:
            raise Interrupted

    return stop


async def in_pieces(kit: Kit, connection: UUID) -> tuple[Replayed, int]:
    """Replay, stopped after every page and taken up again; returns how often that was."""
    clock, pieces = FrozenClock(LATER), 0
    while True:
        try:
            return await replay(replace(kit, clock=clock), connection, progress=stop_after(2)), pieces
        except Interrupted:
            pieces += 1


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
        assert await anew(kit, acme) == Replayed(read=1, refused=0, retracted=1, added=1)
        assert await anew(kit, acme) == Replayed(read=1, refused=0, retracted=0, added=0)
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
        assert await anew(kit, acme) == Replayed(read=3, refused=0, retracted=2, added=0)
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
    assert await anew(kit, acme) == Replayed(read=1, refused=1, retracted=0, added=0)
    assert await rows(kit, "retracted_at IS NULL") == [(True,)]


async def test_a_fact_that_another_record_still_tells_stays_in_force(kit: Kit, acme: UUID) -> None:
    """It points to that record from then on."""
    fact = Told(at=AT, account=ACME, natural_key="in_1/paid")
    await tell(kit, acme, Record(id="a", events=[fact]), Record(id="b", events=[fact]))
    with registry.using(Registry.of(Silent)):
        await anew(kit, acme)
    assert await rows(kit, "record_id, retracted_at IS NULL") == [("a", False), ("b", True)]


async def test_one_that_is_stopped_after_every_page_goes_on(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same events and counts as in one go, and nothing staged is left."""
    monkeypatch.setattr(replaying, "RECORDS_AT_ONCE", 7)
    monkeypatch.setattr(replaying, "PLACES_AT_ONCE", 2)
    connection = await connect(kit, "billing")
    await receive(kit, connection, world.billing(Random(5)))
    await drain(kit)
    async with kit.reading() as session:
        before = await fingerprint(session)
    with registry.using(Registry.of(Titled)):
        done, pieces = await in_pieces(kit, connection)
        assert pieces > 10
        assert done.added == done.retracted > 50
        assert (await anew(kit, connection)).added == 0
    assert (await anew(kit, connection)).added == done.added
    async with kit.reading() as session:
        assert await fingerprint(session) == before
        for table in ("replay", "replayed_record", "replayed_event"):
            assert (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0


async def test_what_arrives_during_a_replay_is_not_lost(kit: Kit, acme: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fact that only a new record tells by now is in force in the end, as its next revision."""
    monkeypatch.setattr(replaying, "RECORDS_AT_ONCE", 1)
    fact = Told(at=AT, account=ACME, natural_key="in_1/paid")
    await tell(kit, acme, Record(id="a", events=[fact]), Record(id="z"))
    with registry.using(Registry.of(Silent)):
        with pytest.raises(Interrupted):
            await replay(kit, acme, progress=stop_after(3))
        await tell(kit, acme, Record(id="b", events=[fact]))
        await replay(kit, acme)
        await drain(kit)
    assert await rows(kit, "record_id, revision, retracted_at IS NULL") == [("a", 0, False), ("b", 1, True)]


async def test_what_was_quarantined_and_can_be_read_is_told(kit: Kit, acme: UUID) -> None:
    """And its entry is closed; what the new mapping cannot read opens one."""
    told = [Told(at=AT, account=ACME)]
    await tell(kit, acme, Record(id="r1", breaks="unknown plan", events=told), Record(id="r2", events=told))
    with registry.using(Registry.of(Mended)):
        assert await anew(kit, acme) == Replayed(read=2, refused=1, retracted=0, added=1)
    async with kit.reading() as session:
        found = await session.execute(
            text("SELECT record_id, resolved_at IS NOT NULL FROM quarantine ORDER BY record_id")
        )
        assert found.all() == [("r1", True), ("r2", False)]
    assert await rows(kit, "record_id, retracted_at IS NULL") == [("r1", True), ("r2", True)]


async def test_one_stream_alone_is_corrected(kit: Kit) -> None:
    """What another stream tells as well stays in force, and the other stream's own events are not looked at."""
    with registry.using(Registry.of(Two)):
        two = await connect(kit, "two", "two")
        own, fact = Told(at=AT, account=ACME), Told(at=AT, account=ACME, natural_key="in_1/paid")
        payload = payloads.dumps(Record(id="r", events=[own, fact]).model_dump(mode="json"))
        await receive(kit, two, [RawRow("left", "l", "1", payload), RawRow("right", "r", "1", payload)])
        await drain(kit)
        assert len(await rows(kit, "stream")) == 3
    with registry.using(Registry.of(Quiet)):
        assert await anew(kit, two, stream="left") == Replayed(read=2, refused=0, retracted=2, added=1)
        assert await rows(kit, "stream, retracted_at IS NULL, title") == [
            ("left", False, None),
            ("left", False, None),
            ("right", True, None),
            ("right", True, "later"),
        ]
        with pytest.raises(NotFound, match="left, right"):
            await anew(kit, two, stream="nothing")


async def test_an_interrupted_one_is_not_mixed_with_another(kit: Kit, acme: UUID) -> None:
    """Of another stream: refused, with both ways on."""
    await tell(kit, acme, Record(id="a", events=[Told(at=AT, account=ACME)]))
    with pytest.raises(Interrupted):
        await replay(kit, acme, progress=stop_after(2))
    with pytest.raises(Invalid, match="--restart"):
        await replay(kit, acme, stream="records")
    assert (await replay(kit, acme, stream="records", restart=True)).read == 1
