"""Moving a run on: what each kind of step does when its turn comes.

A turn is one transaction that takes the run as far as it gets by itself, up to a call of a vendor, a wait, a task or
the end. What a call asks for is written before it is made, and what came of it is written after; in between stands the
vendor's answer, which `connections.actions` keeps under the same idempotency key. So whenever a process dies, the next
turn finds where the run stands, and asks for the same again under the same key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from time import monotonic
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.errors import Invalid
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.plays import announcements
from hub.plays.audience import account_of, names_for
from hub.plays.calls import Answer, Call, make, note, open_call, settle_calls, write_calls
from hub.plays.decisions import AskVendor, BeginWait, GiveTask, GoOn, Hold, MakeCalls, Rest, next_move, owner_of
from hub.plays.model import Run, RunStatus, RunStep, StepStatus, Task, TaskStatus
from hub.plays.section import Play
from hub.plays.step_kinds import ActionStep, TaskStep
from hub.plays.templates import render

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
        play = _definition(orjson.dumps(run.definition))
        if answer is not None and isinstance(step := play.steps[answer.call.step], ActionStep):
            await note(session, run, step, answer, now=now)
            if answer.again is not None and run.status == RunStatus.RUNNING:
                return Turn(until=answer.again, problem=answer.problem)
        return await _go_on(session, run, play, now)


@lru_cache(maxsize=256)
def _definition(stored: bytes) -> Play:
    """A stored definition; the many runs of one play share it."""
    return Play.model_validate_json(stored)


async def _go_on(session: AsyncSession, run: Run, play: Play, now: datetime) -> Turn:
    """Step after step, until something outside is needed."""
    while run.status == RunStatus.RUNNING:
        row = await session.get_one(RunStep, (run.id, run.step))
        step = play.steps[run.step]
        match next_move(step, StepStatus(row.status), row.due_at, now):
            case AskVendor() if isinstance(step, ActionStep):
                await write_calls(session, run, row, step, now=now)
            case MakeCalls() if isinstance(step, ActionStep):
                call = await open_call(session, run, step)
                if call is not None:
                    return Turn(call=call)
                await settle_calls(session, row, now=now)
            case GiveTask(due_at, rest) if isinstance(step, TaskStep):
                await _give_task(session, run, row, step, due_at, rest, now)
            case BeginWait(until):
                row.status, row.started_at, row.due_at = StepStatus.WAITING, now, until
            case Rest(until):
                return Turn(until=until)
            case GoOn():
                await _next_step(session, run, row, len(play.steps), now)
            case Hold():
                await _hold(session, run, row, now)
            case move:
                raise AssertionError(f"a step of kind {type(step).__name__} cannot {move}")
        await session.flush()
    return Turn()


async def _give_task(
    session: AsyncSession,
    run: Run,
    row: RunStep,
    step: TaskStep,
    due_at: datetime | None,
    rest: bool,
    now: datetime,
) -> None:
    account = await account_of(session, run.account_id)
    row.started_at = now
    try:
        title, details = render([step.task, step.details], names_for(run, account))
    except Invalid as error:
        row.status, row.problem, row.finished_at = StepStatus.FAILED, str(error), now
        return
    task = Task(
        id=new_id(),
        account_id=account.id,
        run_id=run.id,
        step=row.index,
        title=title,
        details=details,
        owner=owner_of(step.owner, account.owner),
        due_at=due_at,
        status=TaskStatus.OPEN,
        created_at=now,
    )
    session.add(task)
    row.attempts, row.due_at, row.result = row.attempts + 1, due_at, {"task": str(task.id)}
    row.status, row.finished_at = (StepStatus.WAITING, None) if rest else (StepStatus.DONE, now)
    await announcements.task_created(session, task, now=now)


async def _next_step(session: AsyncSession, run: Run, row: RunStep, steps: int, now: datetime) -> None:
    if row.status == StepStatus.WAITING:
        row.status = StepStatus.DONE
    row.finished_at = row.finished_at or now
    run.updated_at = now
    if run.step + 1 < steps:
        run.step += 1
        await announcements.run_advanced(session, run, problem=None, now=now)
    else:
        run.status, run.ended_at = RunStatus.DONE, now
        await announcements.run_ended(session, run, now=now)


async def _hold(session: AsyncSession, run: Run, row: RunStep, now: datetime) -> None:
    run.status, run.updated_at = RunStatus.HELD, now
    await announcements.run_advanced(session, run, problem=row.problem, now=now)
