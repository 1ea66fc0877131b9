"""Asking a vendor to do something, once.

A row stands in `action_call` before the vendor hears of it: whoever dies in between leaves a trace, and the same key
never becomes two calls at once. What is not known is never guessed: where the vendor has no way to tell a repeated
request from a new one, a call without an answer is `unknown`, goes to a person, and is not made again.

The first call's input is the one that counts: a step that is rendered anew for a second attempt may read differently,
and a vendor refuses other parameters under the same key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections import metrics
from hub.connections.faults import described
from hub.connections.hosting import open_connector
from hub.connections.installing import find, pause
from hub.connections.model import ActionCall, ActionStatus, Connection, ConnectionStatus
from hub.connections.reading import retry_in
from hub.connections.registry import current
from hub.kit.db import json_text
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


@dataclass(frozen=True, slots=True)
class Request:
    """What a connection's vendor is to do, once for each key; `action` is its name, or `connector.name`."""

    connection: str | UUID
    action: str
    input: Mapping[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class _Known:
    """A request whose connection and action there are."""

    row: Connection
    declared: Action
    request: Request


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
    [outcome] = await perform_all(kit, [Request(connection, action, input, key)])
    return outcome


async def perform_all(kit: Kit, requests: Sequence[Request]) -> list[ActionOutcome]:
    """The same for many requests with different keys, all at once, and their outcomes in the same order.

    Those that may be repeated are claimed together and settled together, at the cost of six statements whatever their
    number: whoever dies in between has them asked again under the same keys. One that may not be repeated has a row
    that is claimed for it alone, so that no more become unclear than were really under way.
    """
    outcomes: dict[int, ActionOutcome] = {}
    known: dict[int, _Known] = {}
    now = kit.clock.now()
    connections: dict[str | UUID, Connection | NotFound] = {}
    async with kit.reading() as session:
        for connection in dict.fromkeys(request.connection for request in requests):
            try:
                connections[connection] = await find(session, connection)
            except NotFound as error:
                connections[connection] = error
    for nth, request in enumerate(requests):
        try:
            row = connections[request.connection]
            if isinstance(row, NotFound):
                raise row
            declared = _declared(row, request.action)
        except NotFound as error:
            outcomes[nth] = ActionOutcome(ActionStatus.FAILED, problem=str(error))
            continue
        if row.status == ConnectionStatus.ACTIVE:
            known[nth] = _Known(row, declared, request)
        else:
            problem = f"The connection {row.name} is paused: {row.problem or 'resume it first'}"
            outcomes[nth] = ActionOutcome(ActionStatus.PENDING, problem=problem, retry_at=now + WHILE_PAUSED)
    together = [nth for nth, one in known.items() if one.declared.idempotency != "none"]
    groups = [together, *([nth] for nth, one in known.items() if one.declared.idempotency == "none")]
    done = await asyncio.gather(*(_perform_together(kit, [known[nth] for nth in group]) for group in groups if group))
    for group, found in zip([group for group in groups if group], done, strict=True):
        outcomes.update(zip(group, found, strict=True))
    return [outcomes[nth] for nth in range(len(requests))]


async def _perform_together(kit: Kit, wanted: Sequence[_Known]) -> list[ActionOutcome]:
    async with kit.transaction() as session:
        claimed = await _claim(session, wanted, kit.clock.now())
    due = [(one, call) for one, (call, move) in zip(wanted, claimed, strict=True) if move is Move.CALL]
    calls = {call.key: call for call, _ in claimed}
    if due:
        results = await asyncio.gather(*(_attempt(kit, one.row, one.declared, call) for one, call in due))
        async with kit.transaction() as session:
            settled = zip((call for _, call in due), results, strict=True)
            calls |= await _settle(session, list(settled), kit.clock.now())
    return [_outcome(one.row, one.declared, calls[call.key]) for one, (call, _) in zip(wanted, claimed, strict=True)]


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


async def _claim(session: AsyncSession, wanted: Sequence[_Known], now: datetime) -> list[tuple[ActionCall, Move]]:
    """Put the calls into the table, or find them there, and take those that may be made. Three statements."""
    await session.execute(
        text(
            "INSERT INTO action_call (connection_id, key, action, input, status, attempts, started_at) "
            "SELECT connection_id, key, action, input, :pending, 0, :now FROM jsonb_to_recordset(CAST(:rows AS jsonb)) "
            "AS r(connection_id uuid, key text, action text, input jsonb) ORDER BY connection_id, key "
            "ON CONFLICT DO NOTHING"
        ),
        {
            "rows": payloads.dumps(
                [
                    {
                        "connection_id": str(one.row.id),
                        "key": one.request.key,
                        "action": one.declared.name,
                        "input": payloads.storable(dict(one.request.input)),
                    }
                    for one in wanted
                ]
            ).decode(),
            "pending": ActionStatus.PENDING,
            "now": now,
        },
    )
    found = await _calls(session, [(one.row.id, one.request.key) for one in wanted], for_update=True)
    return [_taken(found[one.row.id, one.request.key], one, now) for one in wanted]


def _taken(call: ActionCall, wanted: _Known, now: datetime) -> tuple[ActionCall, Move]:
    if call.action != wanted.declared.name:
        problem = f"The key {call.key} is used by the action {call.action}."
        return ActionCall(key=call.key, status=ActionStatus.REJECTED, problem=problem), Move.ANSWER
    move = next_move(call, wanted.declared.idempotency, now)
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


async def _calls(
    session: AsyncSession, keys: Sequence[tuple[UUID, str]], *, for_update: bool = False
) -> dict[tuple[UUID, str], ActionCall]:
    """Calls as they stand now, by connection and key."""
    query = (
        select(ActionCall)
        .where(tuple_(ActionCall.connection_id, ActionCall.key).in_(keys))
        .order_by(ActionCall.connection_id, ActionCall.key)
        .execution_options(populate_existing=True)
    )
    found = await session.execute(query.with_for_update() if for_update else query)
    return {(call.connection_id, call.key): call for call in found.scalars()}


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


async def _settle(
    session: AsyncSession, ended: Sequence[tuple[ActionCall, Result]], now: datetime
) -> dict[str, ActionCall]:
    """Write how attempts ended, unless a later attempt has begun meanwhile. The calls by key; two statements."""
    rows = [
        {
            "connection_id": call.connection_id,
            "key": call.key,
            "attempts": call.attempts,
            "status": result.status,
            "output": result.output,
            "problem": result.problem,
            "retry_at": result.retry_at,
            "finished_at": None if result.status is ActionStatus.PENDING else now,
        }
        for call, result in ended
    ]
    await session.execute(
        text(
            "WITH ended AS (SELECT r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) "
            "AS r(connection_id uuid, key text, attempts bigint, status text, output jsonb, problem text, "
            "retry_at timestamptz, finished_at timestamptz) "
            "JOIN action_call c ON c.connection_id = r.connection_id AND c.key = r.key "
            "ORDER BY c.connection_id, c.key FOR UPDATE OF c) "
            "UPDATE action_call c SET status = e.status, output = e.output, problem = e.problem, "
            "retry_at = e.retry_at, leased_until = NULL, finished_at = e.finished_at FROM ended e "
            "WHERE c.connection_id = e.connection_id AND c.key = e.key "
            "AND c.status = :pending AND c.attempts = e.attempts"
        ),
        {"rows": json_text(rows), "pending": ActionStatus.PENDING},
    )
    for call, result in ended:
        metrics.actions.labels(call.action, result.status).inc()
    found = await _calls(session, [(call.connection_id, call.key) for call, _ in ended])
    return {key: call for (_, key), call in found.items()}


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
