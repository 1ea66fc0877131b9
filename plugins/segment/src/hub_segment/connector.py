"""The Segment connector: two doors in, one stream of messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pydantic import SecretStr

from hub import sdk
from hub.sdk.errors import Misconfigured
from hub_segment.intake import FirstElementHmac, WriteKey, refuse, rows
from hub_segment.mapping import EMITS, events
from hub_segment.models import Config, Message


class Segment(sdk.Connector[Config]):
    """Answers as Segment's tracking API does, and as the target of Segment's webhook destination."""

    id = "segment"
    name = "Segment"
    tier = "gold"
    Config = Config

    messages = sdk.pushed(
        record=Message, key=lambda message: message.message_id, version=lambda message: "1", emits=EMITS
    )

    @messages.normalize
    def _(self, message: Message) -> Iterable[sdk.Event]:
        return events(message)

    @sdk.webhook(
        path="v1/{call}",
        signature=WriteKey(),
        secrets=lambda config: _present(config.write_key, config.previous_write_key),
        handles={"messages"},
        accept=refuse,
        reply=sdk.Reply(200, {"success": True}),
    )
    def source(self, delivery: sdk.Delivery) -> Iterable[sdk.Received]:
        """Segment's tracking API: `/v1/{identify,track,page,screen,group,alias,batch}`."""
        return [sdk.Received("messages", row) for row in rows(delivery)]

    @sdk.webhook(
        path="destination",
        signature=FirstElementHmac(),
        secrets=lambda config: _present(config.shared_secret, config.previous_shared_secret),
        handles={"messages"},
        max_bytes=4_000 * 32 * 1024,
    )
    def destination(self, delivery: sdk.Delivery) -> Iterable[sdk.Received]:
        """Segment's webhook destination: one event, or a batch of up to 4,000."""
        return [sdk.Received("messages", row) for row in rows(delivery)]

    async def check(self) -> str:
        """Nobody to ask: the tenant is the write key itself, shown by its digest."""
        key = self.config.write_key.get_secret_value()
        if key != key.strip() or ":" in key:
            raise Misconfigured("The write key may not contain blanks at its ends, or a colon.")
        return hashlib.sha256(key.encode()).hexdigest()[:16]


def _present(*secrets: SecretStr | None) -> list[str]:
    return [secret.get_secret_value() for secret in secrets if secret is not None]
