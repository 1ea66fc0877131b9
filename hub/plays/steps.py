"""Moving a run on: what each kind of step does when its turn comes.

A turn is one transaction that takes the run as far as it gets by itself, up to a call of a vendor, a wait, a task or
the end. What a call asks for is written before it is made, and what came of it is written after; in between stands the
vendor's answer, which `connections.actions` keeps under the same idempotency key. So whenever a process dies, the next
turn finds where the run stands, and asks for the same again under the same key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import service as accounts
from hub.accounts.model import Account
from hub.blueprint import service as blueprints
from hub.kit.errors import Invalid
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.plays import announcements
from hub.plays.asking import Held, ask
from hub.plays.audience import account_of, names_for
from hub.plays.budget import Wait
from hub.plays.calls import Answer, Call, make, note, open_call, settle_calls, write_calls
from hub.plays.closing import close_run
from hub.plays.decisions import (
    AskApproval,
    AskRule,
    AskVendor,
    BeginWait,
    GiveTask,
    GoOn,
    Hold,
    MakeCalls,
    Rest,
    SetFacts,
    TakeDefault,
    Tell,
    next_move,
    owner_of,
)
from hub.plays.model import Run, RunStatus, RunStep, StepStatus, Task, TaskKind, TaskStatus
from hub.plays.section import kept
from hub.plays.step_kinds import (
    ActionStep,
    ApproveStep,
    BranchStep,
    Default,
    NotifyStep,
    SetStep,
    Step,
    TaskOwner,
    TaskStep,
    WaitStep,
    not_taken,
    program,
)
from hub.plays.templates import render

THE_PLAY: Final = "play"
"""Who canceled a task that its own play no longer needs."""

TURNS_SECONDS = 5.0
"""How long one run may go on before others have their turn."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a turn ended: at a call to make, or at rest until a time (None: until somebody does something)."""

    call: Call | None = None
    until: datetime | None = None
    problem: str | None = None


async def advance(kit: Kit, run_id: UUID) -> Turn:
    """Move a run on until it rests. Safe to call any number of times, by any number of processes."""
    began = monotonic()
    turn = await _turn(kit, run_id, None)
    while turn.call is not None:
        turn = await _turn(kit, run_id, await make(kit, turn.call))
        if turn.call is not None and monotonic() - began > TURNS_SECONDS:
            return Turn(until=kit.clock.now())
    return turn


async def _turn(kit: Kit, run_id: UUID, answer: Answer | None) -> Turn:
    """One transaction: note the answer to the last call, and go on from there."""
    async with kit.transaction() as session:
        run = await session.get(Run, run_id, with_for_update=True)
        if run is None:
            return Turn()
        now = kit.clock.now()
        steps = program(kept(orjson.dumps(run.definition)).steps)
        if answer is not None and isinstance(step := steps[answer.call.step], ActionStep):
            await note(session, run, step, answer, now=now)
            if answer.again is not None and run.status == RunStatus.RUNNING:
                return Turn(until=answer.again, problem=answer.problem)
        return await _go_on(session, run, steps, now)


async def _go_on(session: AsyncSession, run: Run, steps: Sequence[Step], now: datetime) -> Turn:
    """Step after step, until something outside is needed."""
    while run.status == RunStatus.RUNNING:
        if run.ending is not None:
            await _end_early(session, run, now)
            break
        row = await session.get_one(RunStep, (run.id, run.step), populate_existing=True)
        step = steps[run.step]
        match next_move(step, StepStatus(row.status), row.due_at, now):
            case AskVendor() if isinstance(step, ActionStep):
                await write_calls(session, run, row, step, now=now)
            case MakeCalls() if isinstance(step, ActionStep):
                call = await open_call(session, run, step, now=now)
                if isinstance(call, Wait):
                    return Turn(until=call.until, problem=call.why)
                if call is not None:
                    return Turn(call=call)
                await settle_calls(session, row, now=now)
            case GiveTask(due_at, rest) if isinstance(step, TaskStep):
                await _give_task(session, run, row, step, due_at, rest, now)
            case BeginWait(until) if isinstance(step, WaitStep):
                await _begin_wait(session, run, row, step, until, now)
            case AskRule() if isinstance(step, BranchStep):
                await _branch(session, run, row, step, now)
            case AskApproval(due_at) if isinstance(step, ApproveStep):
                await _ask_approval(session, run, row, step, due_at, now)
            case TakeDefault() if isinstance(step, ApproveStep):
                await _take_default(session, run, row, step, now)
            case Tell() if isinstance(step, NotifyStep):
                await _tell(session, run, row, step, now)
            case SetFacts() if isinstance(step, SetStep):
                await _set_facts(session, run, row, step, now)
            case Rest(until):
                return Turn(until=until)
            case GoOn():
                await _next_step(session, run, row, len(steps), now)
            case Hold():
                await _hold(session, run, row, now)
            case move:
                raise AssertionError(f"a step of kind {type(step).__name__} cannot {move}")
        await session.flush()
    return Turn()


async def _begin_wait(
    session: AsyncSession, run: Run, row: RunStep, step: WaitStep, until: datetime, now: datetime
) -> None:
    """Wait; not at all when what is waited for is so already. That it becomes so is found by `following`."""
    row.status, row.started_at, row.due_at = StepStatus.WAITING, now, until
    if step.until is not None:
        held = await _asked(session, run, row, step.until, now)
        if held is not None and held.holds:
            row.status, row.result = StepStatus.DONE, held.as_json()


