"""Places in the contact budget: taken before a vendor is asked, by one run at a time for each account.

A place is a row of `touch`. It is counted as soon as it is taken, so that two plays that want the same person at the
same moment cannot both have the last one; a run that dies keeps its place, and asks under the same key again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import Account, Person
from hub.kit.db import lock
from hub.plays.budget import DAY, WEEK, ContactBudget, Wait, not_before
from hub.plays.model import CallStatus, Run, RunStatus, StepCall, Touch
from hub.plays.step_kinds import ActionStep

GIVE_WAY: Final = timedelta(minutes=1)
"""How long a run lets one of higher priority go first before it looks again."""


async def take(
    session: AsyncSession, budget: ContactBudget, run: Run, call: StepCall, step: ActionStep, now: datetime
) -> Wait | None:
    """Take the place of a call; why there is none, and until when, otherwise. Once taken it stays taken.

    Six statements. The lock is held until the transaction ends.
    """
    await lock(session, "touches", run.account_id)
    taken = exists().where(
        Touch.run_id == run.id,
        Touch.step == call.step,
        Touch.person_id == call.person_id,
        Touch.round == call.round,
    )
    if (await session.execute(select(taken))).scalar_one():
        return None
    time_zone, do_not_contact = await _person(session, run, call)
    if do_not_contact:
        return Wait(now, "The person does not want to be contacted any more.", never=True)
    wait = not_before(budget, step.connector, time_zone, *await _earlier(session, run, call, now), now)
    if wait is None and await _somebody_first(session, run, call):
        wait = Wait(now + GIVE_WAY, "A play of higher priority wants the same person first.")
    if wait is not None:
        return wait
    touch = {
        "run_id": run.id,
        "step": call.step,
        "person_id": call.person_id,
        "round": call.round,
        "account_id": run.account_id,
        "channel": step.connection_name,
        "touched_at": now,
    }
    await session.execute(upsert(Touch).values(touch).on_conflict_do_nothing())
    return None


async def take_back(session: AsyncSession, run_id: UUID, step: int, person_id: UUID, round_: int) -> None:
    """Give the place back: nothing was sent."""
    await session.execute(
        delete(Touch).where(
            Touch.run_id == run_id, Touch.step == step, Touch.person_id == person_id, Touch.round == round_
        )
    )


async def _person(session: AsyncSession, run: Run, call: StepCall) -> tuple[str, bool]:
    """The person's time zone (else the account's), and whether they do not want to be contacted."""
    found = await session.execute(
        select(func.coalesce(Person.time_zone, Account.time_zone), Person.do_not_contact)
        .select_from(Person)
        .outerjoin(Account, Account.id == run.account_id)
        .where(Person.id == call.person_id)
    )
    zone, do_not_contact = found.one_or_none() or (None, True)
    return zone or "UTC", do_not_contact


async def _earlier(
    session: AsyncSession, run: Run, call: StepCall, now: datetime
) -> tuple[list[datetime], list[datetime]]:
    """The person's touches of a week, and the account's of a day."""
    of_person = select(Touch.touched_at).where(Touch.person_id == call.person_id, Touch.touched_at > now - WEEK)
    at_account = select(Touch.touched_at).where(Touch.account_id == run.account_id, Touch.touched_at > now - DAY)
    return (
        list((await session.execute(of_person)).scalars()),
        list((await session.execute(at_account)).scalars()),
    )


async def _somebody_first(session: AsyncSession, run: Run, call: StepCall) -> bool:
    """Whether a play of higher priority waits for the same person."""
    waiting = (
        select(StepCall.run_id)
        .join(Run, Run.id == StepCall.run_id)
        .where(
            StepCall.person_id == call.person_id,
            StepCall.waiting_since.is_not(None),
            StepCall.status == CallStatus.PENDING,
            Run.status == RunStatus.RUNNING,
            Run.priority > run.priority,
            Run.id != run.id,
        )
    )
    return bool((await session.execute(select(waiting.exists()))).scalar_one())
