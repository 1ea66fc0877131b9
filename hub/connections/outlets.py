"""Outlets: the hub's facts on their way out, and how far each connection has come.

An outlet remembers a position of the outbox, in SQL, and moves it with the outcome of each delivery. So whoever is
killed, and wherever, delivers at most one fact again, and never loses one; facts that an outlet still has before it are
kept in the outbox, however long it stands still. It begins with what happens after it was connected.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections import registry
from hub.connections.lists import FACTS_TO_DELIVER
from hub.connections.model import ConnectionStatus
from hub.kit import outbox, work
from hub.sdk.connector import Connector


async def open_outlet(session: AsyncSession, connection_id: UUID, kind: type[Connector]) -> None:  # type: ignore[type-arg]
    """Have the facts that come from now on leave through a connection, if its connector has an outlet."""
    if not kind.outlets:
        return
    await session.execute(
        text(
            "INSERT INTO outlet (connection_id, position, delivered, failures) VALUES (:id, :position, 0, 0) "
            "ON CONFLICT (connection_id) DO NOTHING"
        ),
        {"id": connection_id, "position": await outbox.last_position(session)},
    )


async def close_outlet(session: AsyncSession, connection_id: UUID) -> None:
    """Forget how far a removed connection had come: nothing is kept for it any more."""
    await session.execute(text("DELETE FROM outlet WHERE connection_id = :id"), {"id": connection_id})


async def try_again(session: AsyncSession, connection_id: UUID, *, now: datetime) -> None:
    """Go on where an outlet stands still, now: somebody says that its other side was mended."""
    found = await session.execute(
        text(
            "UPDATE outlet SET failures = 0, failing_since = NULL, retry_at = NULL, problem = NULL "
            "WHERE connection_id = :id RETURNING 1"
        ),
        {"id": connection_id},
    )
    if found.all():
        await work.mark(session, FACTS_TO_DELIVER, [str(connection_id)], due_at=now)


async def wake(session: AsyncSession, *, now: datetime) -> None:
    """There are new facts: every outlet that is at work has something to look at."""
    if not any(kind.outlets for kind in registry.current().connectors.values()):
        return
    ids = await session.execute(
        text(
            "SELECT o.connection_id FROM outlet o JOIN connection c ON c.id = o.connection_id WHERE c.status = :active"
        ),
        {"active": ConnectionStatus.ACTIVE},
    )
    await work.mark(session, FACTS_TO_DELIVER, map(str, ids.scalars()), due_at=now)


async def oldest_needed(session: AsyncSession) -> int | None:
    """The position up to which every outlet has come; None without outlets. What is behind it has to be kept."""
    found = await session.scalar(text("SELECT min(position) FROM outlet"))
    return None if found is None else int(found)


async def advance(session: AsyncSession, connection_id: UUID, before: int, after: int, *, now: datetime | None) -> bool:
    """Move an outlet from where the mover found it; False when it is not there. `now`: a fact was delivered."""
    moved = await session.execute(
        text(
            "UPDATE outlet SET position = :after, delivered = delivered + :one, "
            "delivered_at = coalesce(:now, delivered_at), failures = 0, failing_since = NULL, retry_at = NULL, "
            "problem = NULL WHERE connection_id = :id AND position = :before RETURNING 1"
        ),
        {"id": connection_id, "before": before, "after": after, "one": int(now is not None), "now": now},
    )
    return bool(moved.all())


async def note_failure(
    session: AsyncSession, connection_id: UUID, at: int, problem: str, *, retry_at: datetime | None, now: datetime
) -> None:
    """Keep that the fact behind a position could not be delivered, and when it is tried again."""
    await session.execute(
        text(
            "UPDATE outlet SET failures = failures + 1, failing_since = coalesce(failing_since, :now), "
            "retry_at = :retry_at, problem = :problem WHERE connection_id = :id AND position = :at"
        ),
        {"id": connection_id, "at": at, "retry_at": retry_at, "problem": problem, "now": now},
    )
