"""A vendor that counts, connected to the hub of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import stamina

from hub.connections import registry, service
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit

from .scene import NOW
from .vendor import REGISTRY, Loft, loft


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that a test moves."""
    return FrozenClock(NOW)


@pytest.fixture
def still(kit: Kit, clock: FrozenClock) -> Kit:
    """The kit, at a time that stands still."""
    return replace(kit, clock=clock)


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """The host's client does not repeat a request by itself, so that a test sees each one."""
    stamina.set_testing(True)
    yield
    stamina.set_testing(False)


@pytest.fixture
async def vendor(kit: Kit) -> AsyncIterator[Loft]:
    """The vendor, and a connection to it that is called like its connector."""
    with registry.using(REGISTRY):
        async with loft() as (served, url):
            async with kit.transaction() as session:
                await service.add(session, kit.vault, REGISTRY, "pigeon", "pigeon", {"url": url}, now=NOW)
            yield served
