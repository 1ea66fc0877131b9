"""The calls of an action step: written before they are made, made under their key, and noted with what came of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, assert_never
from uuid import UUID

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import Account
from hub.blueprint import service as blueprints
from hub.connections import registry
from hub.connections.model import ActionStatus
from hub.connections.service import ActionOutcome, Emitted, Request, perform_all
from hub.kit.errors import HubError, Invalid
from hub.kit.runtime import Kit
from hub.plays import announcements, touches
from hub.plays.audience import account_of, names_for, people_at, sources_of
from hub.plays.budget import ContactBudget, Wait
from hub.plays.decisions import (
    Somebody,
    address,
    addressed,
    call_key,
    nobody_addressed,
    nobody_reached,
    settle,
)
from hub.plays.facts import facts_of, speaks_of
from hub.plays.model import CallStatus, Run, RunStep, StepCall, StepStatus
from hub.plays.step_kinds import ActionStep
from hub.plays.templates import render
from hub.sdk import Action


@dataclass(frozen=True, slots=True)
class Asking:
    """A run whose current step asks a vendor for something."""

    run: Run
    row: RunStep
    step: ActionStep


@dataclass(frozen=True, slots=True)
class Call:
    """Something to ask a vendor for, with its idempotency key."""

    run_id: UUID
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


async def next_calls(
    session: AsyncSession, asking: Sequence[Asking], *, now: datetime
) -> dict[UUID, Sequence[Call] | Wait]:
    """The calls that each run may make now; or, when all that are left wait for the contact budget, until when. A run
    that has none left has its step settled, and is left out.

    The caller holds the lock `touches` of every account. At most twelve statements, whatever the number of runs.
    """
    await _write_calls(session, [one for one in asking if one.row.status == StepStatus.PENDING], now)
    written = [one for one in asking if one.row.status == StepStatus.WAITING]
    if not written:
        return {}
    calls = await _calls_of(session, [(one.run.id, one.row.index) for one in written])
    waits = await _places_in_budget(session, written, calls, now)
    found: dict[UUID, Sequence[Call] | Wait] = {}
    for one in written:
        of_step = calls[one.run.id, one.row.index]
        pending = [call for call in of_step if call.status == CallStatus.PENDING]
        open_ = [_to_make(one, call) for call in pending if _key(call) not in waits]
        if open_:
            found[one.run.id] = open_
        elif pending:
            found[one.run.id] = min((waits[_key(call)] for call in pending), key=lambda wait: wait.until)
        else:
            _settle_calls(one.row, of_step, now)
    return found


def _to_make(one: Asking, call: StepCall) -> Call:
    key = call_key(one.run.id, call.step, call.recipient, call.round)
    step = one.step
    return Call(one.run.id, call.step, call.recipient, step.connection_name, step.action_name, call.input, key)


_Key: TypeAlias = tuple[UUID, int, str]


def _key(call: StepCall) -> _Key:
    return call.run_id, call.step, call.recipient


async def _write_calls(session: AsyncSession, asking: Sequence[Asking], now: datetime) -> None:
    """Decide whom each step addresses and with which words, before anybody is asked for anything."""
    if not asking:
        return
    accounts = {one.run.id: await account_of(session, one.run.account_id) for one in asking}
    people = await people_at(
        session,
        {accounts[one.run.id].id for one in asking if one.step.to is not None or one.run.person_id is not None},
    )
    facts = await facts_of(session, {accounts[one.run.id].id for one in asking if speaks_of(one.step.input)})
    rows = []
    for one in asking:
        account = accounts[one.run.id]
        one.row.started_at = now
        try:
            calls, problem = _inputs(one, account, people.get(account.id, ()), facts.get(account.id, {}))
        except HubError as error:
            one.row.status, one.row.problem, one.row.finished_at = StepStatus.FAILED, str(error), now
            continue
        if not calls:
            one.row.status, one.row.problem, one.row.finished_at = StepStatus.SKIPPED, problem, now
            continue
        one.row.status = StepStatus.WAITING
        rows += [
            {
                "run_id": one.run.id,
                "step": one.row.index,
                "recipient": str(person_id or ""),
                "person_id": person_id,
                "input": filled,
                "status": CallStatus.PENDING,
                "attempts": 0,
            }
            for person_id, filled in calls
        ]
    if rows:
        await session.execute(insert(StepCall), rows)


def _inputs(
    one: Asking, account: Account, at_account: Sequence[Somebody], facts: Mapping[str, Any]
) -> tuple[list[tuple[UUID | None, dict[str, Any]]], str | None]:
    """What the action is given for each person it reaches (or once), and, when that is nobody, why."""
    run, step = one.run, one.step
    declared = declared_action(step)
    if step.to is None:
        subject = next((person for person in at_account if person.id == run.person_id), None)
        return [(None, render(step.input, _names(run, account, subject, facts)))], None
    people = [person for person in addressed(step.to, at_account) if run.person_id in (None, person.id)]
    if not people:
        return [], nobody_addressed(step.to)
    fields = declared.input.model_fields
    reached = [(person, address(person, fields, step.input)) for person in people]
    return [
        (person.id, render(step.input, _names(run, account, person, facts)) | where)
        for person, where in reached
        if where is not None
    ], nobody_reached(len(people), fields, step.input)


def _names(run: Run, account: Account, person: Somebody | None, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    names = names_for(run, account, person)
    return {**names, "account": {**names["account"], **facts}}


async def _calls_of(
    session: AsyncSession, steps: Sequence[tuple[UUID, int]]
) -> defaultdict[tuple[UUID, int], list[StepCall]]:
    """The calls of steps, in a steady order."""
    found = await session.execute(
        select(StepCall)
        .where(tuple_(StepCall.run_id, StepCall.step).in_(steps))
        .order_by(StepCall.run_id, StepCall.step, StepCall.recipient)
        .execution_options(populate_existing=True)
    )
    calls: defaultdict[tuple[UUID, int], list[StepCall]] = defaultdict(list)
    for call in found.scalars():
        calls[call.run_id, call.step].append(call)
    return calls


async def _places_in_budget(
    session: AsyncSession,
    asking: Sequence[Asking],
    calls: Mapping[tuple[UUID, int], Sequence[StepCall]],
    now: datetime,
) -> dict[_Key, Wait]:
    """Take a place in the contact budget for each call that is a touch; why not and until when, if there is none. A
    call that has waited longer than the budget's patience is dropped, and says so."""
    wanted = [
        touches.Wanted(one.run, call, one.step)
        for one in asking
        for call in calls[one.run.id, one.row.index]
        if call.status == CallStatus.PENDING and call.person_id is not None and declared_action(one.step).touch
    ]
    if not wanted:
        return {}
    section = (await blueprints.current(session)).section("contact_budget", ContactBudget)
    refused = await touches.take(session, section, wanted, now)
    waits: dict[_Key, Wait] = {}
    for one in wanted:
        call, wait = one.call, refused.get(one.key)
        if wait is None:
            call.waiting_since = None
            continue
        patient_until = (call.waiting_since or now) + section.patience
        if wait.never or patient_until <= now:
            call.status, call.finished_at, call.waiting_since = CallStatus.DROPPED, now, None
            call.problem = f"Dropped: {wait.why}"
        else:
            call.waiting_since, call.problem = call.waiting_since or now, wait.why
            waits[_key(call)] = Wait(min(wait.until, patient_until), wait.why)
    return waits


