"""The calls of an action step: written before they are made, made under their key, and noted with what came of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.connections import registry
from hub.connections.model import ActionStatus
from hub.connections.service import Emitted, perform
from hub.kit.errors import HubError, Invalid
from hub.kit.runtime import Kit
from hub.plays import announcements, touches
from hub.plays.audience import account_of, names_for, people_at, source_of, subject_of
from hub.plays.budget import ContactBudget, Wait
from hub.plays.decisions import (
    address,
    addressed,
    call_key,
    nobody_addressed,
    nobody_reached,
    settle,
)
from hub.plays.model import CallStatus, Run, RunStep, StepCall, StepStatus
from hub.plays.step_kinds import ActionStep
from hub.plays.templates import render
from hub.sdk import Action


@dataclass(frozen=True, slots=True)
class Call:
    """Something to ask a vendor for, with its idempotency key."""

    step: int
    recipient: str
    connection: str
    action: str
    input: dict[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call; `PENDING`: nothing yet, ask again at `again`. `emits`: the event of a call that was made."""

    call: Call
    status: CallStatus
    problem: str | None = None
    again: datetime | None = None
    emits: Emitted | None = None


async def write_calls(session: AsyncSession, run: Run, row: RunStep, step: ActionStep, *, now: datetime) -> None:
    """Decide whom the step addresses and with which words, before anybody is asked for anything."""
    try:
        calls, problem = await _inputs(session, run, step)
    except HubError as error:
        row.status, row.problem, row.started_at, row.finished_at = StepStatus.FAILED, str(error), now, now
        return
    if not calls:
        row.status, row.problem, row.started_at, row.finished_at = StepStatus.SKIPPED, problem, now, now
        return
    await session.execute(
        insert(StepCall),
        [
            {
                "run_id": run.id,
                "step": row.index,
                "recipient": str(person_id or ""),
                "person_id": person_id,
                "input": filled,
                "status": CallStatus.PENDING,
                "attempts": 0,
            }
            for person_id, filled in calls
        ],
    )
    row.status, row.started_at = StepStatus.WAITING, now


async def _inputs(
    session: AsyncSession, run: Run, step: ActionStep
) -> tuple[list[tuple[UUID | None, dict[str, Any]]], str | None]:
    """What the action is given for each person it reaches (or once), and, when that is nobody, why."""
    declared = declared_action(step)
    account = await account_of(session, run.account_id)
    if step.to is None:
        subject = await subject_of(session, run, account)
        return [(None, render(step.input, names_for(run, account, subject)))], None
    people = addressed(step.to, await people_at(session, account.id))
    if run.person_id is not None:
        people = [person for person in people if person.id == run.person_id]
    if not people:
        return [], nobody_addressed(step.to)
    fields = declared.input.model_fields
    reached = [(person, address(person, fields, step.input)) for person in people]
    return [
        (person.id, render(step.input, names_for(run, account, person)) | where)
        for person, where in reached
        if where is not None
    ], nobody_reached(len(people), fields, step.input)


async def open_call(session: AsyncSession, run: Run, step: ActionStep, *, now: datetime) -> Call | Wait | None:
    """The next call of the current step that may be made; or, when all that are left wait for the contact budget, until
    when. A call that has waited longer than the budget's patience is dropped, and says so."""
    found = await session.execute(
        select(StepCall)
        .where(StepCall.run_id == run.id, StepCall.step == run.step, StepCall.status == CallStatus.PENDING)
        .order_by(StepCall.recipient)
    )
    soonest: Wait | None = None
    for call in found.scalars():
        wait = await _place_in_budget(session, run, step, call, now)
        if wait is None:
            key = call_key(run.id, call.step, call.recipient, call.round)
            return Call(call.step, call.recipient, step.connection_name, step.action_name, call.input, key)
        if call.status == CallStatus.PENDING and (soonest is None or wait.until < soonest.until):
            soonest = wait
    return soonest


async def _place_in_budget(
    session: AsyncSession, run: Run, step: ActionStep, call: StepCall, now: datetime
) -> Wait | None:
    """Take a place in the contact budget for a call that is a touch; why not and until when, if there is none."""
    if call.person_id is None or not declared_action(step).touch:
        return None
    section = (await blueprints.current(session)).section("contact_budget", ContactBudget)
    wait = await touches.take(session, section, run, call, step, now)
    if wait is None:
        call.waiting_since = None
        return None
    patient_until = (call.waiting_since or now) + section.patience
    if wait.never or patient_until <= now:
        call.status, call.finished_at, call.waiting_since = CallStatus.DROPPED, now, None
        call.problem = f"Dropped: {wait.why}"
        return wait
    call.waiting_since, call.problem = call.waiting_since or now, wait.why
    return Wait(min(wait.until, patient_until), wait.why)


