"""Reading Zendesk through the real host: exports that hold back and repeat, deletions and merges, what goes wrong."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from hub.connections import service as connections
from hub.connections.model import Checkpoint, Connection, ConnectionStatus
from hub.connections.registry import Registry
from hub.connections.service import Ended, sync_stream
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.sandbox import Fault, Sandbox
from hub.sandbox.zendesk import Row
from hub.sdk.errors import AuthExpired
from hub.timeline.things import things
from tests.connections.zendesk.desk import STREAMS, connect, ids, in_slices, read, rows


async def cursor(kit: Kit, support: Connection, stream: str) -> object:
    async with kit.reading() as session:
        return (await session.get_one(Checkpoint, (support.id, stream, False))).cursor


async def state_of(kit: Kit, ticket: int) -> str | None:
    async with kit.reading() as session:
        accounts: list[UUID] = [account for (account,) in await rows(kit, "SELECT id FROM account")]
        found = await things(session, accounts, type="ticket")
        return next((one.state for one in found if one.id == str(ticket)), None)


def a_ticket(world: Sandbox, status: str = "solved") -> Row:
    return next(one for one in world.zendesk.desk.tables["tickets"].values() if one["status"] == status)


async def test_everything_arrives(kit: Kit, world: Sandbox, support: Connection) -> None:
    """Each row of the desk is there, nothing is unreadable, and every account has its name and domain."""
    await read(kit, support)
    tables = world.zendesk.desk.tables
    for stream in ("organizations", "users", "ticket_events", "satisfaction_ratings"):
        assert await ids(kit, stream) == set(tables[stream])
    assert await ids(kit, "tickets") == {one["id"] for one in tables["tickets"].values() if one["status"] != "deleted"}
    assert await rows(kit, "SELECT reason FROM quarantine") == []
    told = dict(await rows(kit, "SELECT name, domain FROM account"))
    assert told == {company.name: company.domain for company in world.base.companies}
    kinds = {kind for (kind,) in await rows(kit, "SELECT DISTINCT kind FROM event")}
    assert {"ticket.created", "ticket.updated", "ticket.solved", "survey.answered", "person.identified"} <= kinds


async def test_a_second_reading_finds_nothing_new(kit: Kit, world: Sandbox, support: Connection) -> None:
    """What comes twice is known, and a page behind the end does not forget where we were."""
    await read(kit, support)
    before = [await cursor(kit, support, stream) for stream in STREAMS]
    for stream in STREAMS:
        outcome = await sync_stream(kit, support.id, stream)
        assert (outcome.ended, outcome.backfill, outcome.new) == (Ended.DONE, False, 0)
    assert [await cursor(kit, support, stream) for stream in STREAMS] == before
    assert all(before)


@pytest.mark.parametrize("stream", ["tickets", "users", "organizations", "ticket_events", "satisfaction_ratings"])
async def test_a_killed_reader_loses_nothing(kit: Kit, world: Sandbox, support: Connection, stream: str) -> None:
    """Killed after each page and begun again; ties across the boundary come with the page that they overflow."""
    world.zendesk.page = 4
    desk = world.zendesk.desk
    if stream in ("organizations", "ticket_events"):
        for row_id in list(desk.tables[stream])[:7]:
            desk.notice(stream, row_id, world.base.until - timedelta(days=1))
    slices = await in_slices(kit, support, stream)
    assert len(slices) > 1
    known = {one["id"] for one in desk.tables[stream].values() if one.get("status") != "deleted"}
    assert await ids(kit, stream) == known


@pytest.mark.parametrize("stream", ["tickets", "organizations"])
async def test_the_last_minute_is_held_back(
    kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock, stream: str
) -> None:
    """What was changed just now is not exported yet; a minute later it is, without an edit in between."""
    await read(kit, support, stream)
    desk = world.zendesk.desk
    row = next(one for one in desk.tables[stream].values() if one.get("status") in (None, "solved"))
    desk.edit(stream, row["id"], tags=["changed"], external_id="another")
    clock.advance(timedelta(seconds=10))
    assert (await sync_stream(kit, support.id, stream)).new == 0
    clock.advance(timedelta(seconds=61))
    assert (await sync_stream(kit, support.id, stream)).new == 1


async def test_a_change_that_is_no_edit_makes_no_event(
    kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock
) -> None:
    """Zendesk notices something and exports the row again, its time of edit unmoved: it is the known version."""
    await read(kit, support, "tickets")
    clock.advance(timedelta(minutes=5))
    world.zendesk.desk.notice("tickets", a_ticket(world)["id"])
    clock.advance(timedelta(minutes=5))
    outcome = await sync_stream(kit, support.id, "tickets")
    assert (outcome.records, outcome.new) == (1, 0)


async def test_our_own_address_is_kept(kit: Kit, world: Sandbox, support: Connection) -> None:
    """Next-page addresses name Zendesk's own host, which is never asked: their cursors are."""
    world.zendesk.page, world.zendesk.next_host = 4, "https://elsewhere.example"
    await read(kit, support)
    assert await ids(kit, "users") == set(world.zendesk.desk.tables["users"])


async def test_a_deleted_ticket_is_deleted_and_keeps_its_history(
    kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock
) -> None:
    """It comes once more with scrubbed texts: the ticket is gone, what was recorded of it stays as it was."""
    await read(kit, support)
    ticket = a_ticket(world)
    title = "SELECT DISTINCT title FROM event WHERE subject_id = :id AND title IS NOT NULL"
    before = await rows(kit, title, id=str(ticket["id"]))
    clock.advance(timedelta(minutes=5))
    world.zendesk.desk.delete_ticket(ticket["id"])
    clock.advance(timedelta(minutes=5))
    await read(kit, support, "tickets")
    assert await state_of(kit, ticket["id"]) == "deleted"
    assert await rows(kit, title, id=str(ticket["id"])) == before
    assert await rows(kit, "SELECT count(*) FROM event WHERE title = 'SCRUBBED'") == [(0,)]


