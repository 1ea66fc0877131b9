"""Reading connections: how fresh each stream is, and what could not be read. For administrators alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from hub.access.service import Role, Viewer
from hub.connections.model import Checkpoint, Connection, ConnectionStatus, Quarantine
from hub.kit.paging import Order, Page, Slice, among, read_page

__all__ = ["Checkpoint", "Connection", "ConnectionStatus", "Quarantine", "QuarantineFilter"]

QUARANTINE = Order("quarantine", Quarantine.last_seen_at, Quarantine.id, descending=True)


@dataclass(frozen=True, slots=True)
class QuarantineFilter:
    """Which entries of the quarantine (None: no restriction); those resolved since only if asked for."""

    connection_id: UUID | None = None
    stage: str | None = None
    resolved: bool = False


@dataclass(frozen=True, slots=True)
class Quarantined:
    """How much of a connection could not be read, and since when."""

    count: int
    oldest: datetime | None


async def connections(session: AsyncSession, viewer: Viewer) -> list[Connection]:
    """All connections that are not removed, by name. Their sealed configuration is not read."""
    viewer.require()
    found = await session.execute(
        select(Connection)
        .options(defer(Connection.sealed_config, raiseload=True))
        .where(Connection.removed_at.is_(None))
        .order_by(Connection.name)
    )
    return list(found.scalars())


async def by_id(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Connection]:
    """Connections by id, removed ones too."""
    viewer.require()
    found = await session.execute(
        select(Connection).options(defer(Connection.sealed_config, raiseload=True)).where(among(Connection.id, ids))
    )
    return {connection.id: connection for connection in found.scalars()}


async def names(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The names of connections, which say where an event came from; everybody who sees events may see them."""
    viewer.require(Role.CSM, Role.VIEWER)
    found = await session.execute(select(Connection.id, Connection.name).where(among(Connection.id, ids)))
    return dict(found.all())


def name_of(connection_id: Any) -> ColumnElement[str]:
    """The name of a row's connection, for a larger statement."""
    return select(Connection.name).where(Connection.id == connection_id).scalar_subquery()


async def checkpoints(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, list[Checkpoint]]:
    """How far the streams of each connection have been read, by stream."""
    viewer.require()
    found = await session.execute(
        select(Checkpoint)
        .where(among(Checkpoint.connection_id, ids))
        .order_by(Checkpoint.connection_id, Checkpoint.stream, Checkpoint.backfill)
    )
    below: dict[UUID, list[Checkpoint]] = {id_: [] for id_ in ids}
    for checkpoint in found.scalars():
        below[checkpoint.connection_id].append(checkpoint)
    return below


async def quarantined(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Quarantined]:
    """What of each connection waits in the quarantine."""
    viewer.require()
    found = await session.execute(
        select(Quarantine.connection_id, func.count(), func.min(Quarantine.first_seen_at))
        .where(among(Quarantine.connection_id, ids), Quarantine.resolved_at.is_(None))
        .group_by(Quarantine.connection_id)
    )
    counted = {id_: Quarantined(count, oldest) for id_, count, oldest in found}
    return {id_: counted.get(id_, Quarantined(0, None)) for id_ in ids}


async def quarantine(session: AsyncSession, viewer: Viewer, page: Page, wanted: QuarantineFilter) -> Slice[Quarantine]:
    """A page of what could not be read, the latest first. The payload itself is not read: it holds personal data."""
    viewer.require()
    query = select(Quarantine).options(defer(Quarantine.payload, raiseload=True))
    if not wanted.resolved:
        query = query.where(Quarantine.resolved_at.is_(None))
    if wanted.connection_id is not None:
        query = query.where(Quarantine.connection_id == wanted.connection_id)
    if wanted.stage is not None:
        query = query.where(Quarantine.stage == wanted.stage)
    return await read_page(session, Quarantine, query, QUARANTINE, page)


async def quarantine_entries(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Quarantine]:
    """Entries of the quarantine by id."""
    viewer.require()
    found = await session.execute(
        select(Quarantine).options(defer(Quarantine.payload, raiseload=True)).where(among(Quarantine.id, ids))
    )
    return {entry.id: entry for entry in found.scalars()}
