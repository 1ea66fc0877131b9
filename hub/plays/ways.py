"""Steps that let time pass or choose a way: `wait` and `branch`. What they ask of the account is a rule."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.kit.errors import Invalid
from hub.plays.asking import Held, ask
from hub.plays.audience import account_of
from hub.plays.filling import fail
from hub.plays.model import Run, RunStep, StepStatus
from hub.plays.step_kinds import BranchStep, WaitStep, not_taken


async def begin_wait(
    session: AsyncSession, run: Run, row: RunStep, step: WaitStep, until: datetime, now: datetime
) -> None:
    """Wait; not at all when what is waited for is so already. That it becomes so is found by `following`."""
    row.status, row.started_at, row.due_at = StepStatus.WAITING, now, until
    if step.until is not None:
        held = await _asked(session, run, row, step.until, now)
        if held is not None and held.holds:
            row.status, row.result = StepStatus.DONE, held.as_json()


async def branch(session: AsyncSession, run: Run, row: RunStep, step: BranchStep, now: datetime) -> None:
    row.started_at = now
    held = await _asked(session, run, row, step.branch, now)
    if held is None:
        return
    row.status, row.finished_at, row.result = StepStatus.DONE, now, held.as_json()
    left_out = not_taken(step, row.index, holds=held.holds)
    await leave_out(session, run.id, left_out, "The branch went the other way.", now)


async def leave_out(session: AsyncSession, run_id: UUID, numbers: range, why: str, now: datetime) -> None:
    """Leave out steps that have not begun."""
    await session.execute(
        update(RunStep)
        .where(RunStep.run_id == run_id, RunStep.index.in_(numbers), RunStep.status == StepStatus.PENDING)
        .values(status=StepStatus.SKIPPED, finished_at=now, problem=why)
    )


async def _asked(session: AsyncSession, run: Run, row: RunStep, rule: str, now: datetime) -> Held | None:
    """What a rule says of the account now; None when it cannot be asked, which fails the step."""
    account = await account_of(session, run.account_id)
    try:
        return await ask(session, await blueprints.current(session), rule, account.id, now)
    except Invalid as error:
        fail(row, error, now)
        return None
