"""Intercom through the real host, against its double over a socket: read, notified, killed, and spoken to."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from typing import Any

import httpx
import pytest
from hub_intercom.connector import A_DAY_AND_MORE
from hub_intercom.happenings import happenings
from sqlalchemy import text

from hub.connections import service as connections
from hub.connections.actions import perform
from hub.connections.checkpoints import load
from hub.connections.jobs import drain_deliveries, drain_records_to_refetch
from hub.connections.model import ActionStatus, Connection
from hub.connections.scheduling import StreamKey
from hub.connections.service import Ended, sync_stream
from hub.kit.runtime import Kit
from hub.kit.settings import Settings
from hub.sandbox import Disorder, Fault, Faults
from hub.sandbox.intercom import IntercomDouble, NotificationEndpoint, shapes
from hub.sandbox.intercom.workspace import Contact, Workspace
from hub.timeline.jobs import drain_raw_records
from tests.vendors import reader

HOUR = 3_600
STREAMS = ("contacts", "companies", "conversations")


async def rows(kit: Kit, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    async with kit.reading() as session:
        return [tuple(row) for row in await session.execute(text(statement), parameters)]


async def read(kit: Kit, connection: Connection, *streams: str) -> None:
    """Read these streams to their end, and record what they brought."""
    for stream in streams:
        for _ in range(300):
            outcome = await sync_stream(kit, connection.id, stream)
            assert outcome.bad == 0, outcome
            if outcome.ended is Ended.DONE:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail(f"{stream} does not come to an end: {outcome}")
    await record(kit)


async def record(kit: Kit) -> None:
    """Do what waits, until nothing does."""
    while await drain_deliveries(kit) + await drain_records_to_refetch(kit) + await drain_raw_records(kit):
        pass


async def kept(kit: Kit, stream: str) -> list[tuple[str, str]]:
    """The raw records of a stream."""
    found = await rows(kit, "SELECT record_id, version FROM raw_record WHERE stream = :stream", stream=stream)
    return sorted((record_id, version) for record_id, version in found)


def told(workspace: Workspace) -> Counter[str]:
    """How many records of each conversation there must be."""
    shown = [shapes.conversation(workspace, one, parts=list(one.parts)) for one in workspace.conversations.values()]
    return Counter({one["id"]: len(list(happenings(one))) for one in shown})


def told_by(records: list[tuple[str, str]]) -> Counter[str]:
    return Counter(record_id.partition(":")[0] for record_id, _ in records)


def a_lead(workspace: Workspace) -> tuple[Contact, str]:
    """A lead that has asked something, and its conversation."""
    for conversation in workspace.conversations.values():
        contact = workspace.contacts[conversation.contacts[0]]
        if contact.role == "lead":
            return contact, conversation.id
    raise LookupError("nobody looked around before signing up")


async def account_of(kit: Kit, place: str) -> Any:
    """The account that a place belongs to; None while it waits."""
    [(account,)] = await rows(kit, "SELECT account_id FROM source_account WHERE place = :place", place=place)
    return account


async def test_everything_is_read_and_finds_its_account(
    kit: Kit, intercom: IntercomDouble, connection: Connection
) -> None:
    """Contacts, companies and conversations once each; every user's place is the company's account, a lead's waits."""
    workspace = intercom.workspace
    await read(kit, connection, *STREAMS)
    assert [id_ for id_, _ in await kept(kit, "contacts")] == sorted(workspace.contacts)
    assert [id_ for id_, _ in await kept(kit, "companies")] == sorted(workspace.companies)
    assert told_by(await kept(kit, "conversations")) == told(workspace)
    for contact in workspace.contacts.values():
        account = await account_of(kit, f"contact:{contact.id}")
        if contact.role == "lead":
            assert account is None
        else:
            assert account == await account_of(kit, f"company:{contact.companies[0]}")
    assert await rows(kit, "SELECT 1 FROM quarantine") == []
    [(accounts,)] = await rows(kit, "SELECT count(DISTINCT account_id) FROM source_account")
    assert accounts == len(workspace.companies)


