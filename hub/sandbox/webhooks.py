"""Webhooks: signed deliveries of events, in whatever order and number a bad day brings.

`Stripe-Signature: t=…,v1=…[,v1=…]`, each `v1` the hex HMAC-SHA256 of `{t}.{raw body}`; two of them while a
secret is being rolled. Source: https://docs.stripe.com/webhooks/signature
"""

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx
import orjson

from hub.sandbox import faults as network
from hub.sandbox.books import Event
from hub.sandbox.chance import seeded
from hub.sandbox.faults import SKEW, Fault, Faults
from hub.sandbox.shapes import render

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Disorder:
    """How a row of deliveries is disturbed; shares are 0–1, drawn with `seed`.

    late: share of the events that come after all others. duplicated: share that comes twice. unordered:
    whether the whole row is shuffled.
    """

    late: float = 0.0
    duplicated: float = 0.0
    unordered: bool = False
    seed: int = 0

    def applied_to(self, events: Sequence[T]) -> list[T]:
        """What arrives, and when; each at least once."""
        rng = seeded(self.seed, "disorder")
        punctual: list[T] = []
        late: list[T] = []
        for event in events:
            (late if rng.random() < self.late else punctual).append(event)
        row = punctual + late
        for event in events:
            if rng.random() < self.duplicated:
                row.insert(rng.randint(row.index(event) + 1, len(row)), event)
        if self.unordered:
            rng.shuffle(row)
        return row


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt: the status of the answer, or None if none came."""

    event: str
    status: int | None

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def sign(secrets: Iterable[str], body: bytes, at: datetime) -> str:
    """The value of `Stripe-Signature` for this body at this time, with one `v1` for each secret."""
    t = int(at.timestamp())
    payload = f"{t}.".encode() + body
    signatures = (hmac.new(secret.encode(), payload, "sha256").hexdigest() for secret in secrets)
    return ",".join([f"t={t}", *(f"v1={signature}" for signature in signatures)])


@dataclass(slots=True)
class WebhookEndpoint:
    """A URL to which Stripe delivers. `rolled` is a second secret that signs too while secrets are changed."""

    url: str
    secret: str
    http: httpx.AsyncClient
    rolled: str | None = None
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    faults: Faults = field(default_factory=Faults)

    async def deliver(self, event: Event, *, signed_at: datetime | None = None) -> Delivery:
        """One attempt, signed now or at a time of one's choice (a stale or a future signature)."""
        body = orjson.dumps(render(event, event.api_version), option=orjson.OPT_INDENT_2)
        return Delivery(event.id, await self.post(body, signed_at=signed_at))

    async def post(self, body: bytes, *, signed_at: datetime | None = None) -> int | None:
        """Delivers any body with a good signature; the status of the answer, None if none came."""
        fault = self.faults.draw(httpx.URL(self.url).path)
        secrets = [secret for secret in (self.secret, self.rolled) if secret is not None]
        if fault is Fault.EXPIRED:
            secrets = ["whsec_of_another_endpoint"]
        at = (signed_at or self.clock()) + (SKEW if fault is Fault.CLOCK_SKEW else timedelta())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": sign(secrets, body, at),
        }
        request = self.http.build_request("POST", self.url, content=body, headers=headers)
        try:
            return (await network.send(self.http, request, fault)).status_code
        except httpx.TransportError:
            return None

    async def deliver_all(
        self, events: Sequence[Event], disorder: Disorder | None = None, *, attempts: int = 1
    ) -> list[Delivery]:
        """Delivers them one after another; what is refused comes again after the rest, up to `attempts` times."""
        due = (disorder or Disorder()).applied_to(events)
        deliveries: list[Delivery] = []
        for _ in range(attempts):
            refused = []
            for event in due:
                delivery = await self.deliver(event)
                deliveries.append(delivery)
                if not delivery.accepted:
                    refused.append(event)
            due = refused
        return deliveries
