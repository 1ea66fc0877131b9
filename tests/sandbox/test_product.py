"""The product double: its script asks for messages and reports what became of them, each user proved by a signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.kit.loopback import serve
from hub.sandbox import Fault, Faults, Product, Reaction

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
CALLOUT = {"id": "m1", "title": "New reports", "body": "Have a look.", "kind": "callout", "url": "/reports"}
SURVEY = {"id": "m2", "title": "How likely are you …", "body": "", "kind": "survey", "url": None}


@dataclass
class Channel:
    """The hub's side of the in-app channel, as the two sides agreed on it."""

    url: str = ""
    waiting: dict[str, Any] = field(default_factory=lambda: {"messages": [CALLOUT, SURVEY]})
    reports: list[dict[str, Any]] = field(default_factory=list)

    def is_proved(self, request: Request, user: str) -> bool:
        expected = hmac.new(b"s" * 32, user.encode(), hashlib.sha256).hexdigest()
        return request.headers.get("X-Hub-User-Signature") == expected

    async def messages(self, request: Request) -> Response:
        if not self.is_proved(request, request.query_params["user"]):
            return Response(status_code=401)
        return JSONResponse(self.waiting)

    async def events(self, request: Request) -> Response:
        report = json.loads(await request.body())
        if not self.is_proved(request, report["user"]):
            return Response(status_code=401)
        self.reports.append(report)
        return Response(status_code=202)


@pytest.fixture
async def channel() -> AsyncIterator[Channel]:
    found = Channel()
    routes = [Route("/in/inapp/messages", found.messages), Route("/in/inapp/events", found.events, methods=["POST"])]
    async with serve(Starlette(routes=routes)) as url:
        found.url = url
        yield found


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        yield client


def product(channel: Channel, http: httpx.AsyncClient, faults: Faults | None = None, seed: int = 0) -> Product:
    return Product(channel.url, "inapp", "s" * 32, http, seed=seed, clock=lambda: NOW, faults=faults or Faults())


async def test_users_look_and_react(channel: Channel, http: httpx.AsyncClient) -> None:
    """Each message is shown to each user; surveys are answered, callouts clicked, dismissed or let be."""
    users = [f"usr_{number}" for number in range(20)]
    made = await product(channel, http).visit(users)
    assert [report.as_json() for report in made] == channel.reports
    shown = [(one["user"], one["message"]) for one in channel.reports if one["type"] == "shown"]
    assert sorted(shown) == sorted((user, message) for user in users for message in ("m1", "m2"))
    reactions = {one["type"] for one in channel.reports if one["message"] == "m1"}
    assert reactions == {"shown", "clicked", "dismissed"}
    answers = [one["answer"] for one in channel.reports if one["type"] == "answered"]
    assert len(answers) == len(users)
    assert all(0 <= answer <= 10 for answer in answers)
    assert {one["at"] for one in channel.reports} == {"2026-11-20T15:30:00.000Z"}


async def test_a_message_is_looked_at_once(channel: Channel, http: httpx.AsyncClient) -> None:
    """Polling again reports nothing again."""
    script = product(channel, http)
    await script.visit(["usr_1"])
    assert await script.visit(["usr_1"]) == []


async def test_a_resent_report_is_the_same_report(channel: Channel, http: httpx.AsyncClient) -> None:
    """Its id follows from user, message and reaction, so a lost answer makes no second fact."""
    script = product(channel, http, Faults([Fault.TIMEOUT]))
    with pytest.raises(httpx.ReadTimeout):
        await script.report("usr_1", "m1", Reaction.CLICKED)
    await script.report("usr_1", "m1", Reaction.CLICKED)
    await script.report("usr_1", "m1", Reaction.DISMISSED)
    ids = [one["id"] for one in channel.reports]
    assert ids[0] == ids[1] != ids[2]


async def test_the_seed_decides_what_users_do(channel: Channel, http: httpx.AsyncClient) -> None:
    """The same seed gives the same reports, another one others."""
    users = [f"usr_{number}" for number in range(10)]
    rows = [[one.id for one in await product(channel, http, seed=seed).visit(users)] for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


async def test_a_signature_of_another_secret_is_sent_on_demand(channel: Channel, http: httpx.AsyncClient) -> None:
    """With expired credentials the hub refuses, and the script says so."""
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await product(channel, http, Faults([Fault.EXPIRED])).messages("usr_1")


async def test_nonsense_from_the_hub_is_noticed(channel: Channel, http: httpx.AsyncClient) -> None:
    """The script reads the agreed shape and no other; what it does not know it leaves."""
    channel.waiting = {"messages": [CALLOUT | {"colour": "blue"}]}
    (message,) = await product(channel, http).messages("usr_1")
    assert (message.id, message.kind, message.url) == ("m1", "callout", "/reports")
    channel.waiting = {"messages": [{"id": "m1"}]}
    with pytest.raises(ValidationError):
        await product(channel, http).messages("usr_1")
