"""Reading a stream: a page's rows and its cursor become true in one transaction.

So whoever is killed, and wherever, loses at most a page that was never kept, and reads it again. The transaction moves
the cursor only from where this run found it: of two that read the same stream one is overtaken and stops, and what
both have read has one key. Live reading and a backfill have a checkpoint each. Without a live cursor there is nothing
to go on from, so reading begins as a backfill, whose last cursor becomes the live one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog

from hub.connections import checkpoints, metrics
from hub.connections.faults import described
from hub.connections.hosting import open_connector
from hub.connections.installing import pause
from hub.connections.model import Connection, ConnectionStatus
from hub.connections.quarantine import Stage, Unreadable, quarantine
from hub.connections.reading import Ended, SyncOutcome, drifted, summary
from hub.connections.records import delete_unlisted, list_records, store
from hub.connections.registry import current
from hub.connections.scheduling import StreamKey, start_over
from hub.kit.errors import HubError, NotFound
from hub.kit.runtime import Kit
from hub.sdk.connector import Connector, Page, Stream
from hub.sdk.cursors import CursorTrail, as_cursor
from hub.sdk.errors import (
    AuthExpired,
    ConnectorError,
    CursorExpired,
    Misconfigured,
    RateLimited,
    SchemaDrift,
    Unavailable,
)
from hub.sdk.http import connector_error
from hub.sdk.rows import BadRow, RawRow, read_row
from hub.sdk.secrecy import printable, secrets_of

log = structlog.get_logger()

PAGE_SECONDS = 45.0
"""How long a connector may take for one page, its retries included."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, for whoever watches: what it has read, and the cursor that is kept with it."""

    stream: str
    backfill: bool
    pages: int
    records: int
    cursor: dict[str, Any] | None = None
    earlier: int = 0
    """What earlier runs of the same backfill have read."""


class Overtaken(Exception):
    """The checkpoint is not where this run left it: somebody else reads the same stream."""


class ReadingFailed(Exception):
    """The connector failed, or what it yields cannot be accepted; the cause says how."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(slots=True)
class Run:
    """One stretch of reading: what it reads, from where, and what it has read so far."""

    kit: Kit
    row: Connection
    stream: Stream[Any]
    key: StreamKey
    stored: dict[str, Any] | None
    refreshing: bool
    """A full refresh begins: all is listed anew, whatever cursor is stored."""
    outcome: SyncOutcome
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """A page's rows, sorted out, and the cursor to store with them."""

    rows: list[RawRow]
    bad: list[BadRow]
    cursor: dict[str, Any] | None
    complete: bool


