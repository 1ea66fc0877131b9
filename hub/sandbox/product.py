"""The product double: the customer's own product with the hub's in-app script in it, played by an HTTP client.

For each end user the script asks for messages and reports what became of them. It proves who the user is by
an HMAC of the user's id, made with the connection's secret on the product's server: `X-Hub-User-Signature`.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx
import orjson
from pydantic import BaseModel, ConfigDict

from hub.sandbox import faults as network
from hub.sandbox.chance import seeded
from hub.sandbox.faults import Fault, Faults
from hub.sandbox.messages import wire_time

SIGNATURE_HEADER: Final = "X-Hub-User-Signature"


class Reaction(StrEnum):
    SHOWN = "shown"
    CLICKED = "clicked"
    DISMISSED = "dismissed"
    ANSWERED = "answered"


class InAppMessage(BaseModel):
    """A message as the hub hands it out."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    title: str
    body: str
    kind: str
    url: str | None = None


class _Inbox(BaseModel):
    messages: list[InAppMessage]


@dataclass(frozen=True, slots=True)
class Report:
    """What a user did with a message. `id` follows from the two and the reaction: resent, it is the same report."""

    id: UUID
    type: Reaction
    message: str
    user: str
    at: datetime
    answer: str | int | None = None

    def as_json(self) -> dict[str, Any]:
        body = {"id": str(self.id), "type": self.type.value, "message": self.message, "user": self.user}
        answer = {} if self.answer is None else {"answer": self.answer}
        return body | {"at": wire_time(self.at)} | answer


@dataclass(slots=True)
class Product:
    """A product in which the in-app connection's script runs. `hub` is the hub's base URL, without `/in/…`.

    What users do with a message is drawn with `seed`; `clock` gives the time of it.
    """

    hub: str
    connection: str
    secret: str
    http: httpx.AsyncClient
    seed: int = 0
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    faults: Faults = field(default_factory=Faults)
    _seen: set[tuple[str, str]] = field(default_factory=set, init=False)

    async def messages(self, user: str) -> list[InAppMessage]:
        """What waits for this user. Raises httpx.HTTPStatusError when refused, ValidationError for nonsense."""
        response = await self._send("GET", "messages", user, params={"user": user})
        return _Inbox.model_validate_json(response.raise_for_status().content).messages

    async def report(self, user: str, message: str, reaction: Reaction, answer: str | int | None = None) -> Report:
        """Reports what the user did. Raises httpx.HTTPStatusError when refused, httpx.TransportError when lost."""
        name = f"{self.connection}/{message}/{user}/{reaction}"
        report = Report(uuid5(NAMESPACE_URL, name), reaction, message, user, self.clock(), answer)
        response = await self._send("POST", "events", user, content=orjson.dumps(report.as_json()))
        response.raise_for_status()
        return report

    async def visit(self, users: Iterable[str]) -> list[Report]:
        """Lets these users look once: each sees the messages that are new to it and reacts to some of them."""
        reports = []
        for user in users:
            for message in await self.messages(user):
                if (user, message.id) not in self._seen:
                    reports += await self._look(user, message)
                    self._seen.add((user, message.id))
        return reports

    async def _look(self, user: str, message: InAppMessage) -> list[Report]:
        reports = [await self.report(user, message.id, Reaction.SHOWN)]
        rng = seeded(self.seed, user, message.id)
        if message.kind in ("survey", "question"):
            answer = rng.randint(0, 10)
            return [*reports, await self.report(user, message.id, Reaction.ANSWERED, answer)]
        reaction = rng.choice((Reaction.CLICKED, Reaction.CLICKED, Reaction.DISMISSED, None))
        if reaction is not None:
            reports.append(await self.report(user, message.id, reaction))
        return reports

    async def _send(self, method: str, what: str, user: str, **content: Any) -> httpx.Response:
        fault = self.faults.draw(f"/in/{self.connection}/{what}")
        secret = "expired" if fault is Fault.EXPIRED else self.secret
        headers = {SIGNATURE_HEADER: user_signature(secret, user), "Content-Type": "application/json"}
        url = f"{self.hub.removesuffix('/')}/in/{self.connection}/{what}"
        request = self.http.build_request(method, url, headers=headers, **content)
        return await network.send(self.http, request, fault)


def user_signature(secret: str, user: str) -> str:
    """The value of the signature header for this user."""
    return hmac.new(secret.encode(), user.encode(), "sha256").hexdigest()
