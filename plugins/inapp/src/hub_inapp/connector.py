"""The in-app connector: an action that leaves a message, an endpoint that hands it out, a webhook for reports.

The end user is proved by hex HMAC-SHA256(secret, user id), which the product's server puts into its page: no cookie,
and nobody can read another one's messages. A server sends it as the header `X-Hub-User-Signature`, the script inside
the body: so its requests need no preflight, and no address that a proxy might log holds it.
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
from hub_inapp.assets import ANY_ORIGIN, Public, served
from hub_inapp.models import Config, MessageSent, Report, SendMessage

HEADER = "x-hub-user-signature"
ITEM_TICKED = "x.inapp.item.ticked"
CLOSING = frozenset({"clicked", "dismissed", "answered"})
"""After one of these a message has done its work; one that was only shown is shown again."""


def sign(secret: str, user: str) -> str:
    """The signature that a product's server gives to a page for its user."""
    return hmac.new(secret.encode(), user.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class UserSignature:
    """The end user named in the query (or in the report) is who the product's server says."""

    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        named = delivery.query if delivery.method == "GET" else _document(delivery.body)
        user = named.get("user")
        given = delivery.headers.get(HEADER) or (named.get("signature") if delivery.method == "POST" else None)
        if not user or not isinstance(user, str) or not given or not isinstance(given, str):
            raise BadSignature(f"Name the user, and prove it by the header {HEADER} or, in a body, by signature.")
        expected = [sign(secret, user).encode() for secret in secrets]
        if not sdk.matches_any(expected, [given.lower().encode("utf-8", "replace")]):
            raise BadSignature("The signature is not this user's.")

    def sign(self, delivery: sdk.Delivery, secret: str) -> sdk.Delivery:
        """The delivery with what the product's server gives its page."""
        named = delivery.query if delivery.method == "GET" else _document(delivery.body)
        return replace(delivery, headers={**delivery.headers, HEADER: sign(secret, str(named.get("user", "")))})


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadSignature("The body is not JSON.") from None
    return document if isinstance(document, dict) else {}


def _secrets(config: Config) -> list[str]:
    return [secret.get_secret_value() for secret in (config.secret, config.previous_secret) if secret is not None]


def _refuse(delivery: sdk.Delivery) -> sdk.Reply | None:
    """A report that cannot be read is refused at once: the page that sent it can be mended."""
    try:
        Report.model_validate_json(delivery.body)
    except ValueError:
        problem = "a report has id (UUID), type, message, user, at (ISO time with offset), and an answer that fits"
        return sdk.Reply(400, {"error": problem}, ANY_ORIGIN)
    return None


def _event(report: Report, kind: str, attributes: dict[str, Any], value: float | None = None) -> sdk.Event:
    user = sdk.keys.user(report.user)
    return sdk.Event(
        kind=kind,
        occurred_at=report.occurred_at,
        account=sdk.Account(f"user:{report.user}", (user,)),
        people=(sdk.Person(f"user:{report.user}", (user,)),),
        attributes=attributes,
        value=value,
    )


def _unsigned(body: bytes) -> bytes:
    """A report without its signature, which proves the user for as long as the secret lasts."""
    row: dict[str, Any] = orjson.loads(body)
    row.pop("signature", None)
    return orjson.dumps(row)


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
        emits={
            "message.shown",
            "message.clicked",
            "message.dismissed",
            "message.answered",
            "survey.answered",
            ITEM_TICKED,
        },
    )

    @reports.normalize
    def _(self, report: Report) -> Iterable[sdk.Event]:
        told: dict[str, Any] = {"message": report.message}
        if report.type == "ticked":
            yield _event(report, ITEM_TICKED, {**told, "item": report.item})
            return
        told["answer"] = report.answer
        value = float(report.answer) if isinstance(report.answer, int | float) else None
        yield _event(report, f"message.{report.type}", told, value)
        if report.type == "answered" and report.survey:
            told = {**told, "survey": report.survey, **({"comment": report.comment} if report.comment else {})}
            yield _event(report, "survey.answered", told, value)

    @reports.on_received
    async def _(self, report: Report) -> None:
        if report.type in CLOSING:
            await self.mailbox.close(report.message, recipient=report.user)
        elif report.type == "ticked" and report.item is not None:
            await self.mailbox.mark(report.message, report.item, recipient=report.user)

    @sdk.webhook(
        path="events",
        signature=UserSignature(),
        secrets=_secrets,
        handles={"reports"},
        accept=_refuse,
        reply=sdk.Reply(headers=ANY_ORIGIN),
        max_bytes=16_384,
        kept=_unsigned,
    )
    def events(self, delivery: sdk.Delivery) -> Iterable[sdk.Received]:
        """A page reports what became of a message."""
        return [sdk.Received("reports", orjson.loads(_unsigned(delivery.body)))]

    @sdk.endpoint(path="messages", signature=UserSignature(), secrets=_secrets)
    async def messages(self, delivery: sdk.Delivery) -> sdk.Reply:
        """The messages that wait for an end user, oldest first."""
        return await self._waiting(delivery.query["user"])

    @sdk.endpoint(path="messages", method="POST", signature=UserSignature(), secrets=_secrets)
    async def fetch(self, delivery: sdk.Delivery) -> sdk.Reply:
        """The same for the script, which names and proves its user in the body."""
        return await self._waiting(orjson.loads(delivery.body)["user"])

    @sdk.endpoint(path="inapp.js", signature=Public(), secrets=lambda config: ())
    async def script(self, delivery: sdk.Delivery) -> sdk.Reply:
        """The script that a product's page embeds."""
        return served("inapp.js", delivery)

    @sdk.endpoint(path="inapp.css", signature=Public(), secrets=lambda config: ())
    async def style(self, delivery: sdk.Delivery) -> sdk.Reply:
        """The style sheet that the script reads."""
        return served("inapp.css", delivery)

    async def _waiting(self, user: str) -> sdk.Reply:
        messages = [
            {"id": message.id, **message.body, **({"ticked": list(message.marks)} if "items" in message.body else {})}
            for message in await self.mailbox.waiting(user)
        ]
        now = self.clock.now().isoformat()
        return sdk.Reply(200, {"messages": messages, "now": now}, {"cache-control": "no-store", **ANY_ORIGIN})

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
        left = await self.mailbox.put(message.user, message.shown(), key=key, expires_at=message.expires_at)
        return MessageSent(message=left.id)

    async def check(self) -> str:
        """Nobody to ask: there is one in-app channel for each secret."""
        return hashlib.sha256(self.config.secret.get_secret_value().encode()).hexdigest()[:16]
