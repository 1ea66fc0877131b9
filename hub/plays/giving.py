"""Steps that give our own people something to do: `task` and `approve`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.ids import new_id
from hub.plays import announcements
from hub.plays.decisions import owner_of
from hub.plays.filling import filled_in
from hub.plays.model import Run, RunStep, StepStatus, Task, TaskKind, TaskStatus
from hub.plays.step_kinds import ApproveStep, Default, TaskOwner, TaskStep


async def give_task(
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


async def ask_approval(
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
    filled = await filled_in(session, run, row, list(texts), now)
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


async def take_default(session: AsyncSession, run: Run, row: RunStep, step: ApproveStep, now: datetime) -> None:
    approved = step.default is Default.GO_ON
    said = f"Nobody answered in time: the default is {step.default.replace('_', ' ')}."
    await session.execute(
        update(Task)
        .where(Task.run_id == run.id, Task.step == row.index, Task.status == TaskStatus.OPEN)
        .values(status=TaskStatus.CANCELED, completed_at=now, outcome=said, approved=approved)
    )
    row.status, row.finished_at, row.problem = StepStatus.DONE, now, said
    row.result = {**row.result, "approved": approved}
