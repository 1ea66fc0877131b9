"""What people do with runs: start one by hand, end it, and decide about a step that failed or is unclear."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.blueprint import service as blueprints
from hub.kit import work
from hub.kit.errors import Invalid, NotFound
from hub.plays import announcements
from hub.plays.audience import account_of
from hub.plays.closing import close_run
from hub.plays.enrolling import BY_HAND, TO_ADVANCE, definition_of, enrol
from hub.plays.model import CallStatus, Run, RunStatus, RunStep, StepCall, StepStatus
from hub.plays.starting import ALIVE


async def start_play(session: AsyncSession, viewer: Viewer, play: str, account_id: UUID, *, now: datetime) -> Run:
    """Start a play by hand, whatever its trigger is, and whomever it leaves out by itself.

    Raises `NotFound` (play or account) and `Invalid` when the play is under way on the account already, or is not
    enabled.
    """
    viewer.require(Role.CSM)
    account = await account_of(session, account_id)
    blueprint = await blueprints.current(session)
    if not definition_of(blueprint, play).enabled:
        raise Invalid(f"The play {play} is not enabled.", remedy="Enable it in the blueprint.", path=("play",))
    runs = await session.execute(
        select(Run.status, Run.occurrence).where(Run.play == play, Run.account_id == account.id)
    )
    earlier = list(runs)
    by_hand = sum(occurrence.startswith(BY_HAND) for _, occurrence in earlier)
    run = None
    if not any(status in ALIVE for status, _ in earlier):
        # Two people who press at once count the same number of earlier runs: the unique key lets one of them through.
        trigger = {"topic": "hand", "actor": viewer.actor}
        run = await enrol(session, blueprint, play, account.id, f"{BY_HAND}{by_hand + 1}", trigger, now=now)
    if run is None:
        raise Invalid(
            f"The play {play} is under way on {account.name} already.",
            remedy="Let it end, or cancel it first.",
            path=("play",),
        )
    await audit(session, viewer, "play.started", f"run:{run.id}", {"play": play, "account": str(account.id)}, now=now)
    return run


async def cancel(session: AsyncSession, viewer: Viewer, run_id: UUID, reason: str, *, now: datetime) -> Run:
    """End a run at once: what it has not done, it will not do, and its open tasks are canceled.

    What a vendor is being asked at this moment cannot be called back. Raises `NotFound`, and `Invalid` for a run that
    has ended.
    """
    viewer.require(Role.CSM)
    canceled = await session.execute(
        update(Run)
        .where(Run.id == run_id, Run.status.in_(ALIVE))
        .values(status=RunStatus.CANCELED, updated_at=now, ended_at=now)
        .returning(Run)
        .execution_options(populate_existing=True)
    )
    run = canceled.scalar_one_or_none()
    if run is None:
        if await session.get(Run, run_id) is None:
            raise NotFound(f"There is no run {run_id}.")
        raise Invalid(f"The run {run_id} has ended already.", path=("run",))
    await close_run(session, run_id, reason, by=viewer.actor, now=now)
    await announcements.run_ended(session, run, now=now)
    await audit(session, viewer, "run.canceled", f"run:{run_id}", {"reason": reason}, now=now)
    return run


async def try_again(session: AsyncSession, viewer: Viewer, run_id: UUID, *, now: datetime) -> Run:
    """Do the step anew at which a run is held. What it asked of a vendor and did not get is asked under a new key: a
    person has looked, and wants it although an unclear one may have happened.

    Raises `NotFound`, and `Invalid` for a run that is not held.
    """
    viewer.require(Role.CSM)
    run, row = await _held(session, run_id)
    asked_again = await session.execute(
        update(StepCall)
        .where(
            StepCall.run_id == run.id,
            StepCall.step == run.step,
            StepCall.status.in_((CallStatus.FAILED, CallStatus.UNKNOWN)),
        )
        .values(status=CallStatus.PENDING, round=StepCall.round + 1, problem=None, finished_at=None)
        .returning(StepCall.recipient)
    )
    row.status = StepStatus.WAITING if asked_again.first() is not None else StepStatus.PENDING
    row.problem, row.finished_at = None, None
    return await _released(session, viewer, run, "run.step_tried_again", now)


async def go_on_without(session: AsyncSession, viewer: Viewer, run_id: UUID, *, now: datetime) -> Run:
    """Leave out the step at which a run is held, and go on with the next one; its problem stays readable.

    Raises `NotFound`, and `Invalid` for a run that is not held.
    """
    viewer.require(Role.CSM)
    run, row = await _held(session, run_id)
    row.status, row.finished_at = StepStatus.SKIPPED, now
    return await _released(session, viewer, run, "run.step_skipped", now)


async def _held(session: AsyncSession, run_id: UUID) -> tuple[Run, RunStep]:
    run = await session.get(Run, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    if run.status != RunStatus.HELD:
        raise Invalid(
            f"The run is {run.status}, not held.",
            remedy="Only a run that waits for a decision about a step can be helped on.",
            path=("run",),
        )
    return run, await session.get_one(RunStep, (run.id, run.step), populate_existing=True)


async def _released(session: AsyncSession, viewer: Viewer, run: Run, what: str, now: datetime) -> Run:
    run.status, run.updated_at = RunStatus.RUNNING, now
    await session.flush()
    await work.mark(session, TO_ADVANCE, [str(run.id)], due_at=now)
    await audit(session, viewer, what, f"run:{run.id}", {"step": run.step}, now=now)
    return run
