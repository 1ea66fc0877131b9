"""What the intake knows of a connection: opened once, believed for a moment, then looked up again.

A request must not cost a query and a decryption. So a connection that was removed or whose secrets were rotated is
still known by its old state for up to `BELIEVED_SECONDS` in other processes.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hub.connections import registry
from hub.connections.answers import Answer, answer
from hub.connections.configs import validated
from hub.connections.model import NAME, Connection, ConnectionStatus
from hub.kit.errors import HubError
from hub.kit.runtime import Kit
from hub.sdk.connector import Connector, Endpoint, Webhook
from hub.sdk.secrecy import secrets_of

BELIEVED_SECONDS = 2.0
KNOWN_AT_MOST = 10_000
REMEMBERED_PATHS = 100
CORS = b"access-control-allow-origin"


@dataclass(frozen=True, slots=True)
class Entry:
    """One declared webhook or endpoint with its active secrets."""

    method: str
    pattern: re.Pattern[str]
    target: Webhook | Endpoint
    secrets: tuple[str, ...]
    accepted: Answer | None = None
    """What a webhook's accepted delivery is answered with, made once."""


@dataclass(slots=True)
class Door:
    """An opened connection, as far as requests from outside concern it.

    `connector` is pure (it has no host); None when the connection cannot be opened, for the reason in `problem`.
    """

    connection_id: UUID
    connector_id: str
    removed: bool
    connector: Connector[Any] | None
    secrets: tuple[str, ...]
    entries: tuple[Entry, ...]
    problem: str | None = None
    origin: bytes | None = None
    """The pages that may read what is answered (`Access-Control-Allow-Origin`), where the connector says so."""
    found: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def entry(self, method: str, path: str) -> Entry | frozenset[str]:
        """What answers this request; otherwise the methods that the path does take (empty: no such path)."""
        if known := self.found.get((method, path)):
            return known
        fitting = [entry for entry in self.entries if entry.pattern.fullmatch(path)]
        for entry in fitting:
            if entry.method == method:
                if len(self.found) < REMEMBERED_PATHS:
                    self.found[method, path] = entry
                return entry
        return frozenset(entry.method for entry in fitting)

    def readable(self, given: Answer) -> Answer:
        """The answer as a page may read it: to one that may not, a refusal looks like a broken network."""
        if self.origin is None or given.status < 400 or any(name == CORS for name, _ in given.headers):
            return given
        return replace(given, headers=[*given.headers, (CORS, self.origin)])


class Doors:
    """The doors of this process, by the connection's name."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._known: OrderedDict[str, tuple[float, Door | None]] = OrderedDict()
        self._opening: dict[str, asyncio.Task[Door | None]] = {}

    async def find(self, name: str) -> Door | None:
        """The door of a connection; None when there is none of that name."""
        known = self._known.get(name)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        if not NAME.match(name):
            return None
        opening = self._opening.get(name)
        if opening is None:
            opening = self._opening[name] = asyncio.create_task(self._open(name), name="open door")
            opening.add_done_callback(lambda _: self._opening.pop(name, None))
        return await asyncio.shield(opening)

    def forget(self, name: str) -> None:
        """Look the connection up again with the next request."""
        self._known.pop(name, None)

    async def _open(self, name: str) -> Door | None:
        async with self._kit.reading() as session:
            row = (await session.execute(select(Connection).where(Connection.name == name))).scalar_one_or_none()
        door = None if row is None else _opened(self._kit, row)
        self._known[name] = (time.monotonic() + BELIEVED_SECONDS, door)
        self._known.move_to_end(name)
        while len(self._known) > KNOWN_AT_MOST:
            self._known.popitem(last=False)
        return door


def _opened(kit: Kit, row: Connection) -> Door:
    removed = row.status == ConnectionStatus.REMOVED
    try:
        kind = registry.current().connector(row.connector)
        config = validated(kind, kit.vault.open(row.sealed_config))
    except HubError as error:
        return Door(row.id, row.connector, removed, None, (), (), problem=error.message)
    return Door(
        connection_id=row.id,
        connector_id=row.connector,
        removed=removed,
        connector=kind(config),
        secrets=tuple(secrets_of(config)),
        entries=tuple(_entries(kind.webhooks, kind.endpoints, config)),
        origin=_origin(kind.webhooks.values()),
    )


def _origin(webhooks: Iterable[Webhook]) -> bytes | None:
    """For which pages the connector's webhooks answer, if any do."""
    told = (
        value for webhook in webhooks for name, value in webhook.reply.headers.items() if name.lower() == CORS.decode()
    )
    return next((value.encode("latin-1") for value in told), None)


def _entries(webhooks: Mapping[str, Webhook], endpoints: Mapping[str, Endpoint], config: Any) -> Iterable[Entry]:
    for webhook in webhooks.values():
        accepted = answer(webhook.reply, "accepted")
        yield Entry("POST", _pattern(webhook.path), webhook, _active(webhook.secrets(config)), accepted)
    for endpoint in endpoints.values():
        yield Entry(endpoint.method, _pattern(endpoint.path), endpoint, _active(endpoint.secrets(config)))


def _active(secrets: Sequence[str]) -> tuple[str, ...]:
    """An empty secret verifies nothing: with it, anybody could sign."""
    return tuple(secret for secret in secrets if secret)


def _pattern(path: str) -> re.Pattern[str]:
    parts = (r"[^/\x00-\x1f\x7f]+" if part.startswith("{") else re.escape(part) for part in path.split("/"))
    return re.compile("/".join(parts))
