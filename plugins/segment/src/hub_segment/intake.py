"""How Segment's deliveries arrive: the source API's write key, its limits, and the destination's signature."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import orjson

from hub import sdk
from hub.sdk.errors import BadSignature

CALLS = frozenset({"identify", "track", "page", "screen", "group", "alias", "batch", "import"})
MAX_EVENT_BYTES = 32 * 1024
MAX_BATCH_BYTES = 500 * 1024
MAX_BATCH_EVENTS = 2_500


def parse(body: bytes) -> Any:
    """JSON as clients send it: also with lone surrogates, which the fast parser refuses.

    Raises `ValueError` for what is not JSON, or is nested deeper than the parser goes.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_tolerantly(body)


def _parse_tolerantly(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("the body is not UTF-8") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True, slots=True)
class WriteKey:
    """`Authorization: Basic base64(writeKey:)`, or `writeKey` in the body where a client leaves the header out.

    Only in the second case is the body parsed before the sender is known: the specification leaves no other way.
    """

    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        given = self._from_header(delivery) if "authorization" in delivery.headers else self._from_body(delivery)
        if not given or not sdk.matches_any([key.encode() for key in secrets], [given.encode("utf-8", "replace")]):
            raise BadSignature("The write key is not this connection's.")

    def sign(self, delivery: sdk.Delivery, secret: str) -> sdk.Delivery:
        """The delivery with the write key in its header, as current clients send it."""
        credentials = base64.b64encode(f"{secret}:".encode()).decode()
        return replace(delivery, headers={**delivery.headers, "authorization": f"Basic {credentials}"})

    @staticmethod
    def _from_header(delivery: sdk.Delivery) -> str:
        scheme, _, encoded = delivery.headers["authorization"].partition(" ")
        if scheme.lower() != "basic":
            raise BadSignature("The source API authenticates by Basic auth with the write key as the user name.")
        try:
            return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            raise BadSignature("The Authorization header is not valid Basic auth.") from None

    @staticmethod
    def _from_body(delivery: sdk.Delivery) -> str:
        try:
            document = parse(delivery.body)
        except ValueError:
            raise BadSignature("There is no write key: neither in the header nor in a JSON body.") from None
        key = document.get("writeKey") if isinstance(document, dict) else None
        return key if isinstance(key, str) else ""


@dataclass(frozen=True, slots=True)
class FirstElementHmac:
    """`X-Signature`: hex HMAC-SHA1 over the body, or, of a batch, over the raw bytes of its first element alone.

    The later elements are not signed: they are believed because the first one proved who sent the batch.
    https://segment.com/docs/connections/destinations/catalog/actions-webhook/
    """

    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        given = delivery.headers.get("x-signature", "").lower()
        if not given or not secrets:
            raise BadSignature("The header X-Signature is missing, or the connection has no shared secret.")
        signed = first_element(delivery.body)
        expected = [hmac.new(key.encode(), signed, hashlib.sha1).hexdigest().encode() for key in secrets]
        if not sdk.matches_any(expected, [given.encode("utf-8", "replace")]):
            raise BadSignature("The signature does not fit the body.")

    def sign(self, delivery: sdk.Delivery, secret: str) -> sdk.Delivery:
        """The delivery as Segment forwards it."""
        signature = hmac.new(secret.encode(), first_element(delivery.body), hashlib.sha1).hexdigest()
        return replace(delivery, headers={**delivery.headers, "x-signature": signature})


def first_element(body: bytes) -> bytes:
    """The raw bytes of element 0 of a JSON array; the whole body when it is not one.

    They are cut out, not serialised again: that would not give the same bytes.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise BadSignature("The body is not UTF-8.") from None
    start = len(text) - len(text.lstrip(" \t\r\n"))
    if not text.startswith("[", start):
        return body
    start += 1
    start += len(text[start:]) - len(text[start:].lstrip(" \t\r\n"))
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        raise BadSignature("The body is not a JSON array.") from None
    return text[start:end].encode()


def refuse(delivery: sdk.Delivery) -> sdk.Reply | None:
    """What the source API answers at once: 404 for an unknown call, 400 for bad JSON or anything over its limits."""
    if delivery.path.rpartition("/")[2] not in CALLS:
        return sdk.Reply(404, {"success": False, "message": f"{delivery.path} is not a call of the source API"})
    if len(delivery.body) > MAX_BATCH_BYTES:
        return _bad(f"the body is larger than {MAX_BATCH_BYTES} bytes")
    try:
        messages = _raw_messages(delivery.body)
    except ValueError as error:
        return _bad(f"malformed JSON: {error}")
    if len(messages) > MAX_BATCH_EVENTS:
        return _bad(f"a batch has at most {MAX_BATCH_EVENTS} events, this one has {len(messages)}")
    # Each of the others takes at least three bytes ("{},"): what they leave is the most that one event can have.
    if len(delivery.body) - 3 * (len(messages) - 1) > MAX_EVENT_BYTES:
        for position, message in enumerate(messages):
            if len(memoryview(message)) > MAX_EVENT_BYTES:
                return _bad(f"event {position} is larger than {MAX_EVENT_BYTES} bytes")
    return None


class _Shape(msgspec.Struct):
    """A body as far as `accept` has to know it: its messages are checked to be JSON, and not built."""

    batch: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


_SHAPE = msgspec.json.Decoder(_Shape)


def _raw_messages(body: bytes) -> Sequence[msgspec.Raw | bytes]:
    """The bytes of each message. Raises `ValueError` for what is not JSON of the expected shape."""
    try:
        if not body.isascii():
            body.decode()
        batch = _SHAPE.decode(body).batch
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        # The careful way: lone surrogates pass it, and what does not is told with its reason.
        return [json.dumps(message, separators=(",", ":")).encode() for message in _messages(parse(body))]
    return [body] if isinstance(batch, msgspec.UnsetType) else batch


def _messages(document: Any) -> list[Any]:
    if not isinstance(document, dict):
        raise ValueError("expected an object")
    if "batch" not in document:
        return [document]
    if not isinstance(document["batch"], list):
        raise ValueError("batch must be an array")
    return document["batch"]


def _bad(message: str) -> sdk.Reply:
    return sdk.Reply(400, {"success": False, "message": message})


def rows(delivery: sdk.Delivery) -> list[dict[str, Any]]:
    """The delivery's messages, each with its type, its id and the times of its way here.

    Raises `ValueError` for what is not JSON of the expected shape.
    """
    document = parse(delivery.body)
    envelope = document if isinstance(document, dict) else {}
    messages = document if isinstance(document, list) else _messages(document)
    call = delivery.path.rpartition("/")[2]
    return [_row(message, call, envelope.get("sentAt"), delivery) for message in messages]


def _row(message: Any, call: str, sent_at: Any, delivery: sdk.Delivery) -> dict[str, Any]:
    if not isinstance(message, dict):
        message = {"type": None, "unreadable": message}
    row = {key: value for key, value in message.items() if key != "writeKey"}
    if row.get("type") == "delete" and call != "destination":
        row["type"] = "delete by a source"  # a write key stands in web pages: whoever reads it may not erase people
    row.setdefault("type", call)
    row.setdefault("sentAt", sent_at)
    row.setdefault("receivedAt", delivery.received_at.isoformat())
    if not row.get("messageId"):
        own = json.dumps(message, sort_keys=True, ensure_ascii=True).encode()
        row["messageId"] = f"auto-{hashlib.sha256(own).hexdigest()[:32]}"
    return row
