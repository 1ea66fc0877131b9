"""A record that cannot be read waits by itself; the others go on."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from string import ascii_letters
from uuid import UUID

import pytest
from sqlalchemy import text

from hub.connections import registry
from hub.connections.registry import Registry
from hub.connections.service import replay_quarantine
from hub.kit.runtime import Kit
from hub.timeline import rows
from tests.timeline.acme import About, Acme, Named, Record, Told, drain, receive, row, tell, tombstone

ACME = Named(place="group:1", keys=["segment.group=1"])
AT = datetime(2026, 5, 1, tzinfo=UTC)
GOOD = Told(at=AT, account=ACME)


async def waiting(kit: Kit) -> list[tuple[str | None, str]]:
    async with kit.reading() as session:
        found = await session.execute(
            text("SELECT record_id, reason FROM quarantine WHERE resolved_at IS NULL ORDER BY record_id")
        )
        return [(row.record_id, row.reason) for row in found]


async def count(kit: Kit, table: str) -> int:
    async with kit.reading() as session:
        return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


async def test_a_record_that_breaks_the_connector_does_not_hold_up_others(kit: Kit, acme: UUID) -> None:
    """It is in quarantine with what went wrong; mended and replayed it becomes its events."""
    assert await tell(kit, acme, Record(id="a", events=[GOOD]), Record(id="b", events=[GOOD], breaks="field")) == 2
    assert await waiting(kit) == [("b", "KeyError: 'field'")]
    assert await count(kit, "event") == 1

    class Mended(Acme):
        broken = False

    with registry.using(Registry.of(Mended)):
        async with kit.transaction() as session:
            await replay_quarantine(session, acme, now=AT)
        assert await drain(kit) == 1
    assert await waiting(kit) == []
    assert await count(kit, "event") == 2


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (Told(kind="moon.landed", at=AT, account=ACME), "'moon.landed' is no known kind of event"),
        (Told(kind="x.other.moon.landed", at=AT, account=ACME), "x.acme.<object>.<action>"),
        (Told(kind="Product Used", at=AT, account=ACME), "is not of the form object.action"),
        (Told(at=datetime(2026, 5, 1), account=ACME), "must be aware"),  # noqa: DTZ001  # naive on purpose
        (Told(at=AT, account=ACME, value="many"), "value is a str, not a number"),
        (Told(at=AT, account=ACME, value=True), "value is a bool, not a number"),
        (Told(at=AT, account=ACME, value=10**400), "not a number that can be stored"),
        (Told(at=AT, account=Named(place="group:1")), "needs at least one key"),
        (Told(at=AT, account=ACME, thing=About(type="ticket", id="")), "subject.id has 0 characters"),
        (Told(at=AT, account=ACME, thing=About(type="ticket", id="x" * 501)), "subject.id has 501 characters"),
    ],
)
async def test_what_cannot_be_an_event_is_refused_with_a_reason(kit: Kit, acme: UUID, told: Told, reason: str) -> None:
    """The whole record waits: half of it on the timeline would be a wrong account of it."""
    await tell(kit, acme, Record(id="bad", events=[GOOD, told]), Record(id="good", events=[GOOD]))
    ((record_id, found),) = await waiting(kit)
    assert record_id == "bad"
    assert reason in found
    assert await count(kit, "event") == 1


async def test_a_plugins_own_kind_is_recorded(kit: Kit, acme: UUID) -> None:
    """`x.<plugin>.…` needs no entry in the registry."""
    await tell(kit, acme, Record(id="a", events=[Told(kind="x.acme.rocket.launched", at=AT, account=ACME)]))
    async with kit.reading() as session:
        assert (await session.execute(text("SELECT kind, flow FROM event"))).all() == [
            ("x.acme.rocket.launched", "operational_execution")
        ]


async def test_numbers_that_json_does_not_know_are_refused(kit: Kit, acme: UUID) -> None:
    """An infinite number in the attributes is no fact."""
    one = row(Record(id="r1", events=[GOOD]))
    assert one.payload is not None
    payload = one.payload.replace(b'"attributes":{}', b'"attributes":{"ratio":Infinity}')
    await receive(kit, acme, [type(one)("records", "r1", "1", payload)])
    await drain(kit)
    assert await waiting(kit) == [
        ("r1", "Invalid: attributes cannot be stored: inf is not a number that can be stored.")
    ]


async def test_a_record_of_a_stream_that_is_gone_waits(kit: Kit, acme: UUID) -> None:
    """A connector may drop a stream while its records are on the way."""
    one = row(Record(id="r1", events=[GOOD]))
    await receive(kit, acme, [type(one)("old", "r1", "1", one.payload)])
    assert await drain(kit) == 1
    assert await waiting(kit) == [("r1", "acme has no stream 'old' that makes events.")]


async def test_a_record_that_no_longer_fits_its_model_waits(kit: Kit, acme: UUID) -> None:
    """The reason names the field and not its value."""
    one = row(Record(id="r1"))
    await receive(kit, acme, [type(one)("records", "r1", "1", b'{"id": ["a secret"]}')])
    await drain(kit)
    assert await waiting(kit) == [("r1", "The record does not fit: id: Input should be a valid string")]


async def test_a_tombstone_buries_what_is_replayed(kit: Kit, acme: UUID) -> None:
    """The record was in quarantine when its tombstone came; its things are deleted when it is read at last."""
    ticket = Told(kind="ticket.created", at=AT, account=ACME, thing=About(type="ticket", id="7", state="open"))
    await tell(kit, acme, Record(id="t", events=[ticket], breaks="field"))
    await receive(kit, acme, [tombstone("t", AT)])
    await drain(kit)
    assert await count(kit, "event") == 0

    class Mended(Acme):
        broken = False

    with registry.using(Registry.of(Mended)):
        async with kit.transaction() as session:
            await replay_quarantine(session, acme, now=AT)
        await drain(kit)
    async with kit.reading() as session:
        kinds = await session.execute(text("SELECT kind FROM event ORDER BY kind"))
        assert kinds.scalars().all() == ["thing.deleted", "ticket.created"]


async def test_a_batch_that_the_database_refuses_loses_only_the_culprit(
    kit: Kit, acme: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a check be missing here, smaller batches find the record that PostgreSQL does not take."""
    monkeypatch.setattr(rows, "LONGEST_NAME", 1_000_000)
    incompressible = "".join(Random(1).choices(ascii_letters, k=20_000))
    huge = Told(at=AT, account=ACME, thing=About(type="ticket", id=incompressible))
    records = [Record(id=f"r{number}", events=[huge if number == 7 else GOOD]) for number in range(30)]
    assert await tell(kit, acme, *records) == 30
    ((record_id, reason),) = await waiting(kit)
    assert record_id == "r7"
    assert "The database does not take it: index row" in reason
    assert await count(kit, "event") == 29
