"""One event from a real client becomes a health band, an alert, a play, a message, a task, and a GraphQL answer."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import orjson
import websockets
from hub_inapp.connector import sign
from segment.analytics.client import Client

from .conftest import INAPP_SECRET, WRITE_KEY, RunningHub

PEOPLE = [f"u-{number}" for number in range(10)]
HEALTH = "subscription { healthChanged { cursor at band previousBand points account { id name } } }"
ACCOUNT = """
  query($id: ID!) { account(id: $id) {
    name
    health { band }
    alerts(first: 5) { nodes { rule status } }
    runs(first: 5) { nodes { play status steps { kind status } } }
    tasks(first: 5) { nodes { title status } }
    timeline(first: 50) { nodes { kind title } }
  } }
"""


def client_of(hub: RunningHub) -> Client:
    return Client(WRITE_KEY, host=f"{hub.url}/in/segment")


def tell_history(client: Client, now: datetime) -> None:
    """Ten people of one account used the product two months ago, and only half of them since."""
    client.group(PEOPLE[0], "g-1", {"name": "Northwind", "domain": "northwind.example", "licences": 12})
    for number, person in enumerate(PEOPLE):
        role = "administrator" if number == 0 else "end_user"
        client.identify(person, {"email": f"{person}@northwind.example", "name": person, "role": role})
        client.group(person, "g-1")
        for days in (30, 35, 40, 45, 50):
            at = now - timedelta(days=days)
            for event in ("Signed In", "Report Viewed"):
                client.track(person, event, context={"groupId": "g-1"}, timestamp=at)
        if number < 9:
            client.track(person, "Signed In", context={"groupId": "g-1"}, timestamp=now - timedelta(days=20))


async def subscribe(hub: RunningHub, changes: asyncio.Queue[dict[str, Any]], ready: asyncio.Event) -> None:
    async with websockets.connect(
        f"ws://127.0.0.1:{hub.port}/graphql",
        subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
        additional_headers={"Authorization": f"Bearer {hub.keys['csm']}"},
    ) as socket:
        await socket.send(orjson.dumps({"type": "connection_init"}).decode())
        assert orjson.loads(await socket.recv())["type"] == "connection_ack"
        await socket.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": {"query": HEALTH}}).decode())
        ready.set()
        async for message in socket:
            answer = orjson.loads(message)
            if answer["type"] == "ping":
                await socket.send('{"type": "pong"}')
                continue
            assert answer["type"] == "next", answer
            assert "errors" not in answer["payload"], answer
            changes.put_nowait(answer["payload"]["data"]["healthChanged"])


async def messages_of(hub: RunningHub, user: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(
            f"{hub.url}/in/inapp/messages",
            params={"user": user},
            headers={"X-Hub-User-Signature": sign(INAPP_SECRET, user)},
        )
    found: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
    return found


async def test_one_event_walks_the_whole_spine(hub: RunningHub) -> None:
    """The decline of an account shows, and everything follows within five seconds."""
    changes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    ready = asyncio.Event()
    listening = asyncio.create_task(subscribe(hub, changes, ready))
    await ready.wait()
    now = datetime.now(UTC)
    client = client_of(hub)
    tell_history(client, now)
    await asyncio.to_thread(client.flush)
    await hub.quiet()
    [(account,)] = await hub.rows("SELECT id FROM account WHERE name = 'Northwind'")
    assert await hub.rows("SELECT 1 FROM alert") == []

    # Nine of ten were active in the last 28 days: no decline. Now the product tells that two more had been active in
    # the time before, so nine are a decline by more than a fifth; and somebody is there now, so no more history is
    # waited for.
    began, began_at = time.perf_counter(), datetime.now(UTC)
    for person in ("u-10", "u-11"):
        client.track(person, "Signed In", context={"groupId": "g-1"}, timestamp=now - timedelta(days=40))
    client.track("u-0", "Report Viewed", context={"groupId": "g-1"})
    await asyncio.to_thread(client.flush)

    async with asyncio.timeout(5 - (time.perf_counter() - began)):
        change = await changes.get()
        while datetime.fromisoformat(change["at"]) < began_at:
            change = await changes.get()
    assert change["account"]["name"] == "Northwind"

    async def played() -> bool:
        found = await hub.rows("SELECT 1 FROM task WHERE account_id = :account", account=account)
        return bool(found) and bool(await messages_of(hub, "u-0"))

    await hub.eventually(played, seconds=5 - (time.perf_counter() - began), what="the play's message and task")
    took = time.perf_counter() - began
    print(f"event → subscription, message and task: {took:.2f} s")

    answer = (await hub.graphql(ACCOUNT, {"id": change["account"]["id"]}, role="csm"))["account"]
    assert [alert["rule"] for alert in answer["alerts"]["nodes"]] == ["active_people_decline"]
    assert [run["play"] for run in answer["runs"]["nodes"]] == ["win_back"]
    assert [task["status"] for task in answer["tasks"]["nodes"]] == ["OPEN"]
    assert {"alert.opened", "message.sent", "task.created"} <= {event["kind"] for event in answer["timeline"]["nodes"]}

    [message] = await messages_of(hub, "u-0")
    async with httpx.AsyncClient() as http:
        report = {"id": str(uuid4()), "type": "clicked", "message": message["id"], "user": "u-0", "at": f"{now:%FT%TZ}"}
        for _ in range(2):
            sent = await http.post(
                f"{hub.url}/in/inapp/events",
                json=report,
                headers={"X-Hub-User-Signature": sign(INAPP_SECRET, "u-0")},
            )
            sent.raise_for_status()
    await hub.quiet()
    [(clicks,)] = await hub.rows(
        "SELECT count(*) FROM event e JOIN source_account s ON s.id = e.source_account_id "
        "WHERE e.kind = 'message.clicked' AND s.account_id = :account",
        account=account,
    )
    assert clicks == 1
    assert await messages_of(hub, "u-0") == []
    listening.cancel()
