"""The guide for frontend teams: every example in it is sent, and answered as it says."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from hub.access.service import Role
from hub.graphql import limits
from hub.graphql.context import MOST_NODES
from hub.graphql.cost import MOST_COST
from hub.graphql.errors import Code
from hub.graphql.http import MOST_BODY_BYTES
from hub.graphql.schema import SECONDS
from hub.graphql.types.health import DEAR
from hub.graphql.websocket import MOST_OPERATIONS
from tests.graphql.conftest import Client, serving
from tests.graphql.test_subscriptions import change, next_event
from tests.graphql.world import DAY, NOW, key, populate

GUIDE = (Path(__file__).parents[2] / "schema" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.DOTALL)
QUERIES = [(text, BLOCKS[nth + 1][1]) for nth, (language, text) in enumerate(BLOCKS) if language == "graphql"]
REQUESTS = [(text, BLOCKS[nth + 1]) for nth, (language, text) in enumerate(BLOCKS) if language == "http"]
(TRANSCRIPT,) = [text for language, text in BLOCKS if language == "text" and text.startswith(">")]

ACCOUNT = f"acc_{key('account', 0).hex}"
VARIABLES = {
    "account": ACCOUNT,
    "ids": [ACCOUNT, f"tsk_{key('nobody').hex}"],
    "alerts": [f"alt_{key('alert', 0).hex}", f"alt_{key('nobody').hex}"],
    "from": (NOW - 10 * DAY).isoformat(),
}


@pytest.fixture
async def served(client: Client) -> AsyncIterator[str]:
    """The server behind a socket, with the three accounts that the guide speaks of."""
    await populate(client.kit, 3)
    async with serving(client.app) as where:
        yield where


def fits(found: Any, shown: Any) -> bool:
    """Whether an answer is the one shown; `…` stands for anything."""
    if shown == "…":
        return True
    if isinstance(shown, str) and shown.endswith("…"):
        return isinstance(found, str) and found.startswith(shown[:-1])
    if isinstance(shown, dict):
        return isinstance(found, dict) and found.keys() == shown.keys() and all(fits(found[k], shown[k]) for k in shown)
    if isinstance(shown, list):
        return isinstance(found, list) and len(found) == len(shown) and all(map(fits, found, shown))
    return bool(found == shown)


async def test_every_query_is_answered_as_shown(client: Client, served: str) -> None:
    """The blocks of GraphQL, each with the answer below it."""
    assert len(QUERIES) >= 5
    for query, shown in QUERIES:
        declared = set(re.findall(r"\$(\w+):", query))
        found = await client.answer(query, {name: VARIABLES[name] for name in declared & VARIABLES.keys()})
        assert fits(found, json.loads(shown)), (query, found)


async def test_every_request_is_answered_as_shown(client: Client, served: str) -> None:
    """The blocks of HTTP: one with an answer, one with a stream."""
    assert [answer[0] for _, answer in REQUESTS] == ["json", "text"]
    for request, (language, shown) in REQUESTS:
        head, _, body = request.partition("\n\n")
        (method, path), *headers = (
            line.split(None if nth == 0 else ": ", 1) for nth, line in enumerate(head.split("\n"))
        )
        sent = {name: value.replace("hub_…", client.keys[Role.CSM]) for name, value in headers}
        async with (
            httpx.AsyncClient() as http,
            http.stream(method, f"http://{served}{path}", content=body.encode(), headers=sent) as response,
        ):
            assert response.status_code == 200
            if language == "json":
                assert fits(json.loads(await response.aread()), json.loads(shown))
                continue
            await asyncio.sleep(0.3)
            await change(client.kit, 0, 20)
            expected = dict(line.split(": ", 1) for line in shown.strip().split("\n"))
            event = await next_event(response.aiter_lines())
            assert fits(json.loads(event.pop("data")), json.loads(expected.pop("data")))
            assert fits(event, expected)


async def test_the_conversation_over_a_websocket_is_as_shown(client: Client, served: str) -> None:
    """Line by line."""
    async with connect(f"ws://{served}/graphql", subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        for line in TRANSCRIPT.strip().split("\n"):
            direction, text = line[0], line[2:].replace("hub_…", client.keys[Role.CSM])
            if direction == ">":
                await socket.send(text)
                continue
            shown = json.loads(text)
            if shown["type"] == "next":
                await asyncio.sleep(0.3)
                await change(client.kit, 0, 20)
            assert fits(json.loads(await asyncio.wait_for(socket.recv(), 5)), shown)


def test_the_guide_names_every_code_and_no_other() -> None:
    """The table of codes is the code's own."""
    table = GUIDE[GUIDE.index("| code |") : GUIDE.index("| limit |")]
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", table)) == set(Code)


def test_the_guide_names_the_limits_as_they_are() -> None:
    """The numbers are those of the code."""
    table = GUIDE[GUIDE.index("| limit |") : GUIDE.index("## Costs")].replace(",", "")
    numbers = [int(number) for number in re.findall(r"\b\d+\b", table)]
    assert numbers == [
        MOST_BODY_BYTES,
        limits.MOST_BYTES,
        limits.MOST_TOKENS,
        limits.DEEPEST,
        limits.MOST_FIELDS,
        limits.MOST_FRAGMENTS,
        limits.MOST_ALIASES,
        limits.MOST_DIRECTIVES,
        limits.MOST_VARIABLES,
        limits.MOST_REPEATS,
        MOST_NODES,
        DEAR,
        int(SECONDS),
        MOST_OPERATIONS,
        MOST_COST,
    ]
