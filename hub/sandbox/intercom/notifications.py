"""Notifications: signed deliveries of what happens in a workspace, with whatever disorder a bad day brings.

`X-Hub-Signature: sha1=<hex HMAC-SHA1(client secret, raw body)>`; no time is signed.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import orjson

from hub.sandbox import faults as network
from hub.sandbox.faults import Fault, Faults
from hub.sandbox.intercom import shapes
from hub.sandbox.intercom.workspace import Happened, Workspace
from hub.sandbox.webhooks import Delivery, Disorder


def sign(secret: str, body: bytes) -> str:
    """The value of `X-Hub-Signature`."""
    return f"sha1={hmac.new(secret.encode(), body, 'sha1').hexdigest()}"


@dataclass(slots=True)
class NotificationEndpoint:
    """A URL to which Intercom posts what happens."""

    url: str
    secret: str
    http: httpx.AsyncClient
    workspace: Workspace
    faults: Faults = field(default_factory=Faults)

    async def deliver(self, happened: Happened) -> Delivery:
        """One attempt."""
        body = orjson.dumps(shapes.notification(self.workspace, happened))
        return Delivery(happened.id, await self.post(body))

    async def post(self, body: bytes) -> int | None:
        """Delivers any body with a good signature; the status of the answer, None if none came."""
        fault = self.faults.draw(httpx.URL(self.url).path)
        secret = "of another app" if fault is Fault.EXPIRED else self.secret
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "intercom-webhook-service",
            "X-Hub-Signature": sign(secret, body),
        }
        request = self.http.build_request("POST", self.url, content=body, headers=headers)
        try:
            return (await network.send(self.http, request, fault)).status_code
        except httpx.TransportError:
            return None

    async def deliver_all(self, happened: Sequence[Happened], disorder: Disorder | None = None) -> list[Delivery]:
        """Delivers them one after another; what is refused comes a second time after the rest, as Intercom has it."""
        refused: list[Happened] = []
        deliveries: list[Delivery] = []
        for one in (disorder or Disorder()).applied_to(happened):
            deliveries.append(await self.deliver(one))
            if not deliveries[-1].accepted:
                refused.append(one)
        return deliveries + [await self.deliver(one) for one in refused]
