"""Asking a vendor to do something, once.

A row stands in `action_call` before the vendor hears of it: whoever dies in between leaves a trace, and the same key
never becomes two calls at once. What is not known is never guessed: where the vendor has no way to tell a repeated
request from a new one, a call without an answer is `unknown`, goes to a person, and is not made again.

The first call's input is the one that counts: a step that is rendered anew for a second attempt may read differently,
and a vendor refuses other parameters under the same key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections import metrics
from hub.connections.faults import described
from hub.connections.hosting import open_connector
from hub.connections.installing import find, pause
from hub.connections.model import ActionCall, ActionStatus, Connection, ConnectionStatus
from hub.connections.reading import retry_in
from hub.connections.registry import current
from hub.kit.errors import HubError, NotFound
from hub.kit.runtime import Kit
from hub.sdk import payloads
from hub.sdk.connector import Action
from hub.sdk.errors import Ambiguous, AuthExpired, Misconfigured, RateLimited, Rejected, Unavailable
from hub.sdk.http import Purpose, connector_error
from hub.sdk.secrecy import printable, secrets_of

log = structlog.get_logger()

ACTION_SECONDS = 45.0
LEASE = timedelta(seconds=90)
ATTEMPTS = 10
WHILE_PAUSED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Emitted:
    """The event that an executed action leaves on the timeline; the same call always gives the same one."""

    kind: str
    occurred_at: datetime
    natural_key: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What is known about an action. With status `pending` ask again at `retry_at`; `emits` only comes with `done`."""

    status: ActionStatus
    output: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    retry_at: datetime | None = None
    emits: Emitted | None = None


class Move(StrEnum):
    """What to do about a call that stands in the table."""

    ANSWER = "answer"
    WAIT = "wait"
    GIVE_UP = "give up"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt ended."""

    status: ActionStatus
    output: Mapping[str, Any] | None = None
    problem: str | None = None
    retry_at: datetime | None = None


async def perform(
    kit: Kit,
    connection: str | UUID,
    action: str,
    input: Mapping[str, Any],  # noqa: A002  # the contract's word
    *,
    key: str,
) -> ActionOutcome:
    """Have a connection's vendor do something, once for each key; `action` is its name, or `connector.name`.

    Never raises for what a vendor or a connector does, nor for an unknown connection or action: see the outcome.
    """
    try:
        async with kit.reading() as session:
            row = await find(session, connection)
        declared = _declared(row, action)
    except NotFound as error:
        return ActionOutcome(ActionStatus.FAILED, problem=str(error))
    now = kit.clock.now()
    if row.status != ConnectionStatus.ACTIVE:
        problem = f"The connection {row.name} is paused: {row.problem or 'resume it first'}"
        return ActionOutcome(ActionStatus.PENDING, problem=problem, retry_at=now + WHILE_PAUSED)
    async with kit.transaction() as session:
        call, move = await _claim(session, row, declared, input, key, now)
    if move is Move.CALL:
        result = await _attempt(kit, row, declared, call)
        async with kit.transaction() as session:
            call = await _settle(session, call, result, kit.clock.now())
    return _outcome(row, declared, call)


def next_move(call: ActionCall, idempotency: str, now: datetime) -> Move:
    """Whether a pending call may be made now; `GIVE_UP` when one that may have happened cannot be repeated."""
    if call.status != ActionStatus.PENDING:
        return Move.ANSWER
    if call.leased_until is not None:
        if call.leased_until > now:
            return Move.WAIT
        return Move.GIVE_UP if idempotency == "none" else Move.CALL
    return Move.WAIT if call.retry_at is not None and call.retry_at > now else Move.CALL


def judge(error: Exception, idempotency: str, *, sent: bool, attempts: int, now: datetime) -> Result:
    """What a failed attempt means. `sent`: a request that may not be repeated had gone out."""
    known = connector_error(error)
    problem = known.message if known else f"The connector failed: {type(error).__name__}: {error}"
    repeatable = idempotency != "none" or not sent
    match known:
        case Rejected():
            return Result(ActionStatus.REJECTED, problem=problem)
        case Misconfigured() | AuthExpired():
            return Result(ActionStatus.PENDING, problem=problem, retry_at=now + WHILE_PAUSED)
        case Ambiguous() if idempotency == "none":
            return Result(ActionStatus.UNKNOWN, problem=problem)
        case Unavailable() | Ambiguous() if repeatable and attempts < ATTEMPTS:
            asked = known.retry_after if isinstance(known, RateLimited) else None
            return Result(ActionStatus.PENDING, problem=problem, retry_at=now + retry_in(attempts, asked))
        case None if repeatable:
            return Result(ActionStatus.FAILED, problem=problem)
        case _:
            return Result(ActionStatus.FAILED if repeatable else ActionStatus.UNKNOWN, problem=problem)


def _declared(row: Connection, name: str) -> Action:
    kind = current().connector(row.connector)
    declared = kind.actions.get(name.removeprefix(f"{row.connector}."))
    if declared is None:
        known = ", ".join(sorted(kind.actions)) or "none"
        raise NotFound(f"{row.connector} has no action {name!r} (it has: {known}).")
    return declared


async def _claim(
    session: AsyncSession, row: Connection, declared: Action, given: Mapping[str, Any], key: str, now: datetime
) -> tuple[ActionCall, Move]:
    """Put the call into the table, or find it there, and take it if it may be made."""
    stored = payloads.storable(dict(given))
    await session.execute(
        text(
            "INSERT INTO action_call (connection_id, key, action, input, status, attempts, started_at) "
            "VALUES (:connection, :key, :action, CAST(:input AS jsonb), :pending, 0, :now) ON CONFLICT DO NOTHING"
        ),
        {
            "connection": row.id,
            "key": key,
            "action": declared.name,
            "input": payloads.dumps(stored).decode(),
            "pending": ActionStatus.PENDING,
            "now": now,
        },
    )
    call = await session.get_one(ActionCall, (row.id, key), with_for_update=True)
    if call.action != declared.name:
        taken = ActionCall(status=ActionStatus.REJECTED, problem=f"The key {key} is used by the action {call.action}.")
        return taken, Move.ANSWER
    move = next_move(call, declared.idempotency, now)
    match move:
        case Move.CALL:
            call.attempts += 1
            call.leased_until, call.retry_at = now + LEASE, None
        case Move.GIVE_UP:
            call.status, call.finished_at, call.leased_until = ActionStatus.UNKNOWN, now, None
            call.problem = "The hub was stopped while the vendor was asked: the action may have happened."
        case Move.WAIT | Move.ANSWER:
            pass
    return call, move


async def _attempt(kit: Kit, row: Connection, declared: Action, call: ActionCall) -> Result:
    """One call of the connector's action, with everything that can go wrong judged."""
    try:
        parsed = declared.input.model_validate(call.input)
    except ValidationError as error:
        return Result(ActionStatus.REJECTED, problem=_misfits(error))
    secrets: list[str] = []
    sent = False
    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(open_connector(kit, row, purpose=Purpose.ACTING))
            connector, client = opened
            secrets = secrets_of(connector.config)
            try:
                async with asyncio.timeout(ACTION_SECONDS):
                    output = await declared.run(connector, parsed, call.key)
            finally:
                sent = client.sent_unsafely
            return Result(ActionStatus.DONE, output=_as_json(output))
        except HubError as error:
            return Result(ActionStatus.FAILED, problem=str(error))
        except Exception as error:  # a connector may fail in any way; the row says what is known
            result = judge(error, declared.idempotency, sent=sent, attempts=call.attempts, now=kit.clock.now())
            known = connector_error(error)
            detail = known.detail if known else described(error)
            log.warning(
                "action.failed",
                connection=row.name,
                action=declared.name,
                key=call.key,
                status=result.status,
                reason=printable(result.problem or "", secrets),
                detail=printable(detail, secrets),
            )
            if isinstance(known, Misconfigured | AuthExpired):
                async with kit.transaction() as session:
                    await pause(session, row.id, printable(known.message, secrets))
            return Result(result.status, problem=printable(result.problem or "", secrets), retry_at=result.retry_at)


