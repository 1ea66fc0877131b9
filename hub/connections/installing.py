"""Connections as a person handles them: adding, checking, reconnecting, removing, listing.

A connection keeps its identity over its whole life: adding a vendor's tenant again that was removed revives the old
connection, so what it had sent is not told twice. Two living connections to one tenant are refused by a unique index.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import SYSTEM, Role, Viewer, audit
from hub.connections.configs import to_seal, validated, without_secrets
from hub.connections.hosting import configured, hosted
from hub.connections.mailbox import SqlMailbox
from hub.connections.model import NAME, Connection, ConnectionStatus
from hub.connections.outlets import close_outlet, open_outlet, try_again
from hub.connections.pace import Pace, buckets
from hub.connections.registry import Registry
from hub.connections.scheduling import schedule_sync
from hub.kit.clock import FrozenClock
from hub.kit.crypto import Vault
from hub.kit.errors import HubError, Invalid, NotFound
from hub.kit.ids import new_id
from hub.sdk.connector import Connector
from hub.sdk.errors import ConnectorError, Misconfigured, Unavailable
from hub.sdk.http import connector_error
from hub.sdk.secrecy import printable, secrets_of


@dataclass(frozen=True, slots=True)
class Installed:
    """A connection as a list shows it; `records` counts what was read, `quarantined` what could not be.

    `delivered` and `waiting` count the hub's facts that left through it, and those it has before it, of all topics.
    """

    id: UUID
    name: str
    connector: str
    tenant: str
    status: ConnectionStatus
    problem: str | None
    created_at: datetime
    last_read_at: datetime | None
    records: int
    quarantined: int
    delivered: int | None
    waiting: int | None


async def add(
    session: AsyncSession,
    vault: Vault,
    registry: Registry,
    connector: str,
    name: str,
    config: Mapping[str, Any],
    *,
    now: datetime,
    check: bool = True,
    viewer: Viewer = SYSTEM,
) -> Connection:
    """Install a connector under a name, and have its streams read.

    With `check` the vendor is asked first who we are; without, the tenant is unknown until the first `check`. Raises
    `Invalid` (the name, the configuration, the tenant has a connection), `NotFound` (no such connector) and the errors
    of `hub.sdk.errors` that the vendor's answer means.
    """
    viewer.require(Role.ADMIN)
    kind = registry.connector(connector)
    if not NAME.match(name):
        raise Invalid(
            f"{name!r} cannot be a connection's name: it is part of webhook addresses.",
            remedy="Use up to 63 lower case letters, digits, - and _.",
            path=("name",),
        )
    parsed = validated(kind, config)
    connection_id = new_id()
    tenant = await _ask_tenant(session, kind, parsed, connection_id, now) if check else f"unchecked:{connection_id}"
    row = await _former(session, connector, tenant)
    try:
        async with session.begin_nested():
            await _free_name(session, name, row)
            row = row or Connection(id=connection_id, connector=connector, tenant=tenant, created_at=now)
            row.name, row.status, row.problem, row.removed_at = name, ConnectionStatus.ACTIVE, None, None
            row.sealed_config = vault.seal(to_seal(config))
            session.add(row)
    except IntegrityError as error:
        raise _taken(error, name, connector) from None
    await audit(session, viewer, "connection.added", f"connection:{name}", {"connector": connector}, now=now)
    await schedule_sync(session, row.id, now=now)
    await open_outlet(session, row.id, kind)
    return row


async def reconnect(
    session: AsyncSession,
    vault: Vault,
    registry: Registry,
    name: str,
    config: Mapping[str, Any],
    *,
    now: datetime,
    viewer: Viewer = SYSTEM,
) -> Connection:
    """Give a connection new credentials, after asking the vendor whether they belong to the same tenant."""
    viewer.require(Role.ADMIN)
    row = await find(session, name)
    kind = registry.connector(row.connector)
    parsed = validated(kind, config)
    tenant = await _ask_tenant(session, kind, parsed, row.id, now)
    _same_tenant(row, tenant)
    row.tenant, row.sealed_config = tenant, vault.seal(to_seal(config))
    row.status, row.problem = ConnectionStatus.ACTIVE, None
    await audit(session, viewer, "connection.reconnected", f"connection:{row.name}", {}, now=now)
    await schedule_sync(session, row.id, now=now)
    await try_again(session, row.id, now=now)
    return row


async def check(
    session: AsyncSession, vault: Vault, name: str, *, now: datetime, viewer: Viewer = SYSTEM
) -> Connection:
    """Ask the vendor whether a connection works; one that was paused and does is resumed.

    Raises the errors of `hub.sdk.errors`; the caller may then show the message. The connection is left as it was.
    """
    viewer.require(Role.ADMIN)
    row = await find(session, name)
    kind, config = configured(vault, row)
    tenant = await _ask_tenant(session, kind, config, row.id, now)
    _same_tenant(row, tenant)
    row.tenant = tenant
    if row.status == ConnectionStatus.PAUSED:
        row.status, row.problem = ConnectionStatus.ACTIVE, None
        await audit(session, viewer, "connection.resumed", f"connection:{row.name}", {}, now=now)
        await schedule_sync(session, row.id, now=now)
    await try_again(session, row.id, now=now)
    return row


async def change(
    session: AsyncSession,
    vault: Vault,
    registry: Registry,
    name: str,
    changes: Mapping[str, Any],
    *,
    now: datetime,
    viewer: Viewer = SYSTEM,
) -> Connection:
    """Give a connection some other settings, e.g. a new secret; the others stay. None takes a setting away."""
    viewer.require(Role.ADMIN)
    row = await find(session, name)
    document = {**vault.open(row.sealed_config), **changes}
    kept = {field: value for field, value in document.items() if value is not None}
    return await reconnect(session, vault, registry, name, kept, now=now, viewer=viewer)


async def pause(session: AsyncSession, connection_id: UUID, problem: str) -> None:
    """Ask nothing of the vendor until somebody mends it; `problem` says what to do. Deliveries are still taken."""
    await session.execute(
        text("UPDATE connection SET status = :paused, problem = :problem WHERE id = :id AND status = :active"),
        {
            "id": connection_id,
            "problem": printable(problem),
            "paused": ConnectionStatus.PAUSED,
            "active": ConnectionStatus.ACTIVE,
        },
    )


async def remove(
    session: AsyncSession, vault: Vault, name: str, *, now: datetime, viewer: Viewer = SYSTEM
) -> Connection:
    """End a connection: its secrets are forgotten, what it sent stays; its name is kept until another one takes it."""
    viewer.require(Role.ADMIN)
    row = await find(session, name)
    row.status, row.removed_at, row.problem = ConnectionStatus.REMOVED, now, None
    row.sealed_config = vault.seal(_forgotten(vault, row))
    await close_outlet(session, row.id)
    await audit(session, viewer, "connection.removed", f"connection:{row.name}", {}, now=now)
    return row


async def find(session: AsyncSession, name: str | UUID) -> Connection:
    """A connection that was not removed, by name or id. Raises `NotFound`."""
    where = Connection.id == name if isinstance(name, UUID) else Connection.name == name
    row = (await session.execute(select(Connection).where(where, Connection.removed_at.is_(None)))).scalar_one_or_none()
    if row is None:
        raise NotFound(f"There is no connection {str(name)!r}.", remedy="List them: hub connect list")
    return row


async def listing(session: AsyncSession) -> list[Installed]:
    """The connections that were not removed, by name."""
    rows = await session.execute(
        text(
            "SELECT c.id, c.name, c.connector, c.tenant, c.status, c.created_at, "
            "coalesce(c.problem, o.problem) AS problem, o.delivered, CASE WHEN o.position IS NOT NULL "
            "THEN (SELECT count(*) FROM outbox WHERE outbox.position > o.position) END AS waiting, "
            "(SELECT max(updated_at) FROM checkpoint WHERE connection_id = c.id) AS last_read_at, "
            "(SELECT coalesce(sum(records), 0) FROM checkpoint WHERE connection_id = c.id) AS records, "
            "(SELECT count(*) FROM quarantine WHERE connection_id = c.id AND resolved_at IS NULL) AS quarantined "
            "FROM connection c LEFT JOIN outlet o ON o.connection_id = c.id "
            "WHERE c.removed_at IS NULL ORDER BY c.name"
        )
    )
    return [
        Installed(
            id=row.id,
            name=row.name,
            connector=row.connector,
            tenant=row.tenant,
            status=ConnectionStatus(row.status),
            problem=row.problem,
            created_at=row.created_at,
            last_read_at=row.last_read_at,
            records=int(row.records),
            quarantined=row.quarantined,
            delivered=row.delivered,
            waiting=row.waiting,
        )
        for row in rows
    ]


async def _ask_tenant(
    session: AsyncSession, kind: type[Connector[Any]], config: BaseModel, connection_id: UUID, now: datetime
) -> str:
    """The vendor's own id of whom the credentials belong to."""

    @asynccontextmanager
    async def same_transaction() -> AsyncIterator[AsyncSession]:
        yield session

    clock = FrozenClock(now)
    mailbox = SqlMailbox(same_transaction, connection_id, clock)
    pace = Pace(buckets(connection_id, kind.rate, backfill=False))
    secrets = secrets_of(config)
    try:
        async with hosted(kind, config, mailbox=mailbox, pace=pace, clock=clock) as (connector, _):
            tenant = await connector.check()
    except Exception as error:
        known = connector_error(error)
        if known is None:
            raise Unavailable(
                f"The connector {kind.id} failed over the check: {printable(str(error), secrets)}",
                detail=type(error).__name__,
            ) from None
        raise type(known)(printable(known.message, secrets), detail=printable(known.detail, secrets)) from None
    if not isinstance(tenant, str) or not tenant:
        raise Misconfigured(f"The connector {kind.id} does not say whose account it is: check() returned no text.")
    return tenant


