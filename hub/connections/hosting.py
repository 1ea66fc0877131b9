"""A connector at work: its class, its configuration, and what the host gives it for one run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections import metrics, registry
from hub.connections.configs import validated
from hub.connections.mailbox import SqlMailbox
from hub.connections.model import Connection, ConnectionStatus
from hub.connections.pace import Pace, buckets
from hub.kit.clock import Clock
from hub.kit.crypto import Vault
from hub.kit.errors import Invalid, NotFound
from hub.kit.runtime import Kit
from hub.sdk.connector import Connector, Host
from hub.sdk.errors import ConnectorError
from hub.sdk.http import HostClient, Purpose
from hub.sdk.mailbox import Mailbox


async def pure_connector(session: AsyncSession, vault: Vault, connection_id: UUID) -> Connector[Any]:
    """The connector without a host: for `normalize` and `receive`. Works for a removed connection too.

    Raises `NotFound` (no such connection, or its plugin is not there) or `Invalid` (its configuration no longer fits).
    """
    row = await session.get(Connection, connection_id)
    if row is None:
        raise NotFound(f"There is no connection {connection_id}.")
    kind, config = configured(vault, row)
    return kind(config)


def configured(vault: Vault, row: Connection) -> tuple[type[Connector[Any]], BaseModel]:
    """A connection's connector class and its opened configuration; raises as `pure_connector` does."""
    kind = registry.current().connector(row.connector)
    document = vault.open(row.sealed_config)
    try:
        return kind, validated(kind, document)
    except Invalid:
        if row.status != ConnectionStatus.REMOVED:
            raise
        # Its secrets are blotted out and may no longer fit; what is read of its records does not need them.
        return kind, kind.Config.model_construct(**document)


@asynccontextmanager
async def open_connector(
    kit: Kit, row: Connection, *, purpose: Purpose = Purpose.READING, backfill: bool = False
) -> AsyncIterator[tuple[Connector[Any], HostClient]]:
    """A connector with its host, for as long as the block runs, and the host's client. Raises as `pure_connector`."""
    kind, config = configured(kit.vault, row)
    pace = Pace(buckets(row.id, kind.rate, backfill=backfill), kit.queue.redis)
    mailbox = SqlMailbox(kit.transaction, row.id, kit.clock)
    private = kit.settings.private_targets
    async with hosted(
        kind, config, mailbox=mailbox, pace=pace, clock=kit.clock, purpose=purpose, private_targets=private
    ) as opened:
        yield opened


@asynccontextmanager
async def hosted(
    kind: type[Connector[Any]],
    config: BaseModel,
    *,
    mailbox: Mailbox,
    pace: Pace,
    clock: Clock,
    purpose: Purpose = Purpose.READING,
    private_targets: bool = False,
) -> AsyncIterator[tuple[Connector[Any], HostClient]]:
    """The same from its parts, for a connection that is not stored yet."""

    def authenticate(request: Any) -> Any:
        return connector.authenticate(request)

    def judge(answer: httpx.Response) -> ConnectorError | None:
        return connector.judge(answer)

    client = HostClient(
        kind.hosts(config),
        authenticate,
        pace,
        clock,
        purpose,
        judge=judge,
        observe=metrics.vendor_request,
        private_targets=private_targets,
    )
    async with client:
        connector = kind(config, Host(http=client, mailbox=mailbox, clock=clock))
        yield connector, client