async def test_a_second_reading_brings_nothing_new(kit: Kit, intercom: IntercomDouble, connection: Connection) -> None:
    """The day is read again and known by `updated_at`; conversations that did not change are not fetched."""
    await read(kit, connection, *STREAMS)
    before, asked = await rows(kit, "SELECT count(*) FROM event"), len(intercom.requests)
    await read(kit, connection, *STREAMS)
    assert await rows(kit, "SELECT count(*) FROM event") == before
    fetched = [one for one in intercom.requests[asked:] if one.startswith("GET /conversations/")]
    assert len(fetched) <= 1


@pytest.mark.parametrize("hours", [1, 9, 16, 23])
async def test_what_changes_later_on_the_same_day_is_found(
    kit: Kit, intercom: IntercomDouble, connection: Connection, hours: int
) -> None:
    """Trap 2: a search by the cursor's own time begins on the next day. Read between two changes of one day, the
    second is found, whatever the hour, and each is there once."""
    workspace = intercom.workspace
    contact = next(iter(workspace.contacts))
    midnight = int(datetime(2026, 3, 3, 8, tzinfo=UTC).timestamp())
    first, second = midnight + hours * HOUR, midnight + hours * HOUR + 1_800
    workspace.change_contact(contact, first, name="First")
    await read(kit, connection, "contacts")
    workspace.change_contact(contact, second, name="Second")
    await read(kit, connection, "contacts")
    await read(kit, connection, "contacts")
    versions = [version for id_, version in await kept(kit, "contacts") if id_ == contact]
    assert versions[-2:] == [f"{first:012}", f"{second:012}"]
    assert len(versions) == len(set(versions))
    async with kit.reading() as session:
        checkpoint = await load(session, StreamKey(connection.id, "contacts"))
    assert checkpoint is not None
    assert checkpoint.cursor == {"since": second, "newest": None, "after": None}


@pytest.mark.parametrize("hours", range(-12, 15))
def test_the_day_before_is_asked_for_in_every_zone(hours: int) -> None:
    """Wherever the workspace is, the time that is asked for lies on an earlier day than the cursor's."""
    for at in range(1_772_000_000, 1_772_000_000 + 25 * HOUR, 600):
        assert (at - A_DAY_AND_MORE + hours * HOUR) // 86_400 < (at + hours * HOUR) // 86_400


async def test_who_was_merged_goes_to_the_survivors_account(
    kit: Kit, intercom: IntercomDouble, connection: Connection, notifications: NotificationEndpoint
) -> None:
    """Trap 2: the loser answers 404, the notification names only the survivor; its history is the account's, once."""
    workspace = intercom.workspace
    lead, talk = a_lead(workspace)
    user = next(one for one in workspace.contacts.values() if one.role == "user")
    await read(kit, connection, *STREAMS)
    assert await account_of(kit, f"contact:{lead.id}") is None
    before = await rows(kit, "SELECT id FROM event WHERE subject_id = :talk ORDER BY id", talk=talk)
    merged = workspace.merge(lead.id, user.id, user.updated + 60)
    more = workspace.reply(talk, user.updated + 120, "It costs this much.", admin=True)
    assert {one.status for one in await notifications.deliver_all([merged, more])} == {200}
    await record(kit)
    await read(kit, connection, *STREAMS)
    assert await account_of(kit, f"contact:{lead.id}") == await account_of(kit, f"contact:{user.id}") is not None
    after = await rows(kit, "SELECT id FROM event WHERE subject_id = :talk ORDER BY id", talk=talk)
    assert len(after) == len(set(after)) == len(before) + 1
    assert await rows(kit, "SELECT 1 FROM quarantine") == []
    people = await rows(
        kit,
        "SELECT DISTINCT person_id FROM source_person WHERE place = ANY(:places)",
        places=[f"contact:{lead.id}", f"contact:{user.id}"],
    )
    assert len(people) == 1


