"""A host for tests: the hub's own HTTP client with all of its manners, led to the vendor's double on this machine.

Whatever host a connector declares, its requests arrive at the double; what it does not declare is refused as it would
be outside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import stamina
from pydantic import BaseModel

from hub.kit.clock import FrozenClock
from hub.kit.loopback import serve
from hub.sdk.connector import Connector, Host
from hub.sdk.http import SAFE, HostClient, Purpose
from hub.sdk.mailbox import Message
from hub.sdk.testing.vendor import Vendor
from hub.sdk.testing.weather import Fault, Weather

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""The present of every trial."""

PATIENCE = 10.0
SHORT_PATIENCE = 0.2
"""For trials in which no answer comes."""

ATTEMPTS = 2


class MemoryMailbox:
    """A mailbox that lasts as long as a trial."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self._closed: set[str] = set()

    async def put(
        self, recipient: str, body: Mapping[str, Any], *, key: str, expires_at: datetime | None = None
    ) -> Message:
        """Leave a message; the same key again returns the first one unchanged."""
        message = Message(str(uuid5(NAMESPACE_URL, key)), recipient, dict(body), NOW)
        return self.messages.setdefault(message.id, message)

    async def waiting(self, recipient: str, *, limit: int = 20) -> list[Message]:
        """Messages that were not closed, oldest first."""
        open_ones = [one for one in self.messages.values() if one.id not in self._closed]
        return [one for one in open_ones if one.recipient == recipient][:limit]

    async def close(self, message_id: str, *, recipient: str) -> bool:
        """Take a recipient's message out of the mailbox."""
        message = self.messages.get(message_id)
        if message is None or message.recipient != recipient or message_id in self._closed:
            return False
        self._closed.add(message_id)
        return True

    async def mark(self, message_id: str, mark: str, *, recipient: str) -> bool:
        """Remember something about a recipient's message, once."""
        message = self.messages.get(message_id)
        if message is None or message.recipient != recipient or mark in message.marks:
            return False
        self.messages[message_id] = replace(message, marks=(*message.marks, mark))
        return True


class Trial:
    """A vendor's double that answers on a socket, the weather in front of it, and the connectors opened on it."""

    def __init__(
        self, kind: type[Connector[Any]], config: BaseModel, vendor: Vendor, weather: Weather, address: str
    ) -> None:
        self.vendor = vendor
        self.weather = weather
        self.mailbox = MemoryMailbox()
        self._kind = kind
        self._config = config
        self._address = address

    @asynccontextmanager
    async def connector(
        self, purpose: Purpose = Purpose.READING, *, patience: float = PATIENCE
    ) -> AsyncIterator[Connector[Any]]:
        """A connector as the hub opens one: new, with a configuration and a host, and nothing remembered.

        `patience` is how many seconds it waits for an answer.
        """

        def authenticate(request: httpx.Request) -> httpx.Request:
            return opened.authenticate(request)

        clock = FrozenClock(NOW)
        async with (
            _Detour(self._address) as detour,
            HostClient(
                self._kind.hosts(self._config),
                authenticate,
                _Unhurried(),
                clock,
                purpose,
                carrier=detour,
                timeout=httpx.Timeout(patience),
            ) as client,
        ):
            mailbox = MemoryMailbox() if purpose is Purpose.TRYING else self.mailbox
            opened = self._kind(self._config, Host(client, mailbox, clock))
            yield opened

    @property
    def address(self) -> str:
        """Where the double answers: `127.0.0.1:49152`."""
        url = httpx.URL(self._address)
        return f"{url.host}:{url.port}"

    @property
    def effects(self) -> int:
        """How many things happened: at the vendor, and in the mailbox."""
        return len(self.vendor.effects) + len(self.mailbox.messages)

    def faults(self, *faults: Fault | None) -> None:
        """From now on these befall the requests, one each, the last one all that follow."""
        before = len(self.weather.requests)
        self.weather.chooses = lambda number, method: faults[min(number - before, len(faults) - 1)]

    def faults_of_writes(self, fault: Fault | None) -> None:
        """From now on this befalls every request that may change something."""
        self.weather.chooses = lambda number, method: None if method in SAFE else fault


@asynccontextmanager
async def trial(kind: type[Connector[Any]], config: BaseModel, vendor: Vendor) -> AsyncIterator[Trial]:
    """Serve the double for as long as the block runs; retries happen as they would, without their pauses."""
    weather = Weather(vendor.app())
    async with serve(weather) as address, vendor.beside(config) as led:
        with impatient():
            yield Trial(kind, led, vendor, weather, address)


@contextmanager
def impatient() -> Iterator[None]:
    """Retries without pauses, fewer of them, and nothing said about them."""
    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([])
    try:
        with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
            yield
    finally:
        stamina.instrumentation.set_on_retry_hooks(hooks)


class _Unhurried:
    """No pace: the double bears any."""

    async def wait(self) -> None:
        return


class _Detour(httpx.AsyncHTTPTransport):
    """Carries every request to one address, as `curl --connect-to` does: the headers, `Host` among them, stay."""

    def __init__(self, address: str) -> None:
        super().__init__(trust_env=False)
        self._address = httpx.URL(address)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        there = request.url.copy_with(scheme="http", host=self._address.host, port=self._address.port)
        return await super().handle_async_request(
            httpx.Request(
                request.method, there, headers=request.headers, stream=request.stream, extensions=request.extensions
            )
        )
