"""Plays: their definitions, their runs on accounts, and the tasks that they give to people."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from hub.access.service import Viewer
from hub.accounts import queries as accounts
from hub.graphql.context import Info
from hub.graphql.declare import about, given, maybe, output, resolved, vocabulary
from hub.graphql.types.node import Owned, several, texts
from hub.graphql.types.people import Person
from hub.kit.errors import Invalid
from hub.kit.paging import Order
from hub.plays import queries as plays
from hub.plays.queries import RunStatus, StepStatus, TaskKind, TaskStatus

vocabulary(
    RunStatus,
    RUNNING="Under way, or waiting for its next step.",
    HELD="A step failed or is unclear: it waits for a person's decision.",
    PAUSED="Somebody let it stand until it is resumed.",
    DONE="All steps are through.",
    CANCELED="Somebody ended it.",
    HOLDOUT="The account was left out, so that others can be compared with it: nothing happens.",
)
vocabulary(
    plays.SwitchState,
    ON="It starts and sends.",
    PAUSED="It starts and sends nothing, and keeps what would have started it.",
    OFF="It starts nothing.",
)
vocabulary(
    StepStatus,
    PENDING="Not begun.",
    WAITING="Begun, and waiting: for time, a person or a vendor.",
    DONE="Done.",
    FAILED="It did not work.",
    UNKNOWN="The vendor cannot tell whether it happened; a person decides.",
    SKIPPED="Left out.",
)
vocabulary(
    plays.Level,
    ONE_TO_ONE="One account at a time, by somebody.",
    ONE_TO_MANY="Many at once, by the product and by mail.",
)
vocabulary(TaskStatus, OPEN="To be done.", DONE="Done.", CANCELED="Not needed any more.")
vocabulary(
    TaskKind,
    WORK="Something to do; `taskComplete` says that it is done.",
    APPROVAL="A yes or no to give; `approvalDecide` gives it.",
)
vocabulary(
    plays.Verdict,
    WORKS="More of those it was for reached the goal than of those who were left out.",
    HARMS="Fewer did.",
    NO_DIFFERENCE_SEEN="There are enough accounts, and no difference is seen.",
    NOT_ENOUGH_YET="Nothing can be said yet.",
)


@output
class PlaySide:
    """Accounts that were put on one side of the comparison, and whose time for the goal is over."""

    accounts: int = about("How many.")
    reached: int = about("How many of them reached the goal in time.")


@output
class PlayEffect:
    """Whether a play works, by intention to treat: accounts count where they were put, whatever came of it."""

    treated: PlaySide = about("The accounts that the play was for.")
    held_out: PlaySide = about("The accounts that were left out.")
    difference: float | None = about("Share of the first minus share of the second; null while a side is empty.")
    low: float | None = about("The lower end of the difference's 95 % interval; null while a side is empty.")
    high: float | None = about("The upper end.")
    verdict: plays.Verdict = about("What the figures say.")
    needed: int | None = about("How many accounts each side needs for a verdict on this difference; null without one.")

    @classmethod
    def of(cls, found: plays.Effect) -> PlayEffect:
        """The effect as the API shows it."""
        return cls(
            treated=PlaySide(accounts=found.treated.accounts, reached=found.treated.reached),
            held_out=PlaySide(accounts=found.held_out.accounts, reached=found.held_out.reached),
            difference=found.difference,
            low=found.low,
            high=found.high,
            verdict=found.verdict,
            needed=found.needed,
        )


@output
class PlayStep:
    """One step of a play's definition."""

    kind: str = about("What sort of step: `action`, `task`, `wait`, `branch`, `approve`, `notify` or `set`.")
    name: str = about("The action, the text of a task, a question or a notice, how long to wait, a rule, or names.")


