"""The small world of the health tests, and a draft that changes it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from hub.kit.runtime import Kit
from tests.health.conftest import BLUEPRINT, World


@pytest.fixture
async def world(kit: Kit) -> World:
    """An empty world with the small blueprint in force."""
    made = World(kit)
    await made.apply(BLUEPRINT)
    return made


@pytest.fixture
def draft() -> dict[str, Any]:
    """The small blueprint with a stage more, which is entered early, and a stricter curve."""
    document = deepcopy(BLUEPRINT)
    journey = document["journeys"]["smb"]
    journey["stages"]["pre_renewal"] = {"expected": "90d"}
    journey["transitions"].insert(0, {"from": "onboarding", "to": "pre_renewal", "when": "days_known >= 20"})
    document["profiles"]["smb"]["indicators"]["product_engagement"]["measures"]["people_28d"]["curve"] = [
        [0, 0],
        [20, 100],
    ]
    return document
