"""The in-app connector: an action that leaves a message, an endpoint that hands it out, a webhook for reports.

The end user is proved by `X-Hub-User-Signature: hex HMAC-SHA256(secret, user id)`, which the product's server puts
into its page: no cookie, and nobody can read another one's messages.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from hub import sdk
from hub.sdk.errors import BadSignature
from hub_inapp.models import Config, MessageSent, Report, SendMessage

HEADER = "x-hub-user-signature"
CLOSING = frozenset({"clicked", "dismissed", "answered"})
"""After one of these a message has done its work; one that was only shown is shown again."""


def sign(secret: str, user: str) -> str:
    """The signature that a product's server gives to a page for its user."""
    return hmac.new(secret.encode(), user.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class UserSignature:
    """The end user named in the query (or in the report) is who the product's server says."""

    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        user = delivery.query.get("user", "") if delivery.method == "GET" else _user_of(delivery.body)
        given = delivery.headers.get(HEADER, "").lower()
        if not user or not given:
            raise BadSignature(f"Name the user, and prove it by the header {HEADER}.")
        expected = [sign(secret, user).encode() for secret in secrets]
        if not sdk.matches_any(expected, [given.encode("utf-8", "replace")]):
            raise BadSignature("The signature is not this user's.")

    def sign(self, delivery: sdk.Delivery, secret: str) -> sdk.Delivery:
        """The delivery with what the product's server gives its page."""
        user = delivery.query.get("user", "") if delivery.method == "GET" else _user_of(delivery.body)
        return replace(delivery, headers={**delivery.headers, HEADER: sign(secret, user)})


def _user_of(body: bytes) -> str:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadSignature("The report is not JSON.") from None
    user = document.get("user") if isinstance(document, dict) else None
    return user if isinstance(user, str) else ""


def _secrets(config: Config) -> list[str]:
    return [secret.get_secret_value() for secret in (config.secret, config.previous_secret) if secret is not None]


def _refuse(delivery: sdk.Delivery) -> sdk.Reply | None:
    """A report that cannot be read is refused at once: the page that sent it can be mended."""
    try:
        Report.model_validate_json(delivery.body)
    except ValueError:
        return sdk.Reply(400, {"error": "a report has id (UUID), type, message, user and at (ISO time with offset)"})
    return None


class InApp(sdk.Connector[Config]):
    """Shows messages inside the product, without any vendor."""

    id = "inapp"
    name = "In-app messages"
    tier = "gold"
    Config = Config

    reports = sdk.pushed(
        record=Report,
        key=lambda report: str(report.id),
        version=lambda report: "1",
        emits={"message.shown", "message.clicked", "message.dismissed", "message.answered"},
    )

    @reports.normalize
    def _(self, report: Report) -> Iterable[sdk.Event]:
        user = sdk.keys.user(report.user)
        yield sdk.Event(
            kind=f"message.{report.type}",
            occurred_at=report.occurred_at,
            account=sdk.Account(f"user:{report.user}", (user,)),
            people=(sdk.Person(f"user:{report.user}", (user,)),),
            attributes={"message": report.message, "answer": report.answer},
            value=float(report.answer) if isinstance(report.answer, int | float) else None,
        )

    @reports.on_received
    async def _(self, report: Report) -> None:
        if report.type in CLOSING:
            await self.mailbox.close(report.message, recipient=report.user)

    @sdk.webhook(
        path="events",
        signature=UserSignature(),
        secrets=_secrets,
        handles={"reports"},
        accept=_refuse,
        max_bytes=16_384,
    )
    def events(self, delivery: sdk.Delivery) -> Iterable[sdk.Received]:
        """A page reports what became of a message."""
        row: dict[str, Any] = orjson.loads(delivery.body)
        return [sdk.Received("reports", row)]

    @sdk.endpoint(path="messages", signature=UserSignature(), secrets=_secrets)
    async def messages(self, delivery: sdk.Delivery) -> sdk.Reply:
        """The messages that wait for an end user, oldest first."""
        waiting = await self.mailbox.waiting(delivery.query["user"])
        return sdk.Reply(
            200,
            {"messages": [{"id": message.id, **message.body} for message in waiting]},
            {"cache-control": "no-store"},
        )

    @sdk.action(
        input=SendMessage,
        output=MessageSent,
        idempotency="native",
        emits="message.sent",
        touch=True,
        scopes=("messages",),
    )
    async def send_message(self, message: SendMessage, key: str) -> MessageSent:
        """Leave a message for an end user; the same key again leaves one message."""
        body = message.model_dump(mode="json", include={"title", "body", "kind", "url"})
        left = await self.mailbox.put(message.user, body, key=key, expires_at=message.expires_at)
        return MessageSent(message=left.id)

    async def check(self) -> str:
        """Nobody to ask: there is one in-app channel for each secret."""
        return hashlib.sha256(self.config.secret.get_secret_value().encode()).hexdigest()[:16]
