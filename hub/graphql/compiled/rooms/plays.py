"""Runs of plays, and tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from hub.graphql.compiled.errors import Unplanned
from hub.graphql.compiled.forms import Arguments, Bound, Made, Many, One, everywhere, global_id, paged, shape, whole
from hub.graphql.compiled.rooms.owned import account_at
from hub.graphql.compiled.rooms.pages import few, page_of
from hub.graphql.types.brief import OPEN
from hub.graphql.types.plays import TASK_ORDERS, Run, RunStep, Task, TaskOrder, wanted_runs, wanted_tasks
from hub.plays import queries as plays
from hub.plays.queries import TaskStatus

RUN = plays.Run
STEP = plays.RunStep
TASK = plays.Task
MOST_STEPS = 100


def declare() -> None:
    """The forms of this room."""
    shape(
        Run,
        RUN,
        id=global_id("run", RUN.id),
        account=account_at(RUN.account_id),
        ending=Made(_ending, (RUN.ending,)),
        steps=Many(RUN.id, _steps_of),
    )
    shape(RunStep, STEP)
    shape(
        Task,
        TASK,
        id=global_id("tsk", TASK.id),
        account=account_at(TASK.account_id),
        run=One(key=TASK.run_id, at=RUN.id),
        escalated_to=Made(_escalated_to, (TASK.escalation,)),
        overdue=Made(_overdue, (TASK.status, TASK.due_at), now=True),
    )


def runs_of(given: Arguments) -> Bound:
    """A page of an account's runs."""
    wanted = wanted_runs(given.get("filter"))
    page = page_of(plays.RUNS, given)
    return paged(lambda key: plays.select_runs(wanted).where(RUN.account_id == key), plays.RUNS, page)


def all_runs(given: Arguments) -> Bound:
    """A page of the runs on all accounts."""
    return paged(
        everywhere(plays.select_runs(wanted_runs(given.get("filter")))), plays.RUNS, page_of(plays.RUNS, given)
    )


def tasks_of(given: Arguments) -> Bound:
    """A page of an account's tasks."""
    wanted, order = wanted_tasks(given.get("filter")), TASK_ORDERS[given.get("order_by", TaskOrder.DUE)]
    return paged(lambda key: plays.select_tasks(wanted).where(TASK.account_id == key), order, page_of(order, given))


def all_tasks(given: Arguments) -> Bound:
    """A page of the tasks about all accounts. Whose, and until which midnight, the resolvers find out."""
    if given.get("assignee") is not None or given.get("due") is not None:
        raise Unplanned("whose tasks, and until when, depends on who asks and when")
    wanted, order = wanted_tasks(given.get("filter")), TASK_ORDERS[given.get("order_by", TaskOrder.DUE)]
    return paged(everywhere(plays.select_tasks(wanted)), order, page_of(order, given))


def next_task_of(given: Arguments) -> Bound:
    """The open task of an account that is due first."""
    return paged(lambda key: plays.select_tasks(OPEN).where(TASK.account_id == key), plays.BY_DUE, few(1), spends=0)


def _steps_of(given: Arguments) -> Bound:
    return whole(lambda key: select(STEP).where(STEP.run_id == key), STEP.index, STEP.index, most=MOST_STEPS)


def _ending(ending: dict[str, Any] | None) -> dict[str, Any] | None:
    return ending or None


def _escalated_to(escalation: dict[str, Any] | None) -> str | None:
    return (escalation or {}).get("who")


def _overdue(status: str, due_at: datetime | None, now: datetime) -> bool:
    return status == TaskStatus.OPEN and due_at is not None and due_at < now
