"""Webhooks: a delivery's life, and the signature schemes that come ready-made.

The host does: size cap → raw bytes → signature → duplicate check → store → 2xx → job → `receive` → `normalize`.
A scheme verifies over the raw bytes, in constant time, against every active secret (two during a rotation).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from hub.sdk.errors import BadSignature, Misconfigured

TOLERANCE = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request from a vendor: header names in lower case, the body after any Content-Encoding.

    `path` is what follows the connection's name, e.g. `v1/batch`. A signature, `accept` and an endpoint see all of it.
    `receive` sees what was stored: no query, and no header that carries a credential or a signature.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the vendor gets back; `body` is sent as JSON, or as it is when it is bytes (name their content-type)."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Signature(Protocol):
    """A signature scheme: returns when the delivery is genuine, raises `BadSignature` when it is not."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None: ...


@runtime_checkable
class Signing(Protocol):
    """A scheme that can also do the vendor's part, for the conformance kit and `hub plugin send`."""

    def sign(self, delivery: Delivery, secret: str) -> Delivery:
        """The delivery with all that makes it genuine at its `received_at`."""
        ...


def signed_at(seconds: str) -> datetime:
    """Unix seconds as an aware time; `BadSignature` when they are not a number."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise BadSignature("The signature's timestamp is not a unix time.") from None


def check_age(at: datetime, now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """`BadSignature` for a timestamp more than `tolerance` away from `now`, in the past or in the future."""
    if abs(now - at) > tolerance:
        raise BadSignature(f"The signature's timestamp is more than {tolerance.seconds} seconds off.")


def matches_any(expected: Sequence[bytes], given: Sequence[bytes]) -> bool:
    """Whether any given signature equals any expected one; every pair is compared, in constant time."""
    found = False
    for one in expected:
        for other in given:
            found |= hmac.compare_digest(one, other)
    return found


@dataclass(frozen=True, slots=True)
class HexHmac:
    """`header: [prefix]<hex HMAC(secret, body)>`, as Intercom (`sha1=`), GitHub (`sha256=`) and many others do."""

    header: str
    algorithm: str = "sha256"
    prefix: str = ""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        given = delivery.headers.get(self.header.lower(), "")
        if not given.startswith(self.prefix) or not given:
            raise BadSignature(f"The header {self.header} is missing.")
        expected = [hmac.new(key.encode(), delivery.body, self.algorithm).hexdigest().encode() for key in secrets]
        if not matches_any(expected, [given.removeprefix(self.prefix).lower().encode()]):
            raise BadSignature("The signature does not fit the body.")

    def sign(self, delivery: Delivery, secret: str) -> Delivery:
        """The delivery with its header."""
        signature = hmac.new(secret.encode(), delivery.body, self.algorithm).hexdigest()
        return replace(delivery, headers={**delivery.headers, self.header.lower(): self.prefix + signature})


@dataclass(frozen=True, slots=True)
class StandardWebhooks:
    """Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64> …`.

    HMAC-SHA256 over `{id}.{timestamp}.{body}`; a secret is base64, with or without `whsec_`.
    """

    tolerance: timedelta = TOLERANCE

    def headers(self, message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
        """The three headers of a message that is sent, signed with each secret: two while one is rotated.

        Raises `Misconfigured` for a secret that is not base64.
        """
        seconds = str(int(at.timestamp()))
        return {
            "webhook-id": message_id,
            "webhook-timestamp": seconds,
            "webhook-signature": " ".join(f"v1,{one}" for one in _signatures(message_id, seconds, body, secrets)),
        }

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        try:
            message_id = delivery.headers["webhook-id"]
            timestamp = delivery.headers["webhook-timestamp"]
            signatures = delivery.headers["webhook-signature"]
        except KeyError as missing:
            raise BadSignature(f"The header {missing.args[0]} is missing.") from None
        check_age(signed_at(timestamp), delivery.received_at, self.tolerance)
        expected = [one.encode() for one in _signatures(message_id, timestamp, delivery.body, secrets)]
        given = [one.removeprefix("v1,").encode() for one in signatures.split() if one.startswith("v1,")]
        if not matches_any(expected, given):
            raise BadSignature("The signature does not fit the body.")

    def sign(self, delivery: Delivery, secret: str) -> Delivery:
        """The delivery with its three headers; a `webhook-id` that it has stays, another follows from the body."""
        message_id = delivery.headers.get("webhook-id", f"msg_{hashlib.sha256(delivery.body).hexdigest()[:24]}")
        signed = self.headers(message_id, delivery.received_at, delivery.body, [secret])
        return replace(delivery, headers={**delivery.headers, **signed})


def _signatures(message_id: str, timestamp: str, body: bytes, secrets: Sequence[str]) -> list[str]:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return [base64.b64encode(hmac.new(_decoded(key), signed, hashlib.sha256).digest()).decode() for key in secrets]


def _decoded(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise Misconfigured("The webhook's secret is not base64; copy it again, as it is, with its whsec_.") from None
