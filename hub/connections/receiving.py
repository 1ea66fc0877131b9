"""Reading stored deliveries: `receive` turns each into rows, the rows become raw records.

A batch is one transaction: the records that it makes and the mark that it was read. A delivery that cannot be read is
kept with its problem and shown in quarantine; it stays as long as nobody has read it, and hinders no other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections import metrics, registry
from hub.connections.compression import Damaged, unpack
from hub.connections.faults import described
from hub.connections.following_up import to_follow_up
from hub.connections.hosting import pure_connector
from hub.connections.lists import RECORDS_TO_FOLLOW_UP, RECORDS_TO_REFETCH
from hub.connections.quarantine import Stage, Unreadable, quarantine, resolve
from hub.connections.records import store
from hub.kit import work
from hub.kit.crypto import Vault
from hub.kit.errors import HubError
from hub.sdk.connector import Connector, Received, Refetch, Tombstone
from hub.sdk.errors import ConnectorError
from hub.sdk.rows import BadRow, RawRow, read_row, unusable
from hub.sdk.secrecy import printable, secrets_of
from hub.sdk.webhooks import Delivery

STORED_BYTES = 1_000_000
"""How much of compressed bodies one batch takes at most: about ten times as much plain."""


@dataclass(slots=True)
class Harvest:
    """What a delivery gave: rows to keep, rows that fit nothing, records to fetch; `problem` if it was not all."""

    rows: list[RawRow] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    refetch: list[str] = field(default_factory=list)
    problem: str | None = None


async def read_deliveries(
    session: AsyncSession, vault: Vault, *, now: datetime, limit: int = 200, only: UUID | None = None
) -> int:
    """Read a batch of waiting deliveries, the oldest first, in the caller's transaction; returns how many it took.

    Deliveries of connections whose plugin is not there go on waiting. `only` takes a single one.
    """
    taken = await _claim(session, limit, only)
    connectors: dict[UUID, Connector[Any] | str] = {}
    harvests: dict[UUID, Harvest] = {}
    for row in taken:
        if row.connection_id not in connectors:
            connectors[row.connection_id] = await _connector(session, vault, row.connection_id)
        harvests[row.id] = harvest(connectors[row.connection_id], row, now)
        await asyncio.sleep(0)  # a batch of big bodies must not stop the process's other work
    await _keep(session, taken, harvests, now)
    await _mark(session, taken, harvests, now)
    return len(taken)


async def give_up(session: AsyncSession, delivery_id: UUID, problem: str, *, now: datetime) -> None:
    """Keep a delivery that could not even be tried, so that those behind it are read."""
    found = await session.execute(
        text(
            "UPDATE webhook_delivery SET problem = :problem WHERE id = :id AND processed_at IS NULL "
            "RETURNING connection_id"
        ),
        {"id": delivery_id, "problem": problem},
    )
    for (connection_id,) in found:
        await quarantine(session, [_entry(connection_id, delivery_id, problem)], now=now)


async def waiting(session: AsyncSession, limit: int) -> list[UUID]:
    """The ids of the deliveries that wait longest."""
    return [row.id for row in await _sizes(session, limit, None)]


def harvest(connector: Connector[Any] | str, row: Row[Any], now: datetime) -> Harvest:
    """What one delivery gives; a text in place of the connector says why there is none. Never raises."""
    found = Harvest()
    if isinstance(connector, str):
        found.problem = connector
        return found
    try:
        webhook = connector.webhooks.get(row.webhook)
        if webhook is None:
            raise ConnectorError(f"The connector has no webhook {row.webhook!r} any more.")
        delivery = Delivery(row.path, row.headers, unpack(row.body), row.received_at)
        for item in webhook.receive(connector, delivery):
            _sort(connector, webhook.handles, item, found, now)
    except ConnectorError as error:
        found.problem = printable(error.message, secrets_of(connector.config))
    except Damaged as error:
        found.problem = f"The stored body is damaged: {error}"
    except Exception as error:  # receive may fail in any way over a body that nobody foresaw
        found.problem = described(error, secrets_of(connector.config))
    return found


def _sort(
    connector: Connector[Any],
    handles: frozenset[str],
    item: Received | Tombstone | Refetch,
    found: Harvest,
    now: datetime,
) -> None:
    if item.stream not in handles:
        raise ValueError(f"receive returns a record of {item.stream!r}, which its webhook does not declare in handles")
    if isinstance(item, Refetch):
        if wrong := unusable(item.id, "1"):
            raise ValueError(f"receive asks for a record to be fetched, but {wrong}")
        found.refetch.append(f"{item.stream}/{item.id}")
        return
    try:
        judged = read_row(connector.streams[item.stream], item if isinstance(item, Tombstone) else item.row, now)
    except ValueError as error:
        # Not even its JSON can be kept: then the delivery itself is, and the other rows go on.
        found.problem = f"A row of it cannot be kept: {error}"
        return
    if isinstance(judged, RawRow):
        found.rows.append(judged)
    else:
        found.bad.append(judged)


async def _claim(session: AsyncSession, limit: int, only: UUID | None) -> Sequence[Row[Any]]:
    sizes = await _sizes(session, limit, only)
    chosen: list[UUID] = []
    total = 0
    for row in sizes:
        if chosen and total + row.size > STORED_BYTES:
            break
        chosen.append(row.id)
        total += row.size
    rows = await session.execute(
        text(
            "SELECT d.id, d.connection_id, c.connector, d.webhook, d.path, d.headers, d.body, d.received_at "
            "FROM webhook_delivery d JOIN connection c ON c.id = d.connection_id "
            "WHERE d.id = ANY(CAST(:ids AS uuid[])) ORDER BY d.received_at, d.id"
        ),
        {"ids": chosen},
    )
    return rows.all()


async def _sizes(session: AsyncSession, limit: int, only: UUID | None) -> Sequence[Row[Any]]:
    """Ids and sizes of waiting deliveries, locked: what others hold is passed over."""
    rows = await session.execute(
        text(
            "SELECT d.id, octet_length(d.body) AS size FROM webhook_delivery d "
            "JOIN connection c ON c.id = d.connection_id "
            "WHERE d.processed_at IS NULL AND d.problem IS NULL AND c.connector = ANY(CAST(:installed AS text[])) "
            "AND (CAST(:only AS uuid) IS NULL OR d.id = :only) "
            "ORDER BY d.received_at LIMIT :limit FOR UPDATE OF d SKIP LOCKED"
        ),
        {"limit": limit, "only": only, "installed": sorted(registry.current().connectors)},
    )
    return rows.all()


async def _connector(session: AsyncSession, vault: Vault, connection_id: UUID) -> Connector[Any] | str:
    try:
        return await pure_connector(session, vault, connection_id)
    except HubError as error:
        return str(error)


async def _keep(session: AsyncSession, taken: Sequence[Row[Any]], harvests: dict[UUID, Harvest], now: datetime) -> None:
    """Store what the deliveries gave, all rows of a connection at once."""
    rows: defaultdict[tuple[UUID, str, str], list[RawRow]] = defaultdict(list)
    bad: list[Unreadable] = []
    refetch: list[str] = []
    follow_up: list[str] = []
    for delivery in taken:
        found = harvests[delivery.id]
        for row in found.rows:
            rows[delivery.connection_id, delivery.connector, row.stream].append(row)
        bad += [
            Unreadable(delivery.connection_id, Stage.RECORD, row.reason, row.stream, payload=row.payload)
            for row in found.bad
        ]
        refetch += [f"{delivery.connection_id}/{key}" for key in found.refetch]
    for (connection_id, connector, stream), given in sorted(rows.items(), key=lambda group: group[0]):
        new = await store(session, connection_id, given, now=now)
        follow_up += to_follow_up(connection_id, connector, given)
        metrics.records.labels(connector, stream, "new").inc(new)
        metrics.records.labels(connector, stream, "repeated").inc(len(given) - new)
    await quarantine(session, bad, now=now)
    await work.mark(session, RECORDS_TO_FOLLOW_UP, follow_up, due_at=now)
    await work.mark(session, RECORDS_TO_REFETCH, refetch, due_at=now)


async def _mark(session: AsyncSession, taken: Sequence[Row[Any]], harvests: dict[UUID, Harvest], now: datetime) -> None:
    """Take the deliveries off the list: read, or kept with what is wrong with them."""
    read = [row.id for row in taken if harvests[row.id].problem is None]
    await session.execute(
        text("UPDATE webhook_delivery SET processed_at = :now WHERE id = ANY(CAST(:ids AS uuid[]))"),
        {"now": now, "ids": read},
    )
    await resolve(session, [_entry(row.connection_id, row.id, "").id for row in taken], now=now)
    for row in taken:
        problem = harvests[row.id].problem
        metrics.deliveries_read.labels(row.connector, "read" if problem is None else "unreadable").inc()
        if problem is not None:
            await give_up(session, row.id, problem, now=now)


def _entry(connection_id: UUID, delivery_id: UUID, problem: str) -> Unreadable:
    return Unreadable(connection_id, Stage.DELIVERY, problem, record_id=str(delivery_id))
