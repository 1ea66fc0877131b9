"""A vendor's double, running, and a connection of its plugin to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import httpx
import pytest
import stamina
from hub_intercom import Intercom
from starlette.applications import Starlette
from starlette.routing import Mount

from hub.connections import registry
from hub.connections import service as connections
from hub.connections.model import Connection
from hub.connections.registry import Registry
from hub.connections.webhooks import Intake
from hub.kit.loopback import serve
from hub.kit.runtime import Kit
from hub.sandbox import invent
from hub.sandbox.intercom import IntercomDouble, NotificationEndpoint, invent_workspace

UNTIL = datetime(2026, 3, 2, 12, tzinfo=UTC)
TOKEN = "tok_of_the_tests"
SECRET = "client secret of the tests"


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Retries happen as they would, without the pauses between them."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture
async def intercom() -> AsyncIterator[IntercomDouble]:
    """A workspace of nine companies, running; `url` says where."""
    double = IntercomDouble(invent_workspace(invent(accounts=9, until=UNTIL)), token=TOKEN)
    async with double.running() as double.url:
        yield double


@pytest.fixture
def installed() -> Iterator[Registry]:
    """A registry of the one connector."""
    with registry.using(Registry.of(Intercom)) as found:
        yield found


@pytest.fixture
async def connection(kit: Kit, intercom: IntercomDouble, installed: Registry) -> Connection:
    """A connection to the workspace, checked."""
    config = {"access_token": TOKEN, "base_url": intercom.url, "client_secret": SECRET, "admin_id": "5017691"}
    async with kit.transaction() as session:
        return await connections.add(session, kit.vault, installed, "intercom", "chat", config, now=kit.clock.now())


@pytest.fixture
async def notifications(
    kit: Kit, intercom: IntercomDouble, connection: Connection
) -> AsyncIterator[NotificationEndpoint]:
    """Intercom's notifications, which go to the hub's intake over a socket."""
    intake = Intake(kit)
    async with (
        serve(Starlette(routes=[Mount("/in", app=intake)])) as url,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        yield NotificationEndpoint(f"{url}/in/chat/webhook", SECRET, http, intercom.workspace)
        await intake.close()
