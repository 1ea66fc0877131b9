"""Reading plays: their definitions, runs with their steps, and the tasks they gave to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.queries import READERS
from hub.blueprint import service as blueprint
from hub.kit.paging import AnySelect, Order, Page, Slice, among, read_page, read_pages
from hub.plays.effect import Effect, Verdict, effects_of
from hub.plays.enrolling import definition_of
from hub.plays.model import (
    Run,
    RunStatus,
    RunStep,
    StepStatus,
    SwitchState,
    Task,
    TaskComment,
    TaskKind,
    TaskStatus,
)
from hub.plays.section import Level, Play, Plays
from hub.plays.step_kinds import kind_of
from hub.plays.switches import switches

__all__ = [
    "BY_AGE",
    "BY_DUE",
    "RUNS",
    "Effect",
    "Level",
    "Play",
    "Run",
    "RunFilter",
    "RunStatus",
    "RunStep",
    "StepStatus",
    "SwitchState",
    "Task",
    "TaskComment",
    "TaskFilter",
    "TaskKind",
    "TaskStatus",
    "Verdict",
    "comments",
    "effects",
    "end_of_day",
    "kind_of",
    "select_runs",
    "select_tasks",
]

RUNS = Order("runs", Run.started_at, Run.id, descending=True)
BY_DUE = Order("due", Task.due_at, Task.id, nullable=True)
BY_AGE = Order("created", Task.created_at, Task.id, descending=True)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs (an empty tuple: no restriction)."""

    plays: tuple[str, ...] = ()
    statuses: tuple[RunStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks (an empty tuple or None: no restriction). A bound of the due time leaves out tasks without one;
    `plays` leaves out those that no play gave. `unowned`: nobody's alone."""

    statuses: tuple[TaskStatus, ...] = ()
    kinds: tuple[TaskKind, ...] = ()
    owners: tuple[str, ...] = ()
    plays: tuple[str, ...] = ()
    due_from: datetime | None = None
    due_before: datetime | None = None
    escalated: bool | None = None
    unowned: bool = False


async def play(session: AsyncSession, viewer: Viewer, name: str) -> Play:
    """The play of that name. Raises `NotFound`."""
    viewer.require(*READERS)
    return definition_of(await blueprint.current(session), name)


async def play_states(session: AsyncSession, viewer: Viewer, plays: Sequence[str]) -> dict[str, SwitchState]:
    """Whether each of these plays is on, paused or off."""
    viewer.require(*READERS)
    said = await switches(session, plays)
    return {name: SwitchState(said[name].state) if name in said else SwitchState.ON for name in plays}


async def plays(session: AsyncSession, viewer: Viewer) -> dict[str, Play]:
    """The plays of the blueprint in force, by name, in the order of the document."""
    viewer.require(*READERS)
    return (await blueprint.current(session)).section("plays", Plays).root


async def effects(session: AsyncSession, viewer: Viewer, names: Sequence[str], now: datetime) -> dict[str, Effect]:
    """The effect of each play until now. One statement."""
    viewer.require(*READERS)
    return await effects_of(session, names, now)


async def runs(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Run]:
    """Runs by id."""
    viewer.require(*READERS)
    found = await session.execute(select(Run).where(among(Run.id, ids)))
    return {run.id: run for run in found.scalars()}


async def all_runs(session: AsyncSession, viewer: Viewer, page: Page, wanted: RunFilter) -> Slice[Run]:
    """A page of the runs on all accounts, the newest first."""
    viewer.require(*READERS)
    return await read_page(session, Run, select_runs(wanted), RUNS, page)


async def runs_of(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], page: Page, wanted: RunFilter
) -> dict[UUID, Slice[Run]]:
    """A page of the runs on each account, the newest first."""
    viewer.require(*READERS)
    return await read_pages(
        session, Run, account_ids, lambda id_: select_runs(wanted).where(Run.account_id == id_), RUNS, page
    )


async def steps(session: AsyncSession, viewer: Viewer, run_ids: Sequence[UUID]) -> dict[UUID, list[RunStep]]:
    """The steps of each run that have begun or are next, in order."""
    viewer.require(*READERS)
    found = await session.execute(
        select(RunStep).where(among(RunStep.run_id, run_ids)).order_by(RunStep.run_id, RunStep.index)
    )
    below: dict[UUID, list[RunStep]] = {id_: [] for id_ in run_ids}
    for step in found.scalars():
        below[step.run_id].append(step)
    return below


async def tasks(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Task]:
    """Tasks by id."""
    viewer.require(*READERS)
    found = await session.execute(select(Task).where(among(Task.id, ids)))
    return {task.id: task for task in found.scalars()}


async def all_tasks(session: AsyncSession, viewer: Viewer, page: Page, order: Order, wanted: TaskFilter) -> Slice[Task]:
    """A page of the tasks on all accounts."""
    viewer.require(*READERS)
    return await read_page(session, Task, select_tasks(wanted), order, page)


async def tasks_of(
    session: AsyncSession,
    viewer: Viewer,
    account_ids: Sequence[UUID],
    page: Page,
    order: Order,
    wanted: TaskFilter,
) -> dict[UUID, Slice[Task]]:
    """A page of the tasks on each account."""
    viewer.require(*READERS)
    return await read_pages(
        session, Task, account_ids, lambda id_: select_tasks(wanted).where(Task.account_id == id_), order, page
    )


async def comments(session: AsyncSession, viewer: Viewer, task_ids: Sequence[UUID]) -> dict[UUID, list[TaskComment]]:
    """What was said about each task, the first at the head."""
    viewer.require(*READERS)
    found = await session.execute(
        select(TaskComment)
        .where(among(TaskComment.task_id, task_ids))
        .order_by(TaskComment.task_id, TaskComment.created_at, TaskComment.id)
    )
    said: dict[UUID, list[TaskComment]] = {id_: [] for id_ in task_ids}
    for comment in found.scalars():
        said[comment.task_id].append(comment)
    return said


def end_of_day(now: datetime, time_zone: str) -> datetime:
    """The midnight that ends the day of `now` in the time zone."""
    local = now.astimezone(ZoneInfo(time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (local + timedelta(days=1)).astimezone(UTC)


def select_runs(wanted: RunFilter) -> AnySelect:
    """The runs that the filter leaves."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.plays:
        conditions.append(among(Run.play, wanted.plays))
    if wanted.statuses:
        conditions.append(among(Run.status, wanted.statuses))
    return select(Run).where(*conditions)


def select_tasks(wanted: TaskFilter) -> AnySelect:
    """The tasks that the filter leaves."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.statuses:
        conditions.append(among(Task.status, wanted.statuses))
    if wanted.owners:
        conditions.append(among(Task.owner, wanted.owners))
    if wanted.kinds:
        conditions.append(among(Task.kind, wanted.kinds))
    if wanted.plays:
        conditions.append(Task.run_id.in_(select(Run.id).where(among(Run.play, wanted.plays))))
    if wanted.due_from is not None:
        conditions.append(Task.due_at >= wanted.due_from)
    if wanted.due_before is not None:
        conditions.append(Task.due_at < wanted.due_before)
    if wanted.escalated is not None:
        conditions.append(Task.escalated_at.is_not(None) if wanted.escalated else Task.escalated_at.is_(None))
    if wanted.unowned:
        conditions.append(Task.owner.is_(None))
    return select(Task).where(*conditions)
