"""Delivering the hub's facts: to each outlet in their order, one at a time, each until it has arrived.

What fails is tried again by the schedule that Standard Webhooks recommends, over three days; until it arrives, the
facts behind it wait, at this outlet and at no other. Then the connection pauses with the reason, and goes on from the
same fact when somebody says so (`hub connect check`).
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from hub.connections import metrics, outlets
from hub.connections.faults import described
from hub.connections.hosting import open_connector
from hub.connections.installing import pause
from hub.connections.model import Connection, ConnectionStatus, OutletState
from hub.kit import outbox
from hub.kit.errors import HubError
from hub.kit.ids import derived_id
from hub.kit.runtime import Kit
from hub.sdk.connector import Connector, Fact, Outlet
from hub.sdk.errors import Misconfigured, RateLimited
from hub.sdk.http import Purpose, connector_error
from hub.sdk.secrecy import printable, secrets_of

log = structlog.get_logger()

DELIVERY_SECONDS = 20.0
FACTS_AT_ONCE = 100
SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Rest:
    """When an outlet is to be looked at again: None, when there are new facts."""

    until: datetime | None
    problem: str | None = None


@dataclass(slots=True)
class Leaving:
    """One stretch of delivering: through which connection, from where, until when (monotonic seconds)."""

    kit: Kit
    connection: Connection
    connector: Connector[Any]
    outlet: Outlet
    position: int
    until: float
    failures: int


class Overtaken(Exception):
    """The outlet is not where this run left it: somebody else delivers."""


class NotDelivered(Exception):
    """A delivery failed; the cause says how."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def retry_after(failures: int, asked: timedelta | None = None, chance: float = 0.0) -> timedelta | None:
    """How long to wait after the nth failure in a row; None to give up. `chance` (0 to 1) spreads those that fail
    together, by up to a tenth. A receiver may ask for longer, up to a day."""
    if failures > len(SCHEDULE):
        return None
    pause = SCHEDULE[failures - 1] * (1 + JITTER * chance)
    return max(pause, min(asked, timedelta(days=1))) if asked is not None else pause


def wanted(topic: str, patterns: Sequence[str]) -> bool:
    """Whether a topic is among these: names, or patterns with a `*`."""
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), topic) for pattern in patterns)


async def deliver(kit: Kit, connection_id: UUID, *, seconds: float) -> Rest:
    """Deliver what waits at one outlet, for about so long; says when to look again. Never raises for a receiver."""
    async with kit.reading() as session:
        row = await session.get(Connection, connection_id)
        state = await session.get(OutletState, connection_id)
    if row is None or state is None or row.status != ConnectionStatus.ACTIVE:
        return Rest(None)
    if state.retry_at is not None and state.retry_at > kit.clock.now():
        return Rest(state.retry_at, state.problem)
    secrets: list[str] = []
    at, failures = state.position, state.failures
    try:
        async with open_connector(kit, row, purpose=Purpose.DELIVERING) as (connector, _):
            secrets = secrets_of(connector.config)
            outlet = next(iter(connector.outlets.values()), None)
            if outlet is None:
                return Rest(None)
            leaving = Leaving(kit, row, connector, outlet, at, time.monotonic() + seconds, failures)
            try:
                return await _deliver_waiting(leaving)
            finally:
                at, failures = leaving.position, leaving.failures
    except Overtaken:
        return Rest(kit.clock.now())
    except HubError as error:
        return await _fail(kit, row, at, failures + 1, Misconfigured(str(error)), secrets)
    except NotDelivered as failed:
        return await _fail(kit, row, at, failures + 1, failed.cause, secrets)


async def _deliver_waiting(leaving: Leaving) -> Rest:
    """Fact after fact; those of other topics are passed over, together with the next that is moved."""
    kit, topics = leaving.kit, leaving.outlet.topics(leaving.connector.config)
    while True:
        async with kit.reading() as session:
            facts = await outbox.read_after(session, leaving.position, limit=FACTS_AT_ONCE)
        if not facts:
            return Rest(None)
        for fact in facts:
            if not wanted(fact.topic, topics):
                continue
            await _deliver_one(leaving, fact)
            await _advance(leaving, fact.position, delivered=True)
            if time.monotonic() >= leaving.until:
                return Rest(kit.clock.now())
        if leaving.position < facts[-1].position:
            await _advance(leaving, facts[-1].position, delivered=False)


async def _deliver_one(leaving: Leaving, fact: outbox.Fact) -> None:
    """Raises `NotDelivered`."""
    message_id = f"msg_{derived_id('outlet', leaving.connection.id, fact.position).hex}"
    leaves = Fact(message_id, fact.topic, fact.key, fact.payload, fact.position, fact.created_at)
    try:
        async with asyncio.timeout(DELIVERY_SECONDS):
            await leaving.outlet.deliver(leaving.connector, leaves)
    except Exception as error:
        raise NotDelivered(error) from error
    metrics.facts_delivered.labels(leaving.connection.connector, "delivered").inc()


async def _advance(leaving: Leaving, to: int, *, delivered: bool) -> None:
    now = leaving.kit.clock.now() if delivered else None
    async with leaving.kit.transaction() as session:
        if not await outlets.advance(session, leaving.connection.id, leaving.position, to, now=now):
            raise Overtaken
    leaving.position, leaving.failures = to, 0


async def _fail(kit: Kit, row: Connection, at: int, failures: int, error: Exception, secrets: list[str]) -> Rest:
    """Note what went wrong where a person looks for it, and when it is tried again; in the end pause the connection."""
    known = connector_error(error)
    problem = printable(known.message if known else f"{type(error).__name__}: {error}", secrets)
    asked = known.retry_after if isinstance(known, RateLimited) else None
    chance = random.random()  # noqa: S311  # no secret
    wait = None if isinstance(known, Misconfigured) else retry_after(failures, asked, chance)
    now = kit.clock.now()
    retry_at = None if wait is None else now + wait
    async with kit.transaction() as session:
        await outlets.note_failure(session, row.id, at, problem, retry_at=retry_at, now=now)
        if wait is None:
            await pause(session, row.id, f"{problem} Mend it, then go on without a gap: hub connect check {row.name}")
    detail = printable(known.detail, secrets) if known else described(error, secrets)
    log.warning("delivery.failed", connection=row.name, position=at, failures=failures, reason=problem, detail=detail)
    metrics.facts_delivered.labels(row.connector, "failed").inc()
    return Rest(retry_at, problem)
