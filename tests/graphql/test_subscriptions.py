"""Health changes as they happen: over WebSockets and server-sent events, resumed without a gap, checked each time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hub.access import service as access
from hub.access.service import SYSTEM, Role
from hub.graphql import credentials, events
from hub.kit import outbox
from hub.kit.runtime import Kit
from tests.graphql.conftest import Client, serving
from tests.graphql.world import NOW, key, populate

CHANGES = """subscription S($account: ID, $after: String) {
  healthChanged(account: $account, after: $after) { cursor band previousBand points account { name } }
}"""


@pytest.fixture
async def served(client: Client) -> AsyncIterator[str]:
    """The server behind a socket, with three accounts."""
    await populate(client.kit, 3)
    async with serving(client.app) as where:
        yield where


async def change(kit: Kit, nth: int, points: int, band: str = "red") -> None:
    """Announce a new score, as scoring and the relay do."""
    async with kit.transaction() as session:
        payload = {
            "account_id": str(key("account", nth)),
            "score_id": str(key("score", nth, 1)),
            "previous_score_id": str(key("score", nth, 0)),
            "band": band,
            "previous_band": "yellow",
            "micro_points": points * 1_000_000,
        }
        await outbox.append(session, "score.changed", str(key("account", nth)), payload, now=NOW)
        await outbox.append(session, "band.changed", str(key("account", nth)), payload, now=NOW)
    async with kit.transaction() as session:
        published = await outbox.publish(session)
    await kit.broadcast.announce(published[-1].position)


@asynccontextmanager
async def socket(where: str, secret: str | None, **more: Any) -> AsyncIterator[ClientConnection]:
    """An initialised connection."""
    async with connect(f"ws://{where}/graphql", subprotocols=["graphql-transport-ws"], **more) as found:  # type: ignore[list-item]
        payload = {"authorization": f"Bearer {secret}"} if secret else {}
        await found.send(json.dumps({"type": "connection_init", "payload": payload}))
        yield found


async def heard(found: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(found.recv(), 5))


async def subscribe(found: ClientConnection, id_: str = "1", query: str = CHANGES, **variables: Any) -> None:
    payload = {"query": query, "variables": variables}
    await found.send(json.dumps({"id": id_, "type": "subscribe", "payload": payload}))


def points_in(message: Any) -> float:
    assert message["type"] == "next", message
    found: float = message["payload"]["data"]["healthChanged"]["points"]
    return found


async def settled() -> None:
    """A subscription has read where it begins; what is decided from now on is sent."""
    await asyncio.sleep(0.3)


async def test_a_change_reaches_a_websocket_at_once(client: Client, served: str) -> None:
    """Acknowledged, subscribed, told within moments, completed on demand."""
    async with socket(served, client.keys[Role.CSM]) as found:
        assert await heard(found) == {"type": "connection_ack"}
        await subscribe(found)
        await settled()
        began = asyncio.get_running_loop().time()
        await change(client.kit, 0, 21)
        message = await heard(found)
        assert asyncio.get_running_loop().time() - began < 1
        change_ = message["payload"]["data"]["healthChanged"]
        assert change_.pop("cursor").startswith("pos_")
        assert change_ == {"band": "RED", "previousBand": "YELLOW", "points": 21.0, "account": {"name": "Company 000"}}
        await found.send(json.dumps({"id": "1", "type": "complete"}))
        await found.send(json.dumps({"type": "ping"}))
        assert await heard(found) == {"type": "pong"}


async def test_only_the_account_that_was_asked_for(client: Client, served: str) -> None:
    """Changes of others are passed over."""
    async with socket(served, client.keys[Role.CSM]) as found:
        await heard(found)
        await subscribe(found, account=f"acc_{key('account', 1).hex}")
        await settled()
        await change(client.kit, 0, 30)
        await change(client.kit, 1, 31)
        assert points_in(await heard(found)) == 31.0


async def test_a_client_that_comes_back_misses_nothing(client: Client, served: str) -> None:
    """What was decided while nobody listened follows the last cursor, in order, once."""
    async with socket(served, client.keys[Role.CSM]) as found:
        await heard(found)
        await subscribe(found)
        await settled()
        await change(client.kit, 0, 1)
        cursor = (await heard(found))["payload"]["data"]["healthChanged"]["cursor"]
    for points in (2, 3, 4):
        await change(client.kit, points % 3, points)
    async with socket(served, client.keys[Role.CSM]) as found:
        await heard(found)
        await subscribe(found, after=cursor)
        assert [points_in(await heard(found)) for _ in range(3)] == [2.0, 3.0, 4.0]
        await change(client.kit, 0, 5)
        assert points_in(await heard(found)) == 5.0


async def test_queries_and_mutations_go_over_the_same_socket(client: Client, served: str) -> None:
    """Each gives one result and completes; each sees what is so now."""
    query = "query Q($id: ID!) { account(id: $id) { alerts { nodes { status } } } }"
    mutation = "mutation M($id: ID!) { alertResolve(input: { id: $id }) { __typename } }"
    async with socket(served, client.keys[Role.CSM]) as found:
        await heard(found)
        for expected in ("OPEN", "RESOLVED"):
            await subscribe(found, query=query, id=f"acc_{key('account', 0).hex}")
            alerts = (await heard(found))["payload"]["data"]["account"]["alerts"]["nodes"]
            assert alerts == [{"status": expected}]
            assert await heard(found) == {"id": "1", "type": "complete"}
            if expected == "OPEN":
                await subscribe(found, query=mutation, id=f"alt_{key('alert', 0).hex}")
                assert (await heard(found))["payload"]["data"]["alertResolve"] == {"__typename": "AlertResolved"}
                assert (await heard(found))["type"] == "complete"


async def test_nobody_gets_a_socket_without_a_key(served: str) -> None:
    """4403, before anything is said."""
    for secret in (None, "hub_wrong"):
        async with socket(served, secret) as found:
            with pytest.raises(ConnectionClosed) as closed:
                await heard(found)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403


async def test_the_key_may_come_as_a_header_too(client: Client, served: str) -> None:
    """Clients that are no browsers set it on the handshake."""
    async with socket(served, None, additional_headers=client.headers(Role.CSM)) as found:
        assert (await heard(found))["type"] == "connection_ack"


async def test_a_page_of_another_site_gets_no_socket(client: Client, served: str) -> None:
    """Browsers do not apply CORS to WebSockets; the origin is checked here."""
    with pytest.raises(Exception, match="403"):
        async with socket(served, client.keys[Role.CSM], origin="https://elsewhere.example"):
            pass


async def test_the_older_protocol_is_not_spoken(served: str) -> None:
    """`graphql-ws` is answered with 4406."""
    async with connect(f"ws://{served}/graphql", subprotocols=["graphql-ws"]) as found:  # type: ignore[list-item]
        with pytest.raises(ConnectionClosed) as closed:
            await found.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4406


NO_MESSAGES = [
    "not json",
    "[]",
    '"x"',
    '{"type": "subscribe", "id": "1", "payload": "x"}',
    '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
    '{"type": "subscribe", "id": 1, "payload": {"query": "{ viewer { role } }"}}',
    '{"type": "subscribe", "id": "1"}',
    '{"type": "nothing"}',
    json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "x" * 600_000}}),
]


async def test_what_is_no_message_ends_the_connection(client: Client, served: str) -> None:
    """4400 each time, and the server goes on."""
    for message in NO_MESSAGES:
        async with socket(served, client.keys[Role.CSM]) as found:
            await heard(found)
            await found.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                await heard(found)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4400, message[:80]


REFUSED = {
    "subscription {": "GRAPHQL_PARSE_FAILED",
    "subscription { nothing }": "GRAPHQL_VALIDATION_FAILED",
    "{ " + "viewer { role } " * 100 + "}": "DOCUMENT_TOO_COMPLEX",
    'subscription { healthChanged(after: "nonsense") { cursor } }': "BAD_USER_INPUT",
    'subscription { healthChanged(account: "nonsense") { cursor } }': "BAD_USER_INPUT",
}


def refusal(message: Any) -> str:
    """The code of the error in a message."""
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    code: str = errors[0]["extensions"]["code"]
    return code


async def test_a_refused_operation_leaves_the_connection(client: Client, served: str) -> None:
    """The operation ends with its error; the next one is answered."""
    async with socket(served, client.keys[Role.CSM]) as found:
        await heard(found)
        for query, code in REFUSED.items():
            await subscribe(found, query=query)
            assert refusal(await heard(found)) == code
            await subscribe(found, "2", "{ viewer { role } }")
            while (message := await heard(found))["id"] != "2":
                pass
            assert message["payload"]["data"] == {"viewer": {"role": "CSM"}}
            assert (await heard(found))["type"] == "complete"


async def test_roles_that_may_not_see_accounts_may_not_follow_them(client: Client, served: str) -> None:
    """The subscription ends with the refusal."""
    for role in (Role.MARKETING, Role.INGEST):
        async with socket(served, client.keys[role]) as found:
            await heard(found)
            await subscribe(found)
            assert refusal(await heard(found)) == "FORBIDDEN"


async def test_a_revoked_key_is_told_nothing_more(client: Client, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the key is no longer believed, the open subscription ends; the change is not sent."""
    monkeypatch.setattr(credentials, "BELIEVED_SECONDS", 0.0)
    async with socket(served, client.keys[Role.CSM]) as found:
        await heard(found)
        await subscribe(found)
        await settled()
        async with client.kit.transaction() as session:
            await access.revoke_key(session, SYSTEM, "test-csm", now=client.kit.clock.now())
        await change(client.kit, 0, 10)
        message = await heard(found)
        assert message["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert not message["payload"].get("data")
        assert (await heard(found))["type"] == "complete"


async def test_a_cursor_whose_followers_are_gone_is_refused(client: Client, served: str) -> None:
    """Facts are kept for days; who comes later reads the present state instead of missing something silently."""
    for points in (1, 2, 3):
        await change(client.kit, 0, points)
    async with client.kit.transaction() as session:
        await session.execute(text("DELETE FROM outbox WHERE position <= 4"))
    async with socket(served, client.keys[Role.CSM]) as found:
        await heard(found)
        await subscribe(found, after="pos_2")
        assert refusal(await heard(found)) == "CURSOR_EXPIRED"
        await subscribe(found, "2", after="pos_4")
        while (message := await heard(found))["id"] != "2":
            pass
        assert points_in(message) == 3.0


@asynccontextmanager
async def stream(
    client: Client, where: str, query: str = CHANGES, method: str = "POST", **headers: str
) -> AsyncIterator[httpx.Response]:
    sent = {**client.headers(Role.CSM), "accept": "text/event-stream", **headers}
    async with httpx.AsyncClient() as http:
        given: dict[str, Any] = {"json": {"query": query}} if method == "POST" else {"params": {"query": query}}
        async with http.stream(method, f"http://{where}/graphql", headers=sent, **given) as response:
            yield response


async def next_event(lines: AsyncIterator[str]) -> dict[str, str]:
    """The fields of the next event."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(5):
        async for line in lines:
            if not line and fields:
                return fields
            name, separator, value = line.partition(":")
            if separator and name:
                fields[name] = value.strip()
    raise AssertionError("the stream ended")


async def test_a_change_comes_as_a_server_sent_event_with_its_cursor(client: Client, served: str) -> None:
    """`id:` is the cursor; a client that names it in `Last-Event-ID` goes on behind it without a gap."""
    for method in ("POST", "GET"):
        async with stream(client, served, method=method) as response:
            assert response.status_code == 200
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
            lines = response.aiter_lines()
            await settled()
            await change(client.kit, 0, 41)
            event = await next_event(lines)
            data = json.loads(event["data"])["data"]["healthChanged"]
            assert (event["event"], data["points"], data["cursor"]) == ("next", 41.0, event["id"])
        await change(client.kit, 1, 42)
        async with stream(client, served, method=method, **{"last-event-id": event["id"]}) as response:
            event = await next_event(response.aiter_lines())
            assert json.loads(event["data"])["data"]["healthChanged"]["points"] == 42.0


async def test_a_query_may_be_streamed_and_completes(client: Client, served: str) -> None:
    """One event with the result, then `complete`."""
    async with stream(client, served, "{ viewer { role } }") as response:
        lines = response.aiter_lines()
        assert json.loads((await next_event(lines))["data"]) == {"data": {"viewer": {"role": "CSM"}}}
        assert (await next_event(lines))["event"] == "complete"


async def test_a_silent_stream_is_kept_open(client: Client, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments keep proxies from closing it."""
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.1)
    async with stream(client, served) as response:
        async with asyncio.timeout(5):
            async for line in response.aiter_lines():
                if line.startswith(":"):
                    break


async def test_a_client_that_goes_away_leaves_nothing_behind(client: Client, served: str) -> None:
    """Its subscription ends on the server too, although nothing was to be sent."""

    def followers() -> set[asyncio.Task[Any]]:
        return {task for task in asyncio.all_tasks() if task.get_name() == "send events"}

    async with stream(client, served):
        await settled()
        (following,) = followers()
    await asyncio.wait({following}, timeout=5)
    assert not followers()
