"""The outgoing webhook: each fact of the hub's as a message of Standard Webhooks 1.0.

The hub delivers in order, again and again, and keeps count; here is only what a message looks like, how it is signed,
and which answers mean that it arrived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson

from hub import sdk
from hub.sdk.errors import Misconfigured, Unavailable
from hub_webhook_out.models import EndpointConfig

SCHEME = sdk.StandardWebhooks()


class WebhookOut(sdk.Connector[EndpointConfig]):
    """Tells another system what happens in the hub."""

    id = "webhook_out"
    name = "Outgoing webhook"
    tier = "gold"
    Config = EndpointConfig
    rate = sdk.Rate(per_second=200)

    @classmethod
    def hosts(cls, config: EndpointConfig) -> Sequence[str]:
        return (str(config.url),)

    async def check(self) -> str:
        """Nobody to ask: there is one connection for each address. What its query holds is not shown."""
        url = self.config.url
        shown = f"{url.scheme}://{url.host}:{url.port}{url.path or ''}"
        return f"{shown}?{hashlib.sha256(url.query.encode()).hexdigest()[:12]}" if url.query else shown

    @sdk.outlet(topics=lambda config: config.topics)
    async def messages(self, fact: sdk.Fact) -> None:
        """Post a signed message; every 2xx says that it arrived, 410 that nobody wants it any more."""
        body = orjson.dumps(
            {
                "type": fact.topic,
                "timestamp": fact.at.isoformat(),
                "key": fact.key,
                "position": fact.position,
                "data": fact.payload,
            }
        )
        headers = SCHEME.headers(fact.id, self.clock.now(), body, self.config.secrets)
        headers["content-type"] = "application/json"
        answer = await self.http.post(str(self.config.url), content=body, headers=headers)
        if answer.status_code == 410:
            raise Misconfigured("The endpoint says that it is gone (410): nothing more is sent.")
        if not answer.is_success:
            moved = " Redirects are not followed: enter the new address." if answer.is_redirect else ""
            raise Unavailable(f"The endpoint answered {answer.status_code}.{moved}")
