"""Alerts, runs and tasks as they change: told with what they are now, resumed without a gap, to whom may see them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.access import service as access
from hub.access.service import SYSTEM, Role
from hub.kit import outbox
from hub.kit.runtime import Kit
from tests.graphql.conftest import Client, serving
from tests.graphql.test_subscriptions import heard, settled, socket, subscribe
from tests.graphql.world import key, populate

FOLLOWED = {
    kind: f"subscription($after: String) {{ {kind}Changed(after: $after) {{ cursor topic {shown} }} }}"
    for kind, shown in ((kind, f"account {{ name }} {kind} {{ status }}") for kind in ("alert", "run", "task"))
}
DONE = {
    "alert": ("alertAcknowledge", "alt", "alert.acknowledged", "ACKNOWLEDGED"),
    "run": ("runCancel", "run", "run.ended", "CANCELED"),
    "task": ("taskComplete", "tsk", "task.completed", "DONE"),
}


async def do(client: Client, kind: str, nth: int) -> None:
    """Change the nth one through the API, and publish it as the relay does."""
    name, prefix, *_ = DONE[kind]
    reason = ', reason: "A test."' if kind == "run" else ""
    asked = f'mutation {{ {name}(input: {{ id: "{prefix}_{key(kind, nth).hex}"{reason} }}) {{ __typename }} }}'
    assert (await client.data(asked))[name]["__typename"] not in ("NotFound", "InvalidInput", "NotAllowed")
    await publish(client.kit)


async def publish(kit: Kit) -> None:
    async with kit.transaction() as session:
        published = await outbox.publish(session)
    await kit.broadcast.announce(published[-1].position)


def told(message: Any) -> dict[str, Any]:
    assert message["type"] == "next", message
    [found] = message["payload"]["data"].values()
    result: dict[str, Any] = found
    return result


@pytest.mark.parametrize("kind", FOLLOWED)
async def test_a_change_is_told_and_can_be_caught_up_with(client: Client, kind: str) -> None:
    """With what it is now; a client that was away hears what it missed, once, and then goes on."""
    await populate(client.kit, 3)
    _, _, topic, status = DONE[kind]
    async with serving(client.app) as where:
        async with socket(where, client.keys[Role.CSM]) as found:
            await heard(found)
            await subscribe(found, query=FOLLOWED[kind])
            await settled()
            await do(client, kind, 0)
            first = told(await heard(found))
            cursor = first.pop("cursor")
            assert first == {"topic": topic, "account": {"name": "Company 000"}, kind: {"status": status}}
        await do(client, kind, 1)
        async with socket(where, client.keys[Role.CSM]) as found:
            await heard(found)
            await subscribe(found, query=FOLLOWED[kind], after=cursor)
            assert told(await heard(found))["account"] == {"name": "Company 001"}
            await do(client, kind, 2)
            assert told(await heard(found))["account"] == {"name": "Company 002"}


async def test_nobody_hears_of_accounts_that_they_do_not_see(client: Client) -> None:
    """A csm with own accounts is told of these alone; a role that may not see accounts is refused."""
    await populate(client.kit, 3)
    async with client.kit.transaction() as session:
        now = client.kit.clock.now()
        made = await access.create_key(
            session, SYSTEM, "limited", Role.CSM, expires_in=None, now=now, owner="ada@hub.example"
        )
    async with serving(client.app) as where, socket(where, made.secret) as found:
        await heard(found)
        await subscribe(found, query=FOLLOWED["task"])
        await subscribe(found, "2", query="subscription { healthChanged { account { name } } }")
        await settled()
        await do(client, "task", 0)
        await do(client, "task", 1)
        assert told(await heard(found))["account"] == {"name": "Company 001"}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(found.recv(), 0.3)
        async with socket(where, client.keys[Role.MARKETING]) as other:
            await heard(other)
            await subscribe(other, query=FOLLOWED["task"])
            refused = await heard(other)
            assert refused["payload"][0]["extensions"]["code"] == "FORBIDDEN"
