"""Starting plays, ending them, and the work that they give to people.

A run is unique by (play, account, occurrence): the database, not a check, makes a second enrolment for one occurrence
impossible. It keeps the definition it was started with, so a changed blueprint changes no run that is under way.
What a run then does, step by step, is in `steps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.blueprint import service as blueprints
from hub.blueprint.service import Blueprint
from hub.kit import work
from hub.kit.errors import Invalid, NotFound
from hub.kit.ids import new_id
from hub.plays import announcements
from hub.plays.audience import account_of
from hub.plays.decisions import occurrence_of
from hub.plays.model import Run, RunStatus, RunStep, StepStatus, Task, TaskStatus
from hub.plays.section import Play, Plays
from hub.plays.step_kinds import kind_of

TO_ADVANCE: Final = "runs_to_advance"
"""The work list of runs that have something to do; its keys are their ids."""

ALIVE: Final = (RunStatus.RUNNING, RunStatus.HELD)


async def enrol(
    session: AsyncSession,
    blueprint: Blueprint,
    play: str,
    account_id: UUID,
    occurrence: str,
    trigger: Mapping[str, Any],
    *,
    now: datetime,
) -> Run | None:
    """Start a play on an account, once for each occurrence; None when it was started for this one already.

    `trigger` is kept with the run: what started it. Raises `NotFound` when the blueprint has no such play.
    """
    definition = _definition(blueprint, play)
    run_id = (
        await session.execute(
            upsert(Run)
            .values(
                id=new_id(),
                play=play,
                account_id=account_id,
                occurrence=occurrence,
                status=RunStatus.RUNNING,
                step=0,
                holdout=False,
                trigger=dict(trigger),
                definition=definition.model_dump(mode="json"),
                blueprint_version=blueprint.version,
                started_at=now,
                updated_at=now,
            )
            .on_conflict_do_nothing(index_elements=["play", "account_id", "occurrence"])
            .returning(Run.id)
        )
    ).scalar()
    if run_id is None:
        return None
    await session.execute(insert(RunStep), _pending_steps(run_id, definition))
    await work.mark(session, TO_ADVANCE, [str(run_id)], due_at=now)
    run = await session.get_one(Run, run_id)
    await announcements.run_started(session, run, now=now)
    return run


async def enrol_for_fact(session: AsyncSession, topic: str, payload: Mapping[str, Any], *, now: datetime) -> list[Run]:
    """Start every play for which this fact is a reason, except the play that caused the fact itself."""
    blueprint = await blueprints.current(session)
    occurrences = {
        name: occurrence
        for name, play in blueprint.section("plays", Plays).root.items()
        if play.enabled and (occurrence := occurrence_of(play.trigger, topic, payload)) is not None
    }
    if not occurrences:
        return []
    occurrences.pop(await _causing_play(session, payload.get("caused_by_run")), None)
    account = await account_of(session, UUID(payload["account_id"]))
    trigger = {"topic": topic, **payload}
    runs = [
        await enrol(session, blueprint, name, account.id, occurrence, trigger, now=now)
        for name, occurrence in occurrences.items()
    ]
    return [run for run in runs if run is not None]


async def start_play(session: AsyncSession, viewer: Viewer, play: str, account_id: UUID, *, now: datetime) -> Run:
    """Start a play by hand, whatever its trigger is.

    Raises `NotFound` (play or account) and `Invalid` when the play is under way on the account already, or is declared
    only.
    """
    viewer.require(Role.CSM)
    account = await account_of(session, account_id)
    blueprint = await blueprints.current(session)
    if not _definition(blueprint, play).enabled:
        raise Invalid(f"The play {play} is not enabled.", remedy="Enable it in the blueprint.", path=("play",))
    runs = await session.execute(
        select(Run.status, Run.occurrence).where(Run.play == play, Run.account_id == account.id)
    )
    earlier = list(runs)
    by_hand = sum(occurrence.startswith("hand:") for _, occurrence in earlier)
    run = None
    if not any(status in ALIVE for status, _ in earlier):
        # Two people who press at once count the same number of earlier runs: the unique key lets one of them through.
        trigger = {"topic": "hand", "actor": viewer.actor}
        run = await enrol(session, blueprint, play, account.id, f"hand:{by_hand + 1}", trigger, now=now)
    if run is None:
        raise Invalid(
            f"The play {play} is under way on {account.name} already.",
            remedy="Let it end, or cancel it first.",
            path=("play",),
        )
    await audit(session, viewer, "play.started", f"run:{run.id}", {"play": play, "account": str(account.id)}, now=now)
    return run


async def complete_task(
    session: AsyncSession, viewer: Viewer, task_id: UUID, outcome: str | None, *, now: datetime
) -> Task:
    """Mark a task as done; the run that waited for it goes on. A task that is done already stays as it was.

    Raises `NotFound`, and `Invalid` for a task that was canceled.
    """
    viewer.require(Role.CSM)
    completed = await session.execute(
        update(Task)
        .where(Task.id == task_id, Task.status == TaskStatus.OPEN)
        .values(status=TaskStatus.DONE, outcome=outcome, completed_at=now, completed_by=viewer.actor)
        .returning(Task)
        .execution_options(populate_existing=True)
    )
    task = completed.scalar_one_or_none()
    if task is None:
        return await _completed_before(session, task_id)
    if task.run_id is not None:
        await session.execute(
            update(RunStep)
            .where(RunStep.run_id == task.run_id, RunStep.index == task.step, RunStep.status == StepStatus.WAITING)
            .values(status=StepStatus.DONE, finished_at=now, result={"task": str(task.id), "outcome": outcome})
        )
        await work.mark(session, TO_ADVANCE, [str(task.run_id)], due_at=now)
    await announcements.task_completed(session, task, now=now)
    await audit(session, viewer, "task.completed", f"task:{task.id}", {"outcome": outcome}, now=now)
    return task


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
    await session.execute(
        update(Task)
        .where(Task.run_id == run_id, Task.status == TaskStatus.OPEN)
        .values(status=TaskStatus.CANCELED, completed_at=now, completed_by=viewer.actor, outcome=reason)
    )
    over = (StepStatus.DONE, StepStatus.SKIPPED)
    await session.execute(
        update(RunStep)
        .where(RunStep.run_id == run_id, RunStep.status.not_in(over))
        .values(status=StepStatus.SKIPPED, finished_at=now, problem=func.coalesce(RunStep.problem, reason))
    )
    await announcements.run_ended(session, run, now=now)
    await audit(session, viewer, "run.canceled", f"run:{run_id}", {"reason": reason}, now=now)
    return run


def _definition(blueprint: Blueprint, play: str) -> Play:
    plays = blueprint.section("plays", Plays).root
    if play not in plays:
        raise NotFound(
            f"The blueprint has no play {play!r}.", remedy=f"It has: {', '.join(sorted(plays)) or 'no play at all'}."
        )
    return plays[play]


def _pending_steps(run_id: UUID, definition: Play) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run_id,
            "index": index,
            "kind": kind_of(step),
            "name": step.name,
            "status": StepStatus.PENDING,
            "attempts": 0,
            "result": {},
        }
        for index, step in enumerate(definition.steps)
    ]


async def _causing_play(session: AsyncSession, run_id: str | None) -> str:
    """The play of a run, or an empty name."""
    if run_id is None:
        return ""
    return (await session.execute(select(Run.play).where(Run.id == UUID(run_id)))).scalar_one_or_none() or ""


async def _completed_before(session: AsyncSession, task_id: UUID) -> Task:
    task = await session.get(Task, task_id, populate_existing=True)
    if task is None:
        raise NotFound(f"There is no task {task_id}.")
    if task.status == TaskStatus.CANCELED:
        raise Invalid(f"The task {task.title!r} was canceled.", path=("task",))
    return task
