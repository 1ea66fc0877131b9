"""A vendor that counts: its connector, and the service behind it, which knows every effect it ever had."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel, SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub import sdk
from hub.connections.registry import Registry
from hub.kit.loopback import serve
from hub.sdk.errors import Rejected


class Config(BaseModel):
    """Where the service is."""

    url: str
    token: SecretStr = SecretStr("not much of a secret")


class Letter(BaseModel):
    """What is sent."""

    user: str | None = None
    title: str
    body: str = ""


class Sent(BaseModel):
    """That it was sent."""

    number: int


class Pigeon(sdk.Connector[Config]):
    """Sends letters: `send` knows its idempotency key, `shout` does not."""

    id = "pigeon"
    name = "Pigeon"
    Config = Config
    rate = sdk.Rate(per_second=10_000)

    @classmethod
    def hosts(cls, config: Config) -> Sequence[str]:
        return [config.url]

    @sdk.action(input=Letter, output=Sent, idempotency="native", emits="message.sent", touch=True)
    async def send(self, letter: Letter, key: str) -> Sent:
        """Send a letter; the same key again sends none."""
        return self._sent(await self.http.post("/letters", json=letter.model_dump(), headers={"idempotency-key": key}))

    @sdk.action(input=Letter, output=Sent, idempotency="none", emits="message.sent", touch=True)
    async def shout(self, letter: Letter, key: str) -> Sent:
        """Send a letter, whatever was sent before."""
        return self._sent(await self.http.post("/letters", json=letter.model_dump()))

    def _sent(self, response: Any) -> Sent:
        if response.status_code >= 400:
            raise Rejected(response.json()["error"])
        return Sent.model_validate(response.json())

    async def check(self) -> str:
        """The vendor's name for us."""
        return str((await self.http.get("/whoami")).json()["tenant"])


class Loft:
    """The service behind `Pigeon`.

    `letters` are the effects in their order, `tries` the requests by idempotency key. `moods` are what becomes of the
    next requests: `down` (503), `pause` (429), `no` (422), `lost` (the effect, and then a fault).
    """

    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = []
        self.effects: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.moods: deque[str] = deque()
        self.seconds = 0.0
        self.app = Starlette(routes=[Route("/letters", self._letter, methods=["POST"]), Route("/whoami", self._whoami)])

    async def _whoami(self, request: Request) -> Response:
        return JSONResponse({"tenant": "loft-1"})

    async def _letter(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key", "")
        self.tries[key] += 1
        mood = self.moods.popleft() if self.moods else "fine"
        if mood == "down":
            return JSONResponse({"error": "closed"}, 503)
        if mood == "pause":
            return JSONResponse({"error": "slowly"}, 429, headers={"retry-after": "120"})
        if mood == "no":
            return JSONResponse({"error": "This address does not exist."}, 422)
        await asyncio.sleep(self.seconds / 2)
        if not key or not self.effects[key]:
            self.letters.append({**await request.json(), "key": key})
            self.effects[key] += 1
        await asyncio.sleep(self.seconds / 2)
        if mood == "lost":
            return JSONResponse({"error": "something broke"}, 500)
        return JSONResponse({"number": len(self.letters)})


@asynccontextmanager
async def loft() -> AsyncIterator[tuple[Loft, str]]:
    """The service on a port of this machine, and its address."""
    service = Loft()
    async with serve(service.app) as url:
        yield service, url


REGISTRY = Registry.of(Pigeon)
