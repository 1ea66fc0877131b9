"""Outbound messages through the real intake: acknowledged, not doubled, not forged, the same records as by polling."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from hub.connections.jobs import drain_deliveries, drain_records_to_refetch
from hub.connections.model import Connection
from hub.connections.webhooks import Intake
from hub.kit.clock import FrozenClock
from hub.kit.loopback import serve
from hub.kit.runtime import Kit
from hub.sandbox import Fault, OutboundMessages, Sandbox
from hub.sandbox.salesforce import Record
from tests.connections.salesforce.crm import read, rows

Messages = Callable[..., OutboundMessages]

DELIVERIES = "SELECT count(*) FROM webhook_delivery"
VERSIONS = "SELECT record_id, version FROM raw_record WHERE stream = 'accounts' ORDER BY 1, 2"


@pytest.fixture
async def messages(kit: Kit, world: Sandbox, crm: Connection) -> AsyncIterator[Messages]:
    """Makes outbound messages about accounts to a running hub; `secret` is the last part of their address."""
    intake = Intake(kit)
    async with serve(Starlette(routes=[Mount("/in", app=intake)])) as hub:

        def sender(secret: str = world.salesforce_message_secret, *kinds: str) -> OutboundMessages:
            return world.salesforce_messages(f"{hub}/in/crm/outbound/{secret}", *(kinds or ("Account",)))

        yield sender
    await intake.close()


def changed(world: Sandbox, nth: int, name: str) -> Record:
    account = list(world.salesforce.org.tables["Account"].values())[nth]
    return world.salesforce.org.update("Account", account["Id"], Name=name)


async def arrive(kit: Kit) -> None:
    """Read what was delivered, and the records that it names."""
    while await drain_deliveries(kit):
        pass
    while await drain_records_to_refetch(kit):
        pass


async def test_a_message_brings_the_record_that_a_poll_would(
    kit: Kit, world: Sandbox, crm: Connection, messages: Messages, clock: FrozenClock
) -> None:
    """The named record is read at once; polling it afterwards finds nothing new."""
    await read(kit, crm, "accounts")
    sender = messages()
    clock.advance(timedelta(minutes=1))
    account = changed(world, 0, "Renamed")
    [sent] = await sender.deliver()
    assert (sent.status, sent.acknowledged) == (200, True)
    await arrive(kit)
    by_message = await rows(kit, VERSIONS)
    assert (account["Id"], account["SystemModstamp"].isoformat(timespec="milliseconds")) in by_message
    await read(kit, crm, "accounts")
    assert await rows(kit, VERSIONS) == by_message
    assert await rows(kit, "SELECT count(*) FROM account WHERE name = 'Renamed'") == [(1,)]


async def test_a_repeated_message_is_taken_once(
    kit: Kit, world: Sandbox, crm: Connection, messages: Messages, clock: FrozenClock
) -> None:
    """The answer is lost, the notification comes again with its id: acknowledged, not stored, read once."""
    await read(kit, crm, "accounts")
    sender = messages()
    clock.advance(timedelta(minutes=1))
    changed(world, 0, "Renamed")
    sender.faults.strike(Fault.TIMEOUT, Fault.SERVER_ERROR)
    attempts = await sender.deliver(attempts=5)
    assert [one.acknowledged for one in attempts] == [False, False, True]
    assert len({one.ids for one in attempts}) == 1
    assert await rows(kit, DELIVERIES) == [(1,)]
    asked = len(world.salesforce.paths)
    await arrive(kit)
    assert len(world.salesforce.paths) == asked + 1


async def test_a_regrouped_repetition_loses_and_doubles_nothing(
    kit: Kit, world: Sandbox, crm: Connection, messages: Messages, clock: FrozenClock
) -> None:
    """A notification comes again together with a new one: the new one counts, the known one makes no new version."""
    await read(kit, crm, "accounts")
    sender = messages()
    clock.advance(timedelta(minutes=1))
    changed(world, 0, "Renamed")
    sender.faults.strike(Fault.TIMEOUT)
    await sender.deliver()
    changed(world, 1, "Renamed too")
    await sender.deliver()
    await arrive(kit)
    await read(kit, crm, "accounts")
    doubled = "SELECT record_id FROM raw_record WHERE stream = 'accounts' GROUP BY 1 HAVING count(*) > 2"
    assert await rows(kit, doubled) == []
    assert await rows(kit, "SELECT count(*) FROM account WHERE name LIKE 'Renamed%'") == [(2,)]


async def test_messages_out_of_order_do_not_bring_the_past_back(
    kit: Kit, world: Sandbox, crm: Connection, messages: Messages, clock: FrozenClock
) -> None:
    """A message that was delayed names a record whose present state is read: the newer name stays."""
    await read(kit, crm, "accounts")
    sender = messages()
    changed(world, 0, "First")
    delayed, sender.pending = sender.pending, []
    clock.advance(timedelta(minutes=1))
    changed(world, 0, "Second")
    await sender.deliver()
    sender.pending = delayed
    await sender.deliver()
    await arrive(kit)
    await read(kit, crm, "accounts")
    assert await rows(kit, "SELECT count(*) FROM account WHERE name = 'Second'") == [(1,)]


async def test_forged_messages_are_refused(kit: Kit, world: Sandbox, crm: Connection, messages: Messages) -> None:
    """Another address or another org: 401, no acknowledgement, nothing stored."""
    for sender in (messages("0123456789abcdef0123456789abcdef"), messages()):
        sender.organization = "00DDn00000OTHERMAH" if world.salesforce_message_secret in sender.url else ""
        changed(world, 0, "Forged")
        [sent] = await sender.deliver()
        assert (sent.status, sent.acknowledged) == (401, False)
    assert await rows(kit, DELIVERIES) == [(0,)]


async def test_the_address_is_not_kept(kit: Kit, world: Sandbox, crm: Connection, messages: Messages) -> None:
    """The secret part of the path stands nowhere in what is stored of a delivery."""
    sender = messages()
    changed(world, 0, "Renamed")
    await sender.deliver()
    [(path, headers)] = await rows(kit, "SELECT path, headers::text FROM webhook_delivery")
    assert path == "outbound/{secret}"
    assert world.salesforce_message_secret not in headers


async def test_a_hundred_and_more_notifications(kit: Kit, world: Sandbox, crm: Connection, messages: Messages) -> None:
    """A mass change comes in messages of a hundred; each record is read, however often it was named."""
    sender = messages()
    for nth in range(130):
        changed(world, nth % 5, f"Renamed {nth}")
    attempts = await sender.deliver()
    assert [len(one.ids) for one in attempts] == [100, 30]
    await arrive(kit)
    assert await rows(kit, "SELECT count(*) FROM raw_record WHERE stream = 'accounts'") == [(5,)]


async def test_a_message_about_a_deleted_record_is_a_tombstone(
    kit: Kit, world: Sandbox, crm: Connection, messages: Messages
) -> None:
    """The record is gone when it is read: deleted, or purged and found no more."""
    sender = messages(world.salesforce_message_secret, "Case")
    first, second = list(world.salesforce.org.tables["Case"].values())[:2]
    for case in (first, second):
        world.salesforce.org.update("Case", case["Id"], Priority="Low")
        world.salesforce.org.delete("Case", case["Id"])
    del world.salesforce.org.tables["Case"][second["Id"]]
    await sender.deliver()
    await arrive(kit)
    gone = "SELECT record_id FROM raw_record WHERE stream = 'cases' AND payload IS NULL ORDER BY 1"
    assert await rows(kit, gone) == sorted([(first["Id"],), (second["Id"],)])
