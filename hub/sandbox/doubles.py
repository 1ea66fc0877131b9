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


DOUBLES: Final[Mapping[str, Double]] = {"stripe": stripe, "segment": segment, "inapp": inapp}
"""Every double by the connector that talks with it."""
