"""A world under the shipped blueprint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.blueprint.service import read_document, shipped_path
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from tests.blueprint.default.world import DefaultWorld
from tests.health.conftest import NOW


@pytest.fixture
async def world(kit: Kit) -> DefaultWorld:
    """An empty world with the shipped blueprint in force, and people of every role."""
    made = DefaultWorld(replace(kit, clock=FrozenClock(NOW)))
    await made.apply(read_document(shipped_path()))
    await made.cast()
    return made
