"""A world under the shipped blueprint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from hub.blueprint.service import read_document, shipped_path
from hub.journeys import arriving
from hub.kit.clock import FrozenClock
from hub.kit.runtime import open_kit
from tests.blueprint.default.world import DefaultWorld
from tests.conftest import Servers, fresh
from tests.health.conftest import NOW


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DefaultWorld]:
    """The shipped blueprint in force, and people of every role; each test adds accounts of its own.

    What a look makes of a history is asked here; so nobody's past is replayed before it (`tests/journeys` has that).
    """
    folder = tmp_path_factory.mktemp("default")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(arriving, "yesterday", lambda now: datetime.min.replace(tzinfo=UTC))
        async with fresh(servers, folder) as settings, open_kit(settings) as kit:
            made = DefaultWorld(replace(kit, clock=FrozenClock(NOW)))
            await made.apply(read_document(shipped_path()))
            await made.cast()
            yield made
