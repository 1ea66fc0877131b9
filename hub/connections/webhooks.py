"""The intake: requests from vendors and from a connector's own end users, at `/in/<connection>/<path>`.

A delivery is stored, raw, before it is answered, and read afterwards by a job: size cap → raw bytes → signature →
`accept` → duplicate check and durable storing in one → the webhook's reply. What is refused is answered with a reason,
counted, and not looked at further. Each request costs no query: see `doors` and `deliveries`.

A paused connection goes on taking deliveries: pausing stops what the hub asks of a vendor, not what the vendor says.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import cast
from urllib.parse import parse_qsl

import asyncpg
import orjson
import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Receive, Scope, Send

from hub.connections import metrics
from hub.connections.answers import Answer, answer, refuse
from hub.connections.bodies import read_body
from hub.connections.compression import pack
from hub.connections.deliveries import GroupCommit, Incoming, Unstorable
from hub.connections.doors import Door, Doors, Entry
from hub.connections.hosting import hosted
from hub.connections.lists import DELIVERIES
from hub.connections.mailbox import SqlMailbox
from hub.connections.pace import Pace, buckets
from hub.kit.ids import new_id
from hub.kit.log import SECRET_FIELD
from hub.kit.runtime import Kit
from hub.sdk.connector import Endpoint, Webhook
from hub.sdk.errors import BadSignature, ConnectorError, Misconfigured, Rejected, Unavailable
from hub.sdk.secrecy import printable
from hub.sdk.webhooks import Delivery

log = structlog.get_logger()

NUDGE_EVERY_SECONDS = 0.05
LONGEST_DELIVERY_ID = 200
SECRET_PART = "{secret}"  # noqa: S105  # the name of a part, not a secret
"""A part of the path that is a credential: it is verified, and never stored."""

ENDPOINT_BYTES = 100_000
ENDPOINT_SECONDS = 20.0
RETRY_LATER_SECONDS = 5

NOT_STORED = frozenset(
    {"accept", "accept-encoding", "accept-language", "connection", "content-encoding", "content-length", "host"}
    | {"keep-alive", "transfer-encoding", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "forwarded", "via"}
)


class Intake:
    """The ASGI application for `/in/…`; one for each process, closed when the process ends.

    It may be mounted, or called before any routing and middleware: then a delivery costs a fifth less.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._doors = Doors(kit)
        self._commits = GroupCommit(kit.database, self._stored)
        self._unannounced = False
        self._announcing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (await self._answer(scope, receive)).send(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1003})

    async def close(self) -> None:
        """Wait until everything taken is stored and its readers are woken."""
        await self._commits.close()
        if self._announcing is not None:
            await self._announcing

    def forget(self, connection: str) -> None:
        """Look a connection up again with its next request: its secrets were changed here."""
        self._doors.forget(connection)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        name, _, path = _below(scope).partition("/")
        try:
            door = await self._doors.find(name)
        except (SQLAlchemyError, OSError) as error:
            return _unavailable("", name, error)
        if door is None:
            return _counted("", refuse(404, "unknown_connection", "There is no connection of that name."))
        if door.removed:
            return _counted(door.connector_id, refuse(410, "removed", "The connection was removed."))
        if door.connector is None:
            log.warning("intake.cannot_open", connection=name, problem=door.problem)
            return _counted(door.connector_id, _later("cannot_open", "The connection cannot be opened at the moment."))
        entry = door.entry(scope["method"], path)
        if isinstance(entry, frozenset):
            return _counted(door.connector_id, door.readable(_no_entry(entry)))
        found = await self._enter(scope, receive, door, entry, path)
        if isinstance(found, Incoming):
            found = await self._store(door, entry, cast("Webhook", entry.target), found)
        return _counted(door.connector_id, door.readable(found))

    async def _enter(self, scope: Scope, receive: Receive, door: Door, entry: Entry, path: str) -> Answer | Incoming:
        """A request whose entry is known: read it, verify it, and answer it, or make it ready to be stored."""
        webhook = entry.target if isinstance(entry.target, Webhook) else None
        headers = _headers(scope["headers"])
        cap = min(webhook.max_bytes, self._kit.settings.max_body_bytes) if webhook else ENDPOINT_BYTES
        body = await read_body(headers, receive, cap)
        if isinstance(body, Answer):
            return body
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"))) if scope["query_string"] else {}
        delivery = Delivery(path, headers, body, self._kit.clock.now(), entry.method, query)
        try:
            entry.target.signature.verify(delivery, entry.secrets)
            refused = webhook.accept(delivery) if webhook else None
            refusal = None if refused is None else answer(refused, "not_accepted")
        except BadSignature as error:
            return refuse(401, "bad_signature", printable(error.message, door.secrets))
        except Exception as error:  # a bug in one connector must not look like one of the hub
            return _failed(door, entry, error)
        if refusal is not None:
            return refusal
        if webhook is not None:
            return _incoming(door, webhook, delivery)
        return await self._reply(door, cast("Endpoint", entry.target), delivery)

    async def _store(self, door: Door, entry: Entry, webhook: Webhook, incoming: Incoming) -> Answer:
        try:
            new = await self._commits.store(incoming)
        except Unstorable as error:
            return refuse(400, "unstorable", str(error))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError, OSError) as error:
            return _unavailable(door.connector_id, webhook.name, error)
        return entry.accepted if new and entry.accepted else answer(webhook.reply, "duplicate")

    async def _reply(self, door: Door, endpoint: Endpoint, delivery: Delivery) -> Answer:
        """Have the connector answer one of its own end users."""
        assert door.connector is not None  # noqa: S101  # a door without one has no entries
        kind, kit = type(door.connector), self._kit
        try:
            async with (
                asyncio.timeout(ENDPOINT_SECONDS),
                hosted(
                    kind,
                    door.connector.config,
                    mailbox=SqlMailbox(kit.transaction, door.connection_id, kit.clock),
                    pace=Pace(buckets(door.connection_id, kind.rate, backfill=False), kit.queue.redis),
                    clock=kit.clock,
                ) as (connector, _),
            ):
                return answer(await endpoint.answer(connector, delivery), "answered")
        except Rejected as error:
            return refuse(400, "rejected", printable(error.message, door.secrets))
        except BadSignature as error:
            return refuse(401, "bad_signature", printable(error.message, door.secrets))
        except (Unavailable, TimeoutError, SQLAlchemyError, OSError) as error:
            return _unavailable(door.connector_id, endpoint.name, error)
        except Exception as error:  # as above: one connector's bug
            return _failed(door, endpoint, error)

    def _stored(self) -> None:
        self._unannounced = True
        if self._announcing is None or self._announcing.done():
            self._announcing = asyncio.create_task(self._announce(), name="announce deliveries")

    async def _announce(self) -> None:
        """Wake the readers at once, then at most every so often: what is stored meanwhile shares a nudge."""
        while self._unannounced:
            self._unannounced = False
            await self._kit.queue.nudge(DELIVERIES)
            await asyncio.sleep(NUDGE_EVERY_SECONDS)


