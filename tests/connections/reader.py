"""A process that reads a stream and does nothing else, to be killed."""

from __future__ import annotations

import asyncio
from uuid import UUID

from hub.connections import registry
from hub.connections.jobs import drain_deliveries
from hub.connections.registry import Registry
from hub.connections.service import Ended, sync_stream
from hub.kit.runtime import open_kit
from hub.kit.settings import Settings
from tests.connections.vendor import Surveys


def read(settings: Settings, connection_id: UUID) -> None:
    """Read `answers` to its end."""

    async def run() -> None:
        async with open_kit(settings) as kit:
            while (await sync_stream(kit, connection_id, "answers")).ended is not Ended.DONE:
                pass

    with registry.using(Registry.of(Surveys)):
        asyncio.run(run())


def receive(settings: Settings) -> None:
    """Read waiting deliveries until there are none."""

    async def run() -> None:
        async with open_kit(settings) as kit:
            while await drain_deliveries(kit):
                pass

    with registry.using(Registry.of(Surveys)):
        asyncio.run(run())
