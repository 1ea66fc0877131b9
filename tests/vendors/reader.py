"""A process that reads a stream and does nothing else, to be killed."""

from __future__ import annotations

import asyncio
from uuid import UUID

from hub_intercom import Intercom

from hub.connections import registry
from hub.connections.registry import Registry
from hub.connections.service import Ended, sync_stream
from hub.kit.runtime import open_kit
from hub.kit.settings import Settings


def read(settings: Settings, connection_id: UUID, stream: str) -> None:
    """Read the stream to its end, and try again for as long as the vendor asks for patience."""

    async def run() -> None:
        async with open_kit(settings) as kit:
            ended = Ended.MORE
            while ended is not Ended.DONE:
                ended = (await sync_stream(kit, connection_id, stream)).ended
                await asyncio.sleep(0.05)

    with registry.using(Registry.of(Intercom)):
        asyncio.run(run())