async def test_a_survivor_that_is_merged_itself_hinders_nothing(
    kit: Kit, intercom: IntercomDouble, connection: Connection, notifications: NotificationEndpoint
) -> None:
    """Until the first merge is looked up the survivor may be gone as well: its 404 is an answer, not a fault."""
    workspace = intercom.workspace
    lead, _ = a_lead(workspace)
    first, second = [one for one in workspace.contacts.values() if one.role == "user"][:2]
    happened = [workspace.merge(lead.id, first.id, first.updated + 60)]
    happened.append(workspace.merge(first.id, second.id, second.updated + 90))
    await notifications.deliver_all(happened)
    await record(kit)
    assert await rows(kit, "SELECT record_id FROM raw_record WHERE stream = 'merges' AND payload IS NULL") == [
        (first.id,)
    ]
    assert await rows(kit, "SELECT last_error FROM work_item WHERE list = 'records_to_refetch'") == []


async def test_notifications_and_reading_tell_one_story(
    kit: Kit, intercom: IntercomDouble, connection: Connection, notifications: NotificationEndpoint
) -> None:
    """Late, doubled and shuffled notifications, and the same by reading before and after: every event once."""
    workspace = intercom.workspace
    await read(kit, connection, "contacts", "companies")
    contact = next(one for one in workspace.contacts.values() if one.role == "user")
    at = int(datetime(2026, 3, 3, 10, tzinfo=UTC).timestamp())
    happened = [workspace.begin(contact.id, at, "Export", "It fails.")]
    talk = happened[0].thing.id
    happened += [
        workspace.reply(talk, at + 60, "Again?", admin=True),
        workspace.note(talk, at + 90, "Seen before."),
        workspace.close(talk, at + 120),
        workspace.reply(talk, at + 180, "It still fails."),
        workspace.close(talk, at + 240),
        workspace.rate(talk, at + 300, 2, "Too slow."),
    ]
    await notifications.deliver_all(happened[:4], Disorder(duplicated=0.5, late=0.5, unordered=True, seed=3))
    await record(kit)
    await read(kit, connection, "conversations")
    await notifications.deliver_all(happened, Disorder(duplicated=0.5, unordered=True, seed=4))
    await record(kit)
    await read(kit, connection, "conversations")
    found = await rows(
        kit, "SELECT kind, subject_state FROM event WHERE subject_id = :talk ORDER BY occurred_at, kind", talk=talk
    )
    assert found == [
        ("conversation.created", "open"),
        ("conversation.answered", "open"),
        ("conversation.closed", "closed"),
        ("conversation.reopened", "open"),
        ("conversation.replied", "open"),
        ("conversation.closed", "closed"),
        ("conversation.rated", "closed"),
        ("conversation.remarked", "closed"),
    ]
    assert told_by(await kept(kit, "conversations")) == told(workspace)


async def test_only_a_signed_notification_is_taken(
    kit: Kit, intercom: IntercomDouble, notifications: NotificationEndpoint
) -> None:
    """Another secret is refused; a HEAD, by which Intercom tries an address, is answered; a ping says nothing."""
    contact = next(iter(intercom.workspace.contacts))
    happened = intercom.workspace.change_contact(contact, 1_772_600_000)
    notifications.faults = Faults(script=[Fault.EXPIRED])
    assert (await notifications.deliver(happened)).status == 401
    assert (await notifications.deliver(happened)).status == 200
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.head(notifications.url)).status_code == 200
    ping = b'{"type": "notification_event", "id": null, "topic": "ping", "data": {"item": {"type": "ping"}}}'
    assert await notifications.post(ping) == 200
    await record(kit)
    assert len(await kept(kit, "contacts")) == 1
    assert await rows(kit, "SELECT 1 FROM quarantine") == []


