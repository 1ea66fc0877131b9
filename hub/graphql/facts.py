"""The facts that subscriptions send: of the outbox, in its order, from a cursor on.

A message of the broadcast is only a hint to look; what is sent is read from the outbox behind the last position sent.
So nothing is missed, whatever was lost on the way, and a client that comes back with its last cursor goes on without a
gap. Who asks is looked at again before each event.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from graphql import GraphQLError

from hub.accounts import queries as accounts
from hub.accounts.queries import READERS
from hub.graphql.context import Context
from hub.kit import outbox
from hub.kit.errors import Invalid
from hub.kit.outbox import Fact

FACTS_AT_ONCE = 200
CURSOR_PREFIX = "pos_"


async def facts(context: Context, topics: tuple[str, ...], position: int) -> AsyncGenerator[Fact, None]:
    """Published facts behind the position, for ever; the viewer is checked again whenever one may be sent."""
    async with aclosing(context.kit.broadcast.wakeups()) as wakeups:
        async for _ in wakeups:
            more = True
            while more:
                async with context.kit.reading() as session:
                    found = await outbox.read_after(session, position, topics=topics, limit=FACTS_AT_ONCE)
                more = len(found) == FACTS_AT_ONCE
                for fact in found:
                    position = fact.position
                    context.forget()
                    await check(context)
                    yield fact
                    await context.release()
            await check(context)


async def is_seen(context: Context, account_id: UUID) -> bool:
    """Whether the viewer sees the account; costs a read only where the viewer is limited to an owner."""
    return context.viewer.owner is None or await context.load(accounts.accounts, account_id) is not None


async def check(context: Context) -> None:
    """Raises when the viewer's key is no longer accepted, or its role no longer suffices."""
    await context.check_again()
    context.viewer.require(*READERS)


async def start(context: Context, after: str | None) -> int:
    """The position to go on from. Raises `Invalid`, and `GraphQLError` (CURSOR_EXPIRED) when later facts are gone."""
    async with context.kit.reading() as session:
        if after is None:
            return await outbox.last_position(session)
        position, first_kept = read_position(after), await outbox.first_kept(session)
    if position + 1 < first_kept:
        raise GraphQLError(
            "What followed this cursor is no longer kept: read the present state, then subscribe without `after`.",
            extensions={"code": "CURSOR_EXPIRED"},
        )
    return position


def write_position(position: int) -> str:
    """A position as a cursor."""
    return f"{CURSOR_PREFIX}{position}"


def read_position(text: str) -> int:
    """The reverse of `write_position`. Raises `Invalid`."""
    digits = text.removeprefix(CURSOR_PREFIX)
    if digits == text or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise Invalid("`after` is not a cursor of this subscription.", path=("after",))
    return int(digits)
