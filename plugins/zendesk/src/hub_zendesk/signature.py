"""`X-Zendesk-Webhook-Signature`: base64 of HMAC-SHA256 over the timestamp, as it is written, and the raw body.

Older documentation has body and timestamp the other way round: such a signature is refused.
https://developer.zendesk.com/documentation/webhooks/verifying/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hub import sdk
from hub.sdk.errors import BadSignature

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"


@dataclass(frozen=True, slots=True)
class ZendeskSignature:
    """Any active secret may have signed; a time more than 300 s off, in the past or the future, is refused."""

    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        given, written = delivery.headers.get(SIGNATURE), delivery.headers.get(TIMESTAMP)
        if not given or not written or not secrets:
            raise BadSignature("A header of the signature is missing, or no secret is configured.")
        sdk.check_age(_moment(written), delivery.received_at)
        signed = written.encode("utf-8", "replace") + delivery.body
        expected = [_signature(key, signed) for key in secrets]
        if not sdk.matches_any(expected, [given.encode("utf-8", "replace")]):
            raise BadSignature("The signature does not fit the body.")

    def sign(self, delivery: sdk.Delivery, secret: str) -> sdk.Delivery:
        """The delivery with both headers."""
        written = delivery.received_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        signature = _signature(secret, written.encode() + delivery.body).decode()
        return replace(delivery, headers={**delivery.headers, SIGNATURE: signature, TIMESTAMP: written})


def _signature(secret: str, signed: bytes) -> bytes:
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())


def _moment(written: str) -> datetime:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise BadSignature("The signature's timestamp is no time in ISO 8601.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
