"""The outbox: a decision that others react to is a row in the transaction that made it.

The relay gives committed rows a `position`, one relay at a time, so positions follow the order in which facts became
visible and a reader that remembers the last one can resume without a gap. Reactions run in the relay's transaction:
what they mark is marked exactly once, even when the process dies half-way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, select, text
from sqlalchemy import Sequence as SqlSequence
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit import work
from hub.kit.db import Base, insert_rows, try_lock

LIST = "outbox"
"""The name under which the relay is woken."""

position_sequence = SqlSequence("outbox_position", metadata=Base.metadata)


class OutboxRow(Base):
    """One fact that was decided: its topic (`object.action`), what it is about, and its details."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    topic: Mapped[str]
    key: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    position: Mapped[int | None] = mapped_column(unique=True)

    __table_args__ = (
        Index("ix_outbox_unpublished", "id", postgresql_where=text("position IS NULL")),
        Index(None, "topic", "position"),
    )


@dataclass(frozen=True, slots=True)
class Fact:
    """A published outbox row. `key` is the id of the account (or other thing) that the fact is about."""

    position: int
    topic: str
    key: str
    payload: dict[str, Any]
    created_at: datetime


async def append(session: AsyncSession, topic: str, key: str, payload: dict[str, Any], *, now: datetime) -> None:
    """Announce a fact, in the transaction that makes it true."""
    await session.execute(
        OutboxRow.__table__.insert(),  # type: ignore[attr-defined]  # a mapped class's table is a Table
        {"topic": topic, "key": key, "payload": payload, "created_at": now},
    )
    work.nudge(session, LIST)


async def append_all(session: AsyncSession, facts: Sequence[tuple[str, str, dict[str, Any]]], *, now: datetime) -> None:
    """Announce many facts, each (topic, key, payload), in one statement and in their order."""
    if not facts:
        return
    rows = [{"topic": topic, "key": key, "payload": payload, "created_at": now} for topic, key, payload in facts]
    await insert_rows(session, OutboxRow.__table__, rows)  # type: ignore[arg-type]  # as above
    work.nudge(session, LIST)


async def publish(session: AsyncSession, *, limit: int = 500) -> list[Fact]:
    """Give the next unpublished facts their positions. Empty when another relay is at work.

    The caller reacts to them in the same transaction, commits, and then wakes the readers.
    """
    if not await try_lock(session, "outbox-relay"):
        return []
    result = await session.execute(
        text(
            "WITH next AS (SELECT id, row_number() OVER (ORDER BY id) AS nth FROM "
            "(SELECT id FROM outbox WHERE position IS NULL ORDER BY id LIMIT :limit) AS unpublished), "
            "numbered AS (SELECT id, nextval('outbox_position') AS position "
            "FROM (SELECT id FROM next ORDER BY nth) AS ordered) "
            "UPDATE outbox SET position = numbered.position FROM numbered WHERE outbox.id = numbered.id "
            "RETURNING outbox.position, topic, key, payload, created_at"
        ),
        {"limit": limit},
    )
    return sorted((Fact(*row) for row in result), key=lambda fact: fact.position)


async def read_after(
    session: AsyncSession, position: int, *, topics: Sequence[str] = (), limit: int = 500
) -> list[Fact]:
    """Published facts behind `position`, oldest first; all topics when none is named."""
    query = (
        select(OutboxRow.position, OutboxRow.topic, OutboxRow.key, OutboxRow.payload, OutboxRow.created_at)
        .where(OutboxRow.position > position)
        .order_by(OutboxRow.position)
        .limit(limit)
    )
    if topics:
        query = query.where(OutboxRow.topic.in_(topics))
    return [Fact(*row) for row in (await session.execute(query)).all()]


async def last_position(session: AsyncSession) -> int:
    """The position of the newest published fact; 0 when there is none."""
    return int((await session.execute(text("SELECT coalesce(max(position), 0) FROM outbox"))).scalar_one())


async def first_kept(session: AsyncSession) -> int:
    """The position of the oldest published fact that is kept; the next one's when none is.

    Whoever wants to go on behind a position before the one preceding it has missed something.
    """
    found = await session.execute(
        text(
            "SELECT coalesce((SELECT min(position) FROM outbox), "
            "(SELECT last_value + is_called::int FROM outbox_position))"
        )
    )
    return int(found.scalar_one())


async def forget_before(
    session: AsyncSession, now: datetime, *, keep: timedelta = timedelta(days=7), needed_behind: int | None = None
) -> None:
    """Delete facts published longer ago than `keep`: readers resume from a position, not from history.

    With `needed_behind` those behind that position stay: somebody has not taken them yet.
    """
    await session.execute(
        text(
            "DELETE FROM outbox WHERE position IS NOT NULL AND created_at < :before "
            "AND position <= coalesce(CAST(:needed AS bigint), position)"
        ),
        {"before": now - keep, "needed": needed_behind},
    )
