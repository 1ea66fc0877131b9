"""Steps that let time pass or choose a way: `wait` and `branch`. What they ask of the account is a rule or an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.kit.errors import Invalid
from hub.measures.definitions import Selection
from hub.plays.asking import Held, ask
from hub.plays.audience import account_of
from hub.plays.awaited import waits_for
from hub.plays.business_time import BusinessHours, over
from hub.plays.filling import fail
from hub.plays.model import Run, RunStep, StepStatus
from hub.plays.step_kinds import BranchStep, WaitStep, not_taken


async def begin_wait(
    session: AsyncSession, run: Run, row: RunStep, step: WaitStep, before: Sequence[RunStep], now: datetime
) -> None:
    """Wait; not at all when the rule that is waited for holds already. That it begins to hold, and that an event came,
    is found by `following`. `before` are the steps before this one."""
    until = await _over(session, run, step, now)
    row.status, row.started_at, row.due_at = StepStatus.WAITING, now, until
    match step.until:
        case Selection() as event:
            row.result = waits_for(event, heard_since(before, run.started_at))
        case str() as rule:
            held = await _asked(session, run, row, rule, now)
            if held is not None and held.holds:
                row.status, row.result = StepStatus.DONE, held.as_json()


async def _over(session: AsyncSession, run: Run, step: WaitStep, now: datetime) -> datetime:
    """When a wait that begins now is over."""
    hours = (await blueprints.current(session)).section("business_hours", BusinessHours)
    return over(step.wait, hours, (await account_of(session, run.account_id)).time_zone, now)


def heard_since(before: Sequence[RunStep], began: datetime) -> datetime:
    """From when on an event counts for a wait behind these steps of a run that began then."""
    for row in reversed(before):
        if row.kind == "wait" and row.started_at is not None and row.finished_at is not None:
            return row.finished_at
        if row.kind in ("action", "task", "approve") and row.started_at is not None:
            return row.started_at
    return began


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
