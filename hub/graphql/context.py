"""What resolvers work with: the viewer, one moment in time, and reading many keys at once.

A context serves one operation. What its resolvers ask for is read in waves (`hub.graphql.waves`), so the number of
statements follows from the shape of the operation and not from the number of rows. They go over one
connection, one after the other: an operation that held one connection and waited for the next could wait for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import strawberry
from graphql import GraphQLError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.scope import limit
from hub.graphql.budget import Budget
from hub.graphql.trusted import Trusted
from hub.graphql.waves import Read, Waves
from hub.kit.runtime import Kit

P = ParamSpec("P")
K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
T = TypeVar("T")

AT_ONCE = 8
"""Queries and mutations carried out side by side in a process; the others wait. More at once would take no less time
together, and each would take longer."""

MOST_NODES = 20_000
"""Rows that the lists of one operation may hold together, counted before they are read."""

BatchRead = Callable[Concatenate[AsyncSession, Viewer, Sequence[K], P], Awaitable[Mapping[K, R]]]


class Credential(Protocol):
    """What was shown to prove who asks; it is looked at again whenever the answer may have changed."""

    async def viewer(self) -> Viewer:
        """Who it is, now. Raises `GraphQLError` (UNAUTHENTICATED) when it is no longer accepted."""
        ...


class Client(Protocol):
    """Somebody connected, whose operations come one after another or at the same time."""

    async def context(self) -> Context:
        """The context of the next operation. Raises `GraphQLError` (UNAUTHENTICATED)."""
        ...


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands before every operation of a process: which documents are trusted, and how much a key may ask."""

    trusted: Trusted = field(default_factory=Trusted)
    budget: Budget | None = None


class Context:
    """The context of one operation."""

    def __init__(
        self,
        kit: Kit,
        credential: Credential,
        viewer: Viewer,
        *,
        request_id: str,
        turns: asyncio.Semaphore | None = None,
        resume_after: str | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.kit = kit
        self.viewer = viewer
        self.request_id = request_id
        self.turns = turns or asyncio.Semaphore(AT_ONCE)
        """Shared by the process's operations: how many are carried out side by side."""
        self.gate = gate or Gate()
        self.cost: dict[str, Any] = {}
        """What `extensions.cost` says of the operation."""
        self.resume_after = resume_after
        """The cursor that an SSE client named when it came back."""
        self.position: str | None = None
        """The cursor of the subscription's newest event, for the transport."""
        self.now: datetime = kit.clock.now()
        self._credential = credential
        self._reading = asyncio.Lock()
        self._opened = AsyncExitStack()
        self._session: AsyncSession | None = None
        self._waves = Waves()
        self._nodes = 0

    def load(self, read: BatchRead[K, P, R], key: K, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R | None]:
        """What `read` finds for the key; None where it finds nothing.

        All keys asked for with the same `read` and arguments in one wave are read together.
        """
        return self._waves.ask((read, None, args), self._reader(read, None, args), key)

    def promise(self, make: Callable[[R], T], read: BatchRead[K, P, R], key: K, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same, made into what the API shows. A resolver returns it as it is.

        It is a future of a T or of None, typed as what the executor awaits it to be: a resolver that is no coroutine
        costs no task. `make` has to be the same object each time, for example a class method.
        """
        return self._waves.ask((read, make, args), self._reader(read, make, args), key)  # type: ignore[return-value]

    async def read(
        self, read: Callable[Concatenate[AsyncSession, Viewer, P], Awaitable[R]], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """One read of a room, for the viewer."""

        async def alone() -> R:
            async with self._turn() as session:
                return await read(session, self.viewer, *args, **kwargs)

        return await self._waves.alone(alone())

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """The transaction of a mutation: it commits at the end of the block and wakes who has work then."""
        await self.release()
        async with self.kit.transaction() as session:
            limit(session, self.viewer)
            yield session
        self.forget()

    def spend(self, nodes: int) -> None:
        """Count rows that are about to be asked for. Raises `GraphQLError` when they become too many."""
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise GraphQLError(
                f"The lists of this operation may hold more than {MOST_NODES} entries together; ask for smaller pages.",
                extensions={"code": "TOO_MANY_NODES"},
            )

    @property
    def spent(self) -> int:
        """How many rows have been asked for."""
        return self._nodes

    def forget(self) -> None:
        """Drop everything read so far: what comes next may have changed."""
        self._waves.forget()
        self._nodes = 0
        self.now = self.kit.clock.now()

    async def check_again(self) -> None:
        """Look once more at who asks: keys expire and are revoked while a subscription goes on."""
        self.viewer = await self._credential.viewer()

    async def close(self) -> None:
        """The operation is over: stop reading, and give its connection back."""
        await self._waves.close()
        # A read that was cancelled, because another field failed, may still be on its way out.
        async with self._reading:
            await self.release()

    async def release(self) -> None:
        """Give the connection back while nothing is read, e.g. between the events of a subscription."""
        self._session = None
        await self._opened.aclose()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[AsyncSession]:
        """The operation's session, for one read at a time. Opened once: that costs more than a read."""
        async with self._reading:
            session, self._session = self._session, None  # after an error it is not used again
            if session is None:
                session = await self._opened.enter_async_context(self.kit.reading())
                limit(session, self.viewer)
            try:
                yield session
            except asyncio.CancelledError:
                # Another field failed while this one was read: the connection was given up in the middle of an answer.
                await session.invalidate()
                raise
            # What was read belongs to whoever asked; another read sees what is so by then.
            session.expunge_all()
            self._session = session

    def _reader(
        self,
        read: Callable[..., Awaitable[Mapping[Any, Any]]],
        make: Callable[[Any], object] | None,
        args: tuple[Any, ...],
    ) -> Read:
        async def together(keys: Sequence[Any]) -> Mapping[Any, Any]:
            async with self._turn() as session:
                found = await read(session, self.viewer, keys, *args)
            return found if make is None else {key: make(row) for key, row in found.items()}

        return together


Info = strawberry.Info[Context, None]
