"""Steps that leave word and wait for nobody: `notify` and `set`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import service as accounts
from hub.blueprint import service as blueprints
from hub.plays import announcements
from hub.plays.filling import filled_in
from hub.plays.model import Run, RunStep, StepStatus
from hub.plays.step_kinds import NotifyStep, SetStep
from hub.plays.team import Team


async def tell(session: AsyncSession, run: Run, row: RunStep, step: NotifyStep, now: datetime) -> None:
    filled = await filled_in(session, run, row, step.notify, now)
    if filled is None:
        return
    account, said = filled
    owner = (await blueprints.current(session)).section("team", Team).who(step.to, account.owner)
    await announcements.notice_given(session, run, row.index, said, owner, now=now)
    row.status, row.finished_at, row.result = StepStatus.DONE, now, {"to": owner, "said": said}


async def set_facts(session: AsyncSession, run: Run, row: RunStep, step: SetStep, now: datetime) -> None:
    filled = await filled_in(session, run, row, dict(step.set), now)
    if filled is None:
        return
    account, noted = filled
    await accounts.note(session, account.id, noted, now)
    row.status, row.finished_at, row.result = StepStatus.DONE, now, {"set": noted}
