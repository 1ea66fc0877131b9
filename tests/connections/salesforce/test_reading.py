"""Reading Salesforce through the real host: ties, late commits, bulk jobs, deletions, merges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from hub_salesforce import reading
from hub_salesforce.reading import Source
from starlette.responses import Response

from hub.connections.model import Connection
from hub.connections.service import Ended, sync_stream
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.sandbox import Fault, Sandbox
from hub.sandbox.salesforce import Record
from hub.timeline.things import things
from tests.connections.salesforce.crm import STREAMS, ids, in_slices, read, rows


def grown(world: Sandbox, number: int, at: datetime) -> list[Record]:
    """So many new accounts with one and the same stamp: an import."""
    return [world.salesforce.org.insert("Account", at, Name=f"Imported {nth}") for nth in range(number)]


async def state_of(kit: Kit, kind: str, thing: str) -> str | None:
    """The state of a thing, wherever it belongs."""
    async with kit.reading() as session:
        accounts: list[UUID] = [account for (account,) in await rows(kit, "SELECT id FROM account")]
        return next((one.state for one in await things(session, accounts, type=kind) if one.id == thing), None)


async def test_everything_arrives(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """Each record of the org is there once, nothing is unreadable, and every account has its name, domain and owner."""
    await read(kit, crm)
    org = world.salesforce.org
    for stream, name in (("accounts", "Account"), ("contacts", "Contact"), ("opportunities", "Opportunity")):
        assert await ids(kit, stream) == sorted(org.tables[name])
    assert await rows(kit, "SELECT reason FROM quarantine") == []
    told = dict(await rows(kit, "SELECT name, domain FROM account WHERE domain IS NOT NULL AND owner IS NOT NULL"))
    assert told == {company.name: company.domain for company in world.base.companies}
    titles = {title for (title,) in await rows(kit, "SELECT DISTINCT title FROM person")}
    assert {"Team Lead", "Chief Operating Officer"} <= titles
    assert {"sponsor", "champion"} <= {role for (role,) in await rows(kit, "SELECT DISTINCT role FROM person")}


async def test_a_second_reading_finds_nothing_new(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """Live reading goes on where the backfill began; what it meets again is known."""
    await read(kit, crm)
    for stream in STREAMS:
        outcome = await sync_stream(kit, crm.id, stream)
        assert (outcome.ended, outcome.backfill, outcome.new) == (Ended.DONE, False, 0)


async def test_ties_across_pages_lose_nothing(
    kit: Kit, world: Sandbox, crm: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import gives many records one stamp; a page ends among them, the process is killed, the rest still comes."""
    await read(kit, crm, "accounts")
    world.salesforce.page = 3
    imported = grown(world, 10, world.base.until + timedelta(seconds=1))
    assert len(await in_slices(kit, crm, "accounts")) > 3
    assert {one["Id"] for one in imported} <= set(await ids(kit, "accounts"))
    # The stamp alone would be no cursor: what shares it with the last record of a page is never asked for.
    monkeypatch.setattr(Source, "soql", lambda self, after, now: _by_stamp_alone(self, after))
    more = grown(world, 10, world.base.until + timedelta(seconds=30))
    await in_slices(kit, crm, "accounts")
    assert not {one["Id"] for one in more} <= set(await ids(kit, "accounts"))


def _forgetful(world: Sandbox) -> Callable[[str, str], Response]:
    """The double's next page, of which it has forgotten the cursor every other time."""
    asked = count()
    known = world.salesforce._next_page

    def next_page(version: str, locator: str) -> Response:
        if next(asked) % 2 == 0:
            world.salesforce.forget_cursors()
        return known(version, locator)

    return next_page


def _by_stamp_alone(source: Source, after: tuple[datetime, str] | None) -> str:
    where = f" WHERE SystemModstamp > {reading.literal(after[0])}" if after else ""
    return f"SELECT {', '.join(source.fields)} FROM {source.object}{where} ORDER BY SystemModstamp, Id"


async def test_a_late_commit_is_found(kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock) -> None:
    """A transaction commits a record whose stamp is older than what was read: ten seconds are read again, no more."""
    await read(kit, crm, "accounts")
    now = clock.now()
    clock.advance(timedelta(seconds=20))
    grown(world, 1, now + timedelta(seconds=19))
    await read(kit, crm, "accounts")
    late, too_late = grown(world, 1, now + timedelta(seconds=11))[0], grown(world, 1, now + timedelta(seconds=2))[0]
    clock.advance(timedelta(minutes=5))
    outcome = await sync_stream(kit, crm.id, "accounts")
    assert (outcome.new, outcome.records) == (1, 2)
    assert late["Id"] in await ids(kit, "accounts")
    assert too_late["Id"] not in await ids(kit, "accounts")
    # From now on the position is settled: nothing is read twice.
    assert (await sync_stream(kit, crm.id, "accounts")).records == 0