async def _settle(session: AsyncSession, call: ActionCall, result: Result, now: datetime) -> ActionCall:
    """Write how the attempt ended, unless a later attempt has begun meanwhile."""
    await session.execute(
        text(
            "UPDATE action_call SET status = :status, output = CAST(:output AS jsonb), problem = :problem, "
            "retry_at = :retry_at, leased_until = NULL, finished_at = :finished_at "
            "WHERE connection_id = :connection AND key = :key AND status = :pending AND attempts = :attempts"
        ),
        {
            "connection": call.connection_id,
            "key": call.key,
            "attempts": call.attempts,
            "pending": ActionStatus.PENDING,
            "status": result.status,
            "output": None if result.output is None else orjson.dumps(result.output).decode(),
            "problem": result.problem,
            "retry_at": result.retry_at,
            "finished_at": None if result.status is ActionStatus.PENDING else now,
        },
    )
    metrics.actions.labels(call.action, result.status).inc()
    return await session.get_one(ActionCall, (call.connection_id, call.key), populate_existing=True)


def _outcome(row: Connection, declared: Action, call: ActionCall) -> ActionOutcome:
    status = ActionStatus(call.status)
    emits = None
    if status is ActionStatus.DONE and declared.emits is not None and call.finished_at is not None:
        emits = Emitted(
            kind=declared.emits,
            occurred_at=call.finished_at,
            natural_key=f"action:{row.id}:{call.key}",
            attributes={"connection": row.name, "action": f"{row.connector}.{call.action}", **(call.output or {})},
        )
    waiting = status is ActionStatus.PENDING
    return ActionOutcome(
        status=status,
        output=call.output or {},
        problem=call.problem,
        retry_at=(call.retry_at or call.leased_until) if waiting else None,
        emits=emits,
    )


def _as_json(output: BaseModel) -> dict[str, Any]:
    document: dict[str, Any] = payloads.storable(output.model_dump(mode="json"))
    return document


def _misfits(error: ValidationError) -> str:
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc'])) or 'input'}: {problem['msg']}" for problem in problems)
