"""Notifications: what Intercom posts when something happens, and how it proves that it was Intercom.

`X-Hub-Signature: sha1=<hex HMAC-SHA1(client secret, raw body)>` covers no time, so a recorded delivery could be played
again for ever: the notification's own id is what a second one is known by.
https://developers.intercom.com/docs/references/webhooks/webhook-models
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from hub import sdk
from hub_intercom.models import moment

SIGNATURE = sdk.HexHmac("X-Hub-Signature", algorithm="sha1", prefix="sha1=")


@dataclass(frozen=True, slots=True)
class Unsigned:
    """For a request that carries nothing and learns nothing: Intercom does not sign its `HEAD`."""

    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        """Everybody may ask."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What happened (`conversation.user.replied`), to what, and when."""

    topic: str
    item: Mapping[str, Any]
    at: datetime | None


def parsed(body: bytes) -> Notification:
    """The notification in a body. Raises `ValueError` for what is none."""
    document = orjson.loads(body)
    if not isinstance(document, dict) or document.get("type") != "notification_event":
        raise ValueError("expected a notification (type: notification_event)")
    created = document.get("created_at")
    item = (document.get("data") or {}).get("item") or {}
    return Notification(str(document["topic"]), item, moment(created) if isinstance(created, int) else None)


def delivery_id(delivery: sdk.Delivery) -> str | None:
    """The notification's id; a ping has none."""
    document = orjson.loads(delivery.body)
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None