async def test_a_clock_that_is_ahead_settles_nothing(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock
) -> None:
    """An answer's date is believed only where ours does not contradict: what was read just now is read again."""
    await read(kit, crm, "accounts")
    clock.advance(timedelta(seconds=20))
    grown(world, 1, clock.now() - timedelta(seconds=1))
    world.salesforce.faults.share = {Fault.CLOCK_SKEW: 1.0}
    await read(kit, crm, "accounts")
    late = grown(world, 1, clock.now() - timedelta(seconds=5))[0]
    clock.advance(timedelta(minutes=5))
    await read(kit, crm, "accounts")
    assert late["Id"] in await ids(kit, "accounts")


async def test_a_crowd_within_the_look_back_is_passed(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock
) -> None:
    """More pages within ten seconds than a slice takes: once that is settled, each slice goes on behind the last."""
    await read(kit, crm, "accounts")
    world.salesforce.page = 2
    imported = grown(world, 9, world.base.until - timedelta(seconds=1))
    for _ in range(3):
        assert (await sync_stream(kit, crm.id, "accounts", seconds=0)).ended is Ended.MORE
    clock.advance(timedelta(seconds=30))
    assert len(await in_slices(kit, crm, "accounts")) < 10
    assert {one["Id"] for one in imported} <= set(await ids(kit, "accounts"))