@output
class Play:
    """A defined engagement, as the blueprint in force has it."""

    name: str = about("Its name in the blueprint, for `playStart`.")
    description: str = about("What it is for; may be empty.")
    enabled: bool = about("Whether it starts at all. One that is only declared never does.")
    level: plays.Level = about("How it reaches people.")
    trigger: JSON = about("What starts it, as in the blueprint.")
    steps: list[PlayStep] = about("What it does, in order; those inside branches are left out.")

    @resolved
    def state(self, info: Info) -> plays.SwitchState:
        """Whether it runs, or somebody paused it or switched it off."""
        return info.context.promise(plays.SwitchState, plays.play_states, self.name)

    @resolved
    def effect(self, info: Info) -> PlayEffect:
        """Whether it works, against the accounts that are left out of it."""
        return info.context.promise(PlayEffect.of, plays.effects, self.name, info.context.now)

    @classmethod
    def of(cls, name: str, play: plays.Play) -> Play:
        """The play as the API shows it."""
        return cls(
            name=name,
            description=play.description,
            enabled=play.enabled,
            level=play.level,
            trigger=JSON(play.trigger.model_dump(mode="json")),
            steps=[PlayStep(kind=plays.kind_of(step), name=step.name) for step in play.steps],
        )


@output
class RunStep:
    """One step of a run, with what came of it."""

    index: int = about("Its place, counted from 0.")
    kind: str = about("What sort of step: `action`, `task`, `wait`, `branch`, `approve`, `notify` or `set`.")
    name: str = about("The action, the text of a task, a question or a notice, how long to wait, a rule, or names.")
    status: StepStatus = about("Where it is in its life.")
    attempts: int = about("How often it was tried.")
    result: JSON = about("What came of it.")
    problem: str | None = about("What went wrong; null when nothing did.")
    started_at: datetime | None = about("When it began; null while it has not.")
    finished_at: datetime | None = about("When it ended; null while it has not.")
    due_at: datetime | None = about("When it is looked at again; null when it waits for nothing.")

    @classmethod
    def of(cls, row: plays.RunStep) -> RunStep:
        """The step as the API shows it."""
        return cls(
            index=row.index,
            kind=row.kind,
            name=row.name,
            status=StepStatus(row.status),
            attempts=row.attempts,
            result=JSON(row.result),
            problem=row.problem,
            started_at=row.started_at,
            finished_at=row.finished_at,
            due_at=row.due_at,
        )

    @classmethod
    def all_of(cls, rows: list[plays.RunStep]) -> list[RunStep]:
        """The steps of one run."""
        return [cls.of(row) for row in rows]


@output
class Run(Owned):
    """A play on one account. A play runs once for each occurrence of its trigger."""

    key: strawberry.Private[UUID]
    person_key: strawberry.Private[UUID | None]
    play: str = about("The play's name in the blueprint.")
    occurrence: str = about("What started it, as the text that tells it from any other start.")
    status: RunStatus = about("Where it is in its life.")
    holdout: bool = about("Whether the account was held out: nothing is done, for comparison.")
    trigger: JSON = about("The fact that started it, or who did.")
    blueprint_version: int = about("The version of the blueprint whose play it is.")
    depth: int = about("How many runs stand before it in a chain of plays that start each other.")
    ending: JSON | None = about("Why it ends, or ended, before its last step; null when it does not.")
    goal_by: datetime | None = about("Until when its goal counts; null when it has none.")
    goal_reached_at: datetime | None = about("When its goal was seen to be reached in time; null when it was not.")
    started_at: datetime = about("When it started.")
    updated_at: datetime = about("When something in it last changed.")
    ended_at: datetime | None = about("When it ended; null while it is under way.")

    @resolved
    def person(self, info: Info) -> Person | None:
        """Whom it is for; null when it is for the account."""
        if self.person_key is None:
            return None
        return info.context.promise(Person.of, accounts.people, self.person_key)

    @resolved
    def steps(self, info: Info) -> list[RunStep]:
        """Its steps, in order."""
        return info.context.promise(RunStep.all_of, plays.steps, self.key)

    @classmethod
    def of(cls, row: plays.Run) -> Run:
        """The run as the API shows it."""
        return cls(
            id=strawberry.ID(f"run_{row.id.hex}"),
            account_key=row.account_id,
            key=row.id,
            person_key=row.person_id,
            play=row.play,
            occurrence=row.occurrence,
            status=RunStatus(row.status),
            holdout=row.holdout,
            trigger=JSON(row.trigger),
            blueprint_version=row.blueprint_version,
            depth=row.depth,
            ending=JSON(row.ending) if row.ending else None,
            goal_by=row.goal_by,
            goal_reached_at=row.goal_reached_at,
            started_at=row.started_at,
            updated_at=row.updated_at,
            ended_at=row.ended_at,
        )


