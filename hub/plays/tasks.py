"""The work that plays give to people: done, decided, handed to somebody else."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.kit import work
from hub.kit.errors import Invalid, NotFound
from hub.plays import announcements
from hub.plays.enrolling import TO_ADVANCE
from hub.plays.model import RunStep, StepStatus, Task, TaskKind, TaskStatus


async def complete_task(
    session: AsyncSession, viewer: Viewer, task_id: UUID, outcome: str | None, *, now: datetime
) -> Task:
    """Mark a task as done; the run that waited for it goes on. A task that is done already stays as it was.

    Raises `NotFound`, and `Invalid` for a task that was canceled, or asks for a yes or no.
    """
    viewer.require(Role.CSM)
    result = {"task": str(task_id), "outcome": outcome}
    values: dict[str, Any] = {"outcome": outcome}
    return await _end(session, viewer, task_id, TaskKind.WORK, values, result, "task.completed", now)


async def decide_approval(
    session: AsyncSession, viewer: Viewer, task_id: UUID, *, approved: bool, comment: str | None, now: datetime
) -> Task:
    """Say yes or no where a play asks; with a yes the run goes on, with a no it ends. The first answer stands.

    Raises `NotFound`, and `Invalid` for a task that was canceled, or asks for no answer.
    """
    viewer.require(Role.CSM)
    result = {"task": str(task_id), "approved": approved, "comment": comment}
    values: dict[str, Any] = {"outcome": comment, "approved": approved}
    return await _end(session, viewer, task_id, TaskKind.APPROVAL, values, result, "approval.decided", now)


async def assign_task(
    session: AsyncSession, viewer: Viewer, task_id: UUID, owner: str | None, *, now: datetime
) -> Task:
    """Hand an open task to somebody else (None: to nobody in particular). Raises `NotFound` and `Invalid`."""
    viewer.require(Role.CSM)
    assigned = await session.execute(
        update(Task)
        .where(Task.id == task_id, Task.status == TaskStatus.OPEN)
        .values(owner=owner)
        .returning(Task)
        .execution_options(populate_existing=True)
    )
    task = assigned.scalar_one_or_none()
    if task is None:
        raise Invalid(f"The task {(await _task(session, task_id)).title!r} is not open any more.", path=("task",))
    await audit(session, viewer, "task.assigned", f"task:{task.id}", {"owner": owner}, now=now)
    return task


async def _end(
    session: AsyncSession,
    viewer: Viewer,
    task_id: UUID,
    kind: TaskKind,
    values: dict[str, Any],
    result: dict[str, Any],
    topic: str,
    now: datetime,
) -> Task:
    ended = await session.execute(
        update(Task)
        .where(Task.id == task_id, Task.status == TaskStatus.OPEN, Task.kind == kind)
        .values(status=TaskStatus.DONE, completed_at=now, completed_by=viewer.actor, **values)
        .returning(Task)
        .execution_options(populate_existing=True)
    )
    task = ended.scalar_one_or_none()
    if task is None:
        return await _ended_before(session, task_id, kind)
    if task.run_id is not None:
        await session.execute(
            update(RunStep)
            .where(RunStep.run_id == task.run_id, RunStep.index == task.step, RunStep.status == StepStatus.WAITING)
            .values(status=StepStatus.DONE, finished_at=now, result=result)
        )
        await work.mark(session, TO_ADVANCE, [str(task.run_id)], due_at=now)
    await announcements.task_completed(session, task, now=now)
    await audit(session, viewer, topic, f"task:{task.id}", values, now=now)
    return task


async def _ended_before(session: AsyncSession, task_id: UUID, kind: TaskKind) -> Task:
    task = await _task(session, task_id)
    if task.kind != kind:
        how = "asks for a yes or no" if task.kind == TaskKind.APPROVAL else "asks for no answer"
        raise Invalid(f"The task {task.title!r} {how}.", path=("task",))
    if task.status == TaskStatus.CANCELED:
        raise Invalid(f"The task {task.title!r} was canceled.", path=("task",))
    return task


async def _task(session: AsyncSession, task_id: UUID) -> Task:
    task = await session.get(Task, task_id, populate_existing=True)
    if task is None:
        raise NotFound(f"There is no task {task_id}.")
    return task