async def _former(session: AsyncSession, connector: str, tenant: str) -> Connection | None:
    """The removed connection to the same tenant, to be revived."""
    query = (
        select(Connection)
        .where(Connection.connector == connector, Connection.tenant == tenant, Connection.removed_at.is_not(None))
        .order_by(Connection.removed_at.desc())
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def _free_name(session: AsyncSession, name: str, revived: Connection | None) -> None:
    await session.execute(
        text(
            "UPDATE connection SET name = name || ' (removed ' || id || ')' WHERE name = :name "
            "AND removed_at IS NOT NULL AND id IS DISTINCT FROM :revived"
        ),
        {"name": name, "revived": revived.id if revived else None},
    )


def _taken(error: IntegrityError, name: str, connector: str) -> Invalid:
    if "uq_connection_tenant" in str(error.orig):
        return Invalid(
            f"There is a connection to this {connector} account already.",
            remedy="Use it, or remove it first: hub connect list",
            path=("config",),
        )
    return Invalid(f"There is a connection named {name!r} already.", remedy="Choose another name.", path=("name",))


def _same_tenant(row: Connection, tenant: str) -> None:
    if tenant != row.tenant and not row.tenant.startswith("unchecked:"):
        raise Misconfigured(
            f"These credentials belong to another account of the vendor ({tenant}) than the connection's "
            f"({row.tenant}): add a connection of its own for it."
        )


def _forgotten(vault: Vault, row: Connection) -> dict[str, Any]:
    """The configuration without its secrets: reading what was sent before still needs the rest of it."""
    try:
        _, config = configured(vault, row)
        return without_secrets(config, vault.open(row.sealed_config))
    except (HubError, ConnectorError):
        return {}