async def sync_stream(
    kit: Kit,
    connection_id: UUID,
    stream: str,
    *,
    backfill: bool = False,
    seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> SyncOutcome:
    """Read a stream to its end, or, with `seconds`, for about so long (at least a page).

    What goes wrong is kept on the checkpoint and, where a person has to act, on the connection; it is not raised.
    Raises `NotFound` for a connection, plugin or stream that does not exist, and what the database raises.
    """
    run = await _begin(kit, connection_id, stream, backfill)
    if run.outcome.ended is Ended.PAUSED:
        return run.outcome
    secrets: list[str] = []
    async with AsyncExitStack() as stack:
        try:
            connector, _ = await stack.enter_async_context(open_connector(kit, run.row, backfill=run.key.backfill))
        except HubError as error:
            return await _fail(run, Misconfigured(str(error)), secrets)
        except Exception as error:  # a connector may fail over its configuration in any way
            return await _fail(run, error, secrets)
        secrets = secrets_of(connector.config)
        try:
            ended = await _read(run, connector, seconds, progress)
        except Overtaken:
            ended = Ended.OVERTAKEN
        except ReadingFailed as failed:
            return await _fail(run, failed.cause, secrets)
    metrics.sync_runs.labels(run.row.connector, stream, ended).inc()
    return replace(run.outcome, ended=ended)


async def _begin(kit: Kit, connection_id: UUID, name: str, backfill: bool) -> Run:
    """Look up what to read and from where; without a live cursor that is a backfill."""
    now = kit.clock.now()
    async with kit.transaction() as session:
        row = await session.get(Connection, connection_id)
        if row is None:
            raise NotFound(f"There is no connection {connection_id}.", remedy="List them: hub connect list")
        stream = current().connector(row.connector).streams.get(name)
        if stream is None or stream.interval is None:
            raise NotFound(f"{row.connector} has no stream {name!r} that can be read.")
        key = StreamKey(row.id, name)
        if not stream.full_refresh:
            live = await checkpoints.load(session, key)
            key = replace(key, backfill=backfill or live is None or live.cursor is None)
        if key.backfill:
            await start_over(session, key, now=now)
        checkpoint = await checkpoints.load_or_create(session, key, now=now)
    outcome = SyncOutcome(Ended.MORE, key.backfill, stream.interval)
    if row.status != ConnectionStatus.ACTIVE:
        problem = row.problem or f"The connection is {row.status}."
        outcome = replace(outcome, ended=Ended.PAUSED, problem=problem)
    elif checkpoint.paused:
        outcome = replace(outcome, ended=Ended.PAUSED, problem=checkpoint.problem)
    earlier = checkpoint.records if key.backfill else 0
    return Run(kit, row, stream, key, checkpoint.cursor, stream.full_refresh and checkpoint.done, outcome, earlier)


async def _read(
    run: Run, connector: Connector[Any], seconds: float | None, progress: Callable[[Progress], None] | None
) -> Ended:
    """Read page after page and keep each; raises `ReadingFailed` and `Overtaken`."""
    until = None if seconds is None else time.monotonic() + seconds
    async with aclosing(_pages(run, connector)) as pages:
        async for page in pages:
            await _keep(run, page)
            if progress is not None:
                done = run.outcome
                progress(Progress(run.key.stream, run.key.backfill, done.pages, done.records, run.stored, run.earlier))
            if page.complete:
                return Ended.DONE
            if until is not None and time.monotonic() >= until:
                return Ended.MORE
    async with run.kit.transaction() as session:
        if not await checkpoints.end(session, run.key, run.stored, now=run.kit.clock.now()):
            raise Overtaken
    return Ended.DONE


async def _pages(run: Run, connector: Connector[Any]) -> AsyncGenerator[Judged, None]:
    """The connector's pages, judged; whatever it does wrong comes out as `ReadingFailed`."""
    try:
        cursor = None if run.refreshing else as_cursor(run.stream, run.stored)
        reading = run.stream.read(connector, cursor)
        if not isinstance(reading, AsyncGenerator):
            raise TypeError(f"{run.stream.name} must be an async generator: an async def that yields pages")
        trail = CursorTrail(run.stored)
        read = bad = 0
    except Exception as error:
        raise ReadingFailed(error) from error
    async with aclosing(reading):
        while True:
            try:
                async with asyncio.timeout(PAGE_SECONDS):
                    page = await anext(reading)
                judged = _judge(run, trail, page)
                read, bad = read + len(page.rows), bad + len(judged.bad)
                if drifted(read, bad):
                    raise SchemaDrift(summary([row.reason for row in judged.bad]))
            except StopAsyncIteration:
                return
            except Exception as error:
                raise ReadingFailed(error) from error
            yield judged


def _judge(run: Run, trail: CursorTrail, page: Page) -> Judged:
    """Sort a page's rows out; raises for a page that cannot be accepted at all."""
    if page.complete and not run.stream.full_refresh:
        raise TypeError(f"{run.stream.name} yields complete=True: declare it with full_refresh=True")
    now = run.kit.clock.now()
    judged = [read_row(run.stream, row, now) for row in page.rows]
    return Judged(
        rows=[row for row in judged if isinstance(row, RawRow)],
        bad=[row for row in judged if isinstance(row, BadRow)],
        cursor=trail.move(page),
        complete=page.complete,
    )


async def _keep(run: Run, page: Judged) -> None:
    """Make a page true: its rows, its bad rows, and the cursor behind them."""
    now, connection_id, stream = run.kit.clock.now(), run.row.id, run.stream.name
    async with run.kit.transaction() as session:
        read = len(page.rows) + len(page.bad)
        if not await checkpoints.move(session, run.key, run.stored, page.cursor, records=read, now=now):
            raise Overtaken
        new = await store(session, connection_id, page.rows, now=now)
        bad = [Unreadable(connection_id, Stage.RECORD, row.reason, stream, payload=row.payload) for row in page.bad]
        await quarantine(session, bad, now=now)
        if run.stream.full_refresh:
            listed = [row.record_id for row in page.rows if row.payload is not None]
            await list_records(session, connection_id, stream, listed)
        if page.complete:
            new += await delete_unlisted(session, connection_id, stream, now=now)
            await checkpoints.end(session, run.key, page.cursor, now=now)
    run.stored, run.refreshing = page.cursor, False
    before, connector = run.outcome, run.row.connector
    run.outcome = replace(
        before,
        pages=before.pages + 1,
        records=before.records + read,
        new=before.new + new,
        bad=before.bad + len(page.bad),
    )
    metrics.pages.labels(connector, stream).inc()
    metrics.records.labels(connector, stream, "new").inc(new)
    metrics.records.labels(connector, stream, "repeated").inc(max(0, len(page.rows) - new))
    metrics.records.labels(connector, stream, "bad").inc(len(page.bad))


async def _fail(run: Run, error: Exception, secrets: list[str]) -> SyncOutcome:
    """Note what went wrong where a person looks for it, and say what follows."""
    known = connector_error(error)
    problem = printable(_message(known or error), secrets)
    outcome = replace(run.outcome, ended=Ended.FAILED, problem=problem)
    async with run.kit.transaction() as session:
        match known:
            case Misconfigured() | AuthExpired():
                await pause(session, run.row.id, problem)
                outcome = replace(outcome, ended=Ended.PAUSED)
            case SchemaDrift():
                await checkpoints.note(session, run.key, problem, paused=True)
                outcome = replace(outcome, ended=Ended.PAUSED)
            case CursorExpired() if run.stored is not None:
                await checkpoints.forget_cursor(session, run.key, run.stored, now=run.kit.clock.now())
                outcome = replace(outcome, ended=Ended.MORE)
            case RateLimited():
                outcome = replace(outcome, ended=Ended.RETRY, retry_after=known.retry_after)
            case Unavailable():
                outcome = replace(outcome, ended=Ended.RETRY)
        if outcome.ended is not Ended.MORE:
            await checkpoints.note(session, run.key, problem)
    detail = printable(known.detail, secrets) if known else described(error, secrets)
    log.warning(
        "sync.failed",
        connection=run.row.name,
        stream=run.key.stream,
        ended=outcome.ended,
        reason=problem,
        detail=detail,
    )
    metrics.sync_runs.labels(run.row.connector, run.key.stream, outcome.ended).inc()
    return outcome


def _message(error: Exception) -> str:
    match error:
        case ConnectorError():
            return error.message
        case HubError():
            return str(error)
        case _:
            return f"The connector failed: {type(error).__name__}: {error}"
