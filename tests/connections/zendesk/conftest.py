"""A connection to the Zendesk double; both sides live at one frozen time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hub_zendesk import Zendesk

from hub import sdk
from hub.connections import registry
from hub.connections.model import Connection
from hub.connections.registry import Registry
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.sandbox import CompanyBase, Sandbox, invent
from tests.connections.zendesk.desk import UNTIL, connect


class Hasty(Zendesk):
    """Without the pace that Zendesk asks for: the double has none."""

    rate = sdk.Rate(per_second=1_000_000, backfill_share=1.0)


@pytest.fixture(scope="session")
def base() -> CompanyBase:
    """Nine companies: every story once."""
    return invent(accounts=9, until=UNTIL)


@pytest.fixture
def clock() -> FrozenClock:
    """The time for both sides: two minutes after the history, so that all of it is exported."""
    return FrozenClock(UNTIL + timedelta(minutes=2))


@pytest.fixture
def kit(kit: Kit, clock: FrozenClock) -> Kit:
    """The hub in the doubles' time."""
    return replace(kit, clock=clock)


@pytest.fixture
async def world(base: CompanyBase, clock: FrozenClock) -> AsyncIterator[Sandbox]:
    """The running doubles."""
    async with Sandbox(base, clock=clock.now).running() as running:
        yield running


@pytest.fixture
def plugins() -> Iterator[Registry]:
    """A registry of the one connector."""
    with registry.using(Registry.of(Hasty)) as found:
        yield found


@pytest.fixture
async def support(kit: Kit, world: Sandbox, plugins: Registry) -> Connection:
    """A connection by API token."""
    return await connect(kit, world)
