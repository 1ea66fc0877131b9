"""Runs of plays, their steps, the tasks they give to people, and the touches they make."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base
from hub.kit.ids import new_id


class RunStatus(StrEnum):
    """The life of a run. A `held` run waits for a person's decision about a failed or unclear step, a `paused` one
    until a person lets it go on. An account in the `holdout` was left out, so that the others can be compared with it:
    nothing happens there."""

    RUNNING = "running"
    HELD = "held"
    PAUSED = "paused"
    DONE = "done"
    CANCELED = "canceled"
    HOLDOUT = "holdout"


class StepStatus(StrEnum):
    """The life of a step. `unknown`: the vendor cannot tell whether it happened; a person decides."""

    PENDING = "pending"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class Run(Base):
    """A play on one account, or on one person there. The unique key makes a second enrolment for the same occurrence
    impossible.

    `goal_by` is the end of the goal's time and `goal_reached_at` when it was reached within it. `ending` is why the
    run ends, or ended, before its last step. `caused_by` is the run whose doing started this one, `depth` how many
    stand before it in that chain.
    """

    __tablename__ = "run"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    play: Mapped[str]
    account_id: Mapped[UUID]
    person_id: Mapped[UUID | None]
    occurrence: Mapped[str]
    status: Mapped[str]
    step: Mapped[int]
    holdout: Mapped[bool]
    trigger: Mapped[dict[str, Any]]
    definition: Mapped[dict[str, Any]]
    blueprint_version: Mapped[int]
    priority: Mapped[int] = mapped_column(server_default=text("50"))
    caused_by: Mapped[UUID | None]
    depth: Mapped[int] = mapped_column(server_default=text("0"))
    goal_by: Mapped[datetime | None]
    goal_reached_at: Mapped[datetime | None]
    ending: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("play", "account_id", "person_id", "occurrence", postgresql_nulls_not_distinct=True),
        Index(None, "account_id", text("started_at DESC")),
        Index(None, text("started_at DESC"), "id"),
        Index("ix_run_alive", "account_id", postgresql_where=text("status IN ('running', 'held', 'paused')")),
        Index("ix_run_play_alive", "play", "id", postgresql_where=text("status IN ('running', 'held', 'paused')")),
        Index("ix_run_goal", "account_id", "goal_by", postgresql_where=text("goal_by IS NOT NULL")),
    )


class SwitchState(StrEnum):
    """Whether a play runs. A `paused` one starts nothing and sends nothing, and keeps what would have started it; one
    that is `off` forgets it."""

    ON = "on"
    PAUSED = "paused"
    OFF = "off"


class PlaySwitch(Base):
    """What a person said about a play that the blueprint enables; without a row it is on. `existing` is the answer to
    what becomes of those for whom its trigger holds already (None: the blueprint says it)."""

    __tablename__ = "play_switch"

    play: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    existing: Mapped[str | None]
    since: Mapped[datetime]
    by: Mapped[str]


class CollectedStart(Base):
    """A start that waits: for a paused play to go on, or for its turn where a person started the play on many."""

    __tablename__ = "collected_start"

    play: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    occurrence: Mapped[str] = mapped_column(primary_key=True)
    trigger: Mapped[dict[str, Any]]
    collected_at: Mapped[datetime]

    __table_args__ = (Index(None, "play", "collected_at"),)


class RuleFollowed(Base):
    """Since when the rule of a play's trigger is followed: accounts that were looked at last before that are looked at
    for the first time. `digest` stands for the rule."""

    __tablename__ = "rule_followed"

    play: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    since: Mapped[datetime]


class RuleHolds(Base):
    """The rule of a play's trigger holds for the account, since it was first seen to."""

    __tablename__ = "rule_holds"

    play: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime]

    __table_args__ = (Index(None, "account_id"),)


class RunStep(Base):
    """One step of a run, with what came of it."""

    __tablename__ = "run_step"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    status: Mapped[str]
    attempts: Mapped[int]
    result: Mapped[dict[str, Any]]
    problem: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]


class CallStatus(StrEnum):
    """What came of asking a vendor for an action. `dropped`: it waited too long for the contact budget."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DROPPED = "dropped"


class StepCall(Base):
    """What a step asks of a vendor: once for each person (`recipient` is the person's id), or once (it is empty).

    Whom it addresses and with what words is written before the first call, so that every later attempt asks for the
    same, whatever has changed meanwhile. `waiting_since`: it waits for the contact budget. `round` counts how often a
    person had it asked anew, under a key of its own.
    """

    __tablename__ = "step_call"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID | None]
    input: Mapped[dict[str, Any]]
    status: Mapped[str]
    attempts: Mapped[int]
    problem: Mapped[str | None]
    round: Mapped[int] = mapped_column(server_default=text("0"))
    waiting_since: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_step_call_waiting", "person_id", postgresql_where=text("waiting_since IS NOT NULL")),)


class TaskStatus(StrEnum):
    """The life of a task."""

    OPEN = "open"
    DONE = "done"
    CANCELED = "canceled"


class TaskKind(StrEnum):
    """Work to do, or a yes or no to give."""

    WORK = "work"
    APPROVAL = "approval"


class Task(Base):
    """Work for a person, from a step of a run (at most one for each) or by hand. `approved` is the answer to an
    approval.

    `checklist` is what belongs to it, each `{"text", "done_by", "done_at"}`. `reminders` are the times at which its
    owner is yet to be reminded; `escalation`, `{"at", "to"}`, is who is told when it is late, until `escalated_at`.
    """

    __tablename__ = "task"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID]
    run_id: Mapped[UUID | None]
    step: Mapped[int | None]
    title: Mapped[str]
    details: Mapped[str | None]
    owner: Mapped[str | None]
    due_at: Mapped[datetime | None]
    status: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default=text("'work'"))
    approved: Mapped[bool | None]
    outcome: Mapped[str | None]
    checklist: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    reminders: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    escalation: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    escalated_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    completed_by: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("run_id", "step"),
        Index(None, "status", "due_at", "id"),
        Index("ix_task_of_owner", "owner", "due_at", "id", postgresql_where=text("status = 'open'")),
        Index(None, "account_id", text("created_at DESC")),
    )


class TaskComment(Base):
    """What somebody said about a task; never changed."""

    __tablename__ = "task_comment"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    task_id: Mapped[UUID]
    account_id: Mapped[UUID]
    author: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "task_id", "id"),)


class TaskTwin(Base):
    """The task that a vendor keeps for one of ours, e.g. in Salesforce. `closed_at`: it is known to be done there, so
    that neither side tells the other what it has heard from it."""

    __tablename__ = "task_twin"

    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    connection_id: Mapped[UUID]
    external_id: Mapped[str | None]
    problem: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Touch(Base):
    """One contact with a person, for the contact budget; one for each step of a run and person, and each `round` in
    which a person had it asked anew.

    It is written before the vendor is asked, so that nobody else takes the same place in the budget, and taken back
    when it is certain that nothing was sent.
    """

    __tablename__ = "touch"

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True, server_default=text("0"))
    account_id: Mapped[UUID]
    channel: Mapped[str]
    touched_at: Mapped[datetime]

    __table_args__ = (Index(None, "person_id", "touched_at"), Index(None, "account_id", "touched_at"))