async def test_a_backfill_goes_on_behind_its_locator(
    kit: Kit, world: Sandbox, crm: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bulk job is asked for once, waited for, and read piece by piece however often the reader is killed."""
    monkeypatch.setattr(reading, "BULK_ROWS", 25)
    monkeypatch.setattr(reading, "LONGEST_POLL", 0.01)
    world.salesforce.bulk.looks = 2
    slices = await in_slices(kit, crm, "contacts")
    pieces = [outcome.records for outcome in slices if outcome.records]
    contacts = world.salesforce.org.tables["Contact"]
    assert sum(pieces) == len(contacts) == len(await ids(kit, "contacts"))
    assert len(pieces) == -(-len(contacts) // 25) > 1
    assert len(world.salesforce.bulk.jobs) == 1
    assert (await sync_stream(kit, crm.id, "contacts")).backfill is False


async def test_what_changes_during_a_backfill_is_read_after_it(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """Live reading goes on from the moment the job was created, and not from where its results end."""
    world.salesforce.bulk.looks = 1
    await sync_stream(kit, crm.id, "accounts", seconds=0)
    changed = next(iter(world.salesforce.org.tables["Account"]))
    world.salesforce.org.update("Account", changed, Name="Renamed meanwhile")
    await in_slices(kit, crm, "accounts")
    await read(kit, crm, "accounts")
    assert await rows(kit, "SELECT count(*) FROM account WHERE name = 'Renamed meanwhile'") == [(1,)]


async def test_a_forgotten_job_is_made_again(
    kit: Kit, world: Sandbox, crm: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Salesforce keeps jobs for a week: whoever comes later starts over and doubles nothing."""
    monkeypatch.setattr(reading, "BULK_ROWS", 4)
    for _ in range(3):
        await sync_stream(kit, crm.id, "accounts", seconds=0)
    world.salesforce.bulk.forget()
    await in_slices(kit, crm, "accounts")
    assert await ids(kit, "accounts") == sorted(world.salesforce.org.tables["Account"])
    versions = await rows(kit, "SELECT record_id, count(*) FROM raw_record GROUP BY 1 HAVING count(*) > 1")
    assert versions == []


async def test_a_failed_job_waits_for_a_person(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """What Salesforce cannot carry out it would fail over again: the connection pauses and shows its reason."""
    world.salesforce.bulk.broken = "InvalidBatch : Field name not found"
    outcome = await sync_stream(kit, crm.id, "accounts")
    assert outcome.ended is Ended.PAUSED
    assert "Field name not found" in str(outcome.problem)


async def test_our_own_address_is_kept(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """A next-page address that carries another host is read from where we are connected."""
    await read(kit, crm, "accounts")
    world.salesforce.page, world.salesforce.next_host = 4, "https://elsewhere.example"
    imported = grown(world, 10, world.base.until + timedelta(seconds=1))
    await read(kit, crm, "accounts")
    assert {one["Id"] for one in imported} <= set(await ids(kit, "accounts"))
    assert any("/query/01g" in path for path in world.salesforce.paths)


async def test_a_forgotten_server_cursor_is_no_loss(
    kit: Kit, world: Sandbox, crm: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two pages Salesforce forgets its cursor: the query is asked again behind the last record."""
    await read(kit, crm, "accounts")
    world.salesforce.page = 4
    imported = grown(world, 10, world.base.until + timedelta(seconds=1))
    monkeypatch.setattr(world.salesforce, "_next_page", _forgetful(world))
    await read(kit, crm, "accounts")
    assert {one["Id"] for one in imported} <= set(await ids(kit, "accounts"))


async def test_deletions_arrive_and_can_be_taken_back(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock
) -> None:
    """A deleted ticket is deleted here; out of the recycle bin it is what it was."""
    await read(kit, crm)
    case = next(one for one in world.salesforce.org.tables["Case"].values() if one["IsClosed"])
    assert await state_of(kit, "ticket", case["Id"]) == "solved"
    clock.advance(timedelta(minutes=5))
    world.salesforce.org.delete("Case", case["Id"])
    await read(kit, crm, "cases")
    assert await state_of(kit, "ticket", case["Id"]) == "deleted"
    clock.advance(timedelta(minutes=5))
    world.salesforce.org.undelete("Case", case["Id"])
    await read(kit, crm, "cases")
    assert await state_of(kit, "ticket", case["Id"]) == "solved"


async def test_a_merge_makes_two_accounts_one(kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock) -> None:
    """Whoever lost a merge in Salesforce is one with the winner here, with all that was recorded at either."""
    await read(kit, crm)
    winner, loser = list(world.salesforce.org.tables["Account"].values())[1:3]
    events = "SELECT count(*) FROM event e JOIN source_account s ON s.id = e.source_account_id"
    mapped = "SELECT DISTINCT s.account_id FROM source_account s WHERE s.place = ANY(CAST(:places AS text[]))"
    places = [f"account:{one['Id']}" for one in (winner, loser)]
    assert len(await rows(kit, mapped, places=places)) == 2
    before = await rows(kit, events)
    clock.advance(timedelta(minutes=5))
    world.salesforce.org.merge("Account", winner["Id"], loser["Id"])
    await read(kit, crm)
    [(account,)] = await rows(kit, mapped, places=places)
    assert await rows(kit, "SELECT name FROM account WHERE id = :id", id=account) == [(winner["Name"],)]
    assert (await rows(kit, events))[0][0] > before[0][0]


async def test_merged_contacts_are_one_person(kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock) -> None:
    """The same for people."""
    await read(kit, crm)
    winner, loser = list(world.salesforce.org.tables["Contact"].values())[:2]
    places = [f"contact:{one['Id']}" for one in (winner, loser)]
    mapped = "SELECT count(DISTINCT person_id) FROM source_person WHERE place = ANY(CAST(:places AS text[]))"
    assert await rows(kit, mapped, places=places) == [(2,)]
    clock.advance(timedelta(minutes=5))
    world.salesforce.org.merge("Contact", winner["Id"], loser["Id"])
    await read(kit, crm, "contacts")
    assert await rows(kit, mapped, places=places) == [(1,)]


async def test_a_case_closed_before_it_was_created_is_solved(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """Both times stand as Salesforce has them, in their own order, and the ticket is not open."""
    await read(kit, crm)
    [case] = [one for one in world.salesforce.org.tables["Case"].values() if one["CaseNumber"] == "00000001"]
    told = (
        "SELECT kind, occurred_at FROM event WHERE record_id = :id AND kind IN ('ticket.created', 'ticket.solved') "
        "ORDER BY occurred_at"
    )
    assert await rows(kit, told, id=case["Id"]) == [
        ("ticket.solved", case["ClosedDate"]),
        ("ticket.created", case["CreatedDate"]),
    ]
    assert await state_of(kit, "ticket", case["Id"]) == "solved"


async def test_a_planned_meeting_is_held_when_its_end_has_passed(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock
) -> None:
    """Nobody touches the entry, and one that was moved is held once, at its new time."""
    await read(kit, crm)
    now = clock.now()
    planned = [one for one in world.salesforce.org.tables["Event"].values() if one["EndDateTime"] > now]
    held = "SELECT occurred_at FROM event WHERE kind = 'meeting.held' AND record_id = :id"
    moved, kept = planned[0], planned[1]
    world.salesforce.org.update(
        "Event", moved["Id"], StartDateTime=now + timedelta(days=20), EndDateTime=now + timedelta(days=20, hours=1)
    )
    clock.advance(timedelta(days=11))
    await read(kit, crm, "meetings", "ended_meetings")
    assert await rows(kit, held, id=kept["Id"]) == [(kept["EndDateTime"],)]
    assert await rows(kit, held, id=moved["Id"]) == []
    clock.advance(timedelta(days=10))
    await read(kit, crm, "meetings", "ended_meetings")
    assert await rows(kit, held, id=moved["Id"]) == [(moved["EndDateTime"],)]