async def test_a_page_of_a_scroll_that_got_lost_begins_it_anew(
    kit: Kit, intercom: IntercomDouble, connection: Connection
) -> None:
    """A scroll shows no page twice. That one was asked for and not kept is seen by the cursor: nothing is lost."""
    intercom.scroll_page, intercom.scroll_lives = 2, 1.0
    assert (await sync_stream(kit, connection.id, "companies", seconds=0)).ended is Ended.MORE
    [(cursor,)] = await rows(kit, "SELECT cursor FROM checkpoint WHERE stream = 'companies'")
    assert (cursor["page"], cursor["asked"]) == (1, False)
    await sync_stream(kit, connection.id, "companies", seconds=0)
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": "Bearer tok_of_the_tests"}) as http:
        lost = await http.get(f"{intercom.url}/companies/scroll", params={"scroll_param": cursor["scroll"]})
    assert len(lost.json()["data"]) == 2
    waiting = await sync_stream(kit, connection.id, "companies")
    assert (waiting.ended, waiting.retry_after) == (Ended.RETRY, timedelta(seconds=60))
    await asyncio.sleep(1.1)
    await read(kit, connection, "companies")
    assert [id_ for id_, _ in await kept(kit, "companies")] == sorted(intercom.workspace.companies)


async def test_an_expired_scroll_begins_anew(kit: Kit, intercom: IntercomDouble, connection: Connection) -> None:
    """Whoever comes back after a minute finds the scroll gone, and reads all companies from the first."""
    intercom.scroll_page, intercom.scroll_lives = 5, 0.6
    await sync_stream(kit, connection.id, "companies", seconds=0)
    await asyncio.sleep(0.7)
    await read(kit, connection, "companies")
    assert [id_ for id_, _ in await kept(kit, "companies")] == sorted(intercom.workspace.companies)


async def test_a_company_that_is_gone_is_noticed(kit: Kit, intercom: IntercomDouble, connection: Connection) -> None:
    """Every scroll lists all companies, so one that is missing was deleted."""
    await read(kit, connection, "companies")
    gone = next(iter(intercom.workspace.companies))
    del intercom.workspace.companies[gone]
    await read(kit, connection, "companies")
    deleted = await rows(kit, "SELECT record_id FROM raw_record WHERE payload IS NULL")
    assert deleted == [(gone,)]


async def test_bad_days_delay_and_lose_nothing(kit: Kit, intercom: IntercomDouble, connection: Connection) -> None:
    """Rate limits, server errors, cut answers and time-outs among the requests: in the end everything is there."""
    share = {Fault.RATE_LIMITED: 0.1, Fault.SERVER_ERROR: 0.1, Fault.CUT: 0.1}
    intercom.scroll_page, intercom.scroll_lives = 5, 0.6
    intercom.faults.share, intercom.faults.hold = share, 0.05
    await read(kit, connection, *STREAMS)
    assert len(intercom.faults.fallen) >= 10
    assert [id_ for id_, _ in await kept(kit, "contacts")] == sorted(intercom.workspace.contacts)
    assert [id_ for id_, _ in await kept(kit, "companies")] == sorted(intercom.workspace.companies)
    assert told_by(await kept(kit, "conversations")) == told(intercom.workspace)


