"""Moving a run on: what each kind of step does when its turn comes.

A turn is one transaction that takes some runs as far as they get by themselves, up to a call of a vendor, a wait, a
task or the end. What a call asks for is written before it is made, and what came of it is written after; in between
stands the vendor's answer, which `connections.actions` keeps under the same idempotency key. So whenever a process
dies, the next turn finds where the run stands, and asks for the same again under the same key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.service import mark_changed
from hub.kit.db import lock_all
from hub.kit.paging import among
from hub.kit.runtime import Kit
from hub.measures.definitions import Selection
from hub.plays import announcements
from hub.plays.budget import Wait
from hub.plays.calls import Answer, Asking, Call, make, next_calls, note
from hub.plays.closing import SWITCHED_OFF, OpenTasks, close_run
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
from hub.plays.model import Run, RunStatus, RunStep, StepStatus, SwitchState
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
    inside,
    on_failure,
    program,
)
from hub.plays.switches import states_of
from hub.plays.together import together
from hub.plays.ways import begin_wait, branch, leave_out

THE_PLAY: Final = "play"
"""Who canceled a task that its own play no longer needs."""

TURNS_SECONDS = 5.0
"""How long some runs may go on before others have their turn."""

AT_ONCE = 25
"""How many calls are made at the same time; a batch is as slow as its slowest."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a turn ended: at calls to make, or at rest until a time (None: until somebody does something). `error`:
    the run could not go on, and nothing of this turn was written."""

    calls: Sequence[Call] = ()
    until: datetime | None = None
    problem: str | None = None
    error: Exception | None = None


async def advance(kit: Kit, run_ids: Sequence[UUID]) -> dict[UUID, Turn]:
    """Move runs on until each rests; the number of statements does not grow with that of the runs. Safe to call any
    number of times, by any number of processes."""
    began = monotonic()
    turns = await _turns(kit, run_ids, [])
    while calls := [call for turn in turns.values() for call in turn.calls][:AT_ONCE]:
        if monotonic() - began > TURNS_SECONDS:
            return {id_: Turn(until=kit.clock.now()) if turn.calls else turn for id_, turn in turns.items()}
        turns |= await _turns(kit, list({call.run_id for call in calls}), await make(kit, calls))
    return turns


async def _turns(kit: Kit, run_ids: Sequence[UUID], answers: Sequence[Answer]) -> dict[UUID, Turn]:
    """One turn of each run; where they cannot have it together, each has it alone."""
    try:
        return await _together(kit, run_ids, answers)
    except Exception as error:  # one run that cannot go on must not hold up the others
        if len(run_ids) == 1:
            return {run_ids[0]: Turn(error=error)}
    turns: dict[UUID, Turn] = {}
    for id_ in run_ids:
        turns |= await _turns(kit, [id_], [answer for answer in answers if answer.call.run_id == id_])
    return turns


async def _together(kit: Kit, run_ids: Sequence[UUID], answers: Sequence[Answer]) -> dict[UUID, Turn]:
    """One transaction: note the answers to the last calls, and go on from there."""
    async with kit.transaction() as session:
        now = kit.clock.now()
        found = await session.execute(select(Run).where(among(Run.id, run_ids)).order_by(Run.id).with_for_update())
        runs = {run.id: run for run in found.scalars()}
        steps = {run.id: program(kept(orjson.dumps(run.definition)).steps) for run in runs.values()}
        rows = {
            (row.run_id, row.index): row
            for row in (await session.execute(select(RunStep).where(among(RunStep.run_id, run_ids)))).scalars()
        }
        await lock_all(session, "touches", _who_may_be_touched(runs.values(), steps))
        async with together(session, {run.account_id for run in runs.values()}, now=now):
            await note(session, runs, rows, [one for one in answers if one.call.run_id in runs], now=now)
            turns = dict.fromkeys(run_ids, Turn()) | _to_ask_again(runs, answers)
            paused = await _stopped(session, runs.values())
            going: Collection[Run] = [
                run
                for run in runs.values()
                if turns[run.id].until is None and (run.ending is not None or run.play not in paused)
            ]
            while going:
                going = await _round(session, going, rows, steps, turns, now)
            await mark_changed(session, _to_look_at(runs.values(), rows, steps, now), now)
    return turns


async def _stopped(session: AsyncSession, runs: Collection[Run]) -> set[str]:
    """The plays that are paused; `switching` brings their runs back when they go on. A run that began while its play
    was being switched off ends. A run that is to end does so, whatever its play does."""
    states = await states_of(session, {run.play for run in runs if run.ending is None})
    for run in runs:
        if states.get(run.play) is SwitchState.OFF and run.ending is None:
            run.ending = {"reason": SWITCHED_OFF, "tasks": OpenTasks.LEAVE}
    return {play for play, state in states.items() if state is SwitchState.PAUSED}


def _who_may_be_touched(runs: Iterable[Run], steps: Mapping[UUID, Sequence[Step]]) -> set[UUID]:
    """The accounts of runs that have yet to address people. All at once, so that no two batches wait in a circle."""
    return {
        run.account_id
        for run in runs
        if any(isinstance(step, ActionStep) and step.to is not None for step in steps[run.id][run.step :])
    }


def _to_look_at(
    runs: Iterable[Run], rows: Mapping[tuple[UUID, int], RunStep], steps: Mapping[UUID, Sequence[Step]], now: datetime
) -> set[UUID]:
    """The accounts of runs that began to wait for an event, which may have come already."""
    return {
        run.account_id
        for run in runs
        if isinstance(step := steps[run.id][run.step], WaitStep)
        and isinstance(step.until, Selection)
        and rows[run.id, run.step].started_at == now
    }


def _to_ask_again(runs: Mapping[UUID, Run], answers: Sequence[Answer]) -> dict[UUID, Turn]:
    """The runs whose vendor is to be asked again later."""
    later: dict[UUID, Turn] = {}
    for one in answers:
        run = runs.get(one.call.run_id)
        if one.again is None or run is None or run.status != RunStatus.RUNNING:
            continue
        known = later.get(run.id)
        if known is None or known.until is None or one.again < known.until:
            later[run.id] = Turn(until=one.again, problem=one.problem)
    return later


async def _round(
    session: AsyncSession,
    going: Collection[Run],
    rows: Mapping[tuple[UUID, int], RunStep],
    steps: Mapping[UUID, Sequence[Step]],
    turns: dict[UUID, Turn],
    now: datetime,
) -> list[Run]:
    """Each run goes as far as it gets without a vendor; then all that need one find their calls together. Returns the
    runs that had none left to make, and go on."""
    asking = []
    for run in going:
        stopped = await _go_on(session, run, rows, steps[run.id], now)
        if isinstance(stopped, Asking):
            asking.append(stopped)
        else:
            turns[run.id] = stopped
    found = await next_calls(session, asking, now=now)
    for run_id, calls in found.items():
        turns[run_id] = Turn(until=calls.until, problem=calls.why) if isinstance(calls, Wait) else Turn(calls)
    return [one.run for one in asking if one.run.id not in found]


async def _go_on(
    session: AsyncSession,
    run: Run,
    rows: Mapping[tuple[UUID, int], RunStep],
    steps: Sequence[Step],
    now: datetime,
) -> Turn | Asking:
    """Step after step, until something outside is needed."""
    while run.status == RunStatus.RUNNING:
        if run.ending is not None:
            await _end_early(session, run, now)
            break
        row, step = rows[run.id, run.step], steps[run.step]
        match next_move(step, StepStatus(row.status), row.due_at, now):
            case AskVendor() | MakeCalls() if isinstance(step, ActionStep):
                return Asking(run, row, step)
            case GiveTask(due_at, rest) if isinstance(step, TaskStep):
                await give_task(session, run, row, step, due_at, rest, now)
            case BeginWait() if isinstance(step, WaitStep):
                before = [rows[run.id, number] for number in range(run.step)]
                await begin_wait(session, run, row, step, before, now)
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
                await _next_step(session, run, row, steps, now)
            case Hold():
                await _hold(session, run, row, now)
            case move:
                raise AssertionError(f"a step of kind {type(step).__name__} cannot {move}")
    return Turn()


async def _next_step(session: AsyncSession, run: Run, row: RunStep, steps: Sequence[Step], now: datetime) -> None:
    if row.status == StepStatus.WAITING:
        row.status = StepStatus.DONE
    row.finished_at = row.finished_at or now
    await _choose_way(session, row, steps[row.index], now)
    run.updated_at = now
    if row.result.get("approved") is False:
        run.ending = {"reason": "not_approved", "step": row.index}
    elif run.step + 1 < len(steps):
        run.step += 1
        problem = row.problem if row.status == StepStatus.FAILED else None
        await announcements.run_advanced(session, run, problem=problem, now=now)
    else:
        run.status, run.ended_at = RunStatus.DONE, now
        await announcements.run_ended(session, run, now=now)


async def _choose_way(session: AsyncSession, row: RunStep, step: Step, now: datetime) -> None:
    """Leave out what is for the case that the step fails, or, when it failed, the steps inside it."""
    failed = row.status == StepStatus.FAILED
    left_out = inside(step, row.index) if failed else on_failure(step, row.index)
    if left_out:
        why = "The branch could not be decided." if failed else "The step before it did not fail."
        await leave_out(session, row.run_id, left_out, why, now)


async def _end_early(session: AsyncSession, run: Run, now: datetime) -> None:
    """End a run whose exit rule holds, that was not approved, or whose play was switched off: what it has not done, it
    will not do."""
    ending = run.ending or {}
    leaves_tasks = ending.get("tasks") == OpenTasks.LEAVE
    await close_run(session, run.id, "The run ended before this step.", by=THE_PLAY, now=now, leaves_tasks=leaves_tasks)
    run.status = RunStatus.CANCELED if ending.get("reason") == SWITCHED_OFF else RunStatus.DONE
    run.updated_at, run.ended_at = now, now
    await announcements.run_ended(session, run, now=now)


async def _hold(session: AsyncSession, run: Run, row: RunStep, now: datetime) -> None:
    run.status, run.updated_at = RunStatus.HELD, now
    await announcements.run_advanced(session, run, problem=row.problem, now=now)
