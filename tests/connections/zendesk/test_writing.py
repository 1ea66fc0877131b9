"""Webhooks through the real intake, and what the hub has Zendesk do: once, whatever becomes of the answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from hub.connections.actions import ActionOutcome, perform
from hub.connections.jobs import drain_deliveries, drain_records_to_refetch
from hub.connections.model import ActionStatus, Connection
from hub.connections.webhooks import Intake
from hub.kit.clock import FrozenClock
from hub.kit.loopback import serve
from hub.kit.runtime import Kit
from hub.sandbox import Fault, Sandbox, ZendeskWebhook
from hub.sandbox.zendesk import Row
from hub.timeline.jobs import drain_raw_records
from tests.connections.zendesk.desk import read, rows

VERSIONS = "SELECT record_id, version FROM raw_record WHERE stream = 'tickets' ORDER BY 1, 2"


@pytest.fixture
async def webhook(kit: Kit, world: Sandbox, support: Connection) -> AsyncIterator[ZendeskWebhook]:
    """The account's webhook to a running hub."""
    intake = Intake(kit)
    async with serve(Starlette(routes=[Mount("/in", app=intake)])) as hub:
        yield world.zendesk_webhook(f"{hub}/in/support/webhook")
    await intake.close()


async def arrive(kit: Kit) -> None:
    while await drain_deliveries(kit):
        pass
    while await drain_records_to_refetch(kit):
        pass


def a_ticket(world: Sandbox) -> Row:
    return next(one for one in world.zendesk.desk.tables["tickets"].values() if one["status"] == "solved")


@pytest.mark.parametrize("separator", [":", "/"])
async def test_a_webhook_and_an_export_of_one_change_are_one(
    kit: Kit, world: Sandbox, support: Connection, webhook: ZendeskWebhook, clock: FrozenClock, separator: str
) -> None:
    """The named ticket is read at once, a minute before it is exported; the export then brings nothing new."""
    await read(kit, support)
    clock.advance(timedelta(minutes=5))
    ticket = a_ticket(world)
    world.zendesk.desk.change_ticket(ticket["id"], status="open")
    assert await webhook.deliver(webhook.event("ticket", ticket["id"], separator=separator)) == 200
    await arrive(kit)
    by_webhook = await rows(kit, VERSIONS)
    assert any(record == str(ticket["id"]) for record, _ in by_webhook)
    clock.advance(timedelta(minutes=5))
    await read(kit, support, "tickets")
    assert await rows(kit, VERSIONS) == by_webhook


async def test_a_repeated_delivery_is_taken_once(
    kit: Kit, world: Sandbox, support: Connection, webhook: ZendeskWebhook
) -> None:
    """The answer is lost, it comes again under its invocation id: answered, stored and read once."""
    event = webhook.event("ticket", a_ticket(world)["id"])
    webhook.faults.strike(Fault.TIMEOUT)
    assert [await webhook.deliver(event) for _ in range(3)] == [None, 200, 200]
    assert await rows(kit, "SELECT count(*) FROM webhook_delivery") == [(1,)]
    asked = len(world.zendesk.paths)
    await arrive(kit)
    assert len(world.zendesk.paths) == asked + 1


async def test_forged_and_stale_deliveries_are_refused(
    kit: Kit, world: Sandbox, support: Connection, webhook: ZendeskWebhook, clock: FrozenClock
) -> None:
    """Another secret, a signature of an hour ago or ahead: 401, nothing stored."""
    event = webhook.event("ticket", a_ticket(world)["id"])
    webhook.faults.strike(Fault.EXPIRED)
    assert await webhook.deliver(event) == 401
    for hours in (-1, 1):
        assert await webhook.deliver(event, signed_at=clock.now() + timedelta(hours=hours)) == 401
    assert await rows(kit, "SELECT count(*) FROM webhook_delivery") == [(0,)]


