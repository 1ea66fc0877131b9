"""Steps that give our own people something to do: `task` and `approve`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.kit import work
from hub.kit.ids import new_id
from hub.plays import announcements
from hub.plays.filling import filled_in
from hub.plays.model import Run, RunStep, StepStatus, Task, TaskKind, TaskStatus
from hub.plays.step_kinds import ApproveStep, Default, TaskStep
from hub.plays.task_moments import TO_FOLLOW, next_moment
from hub.plays.team import Team


async def give_task(
    session: AsyncSession,
    run: Run,
    row: RunStep,
    step: TaskStep,
    due_at: datetime | None,
    rest: bool,
    now: datetime,
) -> None:
    task = await _write_task(
        session, run, row, TaskKind.WORK, [step.task, step.details, *step.checklist], step.owner, due_at, now
    )
    if task is None:
        return
    if due_at is not None and (step.remind or step.escalate):
        task.reminders = sorted((due_at - before).isoformat() for before in step.remind)
        if step.escalate is not None:
            task.escalation = {"at": (due_at + step.escalate.after).isoformat(), "to": step.escalate.to}
        await work.mark_each(session, TO_FOLLOW, {str(task.id): next_moment(task) or due_at})
    if not rest:
        row.status, row.finished_at = StepStatus.DONE, now


async def ask_approval(
    session: AsyncSession, run: Run, row: RunStep, step: ApproveStep, due_at: datetime | None, now: datetime
) -> None:
    texts = [step.approve, step.details]
    await _write_task(session, run, row, TaskKind.APPROVAL, texts, step.owner, due_at, now)


async def _write_task(
    session: AsyncSession,
    run: Run,
    row: RunStep,
    kind: TaskKind,
    texts: Sequence[str | None],
    owner: str,
    due_at: datetime | None,
    now: datetime,
) -> Task | None:
    """Give somebody a task, and let the step wait for it; None when its texts (the title, the details, the points of
    the checklist) cannot be filled in."""
    filled = await filled_in(session, run, row, texts, now)
    if filled is None:
        return None
    account, (title, details, *points) = filled
    task = Task(
        id=new_id(),
        account_id=account.id,
        run_id=run.id,
        step=row.index,
        title=title,
        details=details,
        owner=(await blueprints.current(session)).section("team", Team).who(owner, account.owner),
        due_at=due_at,
        status=TaskStatus.OPEN,
        kind=kind,
        checklist=[{"text": point, "done_by": None, "done_at": None} for point in points],
        reminders=[],
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
    return task


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
