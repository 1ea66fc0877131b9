"""What the hub has Salesforce do: once, however often it is asked and whatever becomes of the answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.connections.actions import ActionOutcome, perform
from hub.connections.model import ActionStatus, Connection
from hub.connections.registry import Registry
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.sandbox import Fault, Sandbox
from hub.sandbox.salesforce import Record
from tests.connections.salesforce.crm import connect, read, rows


def an_account(world: Sandbox) -> Record:
    return next(iter(world.salesforce.org.tables["Account"].values()))


async def task(kit: Kit, world: Sandbox, key: str = "run:step", **more: Any) -> ActionOutcome:
    given = {"account": an_account(world)["Id"], "subject": "Call about O'Neill's renewal", "due": "2026-12-01"}
    return await perform(kit, "crm", "create_task", given | more, key=key)


def tasks(world: Sandbox) -> list[Record]:
    return [one for one in world.salesforce.org.tables["Task"].values() if str(one["Subject"]).startswith("Call about")]


@pytest.mark.parametrize("field", [None, "Hub_Key__c"])
@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.CUT, Fault.SERVER_ERROR])
async def test_a_task_is_made_once(
    kit: Kit, world: Sandbox, plugins: Registry, clock: FrozenClock, field: str | None, fault: Fault
) -> None:
    """The answer is lost or the server fails: the next attempt finds what was made, or makes it."""
    await connect(kit, world, task_key_field=field)
    world.salesforce.faults.hold = 0.1
    world.salesforce.faults.strike(None, fault)
    outcome = await task(kit, world)
    assert outcome.status is ActionStatus.PENDING
    clock.advance(timedelta(minutes=5))
    outcome = await task(kit, world)
    assert outcome.status is ActionStatus.DONE
    [made] = tasks(world)
    assert made["Id"] == outcome.output["task"]
    assert (await task(kit, world, key="run:other")).output["task"] != made["Id"]


async def test_a_task_comes_back_on_the_timeline(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """What an action made is read like any other record."""
    outcome = await task(kit, world)
    await read(kit, crm, "accounts", "tasks")
    told = "SELECT kind FROM event WHERE record_id = :id ORDER BY kind"
    assert await rows(kit, told, id=outcome.output["task"]) == [("task.created",), ("task.updated",)]


async def test_an_impossible_task_is_refused_at_once(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """An id of something else, no subject: rejected before anything is sent."""
    asked = len(world.salesforce.paths)
    for wrong in ({"account": "003Dn00000XYZabIAD"}, {"subject": ""}):
        assert (await task(kit, world, key=str(wrong), **wrong)).status is ActionStatus.REJECTED
    assert len(world.salesforce.paths) == asked


async def update(kit: Kit, key: str = "run:step", **more: Any) -> ActionOutcome:
    given = {"external_field": "Hub_Account_Id__c", "external_id": "org/1 ü", "fields": {"Health_Band__c": "GREEN"}}
    return await perform(kit, "crm", "update_fields", given | more, key=key)


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.CUT, Fault.SERVER_ERROR])
async def test_health_is_written_to_the_account(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock, fault: Fault
) -> None:
    """By the external id, as often as it takes; nothing else of the account changes."""
    account = an_account(world)
    world.salesforce.org.update("Account", account["Id"], Hub_Account_Id__c="org/1 ü")
    before = dict(account)
    world.salesforce.faults.hold = 0.1
    world.salesforce.faults.strike(fault)
    assert (await update(kit)).status is ActionStatus.PENDING
    clock.advance(timedelta(minutes=5))
    outcome = await update(kit)
    assert (outcome.status, outcome.output["created"]) == (ActionStatus.DONE, False)
    stamps = {"SystemModstamp", "LastModifiedDate"}
    assert {name for name, value in account.items() if before[name] != value} - stamps == {"Health_Band__c"}


async def test_an_account_can_be_named_by_its_own_id(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """Without an external id the record's own names it; numbers are written as numbers."""
    account = an_account(world)
    outcome = await update(kit, external_field="Id", external_id=account["Id"], fields={"Health_Score__c": 81.5})
    assert outcome.status is ActionStatus.DONE
    assert account["Health_Score__c"] == 81.5


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "REQUIRED_FIELD_MISSING"),
        ({"external_field": "Nothing__c"}, "NOT_FOUND"),
        ({"fields": {"Name": "Ours now"}}, "custom fields"),
        ({"external_field": "Id", "external_id": "001Dn00000NOBODYAH"}, "NOT_FOUND"),
        ({"object": "Nothing"}, "INVALID_TYPE"),
    ],
)
async def test_what_salesforce_refuses_is_rejected(
    kit: Kit, world: Sandbox, crm: Connection, wrong: dict[str, Any], says: str
) -> None:
    """An unknown external id, field or record, and a field that is not ours to write: the reason is shown."""
    outcome = await update(kit, **wrong)
    assert outcome.status is ActionStatus.REJECTED
    assert says in str(outcome.problem)
