"""`Stripe-Signature: t=…,v1=…[,v1=…]`: hex HMAC-SHA256 over `{t}.{raw body}`.

https://docs.stripe.com/webhooks#verify-manually
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub import sdk
from hub.sdk.errors import BadSignature


@dataclass(frozen=True, slots=True)
class StripeSignature:
    """Any `v1` may match any active secret; a time more than 300 s off, in the past or the future, is refused."""

    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        parts = [part.partition("=") for part in delivery.headers.get("stripe-signature", "").split(",")]
        times = [value for name, _, value in parts if name.strip() == "t"]
        given = [value.strip().encode("utf-8", "replace") for name, _, value in parts if name.strip() == "v1"]
        if len(times) != 1 or not given or not secrets:
            raise BadSignature("The header Stripe-Signature is missing or incomplete, or no secret is configured.")
        sdk.check_age(sdk.signed_at(times[0]), delivery.received_at)
        expected = [_signature(times[0], delivery.body, secret).encode() for secret in secrets]
        if not sdk.matches_any(expected, given):
            raise BadSignature("The signature does not fit the body.")

    def sign(self, delivery: sdk.Delivery, secret: str) -> sdk.Delivery:
        """The delivery as Stripe sends it."""
        at = str(int(delivery.received_at.timestamp()))
        header = f"t={at},v1={_signature(at, delivery.body, secret)}"
        return replace(delivery, headers={**delivery.headers, "stripe-signature": header})


def _signature(at: str, body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
