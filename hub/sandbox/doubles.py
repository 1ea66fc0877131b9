"""The registry of doubles: what `hub sandbox` starts, and how a hub is connected to each.

A double is a function that takes the world and gives, while its block runs, an `Address`. A new one is a function here
and a line in `DOUBLES`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from hub.sandbox.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Address:
    """A running double: `url` where it answers (None: it only sends), `config` as `hub connect add` takes it.

    `sends_to` is the path of a hub below `/in/<connection>` to which it sends, None if it only answers.
    """

    url: str | None
    config: Mapping[str, str]
    sends_to: str | None = None


Double: TypeAlias = Callable[[Sandbox], AbstractAsyncContextManager[Address]]


@asynccontextmanager
async def stripe(sandbox: Sandbox) -> AsyncIterator[Address]:
    """Served by the sandbox itself."""
    config = {
        "api_key": sandbox.stripe_key,
        "webhook_secret": sandbox.stripe_webhook_secret,
        "base_url": sandbox.stripe_url,
    }
    yield Address(sandbox.stripe_url, config, "webhook")


@asynccontextmanager
async def segment(sandbox: Sandbox) -> AsyncIterator[Address]:
    """Segment is a sender: it has no address of its own."""
    config = {"write_key": sandbox.segment_write_key, "shared_secret": sandbox.segment_webhook_secret}
    yield Address(None, config, "v1/batch")


@asynccontextmanager
async def inapp(sandbox: Sandbox) -> AsyncIterator[Address]:
    """The customers' product, which asks for messages and reports on them."""
    yield Address(None, {"secret": sandbox.inapp_secret}, "events")


@asynccontextmanager
async def salesforce(sandbox: Sandbox) -> AsyncIterator[Address]:
    """Served by the sandbox itself; its integration user signs in by client credentials."""
    app = sandbox.salesforce.signing_in
    config = {
        "base_url": sandbox.salesforce_url,
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "organization_id": sandbox.salesforce.org.id,
        "message_secret": sandbox.salesforce_message_secret,
        "multi_currency": "true",
    }
    yield Address(sandbox.salesforce_url, config, f"outbound/{sandbox.salesforce_message_secret}")


@asynccontextmanager
async def zendesk(sandbox: Sandbox) -> AsyncIterator[Address]:
    """Served by the sandbox itself."""
    config = {
        "base_url": sandbox.zendesk_url,
        "email": sandbox.zendesk.email,
        "api_token": sandbox.zendesk.token,
        "webhook_secret": sandbox.zendesk_webhook_secret,
    }
    yield Address(sandbox.zendesk_url, config, "webhook")


@asynccontextmanager
async def intercom(sandbox: Sandbox) -> AsyncIterator[Address]:
    """Served by the sandbox itself."""
    config = {
        "base_url": sandbox.intercom_url,
        "access_token": sandbox.intercom.token,
        "client_secret": sandbox.intercom_client_secret,
        "admin_id": sandbox.intercom_admin,
    }
    yield Address(sandbox.intercom_url, config, "webhook")


DOUBLES: Final[Mapping[str, Double]] = {
    "stripe": stripe,
    "salesforce": salesforce,
    "zendesk": zendesk,
    "intercom": intercom,
    "segment": segment,
    "inapp": inapp,
}
"""Every double by the connector that talks with it."""