@output
class ChecklistPoint:
    """One point of a task's checklist."""

    text: str = about("What is to be done.")
    done_at: datetime | None = about("When it was ticked off; null while it is open.")
    done_by: str | None = about("Who ticked it off; null while it is open.")


@output
class TaskComment:
    """What somebody said about a task."""

    author: str = about("Who said it.")
    body: str = about("What they said.")
    created_at: datetime = about("When.")

    @classmethod
    def all_of(cls, rows: list[plays.TaskComment] | None) -> list[TaskComment]:
        """Comments as the API shows them."""
        return [cls(author=row.author, body=row.body, created_at=row.created_at) for row in rows or ()]


@output
class Task(Owned):
    """Work for a person, from a play."""

    key: strawberry.Private[UUID]
    run_key: strawberry.Private[UUID | None]
    points: strawberry.Private[list[dict[str, Any]]]
    title: str = about("What is to be done, in one line.")
    details: str | None = about("More about it; null when the title says it all.")
    owner: str | None = about("Whose work it is; null when nobody is named.")
    due_at: datetime | None = about("When it should be done; null when any time will do.")
    status: TaskStatus = about("Where it is in its life.")
    kind: TaskKind = about("Whether it is work or a question.")
    approved: bool | None = about("The answer to an approval; null for work, and while nobody has answered.")
    outcome: str | None = about("What came of it, in the words of who did it; null while it is open.")
    created_at: datetime = about("When it was given.")
    completed_at: datetime | None = about("When it ended; null while it is open.")
    completed_by: str | None = about("Who ended it; null while it is open.")
    escalated_at: datetime | None = about("When somebody else was told that it is late; null when nobody was.")
    escalated_to: str | None = about("Who was told that it is late; null when nobody was, or nobody has the role.")

    @resolved
    def checklist(self, info: Info) -> list[ChecklistPoint]:
        """What belongs to it; `taskTick` ticks a point off."""
        return [
            ChecklistPoint(
                text=point["text"],
                done_at=datetime.fromisoformat(point["done_at"]) if point["done_at"] else None,
                done_by=point["done_by"],
            )
            for point in self.points
        ]

    @resolved
    def comments(self, info: Info) -> list[TaskComment]:
        """What was said about it, the first at the head."""
        return info.context.promise(TaskComment.all_of, plays.comments, self.key)

    @resolved
    def run(self, info: Info) -> Run | None:
        """The run that gave it; null when a person did."""
        if self.run_key is None:
            return None
        return info.context.promise(Run.of, plays.runs, self.run_key)

    @resolved
    def overdue(self, info: Info) -> bool:
        """Whether it is open although it should be done."""
        return self.status is TaskStatus.OPEN and self.due_at is not None and self.due_at < info.context.now

    @classmethod
    def of(cls, row: plays.Task) -> Task:
        """The task as the API shows it."""
        return cls(
            id=strawberry.ID(f"tsk_{row.id.hex}"),
            account_key=row.account_id,
            run_key=row.run_id,
            title=row.title,
            details=row.details,
            owner=row.owner,
            due_at=row.due_at,
            status=TaskStatus(row.status),
            kind=TaskKind(row.kind),
            approved=row.approved,
            outcome=row.outcome,
            created_at=row.created_at,
            completed_at=row.completed_at,
            completed_by=row.completed_by,
            key=row.id,
            points=row.checklist,
            escalated_at=row.escalated_at,
            escalated_to=(row.escalation or {}).get("who"),
        )


class TaskAssignee(StrEnum):
    """Whose tasks."""

    ME = "me"
    NOBODY = "nobody"


vocabulary(
    TaskAssignee,
    ME="Those of the person whose key it is (`hub token create --owner`); refused for a key that is nobody's.",
    NOBODY="Those that are nobody's.",
)


class TaskDue(StrEnum):
    """Until when tasks are due; all but `LATER` leave out those that are not open."""

    OVERDUE = "overdue"
    TODAY = "today"
    WEEK = "week"
    LATER = "later"


