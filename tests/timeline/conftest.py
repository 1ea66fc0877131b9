"""The test vendor, installed."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from hub.connections import registry
from hub.connections.registry import Registry
from hub.kit.runtime import Kit
from tests.timeline.acme import Acme, connect


@pytest.fixture(autouse=True)
def acme_is_installed() -> Iterator[None]:
    """The process knows the test vendor's connector alone."""
    with registry.using(Registry.of(Acme)):
        yield


@pytest.fixture
async def acme(kit: Kit) -> UUID:
    """A connection to the test vendor."""
    return await connect(kit)
