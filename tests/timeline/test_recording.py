"""What a record tells is on the timeline once, however it comes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from hub.accounts.model import Account, Person, SourceAccount
from hub.kit.runtime import Kit
from hub.timeline import recording
from hub.timeline.model import EventRow
from hub.timeline.service import EventRecord, record
from tests.timeline.acme import NOW, About, Named, Record, Told, connect, drain, receive, row, tell

ACME = Named(place="group:1", keys=["segment.group=1"], profile={"name": "Acme Inc"})
ANN = Named(place="user:ann", keys=["segment.user=ann", "email=ann@acme.example"], profile={"name": "Ann"})
AT = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


async def events(kit: Kit) -> list[EventRow]:
    async with kit.reading() as session:
        found = await session.execute(select(EventRow).order_by(EventRow.occurred_at, EventRow.id))
        return list(found.scalars())


async def test_an_event_arrives_at_its_account_with_its_people(kit: Kit, acme: UUID) -> None:
    """One record makes an event, an account, a person, and an entry on the list of accounts to score."""
    ticket = About(type="ticket", id="7", state="open", attributes={"priority": "high"})
    told = Told(kind="ticket.created", at=AT, account=ACME, people=[ANN, ANN], thing=ticket, title="Help!", value=2)
    assert await tell(kit, acme, Record(id="r1", events=[told])) == 1
    (event,) = await events(kit)
    async with kit.reading() as session:
        account = (await session.execute(select(Account))).scalar_one()
        person = (await session.execute(select(Person))).scalar_one()
        place = await session.get(SourceAccount, event.source_account_id)
        marked = (await session.execute(text("SELECT list, key FROM work_item"))).all()
        somebody = await session.execute(text("SELECT id FROM source_person"))
        assert event.people == list(somebody.scalars())
    assert (event.kind, event.occurred_at, event.flow) == ("ticket.created", AT, "operational_execution")
    assert (event.subject_type, event.subject_id, event.subject_state) == ("ticket", "7", "open")
    assert (event.attributes, event.title, event.value) == ({"priority": "high"}, "Help!", 2.0)
    assert (event.connection_id, event.stream, event.record_id, event.version) == (acme, "records", "r1", "1")
    assert place is not None
    assert place.account_id == account.id
    assert (account.name, account.first_seen_at) == ("Acme Inc", AT)
    assert (person.name, person.email, person.account_id) == ("Ann", "ann@acme.example", account.id)
    assert marked == [("accounts_to_score", str(account.id))]


async def test_events_of_one_kind_in_one_record_are_told_apart(kit: Kit, acme: UUID) -> None:
    """Two alike in one record are two events; the record sent twice, or read twice, adds none."""
    twice = Record(id="r1", events=[Told(at=AT, account=ACME), Told(at=AT, account=ACME)])
    await tell(kit, acme, twice)
    assert await tell(kit, acme, twice) == 0
    async with kit.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO raw_pending SELECT connection_id, stream, record_id, version FROM raw_record "
                "ON CONFLICT DO NOTHING"
            )
        )
    assert await drain(kit) == 1
    assert len(await events(kit)) == 2


async def test_a_fact_that_two_records_report_is_one_event(kit: Kit, acme: UUID) -> None:
    """Whichever comes first, the event points to the first record by name."""
    fact = Told(at=AT, account=ACME, natural_key="in_1/paid")
    await tell(kit, acme, Record(id="b", events=[fact]))
    await tell(kit, acme, Record(id="c", events=[fact]), Record(id="a", version="2", events=[fact]))
    (event,) = await events(kit)
    assert (event.record_id, event.version) == ("a", "2")
    async with kit.reading() as session:
        assert event.source_account_id == (await session.execute(text("SELECT id FROM source_account WHERE "
            "connection_id IS NOT NULL"))).scalar_one()  # fmt: skip


async def test_an_event_without_an_account_waits_and_comes_along_later(kit: Kit, acme: UUID) -> None:
    """It is recorded at its own place; the key that comes later attaches it and marks the account."""
    user = Named(place="user:7", keys=["segment.user=7", "~domain=acme.example"])
    await tell(kit, acme, Record(id="r1", events=[Told(at=AT, account=user)]))
    async with kit.reading() as session:
        assert (await session.execute(text("SELECT count(*) FROM work_item"))).scalar_one() == 0
    known = Named(place="group:1", keys=["segment.group=1", "domain=acme.example"])
    await tell(kit, acme, Record(id="r2", events=[Told(kind="account.identified", at=AT, account=known)]))
    async with kit.reading() as session:
        at_account = await session.execute(
            text(
                "SELECT e.kind, a.first_seen_at FROM event e JOIN source_account s ON s.id = e.source_account_id "
                "JOIN account a ON a.id = s.account_id ORDER BY 1"
            )
        )
        assert at_account.all() == [("account.identified", AT), ("product.used", AT)]


async def test_an_account_is_known_since_its_earliest_event(kit: Kit, acme: UUID) -> None:
    """Also when that arrives last; an event in the far future is kept."""
    for number, days in enumerate((10, 0, 4000)):
        at = AT + timedelta(days=days)
        await tell(kit, acme, Record(id=f"r{number}", events=[Told(at=at, account=ACME)]))
    async with kit.reading() as session:
        assert (await session.execute(select(Account.first_seen_at))).scalar_one() == AT
    assert [event.occurred_at - AT for event in await events(kit)] == [timedelta(days=d) for d in (0, 10, 4000)]


async def test_what_postgresql_cannot_store_is_visibly_replaced(kit: Kit, acme: UUID) -> None:
    """NUL and lone surrogates become U+FFFD in the event; the raw record keeps what came."""
    payload = b'{"id": "r1", "events": [{"at": "2026-05-01T09:30:00Z", "title": "a\\u0000b\\ud800", "account": ' \
        b'{"place": "group:\\udfff", "keys": ["segment.group=1"], "profile": {"na\\u0000me": "x\\ud800"}}, ' \
        b'"attributes": {"k\\u0000": ["\\ud83d\\ude00", "\\ude00"]}}]}'  # fmt: skip
    stored = row(Record(id="r1"))
    await receive(kit, acme, [type(stored)("records", "r1", "1", payload)])
    await drain(kit)
    (event,) = await events(kit)
    assert (event.title, event.attributes) == ("a�b�", {"k�": ["😀", "�"]})
    async with kit.reading() as session:
        assert (await session.execute(text("SELECT payload FROM raw_record"))).scalar_one() == payload
        place = await session.execute(text("SELECT place, profile FROM source_account WHERE connection_id IS NOT NULL"))
        assert place.all() == [("group:�", {"na�me": "x�"})]


def rows(count: int, *, start: int = 0, pointer: str = "r") -> list[EventRecord]:
    return [
        EventRecord(
            source_account_id=UUID(int=number % 7 + 1),
            id=UUID(int=number + 1),
            kind="product.used",
            occurred_at=AT + timedelta(seconds=number),
            flow="operational_execution",
            people=[UUID(int=number)],
            stream="records",
            record_id=f"{pointer}{number}",
            version="1",
        )
        for number in range(start, start + count)
    ]


@pytest.mark.parametrize("expected_new", [True, False])
@pytest.mark.parametrize("count", [5, recording.FEW + 500])
async def test_recording_is_idempotent(kit: Kit, count: int, expected_new: bool) -> None:
    """Recorded again, with others among them and twice in one batch, only what is new comes in."""
    batches = [rows(count), rows(count), [*rows(count, start=count // 2), *rows(count, start=count // 2)]]
    inserted = []
    for batch in batches:
        async with kit.transaction() as session:
            inserted.append((await record(session, batch, NOW, expected_new=expected_new)).inserted)
    assert inserted == [count, 0, count // 2]
    found = await events(kit)
    assert len(found) == count + count // 2
    assert [event.people for event in found] == [[UUID(int=number)] for number in range(len(found))]


async def test_batches_that_overlap_do_not_wait_in_a_circle(kit: Kit) -> None:
    """Eight transactions record the same rows in different orders at once; each row is inserted by one of them."""
    count = recording.FEW + 200
    counted = []

    async def once(number: int) -> None:
        batch = rows(count, pointer=f"{number}-")
        async with kit.transaction() as session:
            counted.append((await record(session, batch[::-1] if number % 2 else batch, NOW)).inserted)

    await asyncio.gather(*(once(number) for number in range(8)))
    assert sum(counted) == count
    assert {event.record_id for event in await events(kit)} == {f"0-{number}" for number in range(count)}


async def test_recording_tells_the_accounts_that_have_the_events(kit: Kit, acme: UUID) -> None:
    """A place that waits has none."""
    await tell(kit, acme, Record(id="r1", events=[Told(at=AT, account=ACME)]))
    (event,) = await events(kit)
    async with kit.transaction() as session:
        account = (await session.execute(select(Account.id))).scalar_one()
        done = await record(
            session, [*rows(1), rows(1, start=7)[0]._replace(source_account_id=event.source_account_id)], NOW
        )
    assert (done.inserted, done.accounts) == (2, {account})


async def test_two_connections_do_not_share_their_places(kit: Kit, acme: UUID) -> None:
    """The same place and record id in another connection are another place and another event."""
    other = await connect(kit, "other")
    for connection in (acme, other):
        user = Named(place="user:7", keys=["segment.user=7"])
        await tell(kit, connection, Record(id="r1", events=[Told(at=AT, account=user)]))
    assert len({(event.source_account_id, event.id) for event in await events(kit)}) == 2
