"""The state of a thing at any time follows from the events about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from hub.kit.runtime import Kit
from hub.timeline.service import Thing, things
from tests.timeline.acme import About, Named, Record, Told, connect, tell

ACME = Named(place="customer:1", keys=["segment.group=1"])
AT = datetime(2026, 5, 1, tzinfo=UTC)


def told(state: str, days: int, thing: str = "t1", *, version: str = "1") -> Record:
    about = About(type="ticket", id=thing, state=state, attributes={"said": state})
    event = Told(kind="ticket.solved", at=AT + timedelta(days=days), account=ACME, thing=about)
    return Record(id=f"{thing}-{state}", version=version, events=[event])


async def found(kit: Kit, **filters: object) -> list[Thing]:
    async with kit.reading() as session:
        accounts = (await session.execute(text("SELECT id FROM account"))).scalars().all()
        return await things(session, accounts, **filters)  # type: ignore[arg-type]  # checked by the callee


async def test_the_newest_event_tells_the_state(kit: Kit, acme: UUID) -> None:
    """By the vendor's time, whatever arrives last."""
    await tell(kit, acme, told("solved", 5))
    await tell(kit, acme, told("open", 1))
    (ticket,) = await found(kit)
    assert (ticket.type, ticket.id, ticket.state, ticket.attributes) == ("ticket", "t1", "solved", {"said": "solved"})
    assert (ticket.since, ticket.connection_id) == (AT + timedelta(days=5), acme)


async def test_of_two_at_the_same_time_the_newer_version_counts(kit: Kit, acme: UUID) -> None:
    """Vendors' clocks tick in seconds; versions sort as text, by code point."""
    await tell(kit, acme, told("late", 1, version="b"), told("early", 1, version="B"))
    assert [ticket.state for ticket in await found(kit)] == ["late"]


async def test_the_past_can_be_asked(kit: Kit, acme: UUID) -> None:
    """As of a time, and as it was known at a time."""
    await tell(kit, acme, told("open", 1), told("solved", 5))
    assert [ticket.state for ticket in await found(kit, as_of=AT + timedelta(days=3))] == ["open"]
    assert await found(kit, as_of=AT) == []
    async with kit.transaction() as session:
        await session.execute(
            text("UPDATE event SET recorded_at = :at WHERE subject_state = 'solved'"), {"at": AT + timedelta(days=90)}
        )
        await session.execute(
            text("UPDATE event SET recorded_at = :at WHERE subject_state = 'open'"), {"at": AT + timedelta(days=2)}
        )
    assert [ticket.state for ticket in await found(kit, known_at=AT + timedelta(days=60))] == ["open"]
    assert [ticket.state for ticket in await found(kit, known_at=AT + timedelta(days=91))] == ["solved"]


async def test_what_was_retracted_counts_for_the_time_before(kit: Kit, acme: UUID) -> None:
    """A correction does not change what was known."""
    await tell(kit, acme, told("open", 1))
    async with kit.transaction() as session:
        await session.execute(text("UPDATE event SET recorded_at = :at, retracted_at = :later"),
            {"at": AT, "later": AT + timedelta(days=9)})  # fmt: skip
    assert await found(kit) == []
    assert len(await found(kit, known_at=AT + timedelta(days=8))) == 1
    assert await found(kit, known_at=AT + timedelta(days=9)) == []


async def test_things_are_told_apart_by_type_id_and_vendor(kit: Kit, acme: UUID) -> None:
    """Ticket 1 of one help desk is not ticket 1 of the other; one type can be asked for."""
    other = await connect(kit, "other")
    await tell(kit, acme, told("open", 1), told("open", 1, "t2"))
    await tell(kit, other, told("solved", 2))
    assert [(ticket.id, ticket.state) for ticket in await found(kit)] == [
        ("t1", "open"),
        ("t1", "solved"),
        ("t2", "open"),
    ]
    assert await found(kit, type="invoice") == []
    assert len(await found(kit, type="ticket")) == 3
