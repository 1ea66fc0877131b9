"""What stays behind when a run ends before its last step: nothing that somebody would still work on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.plays.model import CallStatus, RunStep, StepCall, StepStatus, Task, TaskStatus


async def close_run(session: AsyncSession, run_id: UUID, reason: str, *, by: str, now: datetime) -> None:
    """Cancel the open tasks of a run, leave out the steps that are not over, and give up its wait for the budget."""
    await session.execute(
        update(Task)
        .where(Task.run_id == run_id, Task.status == TaskStatus.OPEN)
        .values(status=TaskStatus.CANCELED, completed_at=now, completed_by=by, outcome=reason)
    )
    over = (StepStatus.DONE, StepStatus.SKIPPED)
    await session.execute(
        update(RunStep)
        .where(RunStep.run_id == run_id, RunStep.status.not_in(over))
        .values(status=StepStatus.SKIPPED, finished_at=now, problem=func.coalesce(RunStep.problem, reason))
    )
    await session.execute(
        update(StepCall)
        .where(StepCall.run_id == run_id, StepCall.status == CallStatus.PENDING, StepCall.waiting_since.is_not(None))
        .values(status=CallStatus.DROPPED, finished_at=now, waiting_since=None, problem=reason)
    )
