"""Webhooks: signed deliveries of events, repeated, forged and late on demand.

`X-Zendesk-Webhook-Signature`: base64 of HMAC-SHA256 over timestamp and body.
Source: https://developer.zendesk.com/documentation/webhooks/verifying/
"""

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import orjson

from hub.sandbox import faults as network
from hub.sandbox.faults import SKEW, Fault, Faults
from hub.sandbox.zendesk.desk import wire_time


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of this body at this time."""
    return base64.b64encode(hmac.new(secret.encode(), timestamp.encode() + body, "sha256").digest()).decode()


@dataclass(slots=True)
class ZendeskWebhook:
    """A webhook to a URL."""

    url: str
    secret: str
    http: httpx.AsyncClient
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    faults: Faults = field(default_factory=Faults)
    _made: Any = field(default_factory=lambda: count(1))

    def event(self, kind: str, row_id: int, action: str = "updated", separator: str = ":") -> dict[str, Any]:
        """An event about a row: `kind` is ticket, user or organization."""
        return {
            "type": f"zen:event-type{separator}{kind}.{action}",
            "account_id": 22_129_848,
            "id": f"01EVENT{next(self._made):019}",
            "time": wire_time(self.clock()),
            "zendesk_event_version": "2022-06-20",
            "subject": f"zen:{kind}:{row_id}",
            "detail": {"id": str(row_id), "updated_at": wire_time(self.clock())},
            "event": {},
        }

    def merged(self, winner: int, loser: int) -> dict[str, Any]:
        """The event of a merge of two users."""
        return self.event("user", loser, "merged", "/") | {"event": {"user": {"id": str(winner)}}}

    async def deliver(self, event: dict[str, Any], *, signed_at: datetime | None = None) -> int | None:
        """One attempt; the status of the answer, None if none came."""
        body = orjson.dumps(event)
        fault = self.faults.draw(httpx.URL(self.url).path)
        timestamp = wire_time((signed_at or self.clock()) + (SKEW if fault is Fault.CLOCK_SKEW else timedelta()))
        secret = "the secret of another webhook" if fault is Fault.EXPIRED else self.secret
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Zendesk-Account-Id": str(event["account_id"]),
            "X-Zendesk-Webhook-Id": "01WEBHOOK",
            "X-Zendesk-Webhook-Invocation-Id": f"inv-{event['id']}",
            "X-Zendesk-Webhook-Signature": sign(secret, timestamp, body),
            "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
        }
        request = self.http.build_request("POST", self.url, content=body, headers=headers)
        try:
            return (await network.send(self.http, request, fault)).status_code
        except httpx.TransportError:
            return None
