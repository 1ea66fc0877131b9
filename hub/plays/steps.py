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
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.runtime import Kit
from hub.plays import announcements
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
)
from hub.plays.giving import ask_approval, give_task, take_default
from hub.plays.model import Run, RunStatus, RunStep, StepStatus
from hub.plays.noting import set_facts, tell
from hub.plays.section import kept
from hub.plays.step_kinds import (
    ActionStep,
    ApproveStep,
    BranchStep,
    NotifyStep,
    SetStep,
    Step,
    TaskStep,
    WaitStep,
    program,
)
from hub.plays.ways import begin_wait, branch

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
                await give_task(session, run, row, step, due_at, rest, now)
            case BeginWait(until) if isinstance(step, WaitStep):
                await begin_wait(session, run, row, step, until, now)
            case AskRule() if isinstance(step, BranchStep):
                await branch(session, run, row, step, now)
            case AskApproval(due_at) if isinstance(step, ApproveStep):
                await ask_approval(session, run, row, step, due_at, now)
            case TakeDefault() if isinstance(step, ApproveStep):
                await take_default(session, run, row, step, now)
            case Tell() if isinstance(step, NotifyStep):
                await tell(session, run, row, step, now)
            case SetFacts() if isinstance(step, SetStep):
                await set_facts(session, run, row, step, now)
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
