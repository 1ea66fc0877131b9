"""One invented world for all tests of the sandbox, and what is needed to talk to its doubles over sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import httpx
import pytest
import requests
import stripe

from hub.sandbox import CompanyBase, Sandbox, invent

UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def base() -> CompanyBase:
    """Sixty companies whose history ends on a Friday afternoon."""
    return invent(until=UNTIL)


@pytest.fixture
async def sandbox(base: CompanyBase) -> AsyncIterator[Sandbox]:
    """The running doubles, at the very end of the history."""
    async with Sandbox(base, clock=lambda: UNTIL).running() as running:
        yield running


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A plain client of the Stripe double with its key."""
    headers = {"Authorization": f"Bearer {sandbox.stripe_key}"}
    async with httpx.AsyncClient(base_url=sandbox.stripe_url, headers=headers, trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def vendors_client(sandbox: Sandbox) -> Iterator[stripe.StripeClient]:
    """Stripe's own client, pointed at the double and otherwise as it is."""
    with requests.Session() as session:
        session.trust_env = False
        yield stripe.StripeClient(
            sandbox.stripe_key,
            base_addresses={"api": sandbox.stripe_url},
            http_client=stripe.RequestsClient(session=session),
            max_network_retries=0,
        )
