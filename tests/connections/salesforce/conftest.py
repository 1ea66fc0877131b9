"""A connection to the Salesforce double; both sides live at one frozen time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from hub_salesforce import Salesforce, api

from hub import sdk
from hub.connections import registry
from hub.connections.model import Connection
from hub.connections.registry import Registry
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.sandbox import CompanyBase, Sandbox, invent
from tests.connections.salesforce.crm import UNTIL, connect


class Hasty(Salesforce):
    """Without the pace that Salesforce asks for: the double has none."""

    rate = sdk.Rate(per_second=1_000_000, backfill_share=1.0)


@pytest.fixture(scope="session")
def base() -> CompanyBase:
    """Nine companies: every story once."""
    return invent(accounts=9, until=UNTIL)


@pytest.fixture
def clock() -> FrozenClock:
    """The time for both sides."""
    return FrozenClock(UNTIL)


@pytest.fixture
def kit(kit: Kit, clock: FrozenClock) -> Kit:
    """The hub in the doubles' time."""
    return replace(kit, clock=clock)


@pytest.fixture(autouse=True)
def _signed_out() -> None:
    """A port may come again: what a process knows of the org behind it must not."""
    api.session_for.cache_clear()


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
async def crm(kit: Kit, world: Sandbox, plugins: Registry) -> Connection:
    """A connection by the JWT flow."""
    return await connect(kit, world)