vocabulary(
    TaskDue,
    OVERDUE="Open, and should be done already.",
    TODAY="Open, and due until the end of today, what is overdue included.",
    WEEK="Open, and due until the end of the seventh day from today, what is overdue included.",
    LATER="Due after the end of the seventh day from today.",
)


class TaskOrder(StrEnum):
    """How tasks are sorted."""

    DUE = "due"
    NEWEST = "newest"


vocabulary(TaskOrder, DUE="The one due first at the head; those without a due time last.", NEWEST="The newest first.")

TASK_ORDERS: dict[TaskOrder, Order] = {TaskOrder.DUE: plays.BY_DUE, TaskOrder.NEWEST: plays.BY_AGE}


@given
class RunFilter:
    """Which runs. All that is given has to hold; an empty list restricts nothing."""

    play: list[str] | None = maybe("Of one of these plays.")
    status: list[RunStatus] | None = maybe("With one of these statuses.")


@given
class TaskFilter:
    """Which tasks. All that is given has to hold; an empty list restricts nothing."""

    status: list[TaskStatus] | None = maybe("With one of these statuses.")
    kind: list[TaskKind] | None = maybe("Of one of these kinds.")
    owner: list[str] | None = maybe("Owned by one of these.")
    play: list[str] | None = maybe("Given by one of these plays.")
    due_from: datetime | None = maybe("Due at this time or later.")
    due_before: datetime | None = maybe("Due before this time.")
    escalated: bool | None = maybe("Whether somebody was told that it is late.")


WantedRuns = Annotated[RunFilter | None, strawberry.argument(description="Which runs; all when left out.")]
WantedTasks = Annotated[TaskFilter | None, strawberry.argument(description="Which tasks; all when left out.")]
TasksBy = Annotated[TaskOrder, strawberry.argument(description="How they are sorted.")]


def wanted_runs(wanted: RunFilter | None) -> plays.RunFilter:
    """The filter as plays read it. Raises `Invalid`."""
    if wanted is None:
        return plays.RunFilter()
    return plays.RunFilter(
        plays=texts(wanted.play, "filter", "play"), statuses=several(wanted.status, "filter", "status")
    )


def wanted_tasks(wanted: TaskFilter | None) -> plays.TaskFilter:
    """The filter as plays read it. Raises `Invalid`."""
    if wanted is None:
        return plays.TaskFilter()
    return plays.TaskFilter(
        statuses=several(wanted.status, "filter", "status"),
        kinds=several(wanted.kind, "filter", "kind"),
        owners=texts(wanted.owner, "filter", "owner"),
        plays=texts(wanted.play, "filter", "play"),
        due_from=wanted.due_from,
        due_before=wanted.due_before,
        escalated=wanted.escalated,
    )


def my_tasks(
    wanted: plays.TaskFilter,
    assignee: TaskAssignee | None,
    due: TaskDue | None,
    time_zone: str,
    viewer: Viewer,
    now: datetime,
) -> plays.TaskFilter:
    """The filter, and whose tasks until when. Raises `Invalid` for a key that is nobody's, and an unknown zone."""
    if assignee is TaskAssignee.ME:
        if viewer.owner is None:
            raise Invalid(
                f"{viewer.actor} is nobody's key, so it has no tasks of its own.",
                remedy="Ask with `filter: {owner: …}`, or with a key of a person: hub token create NAME --owner OWNER",
                path=("assignee",),
            )
        wanted = replace(wanted, owners=(viewer.owner,))
    elif assignee is TaskAssignee.NOBODY:
        wanted = replace(wanted, unowned=True)
    if due is None:
        return wanted
    try:
        today = plays.end_of_day(now, time_zone)
    except (KeyError, ValueError):
        raise Invalid(f"There is no time zone {time_zone!r}.", path=("timeZone",)) from None
    week = today + timedelta(days=6)
    if due is TaskDue.LATER:
        return replace(wanted, due_from=max(week, wanted.due_from or week))
    until = {TaskDue.OVERDUE: now, TaskDue.TODAY: today, TaskDue.WEEK: week}[due]
    return replace(
        wanted,
        statuses=wanted.statuses or (TaskStatus.OPEN,),
        due_before=min(until, wanted.due_before or until),
    )