async def make(kit: Kit, call: Call) -> Answer:
    """Ask the vendor. The same key again is the same effect, or an honest "unknown"."""
    outcome = await perform(kit, call.connection, call.action, call.input, key=call.key)
    match outcome.status:
        case ActionStatus.DONE:
            return Answer(call, CallStatus.DONE, emits=outcome.emits)
        case ActionStatus.UNKNOWN:
            return Answer(call, CallStatus.UNKNOWN, outcome.problem)
        case ActionStatus.REJECTED | ActionStatus.FAILED:
            return Answer(call, CallStatus.FAILED, outcome.problem)
        case ActionStatus.PENDING:
            return Answer(call, CallStatus.PENDING, outcome.problem, again=outcome.retry_at or kit.clock.now())
        case _:
            assert_never(outcome.status)


async def note(session: AsyncSession, run: Run, step: ActionStep, answer: Answer, *, now: datetime) -> None:
    """Write down what came of a call, even of a run that was canceled meanwhile."""
    call = answer.call
    updated = await session.execute(
        update(StepCall)
        .where(
            StepCall.run_id == run.id,
            StepCall.step == call.step,
            StepCall.recipient == call.recipient,
            StepCall.status == CallStatus.PENDING,
        )
        .values(
            status=answer.status,
            problem=answer.problem,
            attempts=StepCall.attempts + 1,
            waiting_since=None,
            finished_at=None if answer.status is CallStatus.PENDING else now,
        )
        .returning(StepCall.person_id, StepCall.round)
    )
    noted = updated.one_or_none()
    if noted is None:
        return
    await session.execute(
        update(RunStep)
        .where(RunStep.run_id == run.id, RunStep.index == call.step)
        .values(attempts=RunStep.attempts + 1, problem=answer.problem)
    )
    if answer.status is CallStatus.FAILED and noted.person_id:
        # It is certain that nobody was touched; an unclear call counts: it may have happened.
        await touches.take_back(session, run.id, call.step, noted.person_id, noted.round)
    await _leave_traces(session, run, step, answer, noted.person_id, now)


async def _leave_traces(
    session: AsyncSession, run: Run, step: ActionStep, answer: Answer, person_id: UUID | None, now: datetime
) -> None:
    """The event of a call that was made."""
    if answer.emits is not None:
        title = answer.call.input.get("title") or answer.call.input.get("subject")
        source_person = await source_of(session, person_id) if person_id else None
        await announcements.action_done(
            session,
            run,
            answer.emits,
            source_person_id=source_person,
            title=title if isinstance(title, str) else None,
            now=now,
        )


async def settle_calls(session: AsyncSession, row: RunStep, *, now: datetime) -> None:
    """Every call has ended: the step ends with the worst of them, and says what went wrong."""
    found = await session.execute(
        select(StepCall.status, StepCall.problem)
        .where(StepCall.run_id == row.run_id, StepCall.step == row.index)
        .order_by(StepCall.recipient)
    )
    calls = [(CallStatus(status), problem) for status, problem in found]
    row.status = settle([status for status, _ in calls])
    row.problem = _first_problem(calls)
    row.result = {"calls": len(calls), "done": sum(status is CallStatus.DONE for status, _ in calls)}
    row.finished_at = now


def _first_problem(calls: Iterable[tuple[CallStatus, str | None]]) -> str | None:
    """The problem of the worst call, and how many have one."""
    wrong = {
        bad: [problem or bad for status, problem in calls if status is bad]
        for bad in (CallStatus.UNKNOWN, CallStatus.FAILED, CallStatus.DROPPED)
    }
    problems = wrong[CallStatus.UNKNOWN] + wrong[CallStatus.FAILED] + wrong[CallStatus.DROPPED]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{problems[0]}{more}" if problems else None


def declared_action(step: ActionStep) -> Action:
    """The action as its connector declares it. Raises `NotFound` (no such connector), `Invalid` (no such action)."""
    connector = registry.current().connector(step.connector)
    declared = connector.actions.get(step.action_name)
    if declared is None:
        raise Invalid(
            f"The connector {connector.id} has no action {step.action_name!r}.",
            remedy=f"It has: {', '.join(sorted(connector.actions)) or 'none'}.",
        )
    return declared
