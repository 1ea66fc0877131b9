"""A receiver of outgoing webhooks: it verifies with the unmodified library, keeps what arrives, and answers as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.kit.loopback import serve


@dataclass
class Endpoint:
    """`answers` are given first, then 204. `secret` is what it verifies with; `hold` seconds before it answers.

    `later`: the hub's time has been moved away from the machine's."""

    secret: str
    answers: list[Response] = field(default_factory=list)
    hold: float = 0.0
    messages: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    url: str = ""
    later: bool = False

    @property
    def positions(self) -> list[int]:
        """Which facts arrived, in the order of arrival."""
        return [message["position"] for message in self.messages]

    async def _take(self, request: Request) -> Response:
        body, headers = await request.body(), dict(request.headers)
        message = self._verified(body, headers)
        self.messages.append(message)
        self.ids.append(headers["webhook-id"])
        self.headers.append(headers)
        await asyncio.sleep(self.hold)
        if self.answers:
            return self.answers.pop(0)
        self.accepted.append(message["position"])
        return Response(status_code=204)

    def _verified(self, body: bytes, headers: dict[str, str]) -> Any:
        """The message; raises the library's error. It only knows the machine's clock, so later it is asked to sign."""
        if not self.later:
            return Webhook(self.secret).verify(body, headers)
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        signature = Webhook(self.secret).sign(headers["webhook-id"], at, body.decode())
        if signature not in headers["webhook-signature"].split():
            raise WebhookVerificationError("the signature is another one")
        return orjson.loads(body)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Endpoint]:
        """Receives at `url` until the block is left."""
        app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])
        async with serve(app) as base:
            self.url = f"{base}/hook"
            yield self