async def test_merged_users_are_one_person(
    kit: Kit, world: Sandbox, support: Connection, webhook: ZendeskWebhook, clock: FrozenClock
) -> None:
    """An export shows the loser as deleted, and does not say who is left: the webhook names both."""
    await read(kit, support)
    desk = world.zendesk.desk
    first, *others = [one for one in desk.tables["users"].values() if one["organization_id"]]
    colleagues = [one["id"] for one in others if one["organization_id"] == first["organization_id"]]
    winner, loser = first["id"], colleagues[0]
    desk.merge_users(winner, loser, clock.now())
    assert await webhook.deliver(webhook.merged(winner, loser)) == 200
    await arrive(kit)
    while await drain_raw_records(kit):
        pass
    places = "SELECT count(DISTINCT person_id), count(*) FROM source_person WHERE place = ANY(:places)"
    assert await rows(kit, places, places=[f"user:{winner}", f"user:{loser}"]) == [(1, 2)]


async def test_what_is_gone_for_good_is_a_tombstone(
    kit: Kit, world: Sandbox, support: Connection, webhook: ZendeskWebhook
) -> None:
    """A ticket that was purged, and one that is found no more when it is read."""
    ticket = a_ticket(world)
    await webhook.deliver(webhook.event("ticket", 12, "permanently_deleted"))
    del world.zendesk.desk.tables["tickets"][ticket["id"]]
    await webhook.deliver(webhook.event("ticket", ticket["id"]))
    await arrive(kit)
    gone = "SELECT record_id FROM raw_record WHERE stream = 'tickets' AND payload IS NULL"
    assert {record for (record,) in await rows(kit, gone)} == {"12", str(ticket["id"])}


FAULTS = [Fault.TIMEOUT, Fault.CUT, Fault.SERVER_ERROR]


async def acted(kit: Kit, clock: FrozenClock, action: str, **given: Any) -> ActionOutcome:
    """An action, asked for again for as long as it is pending."""
    for _ in range(5):
        outcome = await perform(kit, "support", action, given, key="run:step")
        if outcome.status is not ActionStatus.PENDING:
            break
        clock.advance(timedelta(minutes=5))
    return outcome


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_ticket_is_opened_once(
    kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock, fault: Fault
) -> None:
    """By the idempotency key: what an unanswered attempt made is found again."""
    world.zendesk.faults.hold = 0.1
    world.zendesk.faults.strike(fault)
    wanted = {"subject": "They cannot sign in", "body": "Please look.", "priority": "high"}
    outcome = await acted(kit, clock, "create_ticket", **wanted)
    assert outcome.status is ActionStatus.DONE
    [made] = [one for one in world.zendesk.desk.tables["tickets"].values() if one["subject"] == wanted["subject"]]
    assert (made["id"], made["priority"]) == (outcome.output["ticket"], "high")


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_comment_is_written_once(
    kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock, fault: Fault, place: int
) -> None:
    """Whichever of its three requests goes wrong, the ticket has one such comment in the end."""
    ticket = a_ticket(world)
    world.zendesk.faults.hold = 0.1
    world.zendesk.faults.strike(*[None] * place, fault)
    clock.advance(timedelta(minutes=5))
    outcome = await acted(kit, clock, "comment", ticket=ticket["id"], body="We are looking into it.")
    assert outcome.status is ActionStatus.DONE
    events = [event for audit in world.zendesk.desk.audits[ticket["id"]] for event in audit["events"]]
    assert [event["body"] for event in events if event.get("type") == "Comment"] == ["We are looking into it."]


async def test_a_priority_is_set(kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock) -> None:
    """As often as it takes: it is the same in the end."""
    ticket = a_ticket(world)
    world.zendesk.faults.strike(Fault.CUT)
    outcome = await acted(kit, clock, "set_priority", ticket=ticket["id"], priority="urgent")
    assert (outcome.status, ticket["priority"]) == (ActionStatus.DONE, "urgent")


@pytest.mark.parametrize("action", ["comment", "set_priority"])
async def test_what_zendesk_refuses_is_rejected(
    kit: Kit, world: Sandbox, support: Connection, clock: FrozenClock, action: str
) -> None:
    """A ticket that is not there, and one that is closed for good."""
    more: dict[str, Any] = {"body": "Hello"} if action == "comment" else {"priority": "low"}
    closed = next(one for one in world.zendesk.desk.tables["tickets"].values() if one["status"] == "closed")
    for ticket, says in ((12, "Not found"), (closed["id"], "closed")):
        outcome = await perform(kit, "support", action, {"ticket": ticket, **more}, key=f"run:{ticket}")
        assert outcome.status is ActionStatus.REJECTED
        assert says in str(outcome.problem)
