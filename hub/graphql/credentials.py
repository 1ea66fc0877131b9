"""Who asks: an API key, or a token of the identity provider, as a bearer token; both are believed for a few seconds."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

from graphql import GraphQLError

from hub.access import service as access
from hub.access.oidc import TokenRefused, looks_signed, open_provider
from hub.access.service import Viewer
from hub.graphql.errors import Code, coded
from hub.kit.runtime import Kit

BELIEVED_SECONDS = 5.0
"""How long a key that was revoked may still be accepted, at most."""

KNOWN_AT_MOST = 10_000
SCHEME = "bearer "


class KeyRing:
    """The keys and tokens that one process has seen lately, by digest: a request does not cost a query each time."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._provider = open_provider(kit.settings, kit.clock)
        self._known: OrderedDict[bytes, tuple[Viewer, float]] = OrderedDict()
        self._looking: dict[bytes, asyncio.Task[Viewer | None]] = {}

    async def viewer(self, key: str) -> Viewer | None:
        """Whose key it is; None when it is unknown, expired or revoked.

        Raises `TokenRefused` for a token of a provider that is not accepted, and `Unreachable`.
        """
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        looking = self._looking.get(digest)
        if looking is None:
            looking = self._looking[digest] = asyncio.create_task(self._look_up(key, digest))
            looking.add_done_callback(lambda _: self._looking.pop(digest, None))
        # Requests that come together share one look; one that goes away does not end it for the others.
        return await asyncio.shield(looking)

    async def close(self) -> None:
        """End the connections to the identity provider."""
        if self._provider is not None:
            await self._provider.close()

    async def _look_up(self, key: str, digest: bytes) -> Viewer | None:
        self._known.pop(digest, None)
        good_for = BELIEVED_SECONDS
        viewer: Viewer | None
        if self._provider is not None and looks_signed(key):
            viewer, left = await self._provider.viewer(key)
            good_for = min(good_for, left)
        else:
            async with self._kit.transaction() as session:
                viewer = await access.authenticate(session, key, now=self._kit.clock.now())
        if viewer is None:
            return None
        self._known[digest] = (viewer, time.monotonic() + good_for)
        if len(self._known) > KNOWN_AT_MOST:
            self._known.popitem(last=False)
        return viewer


@dataclass(frozen=True, slots=True)
class BearerKey:
    """An API key that was shown."""

    ring: KeyRing
    key: str

    async def viewer(self) -> Viewer:
        """Who it belongs to now. Raises `GraphQLError` (UNAUTHENTICATED) when it is not accepted (any more)."""
        try:
            viewer = await self.ring.viewer(self.key)
        except TokenRefused as error:
            raise refused(str(error)) from None
        if viewer is None:
            raise refused("The API key is unknown, expired or revoked.")
        return viewer


def bearer_key(ring: KeyRing, authorization: str | None) -> BearerKey:
    """The key in an `Authorization` header. Raises `GraphQLError` (UNAUTHENTICATED) when there is none."""
    if authorization is None:
        raise refused("An API key is needed: send the header `Authorization: Bearer hub_…`.")
    if authorization[: len(SCHEME)].lower() != SCHEME or not (key := authorization[len(SCHEME) :].strip()):
        raise refused("The header Authorization is not of the form `Bearer hub_…`.")
    return BearerKey(ring, key)


def refused(message: str) -> GraphQLError:
    """Nobody we know."""
    return coded(message, Code.UNAUTHENTICATED)
