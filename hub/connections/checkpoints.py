"""Checkpoints: how far a stream has been read, moved only from where the mover found them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections.model import Checkpoint
from hub.connections.scheduling import StreamKey

Cursor = dict[str, Any] | None

WHERE = "connection_id = :connection AND stream = :stream AND backfill = :backfill"
UNMOVED = f"{WHERE} AND cursor IS NOT DISTINCT FROM CAST(:before AS jsonb)"
COLUMNS = "connection_id, stream, backfill, cursor, done, records, started_at, updated_at, paused"


async def load(session: AsyncSession, key: StreamKey) -> Checkpoint | None:
    """The checkpoint, if the stream was ever read in this mode."""
    return await session.get(Checkpoint, (key.connection_id, key.stream, key.backfill))


async def load_or_create(session: AsyncSession, key: StreamKey, *, now: datetime) -> Checkpoint:
    """The checkpoint, at the beginning if there was none."""
    await session.execute(
        text(
            f"INSERT INTO checkpoint ({COLUMNS}) "
            "VALUES (:connection, :stream, :backfill, NULL, false, 0, :now, :now, false) ON CONFLICT DO NOTHING"
        ),
        {**_names(key), "now": now},
    )
    return await session.get_one(Checkpoint, (key.connection_id, key.stream, key.backfill))


async def move(
    session: AsyncSession, key: StreamKey, before: Cursor, after: Cursor, *, records: int, now: datetime
) -> bool:
    """Move the cursor behind a page of `records`; False when it is no longer at `before`, or the stream was paused."""
    moved = await session.execute(
        text(
            "UPDATE checkpoint SET cursor = CAST(:after AS jsonb), records = records + :records, done = false, "
            f"updated_at = :now, problem = NULL WHERE {UNMOVED} AND NOT paused RETURNING 1"
        ),
        {**_names(key), "before": _json(before), "after": _json(after), "records": records, "now": now},
    )
    return moved.first() is not None


async def end(session: AsyncSession, key: StreamKey, at: Cursor, *, now: datetime) -> bool:
    """Note that there is nothing more; False when the cursor is no longer `at`.

    A backfill hands its cursor to live reading, unless that has one of its own.
    """
    ended = await session.execute(
        text(f"UPDATE checkpoint SET done = true, updated_at = :now, problem = NULL WHERE {UNMOVED} RETURNING 1"),
        {**_names(key), "before": _json(at), "now": now},
    )
    if ended.first() is None:
        return False
    if key.backfill and at is not None:
        await session.execute(
            text(
                f"INSERT INTO checkpoint ({COLUMNS}) "
                "VALUES (:connection, :stream, false, CAST(:cursor AS jsonb), true, 0, :now, :now, false) "
                "ON CONFLICT (connection_id, stream, backfill) DO UPDATE SET cursor = excluded.cursor, problem = NULL "
                "WHERE checkpoint.cursor IS NULL"
            ),
            {"connection": key.connection_id, "stream": key.stream, "cursor": _json(at), "now": now},
        )
    return True


async def forget_cursor(session: AsyncSession, key: StreamKey, before: Cursor, *, now: datetime) -> None:
    """The vendor no longer knows the cursor: begin at the beginning."""
    await session.execute(
        text(f"UPDATE checkpoint SET cursor = NULL, done = false, updated_at = :now WHERE {UNMOVED}"),
        {**_names(key), "before": _json(before), "now": now},
    )


async def note(session: AsyncSession, key: StreamKey, problem: str, *, paused: bool = False) -> None:
    """Keep what went wrong where a person looks for it; `paused` stops the reading until somebody asks for it."""
    await session.execute(
        text(f"UPDATE checkpoint SET problem = :problem, paused = paused OR :paused WHERE {WHERE}"),
        {**_names(key), "problem": problem, "paused": paused},
    )


def _names(key: StreamKey) -> dict[str, Any]:
    return {"connection": key.connection_id, "stream": key.stream, "backfill": key.backfill}


def _json(cursor: Cursor) -> str | None:
    return None if cursor is None else orjson.dumps(cursor).decode()
