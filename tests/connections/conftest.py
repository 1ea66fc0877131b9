"""The vendor of surveys, running, and a connection to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from hub.connections import registry
from hub.connections import service as connections
from hub.connections.model import Connection
from hub.connections.registry import Registry
from hub.kit.runtime import Kit
from tests.connections.vendor import API_KEY, SIGNING_SECRET, Surveys, Vendor, vendor_running


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """The vendor, empty."""
    async with vendor_running(Vendor()) as running:
        yield running


@pytest.fixture
def surveys() -> Iterator[Registry]:
    """A registry of the one connector."""
    with registry.using(Registry.of(Surveys)) as found:
        yield found


@pytest.fixture
async def connection(kit: Kit, vendor: Vendor, surveys: Registry) -> Connection:
    """A connection to the vendor, checked."""
    async with kit.transaction() as session:
        return await connections.add(
            session,
            kit.vault,
            surveys,
            "surveys",
            "panel",
            {"api_key": API_KEY, "base_url": vendor.url, "signing_secret": SIGNING_SECRET},
            now=kit.clock.now(),
        )
