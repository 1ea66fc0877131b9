"""A process that delivers facts and does nothing else, to be killed."""

from __future__ import annotations

import asyncio

from hub_webhook_out import WebhookOut

from hub.connections import registry
from hub.connections.jobs import drain_facts_to_deliver
from hub.connections.registry import Registry
from hub.kit.runtime import open_kit
from hub.kit.settings import Settings


def deliver(settings: Settings) -> None:
    """Deliver until nothing waits; a lease that a killed one has left behind is waited for."""

    async def run() -> None:
        async with open_kit(settings) as kit:
            while await drain_facts_to_deliver(kit):
                pass

    with registry.using(Registry.of(WebhookOut)):
        asyncio.run(run())
