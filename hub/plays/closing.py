"""What stays behind when a run ends before its last step: nothing that somebody would still work on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.plays.model import CallStatus, RunStep, StepCall, StepStatus, Task, TaskKind, TaskStatus
from hub.plays.twins import tell_twins

SWITCHED_OFF: Final = "switched_off"
"""Why a run ends whose play was switched off, as its `ending` says it."""


class OpenTasks(StrEnum):
    """What becomes of the open tasks of a play that is switched off."""

    LEAVE = "leave"
    CLOSE = "close"


async def cancel_tasks(
    session: AsyncSession, run_id: UUID, *which: ColumnElement[bool], reason: str, by: str, now: datetime
) -> None:
    """Cancel the open tasks of a run that are `which`, and have their twins closed."""
    canceled = await session.execute(
        update(Task)
        .where(Task.run_id == run_id, Task.status == TaskStatus.OPEN, *which)
        .values(status=TaskStatus.CANCELED, completed_at=now, completed_by=by, outcome=reason)
        .returning(Task.id)
    )
    await tell_twins(session, canceled.scalars().all(), now=now)


async def close_run(
    session: AsyncSession, run_id: UUID, reason: str, *, by: str, now: datetime, leaves_tasks: bool = False
) -> None:
    """Leave out the steps of a run that are not over, give up its wait for the budget, and cancel its open tasks unless
    it `leaves_tasks`: then whoever has them may finish them. A question that nobody waits for any more is canceled
    either way."""
    which = (Task.kind == TaskKind.APPROVAL,) if leaves_tasks else ()
    await cancel_tasks(session, run_id, *which, reason=reason, by=by, now=now)
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
