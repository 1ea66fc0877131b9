"""What people do with runs: start one by hand, end it, and decide about a step that failed or is unclear."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.blueprint import service as blueprints
from hub.blueprint.service import Blueprint
from hub.kit import work
from hub.kit.errors import Invalid, NotFound
from hub.plays import announcements
from hub.plays.audience import account_of
from hub.plays.closing import cancel_tasks, close_run
from hub.plays.enrolling import BY_HAND, TO_ADVANCE, definition_of, enrol_by_hand
from hub.plays.model import CallStatus, Run, RunStatus, RunStep, StepCall, StepStatus, SwitchState, Task
from hub.plays.section import kept
from hub.plays.starting import ALIVE
from hub.plays.step_kinds import on_failure, program
from hub.plays.switches import state_of


async def start_play(session: AsyncSession, viewer: Viewer, play: str, account_id: UUID, *, now: datetime) -> list[Run]:
    """Start a play by hand, whatever its trigger is, and whomever it leaves out by itself.

    Returns the run, or one for each person where the play is for people. Raises `NotFound` (play or account) and
    `Invalid` when the play is under way on the account already, is for people and finds none, or is not on.
    """
    viewer.require(Role.CSM)
    account = await account_of(session, account_id)
    blueprint = await blueprints.current(session)
    await require_on(session, blueprint, play)
    found = await session.execute(
        select(Run.status, Run.occurrence).where(Run.play == play, Run.account_id == account.id)
    )
    earlier = list(found)
    by_hand = len({occurrence for _, occurrence in earlier if occurrence.startswith(BY_HAND)})
    under_way = any(status in ALIVE for status, _ in earlier)
    # Two people who press at once count the same number of earlier runs: the unique key lets one of them through.
    occurrence, trigger = f"{BY_HAND}{by_hand + 1}", {"topic": "hand", "actor": viewer.actor}
    runs = [] if under_way else await enrol_by_hand(session, blueprint, play, account.id, occurrence, trigger, now=now)
    if not runs and not under_way and definition_of(blueprint, play).each is not None:
        raise Invalid(f"Nobody at {account.name} is whom the play {play} is for.", path=("play",))
    if not runs:
        raise Invalid(
            f"The play {play} is under way on {account.name} already.",
            remedy="Let it end, or cancel it first.",
            path=("play",),
        )
    for run in runs:
        about = {"play": play, "account": str(account.id)}
        await audit(session, viewer, "play.started", f"run:{run.id}", about, now=now)
    return runs


async def require_on(session: AsyncSession, blueprint: Blueprint, play: str) -> None:
    """Raises `NotFound`, and `Invalid` for a play that the blueprint does not enable, or that a person paused or
    switched off."""
    if not definition_of(blueprint, play).enabled:
        raise Invalid(f"The play {play} is not enabled.", remedy="Enable it in the blueprint.", path=("play",))
    state = await state_of(session, play)
    if state is not SwitchState.ON:
        how = "Resume it" if state is SwitchState.PAUSED else "Switch it on"
        raise Invalid(f"The play {play} is {state}.", remedy=f"{how} first.", path=("play",))


async def cancel(session: AsyncSession, viewer: Viewer, run_id: UUID, reason: str, *, now: datetime) -> Run:
    """End a run at once: what it has not done, it will not do, and its open tasks are canceled.

    What a vendor is being asked at this moment cannot be called back. Raises `NotFound`, and `Invalid` for a run that
    has ended.
    """
    viewer.require(Role.CSM)
    canceled = await session.execute(
        update(Run)
        .where(Run.id == run_id, Run.status.in_(ALIVE))
        .values(status=RunStatus.CANCELED, updated_at=now, ended_at=now)
        .returning(Run)
        .execution_options(populate_existing=True)
    )
    run = canceled.scalar_one_or_none()
    if run is None:
        if await session.get(Run, run_id) is None:
            raise NotFound(f"There is no run {run_id}.")
        raise Invalid(f"The run {run_id} has ended already.", path=("run",))
    await close_run(session, run_id, reason, by=viewer.actor, now=now)
    await announcements.run_ended(session, run, now=now)
    await audit(session, viewer, "run.canceled", f"run:{run_id}", {"reason": reason}, now=now)
    return run


async def pause_run(session: AsyncSession, viewer: Viewer, run_id: UUID, *, now: datetime) -> Run:
    """Let a run stand where it is. What a vendor is being asked at this moment cannot be called back.

    Raises `NotFound`, and `Invalid` for a run that is not running.
    """
    run = await _taken(session, viewer, run_id, {RunStatus.RUNNING}, "Only a run that is running can be paused.")
    run.status, run.updated_at = RunStatus.PAUSED, now
    await announcements.run_advanced(session, run, problem=None, now=now)
    await audit(session, viewer, "run.paused", f"run:{run.id}", {"step": run.step}, now=now)
    return run


async def resume_run(session: AsyncSession, viewer: Viewer, run_id: UUID, *, now: datetime) -> Run:
    """Let a paused run go on; what became due meanwhile is done at once. Raises `NotFound`, and `Invalid` for a run
    that is not paused."""
    run = await _taken(session, viewer, run_id, {RunStatus.PAUSED}, "Only a paused run can be resumed.")
    run.status = RunStatus.RUNNING
    return await _released(session, viewer, run, "run.resumed", now)


async def try_again(session: AsyncSession, viewer: Viewer, run_id: UUID, *, now: datetime) -> Run:
    """Do the step anew at which a run is held. What it asked of a vendor and did not get is asked under a new key: a
    person has looked, and wants it although an unclear one may have happened.

    Raises `NotFound`, and `Invalid` for a run that is not held.
    """
    run = await _taken(session, viewer, run_id, {RunStatus.HELD}, _NOT_HELD)
    await _begin_anew(session, run.id, range(run.step, run.step + 1), only=(CallStatus.FAILED, CallStatus.UNKNOWN))
    run.status = RunStatus.RUNNING
    return await _released(session, viewer, run, "run.step_tried_again", now)


async def run_again(session: AsyncSession, viewer: Viewer, run_id: UUID, step: int, *, now: datetime) -> Run:
    """Do a step anew that is over (with the steps inside it, if it is a branch), then go on where the run stands. What
    it asked of vendors is asked again under new keys and with the same words; a task is given anew, and the old one,
    if it is open, canceled.

    Raises `NotFound`, and `Invalid` for a run that has ended, or a step that is not over.
    """
    run = await _taken(session, viewer, run_id, ALIVE, "A run that has ended does nothing any more.")
    if not 0 <= step < run.step:
        raise Invalid(
            f"Step {step} of the run is not over; it stands at {run.step}.",
            remedy="Name a step before that one, counted from 0.",
            path=("step",),
        )
    again = program(kept(orjson.dumps(run.definition)).steps)[step]
    steps = range(step, on_failure(again, step).stop)
    anew = "The step is done anew."
    await cancel_tasks(session, run.id, Task.step.in_(steps), reason=anew, by=viewer.actor, now=now)
    await session.execute(  # a task keeps its run, and gives up its place to the one that is given anew
        update(Task).where(Task.run_id == run.id, Task.step.in_(steps)).values(step=None)
    )
    await _begin_anew(session, run.id, steps, only=tuple(CallStatus))
    run.step, run.status = step, _not_held(run)
    return await _released(session, viewer, run, "run.step_run_again", now)


async def skip_step(session: AsyncSession, viewer: Viewer, run_id: UUID, *, now: datetime) -> Run:
    """Leave out the step at which a run stands, and go on with the next one; its problem stays readable. Its open task
    is canceled, and what it has not asked of a vendor yet is dropped.

    Raises `NotFound`, and `Invalid` for a run that has ended.
    """
    run = await _taken(session, viewer, run_id, ALIVE, "A run that has ended does nothing any more.")
    row = await session.get_one(RunStep, (run.id, run.step), populate_existing=True)
    if row.status not in (StepStatus.DONE, StepStatus.SKIPPED):
        row.status, row.finished_at = StepStatus.SKIPPED, now
    reason = "The step was left out."
    await session.execute(
        update(StepCall)
        .where(StepCall.run_id == run.id, StepCall.step == run.step, StepCall.waiting_since.is_not(None))
        .values(status=CallStatus.DROPPED, finished_at=now, waiting_since=None, problem=reason)
    )
    await cancel_tasks(session, run.id, Task.step == run.step, reason=reason, by=viewer.actor, now=now)
    run.status = _not_held(run)
    return await _released(session, viewer, run, "run.step_skipped", now)


_NOT_HELD: Final = "Only a run that waits for a decision about a step can be helped on."


async def _taken(
    session: AsyncSession, viewer: Viewer, run_id: UUID, wanted: Collection[RunStatus], otherwise: str
) -> Run:
    """The run, held until the transaction ends. Raises `NotFound`, and `Invalid` unless it stands as wanted."""
    viewer.require(Role.CSM)
    run = await session.get(Run, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    if run.status not in wanted:
        raise Invalid(f"The run is {run.status}.", remedy=otherwise, path=("run",))
    return run


def _not_held(run: Run) -> RunStatus:
    """A held run goes on; a paused one stays so until somebody resumes it."""
    return RunStatus.PAUSED if run.status == RunStatus.PAUSED else RunStatus.RUNNING


async def _begin_anew(session: AsyncSession, run_id: UUID, steps: range, only: Sequence[CallStatus]) -> None:
    """Put steps back to their beginning; those of their calls that are `only` so are made anew."""
    asked_again = await session.execute(
        update(StepCall)
        .where(StepCall.run_id == run_id, StepCall.step.in_(steps), StepCall.status.in_(only))
        .values(status=CallStatus.PENDING, round=StepCall.round + 1, problem=None, finished_at=None)
        .returning(StepCall.step)
    )
    calling = set(asked_again.scalars())
    rows = await session.execute(select(RunStep).where(RunStep.run_id == run_id, RunStep.index.in_(steps)))
    for row in rows.scalars():
        row.status = StepStatus.WAITING if row.index in calling else StepStatus.PENDING
        row.problem, row.finished_at, row.due_at, row.result = None, None, None, {}


async def _released(session: AsyncSession, viewer: Viewer, run: Run, what: str, now: datetime) -> Run:
    run.updated_at = now
    await session.flush()
    await work.mark(session, TO_ADVANCE, [str(run.id)], due_at=now)
    await audit(session, viewer, what, f"run:{run.id}", {"step": run.step}, now=now)
    return run
