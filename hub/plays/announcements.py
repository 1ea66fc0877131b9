"""What plays tell the rest of the house: a fact on the account's timeline, and a row of the outbox.

Both are written in the transaction that makes them true; inside `gathered` they are written together, at the cost of
three statements whatever their number. Everything says which run caused it: a fact that a run brought about never
starts the same play on the same account again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections.service import Emitted
from hub.kit import outbox
from hub.plays.model import Run, RunStatus, Task
from hub.sdk import Subject
from hub.timeline.service import Fact, append_facts

_GATHERED: Final = "plays.gathered"


@dataclass(slots=True)
class _Gathered:
    """What is to be written at the end of a block."""

    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    recorded: list[Fact] = field(default_factory=list)


@asynccontextmanager
async def gathered(session: AsyncSession, *, now: datetime) -> AsyncIterator[None]:
    """Write what is announced in the block together, at its end; nothing when it raises."""
    found = session.info[_GATHERED] = _Gathered()
    try:
        yield
    finally:
        del session.info[_GATHERED]
    await outbox.append_all(session, found.told, now=now)
    if found.recorded:
        await append_facts(session, found.recorded, now=now)


async def _tell(session: AsyncSession, topic: str, payload: dict[str, Any], *, now: datetime) -> None:
    told = (topic, payload["account_id"], payload)
    waiting: _Gathered | None = session.info.get(_GATHERED)
    if waiting is None:
        await outbox.append_all(session, [told], now=now)
    else:
        waiting.told.append(told)


async def _record(session: AsyncSession, fact: Fact, *, now: datetime) -> None:
    waiting: _Gathered | None = session.info.get(_GATHERED)
    if waiting is None:
        await append_facts(session, [fact], now=now)
    else:
        waiting.recorded.append(fact)


async def run_started(session: AsyncSession, run: Run, *, now: datetime) -> None:
    """A play began on an account."""
    await _tell_run(session, "run.started", run, now=now)
    await _record_run(session, "run.started", run, f"The play {run.play} started", now=now)


async def run_advanced(session: AsyncSession, run: Run, *, problem: str | None, now: datetime) -> None:
    """A step is over, or (with a problem) the run is held until a person decides."""
    await _tell_run(session, "run.advanced", run, problem=problem, now=now)


async def run_ended(session: AsyncSession, run: Run, *, now: datetime) -> None:
    """A run came to its end, or was canceled."""
    await _tell_run(session, "run.ended", run, now=now)
    how = "was canceled" if run.status == RunStatus.CANCELED else "ended"
    await _record_run(session, "run.ended", run, f"The play {run.play} {how}", now=now)


async def run_held_out(session: AsyncSession, run: Run, *, now: datetime) -> None:
    """An account was left out of a play, to compare with."""
    await _tell_run(session, "run.held_out", run, now=now)
    await _record_run(session, "run.held_out", run, f"Left out of the play {run.play}, to compare with", now=now)


async def notice_given(
    session: AsyncSession, run: Run, step: int, said: str, recipient: str | None, *, now: datetime
) -> None:
    """One of our own people was told something."""
    payload = {
        "account_id": str(run.account_id),
        "run_id": str(run.id),
        "step": step,
        "to": recipient,
        "said": said,
        "caused_by_run": str(run.id),
    }
    await _tell(session, "notice.given", payload, now=now)
    await _record(
        session,
        Fact(
            run.account_id,
            "notice.given",
            occurred_at=now,
            natural_key=f"notice.given:{run.id}:{step}",
            title=said,
            attributes={"play": run.play, "to": recipient},
            caused_by_run=run.id,
        ),
        now=now,
    )


async def task_created(session: AsyncSession, task: Task, *, now: datetime) -> None:
    """Somebody was given work."""
    await _tell_task(session, "task.created", task, now=now)


async def task_completed(session: AsyncSession, task: Task, *, now: datetime) -> None:
    """A task was done."""
    await _tell_task(session, "task.completed", task, now=now)


async def task_reminded(session: AsyncSession, task: Task, *, now: datetime) -> None:
    """The owner of a task that is soon due, or late, is reminded: read by subscriptions and outgoing webhooks."""
    await _tell(session, "task.reminded", _of_task(task), now=now)


async def task_escalated(session: AsyncSession, task: Task, *, now: datetime) -> None:
    """A task is late, and somebody else is told."""
    told = {key: (task.escalation or {}).get(key) for key in ("to", "who")}
    await _tell(session, "task.escalated", {**_of_task(task), **told}, now=now)
    await _record(
        session,
        Fact(
            task.account_id,
            "task.escalated",
            occurred_at=now,
            natural_key=f"task.escalated:{task.id}",
            title=task.title,
            attributes={"task": str(task.id), "owner": task.owner, **told},
            caused_by_run=task.run_id,
        ),
        now=now,
    )


async def task_changed(session: AsyncSession, topic: str, task: Task, *, now: datetime) -> None:
    """A task was given to somebody else, talked about, or one of its points was ticked off."""
    await _tell(session, topic, _of_task(task), now=now)


async def action_done(
    session: AsyncSession,
    run: Run,
    emitted: Emitted,
    *,
    source_person_id: UUID | None,
    title: str | None,
    now: datetime,
) -> None:
    """An action was carried out: the event that its connector declares, on the timeline."""
    await _record(
        session,
        Fact(
            run.account_id,
            emitted.kind,
            occurred_at=emitted.occurred_at,
            natural_key=emitted.natural_key,
            title=title,
            attributes={"play": run.play, **emitted.attributes},
            people=[source_person_id] if source_person_id else [],
            caused_by_run=run.id,
        ),
        now=now,
    )


async def _tell_run(session: AsyncSession, topic: str, run: Run, *, problem: str | None = None, now: datetime) -> None:
    payload = {
        "account_id": str(run.account_id),
        "run_id": str(run.id),
        "play": run.play,
        "status": run.status,
        "step": run.step,
        "problem": problem,
        "caused_by_run": str(run.id),
    }
    await _tell(session, topic, payload, now=now)


async def _record_run(session: AsyncSession, kind: str, run: Run, title: str, *, now: datetime) -> None:
    await _record(
        session,
        Fact(
            run.account_id,
            kind,
            occurred_at=now,
            natural_key=f"{kind}:{run.id}",
            title=title,
            attributes={"play": run.play},
            subject=Subject("run", str(run.id), state=run.status, attributes={"play": run.play}),
            caused_by_run=run.id,
        ),
        now=now,
    )


def _of_task(task: Task) -> dict[str, Any]:
    return {
        "account_id": str(task.account_id),
        "task_id": str(task.id),
        "run_id": task.run_id and str(task.run_id),
        "status": task.status,
        "caused_by_run": task.run_id and str(task.run_id),
    }


async def _tell_task(session: AsyncSession, kind: str, task: Task, *, now: datetime) -> None:
    await _tell(session, kind, _of_task(task), now=now)
    attributes = {"owner": task.owner, "due_at": task.due_at and task.due_at.isoformat(), "outcome": task.outcome}
    await _record(
        session,
        Fact(
            task.account_id,
            kind,
            occurred_at=now,
            natural_key=f"{kind}:{task.id}",
            title=task.title,
            attributes=attributes,
            subject=Subject("task", str(task.id), state=task.status, attributes={"title": task.title, **attributes}),
            caused_by_run=task.run_id,
        ),
        now=now,
    )
