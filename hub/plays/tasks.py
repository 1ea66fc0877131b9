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
from hub.kit.ids import new_id
from hub.plays import announcements
from hub.plays.enrolling import TO_ADVANCE
from hub.plays.model import RunStep, StepStatus, Task, TaskComment, TaskKind, TaskStatus


async def complete_task(
    session: AsyncSession, viewer: Viewer, task_id: UUID, outcome: str | None, *, now: datetime
) -> Task:
    """Mark a task as done; the run that waited for it goes on. A task that is done already stays as it was.

    Raises `NotFound`, and `Invalid` for a task that was canceled, asks for a yes or no, or has open points.
    """
    viewer.require(Role.CSM)
    task = await _task(session, task_id)
    to_do = [point["text"] for point in task.checklist if point["done_at"] is None]
    if to_do and task.status == TaskStatus.OPEN:
        raise Invalid(
            f"{len(to_do)} of {len(task.checklist)} points of the checklist are open: {'; '.join(to_do)[:200]}",
            remedy="Tick them off first.",
            path=("task",),
        )
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
        raise _not_open(await _task(session, task_id))
    await announcements.task_changed(session, "task.assigned", task, now=now)
    await audit(session, viewer, "task.assigned", f"task:{task.id}", {"owner": owner}, now=now)
    return task


async def comment_on_task(
    session: AsyncSession, viewer: Viewer, task_id: UUID, body: str, *, now: datetime
) -> TaskComment:
    """Say something about a task, whatever has become of it. Raises `NotFound`."""
    viewer.require(Role.CSM)
    task = await _task(session, task_id)
    said = TaskComment(
        id=new_id(), task_id=task.id, account_id=task.account_id, author=viewer.actor, body=body, created_at=now
    )
    session.add(said)
    await announcements.task_changed(session, "task.commented", task, now=now)
    await audit(session, viewer, "task.commented", f"task:{task.id}", {"comment": str(said.id)}, now=now)
    return said


async def tick_task(
    session: AsyncSession, viewer: Viewer, task_id: UUID, point: int, *, done: bool, now: datetime
) -> Task:
    """Tick off a point of a task's checklist, the first being 0, or take that back. What stands so already stays.

    Raises `NotFound`, and `Invalid` for a point that there is not, or a task that is not open.
    """
    viewer.require(Role.CSM)
    task = await session.get(Task, task_id, with_for_update=True, populate_existing=True)
    if task is None:
        raise NotFound(f"There is no task {task_id}.")
    if task.status != TaskStatus.OPEN:
        raise _not_open(task)
    if not 0 <= point < len(task.checklist):
        raise Invalid(
            f"The task {task.title!r} has no point {point}.",
            remedy=f"It has {len(task.checklist)}, counted from 0.",
            path=("point",),
        )
    known = task.checklist[point]
    if (known["done_at"] is not None) == done:
        return task
    ticked = {"done_by": viewer.actor if done else None, "done_at": now.isoformat() if done else None}
    task.checklist = [one | ticked if nth == point else one for nth, one in enumerate(task.checklist)]
    await announcements.task_changed(session, "task.ticked", task, now=now)
    details = {"point": known["text"], "done": done}
    await audit(session, viewer, "task.ticked", f"task:{task.id}", details, now=now)
    return task


async def end_by_twin(session: AsyncSession, vendor: str, task_id: UUID, *, at: datetime, now: datetime) -> None:
    """The task's twin at a vendor is done: so is ours, if it is open still, and its checklist with it."""
    viewer = Viewer(f"connection:{vendor}", Role.CSM)
    outcome = f"Done in {vendor} at {at:%Y-%m-%d %H:%M} UTC."
    result = {"task": str(task_id), "outcome": outcome}
    await _end(session, viewer, task_id, TaskKind.WORK, {"outcome": outcome}, result, "task.completed", now)


def _not_open(task: Task) -> Invalid:
    return Invalid(f"The task {task.title!r} is not open any more.", path=("task",))


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