async def test_merged_tickets_are_one_open_ticket(
    kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock
) -> None:
    """The loser is closed and says that it was merged; the winner goes on."""
    await read(kit, support)
    winner, loser = [one for one in world.zendesk.desk.tables["tickets"].values() if one["status"] == "solved"][:2]
    clock.advance(timedelta(minutes=5))
    world.zendesk.desk.change_ticket(winner["id"], status="open")
    world.zendesk.desk.merge_tickets(winner["id"], loser["id"])
    clock.advance(timedelta(minutes=5))
    await read(kit, support, "tickets")
    assert (await state_of(kit, winner["id"]), await state_of(kit, loser["id"])) == ("open", "solved")
    merged = "SELECT subject_id FROM event WHERE attributes->>'merged' = 'true' AND subject_id = :id"
    assert await rows(kit, merged, id=str(loser["id"])) == [(str(loser["id"]),)]


async def test_a_merged_user_has_left(kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock) -> None:
    """Users are deleted softly: the loser is told as gone, the tickets are the winner's."""
    await read(kit, support)
    winner, loser = list(world.zendesk.desk.tables["users"])[:2]
    clock.advance(timedelta(minutes=5))
    world.zendesk.desk.merge_users(winner, loser)
    clock.advance(timedelta(minutes=5))
    await read(kit, support, "users", "tickets")
    assert await rows(kit, "SELECT record_id FROM event WHERE kind = 'person.removed'") == [(str(loser),)]


async def test_a_rating_that_is_given_later_counts(
    kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock
) -> None:
    """It was offered, and read as no rating; given days later it is one, under its old time of creation."""
    await read(kit, support)
    ticket = a_ticket(world)
    about = {"ticket_id": ticket["id"], "requester_id": ticket["requester_id"], "comment": None}
    offered = world.zendesk.desk.put("satisfaction_ratings", score="offered", **about)
    await read(kit, support, "satisfaction_ratings")
    count = "SELECT count(*) FROM event WHERE kind = 'survey.answered' AND record_id = :id"
    assert await rows(kit, count, id=str(offered["id"])) == [(0,)]
    clock.advance(timedelta(days=9))
    world.zendesk.desk.put("satisfaction_ratings", score="good", **about)
    await read(kit, support, "satisfaction_ratings")
    world.zendesk.desk.edit("satisfaction_ratings", offered["id"], score="bad")
    await read(kit, support, "satisfaction_ratings")
    assert await rows(kit, count, id=str(offered["id"])) == [(1,)]


async def test_ten_exports_a_minute(kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock) -> None:
    """The header says that none is left: the reading stops behind its page, waits the minute out, and goes on."""
    world.zendesk.page, world.zendesk.exports_per_minute = 4, 3
    outcome = await sync_stream(kit, support.id, "users")
    assert (outcome.ended, outcome.pages) == (Ended.RETRY, 3)
    assert outcome.retry_after is not None
    assert outcome.retry_after <= timedelta(minutes=1)
    for _ in range(40):
        clock.advance(outcome.retry_after or timedelta(minutes=1))
        if (outcome := await sync_stream(kit, support.id, "users")).ended is Ended.DONE:
            break
    assert await ids(kit, "users") == set(world.zendesk.desk.tables["users"])


async def test_an_unknown_cursor_starts_over(kit: Kit, world: Sandbox, support: Connection) -> None:
    """What Zendesk does not take for a cursor is forgotten, and all is read again without a double."""
    await read(kit, support, "tickets")
    async with kit.transaction() as session:
        (await session.get_one(Checkpoint, (support.id, "tickets", False))).cursor = {"cursor": "of another age"}
    assert (await sync_stream(kit, support.id, "tickets")).ended is Ended.MORE
    outcome = await sync_stream(kit, support.id, "tickets")
    assert (outcome.ended, outcome.backfill, outcome.new) == (Ended.DONE, True, 0)


async def test_credentials_are_checked(kit: Kit, world: Sandbox, plugins: Registry) -> None:
    """A wrong token is refused with what to do; an OAuth token opens the account too."""
    with pytest.raises(AuthExpired):
        await connect(kit, world, api_token="of-somebody-else")
    support = await connect(kit, world, email=None, api_token=None, oauth_token=world.zendesk.token)
    await read(kit, support, "organizations")
    world.zendesk.expired = True
    assert (await sync_stream(kit, support.id, "organizations")).ended is Ended.PAUSED
    assert await rows(kit, "SELECT status FROM connection") == [(ConnectionStatus.PAUSED,)]


async def test_a_bad_day_loses_nothing(kit: Kit, world: Sandbox, support: Connection) -> None:
    """Limits, errors, cut answers and expired tokens at random: in the end everything is there once."""
    world.zendesk.page = 10
    world.zendesk.faults.share = {Fault.SERVER_ERROR: 0.1, Fault.CUT: 0.1, Fault.RATE_LIMITED: 0.1, Fault.EXPIRED: 0.1}
    for stream in ("users", "tickets", "ticket_events"):
        for _ in range(60):
            outcome = await sync_stream(kit, support.id, stream)
            if outcome.ended is Ended.DONE:
                break
            if outcome.ended is Ended.PAUSED:
                world.zendesk.faults.strike(None)
                async with kit.transaction() as session:
                    await connections.check(session, kit.vault, "support", now=kit.clock.now())
    for stream in ("users", "ticket_events"):
        assert await ids(kit, stream) == set(world.zendesk.desk.tables[stream])
    assert world.zendesk.faults.fallen