@pytest.mark.parametrize("stream", STREAMS)
async def test_a_killed_reader_loses_and_doubles_nothing(
    kit: Kit, settings: Settings, intercom: IntercomDouble, connection: Connection, stream: str
) -> None:
    """`kill -9` at random moments, mostly with a page on its way: in the end every record is there once."""
    dice = random.Random()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.vendors.reader"])
    _crowd(intercom.workspace)
    intercom.delay, intercom.scroll_page, intercom.scroll_lives = 0.01, 20, 1.0

    def start() -> BaseProcess:
        process = context.Process(target=reader.read, args=(settings, connection.id, stream))
        process.start()
        return process

    killed = 0
    for _ in range(5):
        process, before = start(), len(intercom.requests)
        while process.is_alive() and len(intercom.requests) == before:  # noqa: ASYNC110  # another process has no event
            await asyncio.sleep(0.005)
        await asyncio.sleep(dice.uniform(0, 0.1))
        if process.exitcode is None:
            process.kill()
            killed += 1
        await asyncio.to_thread(process.join)
    process = start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == 0
    assert killed >= 2
    found = await kept(kit, stream)
    assert len(found) == len(set(found))
    expected = {"contacts": intercom.workspace.contacts, "companies": intercom.workspace.companies}
    if stream in expected:
        assert [id_ for id_, _ in found] == sorted(expected[stream])
    else:
        assert told_by(found) == told(intercom.workspace)


def _crowd(workspace: Workspace) -> None:
    """Enough of everything for many pages."""
    company = next(iter(workspace.companies.values()))
    for number in range(120):
        facts = {"remote": f"org_{number}", "name": f"Company {number}", "website": "", "industry": "", "size": 1}
        workspace.add_company(company.created + number, plan="growth", **facts)
        lead = {"role": "lead", "external": None, "email": None, "name": None, "companies": ()}
        contact = workspace.add_contact(company.created + number, **lead).thing.id
        if number % 2:
            workspace.begin(contact, company.created + number, "", "Hello?")


async def test_a_message_is_sent(kit: Kit, intercom: IntercomDouble, connection: Connection) -> None:
    """To a contact, or to the product's user; the same key again sends none."""
    user = next(one for one in intercom.workspace.contacts.values() if one.role == "user")
    for key, to in (
        ("run:1", {"contact": user.id}),
        ("run:1", {"contact": user.id}),
        ("run:2", {"user": user.external}),
    ):
        outcome = await perform(kit, "chat", "intercom.send_message", {**to, "body": "Hello"}, key=key)
        assert outcome.status is ActionStatus.DONE, outcome
        assert outcome.output["contact"] == user.id
    assert [(one["to"], one["message_type"]) for one in intercom.workspace.messages] == [(user.id, "inapp")] * 2


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.CUT])
async def test_a_message_without_an_answer_is_never_sent_again(
    kit: Kit, intercom: IntercomDouble, connection: Connection, fault: Fault
) -> None:
    """Intercom has no idempotency keys: it was shown once, whether we heard of it or not, and a person decides."""
    user = next(one for one in intercom.workspace.contacts.values() if one.role == "user")
    intercom.faults.only, intercom.faults.hold = "/messages", 0.05
    intercom.faults.strike(fault)
    for _ in range(3):
        outcome = await perform(kit, "chat", "send_message", {"contact": user.id, "body": "Hello"}, key="run:1")
        assert outcome.status is ActionStatus.UNKNOWN
    assert len(intercom.workspace.messages) == 1


@pytest.mark.parametrize(
    ("to", "reason"), [({"contact": "gone"}, "User Not Found"), ({"user": "u/../1"}, "external_id")]
)
async def test_a_merged_contact_cannot_be_written_to(
    kit: Kit, intercom: IntercomDouble, connection: Connection, to: dict[str, str], reason: str
) -> None:
    """The refusal is final, and its reason is for a person to read."""
    outcome = await perform(kit, "chat", "send_message", {**to, "body": "Hello"}, key="run:1")
    assert outcome.status is ActionStatus.REJECTED
    assert reason in str(outcome.problem)
    assert intercom.workspace.messages == []


async def test_a_second_connection_to_one_workspace_is_refused(
    kit: Kit, intercom: IntercomDouble, connection: Connection
) -> None:
    """`/me` names the workspace."""
    assert connection.tenant == intercom.workspace.id
    async with kit.reading() as session:
        assert [one.tenant for one in await connections.listing(session)] == [intercom.workspace.id]
