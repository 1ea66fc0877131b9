"""`graphql-transport-ws`: many operations over one connection. The older protocol `graphql-ws` is not spoken.

Browsers cannot set headers on a WebSocket, so the key may also come in the payload of `connection_init`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UNSET, UnsetType

from hub.graphql.context import Context, Gate
from hub.graphql.credentials import BearerKey, KeyRing, bearer_key
from hub.graphql.http import MOST_BODY_BYTES, checked
from hub.graphql.metrics import subscriptions
from hub.graphql.schema import HubSchema
from hub.graphql.trusted import Trusted
from hub.kit.runtime import Kit

MOST_OPERATIONS = 50
"""Operations that one connection may have open."""


@dataclass(slots=True)
class Socket:
    """A client on a WebSocket."""

    kit: Kit
    ring: KeyRing
    turns: asyncio.Semaphore
    gate: Gate
    request_id: str
    authorization: str | None
    connection_params: dict[str, Any] = field(default_factory=dict)
    """The payload of `connection_init`; Strawberry sets it."""
    key: BearerKey | None = None

    async def authenticate(self) -> None:
        """Find out who it is. Raises `GraphQLError` (UNAUTHENTICATED)."""
        given = {name.lower(): value for name, value in self.connection_params.items()}.get("authorization")
        self.key = bearer_key(self.ring, given if isinstance(given, str) else self.authorization)
        await self.key.viewer()

    async def context(self) -> Context:
        """The context of the next operation."""
        key = self.key or bearer_key(self.ring, self.authorization)
        return Context(self.kit, key, await key.viewer(), request_id=self.request_id, turns=self.turns, gate=self.gate)


class SocketEndpoint(GraphQL[Socket, None]):
    """The ASGI application at `/graphql`, for WebSockets."""

    def __init__(self, kit: Kit, schema: HubSchema, ring: KeyRing, turns: asyncio.Semaphore, gate: Gate) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            max_subscriptions_per_connection=MOST_OPERATIONS,
            allowed_origins=kit.settings.cors_origins,
        )
        self._kit = kit
        self._ring = ring
        self._turns = turns
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        with subscriptions.labels("websocket").track_inprogress():
            await super().__call__(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Socket:
        """The client, before it has said who it is."""
        request_id = request.scope.get("request_id", "")
        return Socket(self._kit, self._ring, self._turns, self._gate, request_id, request.headers.get("authorization"))

    async def on_ws_connect(self, context: Socket) -> UnsetType:
        """Answer `connection_init`; who is not known is sent away with 4403."""
        try:
            await context.authenticate()
        except GraphQLError:
            raise ConnectionRejectionError from None
        return cast("UnsetType", UNSET)

    def decode_json(self, data: str | bytes) -> object:
        """One message. What is none, or longer than HTTP takes, ends the connection with 4400."""
        message = orjson.loads(data) if len(data) <= MOST_BODY_BYTES else None
        if not isinstance(message, dict) or not _is_sound(message, self._gate.trusted):
            raise orjson.JSONDecodeError("not a message of graphql-transport-ws", "", 0)
        return message

    def encode_json(self, data: object) -> str:
        """One message, as a text frame."""
        return orjson.dumps(data).decode()


def _is_sound(message: dict[str, Any], trusted: Trusted) -> bool:
    """Whether a message has the parts that its type calls for; a trusted document is put in by its text."""
    if message.get("type") != "subscribe":
        return True
    payload = message.get("payload")
    try:
        asked = checked(payload, trusted)
    except GraphQLError:
        return False
    message["payload"] = {**cast("dict[str, Any]", payload), "query": asked.query}
    return isinstance(message.get("id"), str)