async def _branch(session: AsyncSession, run: Run, row: RunStep, step: BranchStep, now: datetime) -> None:
    row.started_at = now
    held = await _asked(session, run, row, step.branch, now)
    if held is None:
        return
    row.status, row.finished_at, row.result = StepStatus.DONE, now, held.as_json()
    left_out = not_taken(step, row.index, holds=held.holds)
    await session.execute(
        update(RunStep)
        .where(RunStep.run_id == run.id, RunStep.index.in_(left_out))
        .values(status=StepStatus.SKIPPED, finished_at=now, problem="The branch went the other way.")
    )


async def _asked(session: AsyncSession, run: Run, row: RunStep, rule: str, now: datetime) -> Held | None:
    """What a rule says of the account now; None when it cannot be asked, which fails the step."""
    account = await account_of(session, run.account_id)
    try:
        return await ask(session, await blueprints.current(session), rule, account.id, now)
    except Invalid as error:
        _fail(row, error, now)
        return None


def _fail(row: RunStep, error: Invalid, now: datetime) -> None:
    row.status, row.problem, row.finished_at = StepStatus.FAILED, str(error), now


async def _filled_in(
    session: AsyncSession, run: Run, row: RunStep, texts: Any, now: datetime
) -> tuple[Account, Any] | None:
    """Begin the step: its account, and its texts filled in; None when one cannot be, which fails the step."""
    account = await account_of(session, run.account_id)
    row.started_at = now
    try:
        return account, render(texts, names_for(run, account))
    except Invalid as error:
        _fail(row, error, now)
        return None


async def _give_task(
    session: AsyncSession,
    run: Run,
    row: RunStep,
    step: TaskStep,
    due_at: datetime | None,
    rest: bool,
    now: datetime,
) -> None:
    texts, owner = (step.task, step.details), step.owner
    if await _write_task(session, run, row, TaskKind.WORK, texts, owner, due_at, now) and not rest:
        row.status, row.finished_at = StepStatus.DONE, now


async def _ask_approval(
    session: AsyncSession, run: Run, row: RunStep, step: ApproveStep, due_at: datetime | None, now: datetime
) -> None:
    texts, owner = (step.approve, step.details), step.owner
    await _write_task(session, run, row, TaskKind.APPROVAL, texts, owner, due_at, now)


async def _write_task(
    session: AsyncSession,
    run: Run,
    row: RunStep,
    kind: TaskKind,
    texts: tuple[str, str | None],
    owner: TaskOwner,
    due_at: datetime | None,
    now: datetime,
) -> bool:
    """Give somebody a task, and let the step wait for it; False when its texts cannot be filled in."""
    filled = await _filled_in(session, run, row, list(texts), now)
    if filled is None:
        return False
    account, (title, details) = filled
    task = Task(
        id=new_id(),
        account_id=account.id,
        run_id=run.id,
        step=row.index,
        title=title,
        details=details,
        owner=owner_of(owner, account.owner),
        due_at=due_at,
        status=TaskStatus.OPEN,
        kind=kind,
        created_at=now,
    )
    session.add(task)
    row.status, row.attempts, row.due_at, row.result = (
        StepStatus.WAITING,
        row.attempts + 1,
        due_at,
        {"task": str(task.id)},
    )
    await announcements.task_created(session, task, now=now)
    return True


async def _take_default(session: AsyncSession, run: Run, row: RunStep, step: ApproveStep, now: datetime) -> None:
    approved = step.default is Default.GO_ON
    said = f"Nobody answered in time: the default is {step.default.replace('_', ' ')}."
    await session.execute(
        update(Task)
        .where(Task.run_id == run.id, Task.step == row.index, Task.status == TaskStatus.OPEN)
        .values(status=TaskStatus.CANCELED, completed_at=now, outcome=said, approved=approved)
    )
    row.status, row.finished_at, row.problem = StepStatus.DONE, now, said
    row.result = {**row.result, "approved": approved}


async def _tell(session: AsyncSession, run: Run, row: RunStep, step: NotifyStep, now: datetime) -> None:
    filled = await _filled_in(session, run, row, step.notify, now)
    if filled is None:
        return
    account, said = filled
    owner = owner_of(step.to, account.owner)
    await announcements.notice_given(session, run, row.index, said, owner, now=now)
    row.status, row.finished_at, row.result = StepStatus.DONE, now, {"to": owner, "said": said}


async def _set_facts(session: AsyncSession, run: Run, row: RunStep, step: SetStep, now: datetime) -> None:
    filled = await _filled_in(session, run, row, dict(step.set), now)
    if filled is None:
        return
    account, noted = filled
    await accounts.note(session, account.id, noted, now)
    row.status, row.finished_at, row.result = StepStatus.DONE, now, {"set": noted}


async def _next_step(session: AsyncSession, run: Run, row: RunStep, steps: int, now: datetime) -> None:
    if row.status == StepStatus.WAITING:
        row.status = StepStatus.DONE
    row.finished_at = row.finished_at or now
    run.updated_at = now
    if row.result.get("approved") is False:
        run.ending = {"reason": "not_approved", "step": row.index}
    elif run.step + 1 < steps:
        run.step += 1
        await announcements.run_advanced(session, run, problem=None, now=now)
    else:
        run.status, run.ended_at = RunStatus.DONE, now
        await announcements.run_ended(session, run, now=now)


async def _end_early(session: AsyncSession, run: Run, now: datetime) -> None:
    """End a run whose exit rule holds, or that was not approved: what it has not done, it will not do."""
    await close_run(session, run.id, "The run ended before this step.", by=THE_PLAY, now=now)
    run.status, run.updated_at, run.ended_at = RunStatus.DONE, now, now
    await announcements.run_ended(session, run, now=now)


async def _hold(session: AsyncSession, run: Run, row: RunStep, now: datetime) -> None:
    run.status, run.updated_at = RunStatus.HELD, now
    await announcements.run_advanced(session, run, problem=row.problem, now=now)