def _incoming(door: Door, webhook: Webhook, delivery: Delivery) -> Incoming:
    """The delivery as it is stored. It is packed here and now, while the processor has the body at hand; whoever waits
    for the database holds on to a fraction of it."""
    return Incoming(
        id=new_id(),
        connection_id=door.connection_id,
        webhook=webhook.name,
        delivery_id=_delivery_id(webhook, delivery),
        path=webhook.path if SECRET_PART in webhook.path else delivery.path,
        headers=orjson.dumps(to_store(delivery.headers)).decode(),
        body=pack(webhook.kept(delivery.body) if webhook.kept else delivery.body),
        received_at=delivery.received_at,
    )


def to_store(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth keeping: none that carries a credential, none that only moved the bytes."""
    return {name: value for name, value in headers.items() if _is_kept(name)}


@lru_cache(maxsize=1_000)
def _is_kept(name: str) -> bool:
    return name not in NOT_STORED and not SECRET_FIELD.search(name)


def _below(scope: Scope) -> str:
    """The path below `/in/`, whether this application is mounted there or called with the whole path."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"].removeprefix(root)
    return (path if root.endswith("/in") else path.removeprefix("/in")).lstrip("/")


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _delivery_id(webhook: Webhook, delivery: Delivery) -> str | None:
    """The delivery's name; a digest of one that is too long or cannot be a text in PostgreSQL."""
    try:
        found = webhook.delivery_id(delivery)
    except Exception:  # the body is not what the connector expects: it is genuine, so it is kept for a person to see
        return None
    if found is None or (len(found) <= LONGEST_DELIVERY_ID and found.isprintable()):
        return found
    return "sha256:" + hashlib.sha256(found.encode("utf-8", "surrogatepass")).hexdigest()


def _no_entry(methods: frozenset[str]) -> Answer:
    if not methods:
        return refuse(404, "unknown_path", "The connection has no such path.")
    return refuse(405, "wrong_method", "The path does not take this method.", allow=", ".join(sorted(methods)))


def _later(code: str, message: str) -> Answer:
    return refuse(503, code, message, retry_after=str(RETRY_LATER_SECONDS))


def _unavailable(connector_id: str, name: str, error: Exception) -> Answer:
    log.warning("intake.unavailable", connector=connector_id, name=name, error=type(error).__name__)
    return _later("unavailable", "This cannot be done now; try again.")


def _failed(door: Door, entry: Entry | Endpoint, error: Exception) -> Answer:
    """A connector that cannot verify or answer: its vendor is asked to come again, the log says why."""
    name = entry.target.name if isinstance(entry, Entry) else entry.name
    message = error.message if isinstance(error, ConnectorError) else f"{type(error).__name__}: {error}"
    log.error(
        "intake.connector_failed", connector=door.connector_id, entry=name, reason=printable(message, door.secrets)
    )
    if isinstance(error, Misconfigured):
        return _later("misconfigured", "The connection is not configured for this.")
    return refuse(500, "connector_failed", "The connector failed over this request; the log says why.")


def _counted(connector_id: str, result: Answer) -> Answer:
    _counter(connector_id, result.outcome).inc()
    return result


@lru_cache(maxsize=1_000)
def _counter(connector_id: str, outcome: str) -> Counter:
    return metrics.deliveries.labels(connector_id, outcome)