async def make(kit: Kit, calls: Sequence[Call]) -> list[Answer]:
    """Ask the vendors. The same key again is the same effect, or an honest "unknown"."""
    outcomes = await perform_all(kit, [Request(call.connection, call.action, call.input, call.key) for call in calls])
    return [_answer(kit, call, outcome) for call, outcome in zip(calls, outcomes, strict=True)]


def _answer(kit: Kit, call: Call, outcome: ActionOutcome) -> Answer:
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


async def note(
    session: AsyncSession,
    runs: Mapping[UUID, Run],
    rows: Mapping[tuple[UUID, int], RunStep],
    answers: Sequence[Answer],
    *,
    now: datetime,
) -> None:
    """Write down what came of calls, even of a run that was canceled meanwhile; the caller holds the runs. A few
    statements, whatever their number."""
    if not answers:
        return
    steps = list({(answer.call.run_id, answer.call.step) for answer in answers})
    calls = {_key(call): call for of_step in (await _calls_of(session, steps)).values() for call in of_step}
    noted = []
    for answer in answers:
        call = calls[answer.call.run_id, answer.call.step, answer.call.recipient]
        if call.status != CallStatus.PENDING:
            continue
        call.status, call.problem, call.waiting_since = answer.status, answer.problem, None
        call.attempts += 1
        call.finished_at = None if answer.status is CallStatus.PENDING else now
        row = rows[call.run_id, call.step]
        row.attempts, row.problem = row.attempts + 1, answer.problem
        noted.append((answer, call))
    await _leave_traces(session, runs, noted, now)


async def _leave_traces(
    session: AsyncSession, runs: Mapping[UUID, Run], noted: Sequence[tuple[Answer, StepCall]], now: datetime
) -> None:
    """The events of calls that were made; the touch is taken back when it is certain that nobody was touched. An
    unclear one counts: it may have happened."""
    for answer, call in noted:
        if answer.status is CallStatus.FAILED and call.person_id:
            await touches.take_back(session, call.run_id, call.step, call.person_id, call.round)
    people = {call.person_id for answer, call in noted if answer.emits is not None and call.person_id}
    sources = await sources_of(session, people) if people else {}
    for answer, call in noted:
        if answer.emits is not None:
            title = answer.call.input.get("title") or answer.call.input.get("subject")
            await announcements.action_done(
                session,
                runs[call.run_id],
                answer.emits,
                source_person_id=sources.get(call.person_id) if call.person_id else None,
                title=title if isinstance(title, str) else None,
                now=now,
            )


def _settle_calls(row: RunStep, calls: Sequence[StepCall], now: datetime) -> None:
    """Every call has ended: the step ends with the worst of them, and says what went wrong."""
    ended = [(CallStatus(call.status), call.problem) for call in calls]
    row.status = settle([status for status, _ in ended])
    row.problem = _first_problem(ended)
    row.result = {"calls": len(ended), "done": sum(status is CallStatus.DONE for status, _ in ended)}
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
