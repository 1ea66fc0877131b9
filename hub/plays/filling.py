"""The texts of a step filled in for its run, or the step failed because one cannot be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import Account
from hub.kit.errors import Invalid
from hub.plays.audience import account_of, names_for, subject_of
from hub.plays.model import Run, RunStep, StepStatus
from hub.plays.templates import render


async def filled_in(
    session: AsyncSession, run: Run, row: RunStep, texts: Any, now: datetime
) -> tuple[Account, Any] | None:
    """Begin the step: its account, and its texts filled in; None when one cannot be, which fails the step."""
    account = await account_of(session, run.account_id)
    row.started_at = now
    try:
        return account, render(texts, names_for(run, account, await subject_of(session, run, account)))
    except Invalid as error:
        fail(row, error, now)
        return None


def fail(row: RunStep, error: Invalid, now: datetime) -> None:
    row.status, row.problem, row.finished_at = StepStatus.FAILED, str(error), now
