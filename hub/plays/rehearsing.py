"""A play tried over the past: the walk of one run through what is known of its account then. Pure functions.

What people would have done nobody knows: a task counts as done when it is due, a question as answered with yes then
(at once where there is no time). So this is the most that the play would have sent.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from hub.measures.definitions import Selection
from hub.plays.budget import DAY, WEEK, ContactBudget, not_before
from hub.plays.decisions import Somebody
from hub.plays.previewing import Said
from hub.plays.section import Play
from hub.plays.step_kinds import (
    ActionStep,
    ApproveStep,
    BranchStep,
    NotifyStep,
    SetStep,
    Step,
    TaskStep,
    WaitStep,
    not_taken,
    on_failure,
)


class Outcome(StrEnum):
    """What would have become of something that a play says. `late`: it would have waited for the contact budget and
    been sent then; `dropped`: the budget would have stopped it; `skipped`: there was nobody to say it to; `failed`: it
    could not have been said."""

    SENT = "sent"
    LATE = "late"
    DROPPED = "dropped"
    SKIPPED = "skipped"
    FAILED = "failed"


class End(StrEnum):
    """Where a run would stand now. `held`: at a step that failed."""

    DONE = "done"
    EXIT = "exit"
    HELD = "held"
    UNDER_WAY = "under_way"


@dataclass(frozen=True, slots=True)
class Word:
    """Something that a play would have said: what, when, and what the budget made of it."""

    at: datetime
    said: Said
    outcome: Outcome
    why: str | None = None


@dataclass(slots=True)
class Rehearsal:
    """A run that would have been. `held_out`: the account would have been left out, and nothing was said."""

    account_id: UUID
    person: Somebody | None
    at: datetime
    trigger: Mapping[str, Any]
    held_out: bool = False
    ended: End = End.DONE
    ended_at: datetime | None = None
    words: list[Word] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Past:
    """What a run asks of its account's past, until `until`.

    `holds(rule, moment)`: whether a rule held then. `first(rule, after)`: the first moment from then on at which it is
    seen to hold. `wait_over(step, began)`: when a wait that begins then is over. `event(event, since, until, person)`:
    when such an event first happened in that time. `say(step number, step, run)`: the words of a step.
    `is_touch(step)`: whether the budget counts it. `zone(person)`: their time zone.
    """

    until: datetime
    holds: Callable[[str, datetime], bool]
    first: Callable[[str, datetime], datetime | None]
    wait_over: Callable[[WaitStep, datetime], datetime]
    event: Callable[[Selection, datetime, datetime, UUID | None], datetime | None]
    say: Callable[[int, Step, Rehearsal], Sequence[Said]]
    is_touch: Callable[[ActionStep], bool]
    zone: Callable[[UUID], str]


@dataclass(slots=True)
class Touched:
    """The touches of one account: those that were really made, and those that the rehearsal adds."""

    of_person: dict[UUID, list[datetime]]
    at_account: list[datetime]


Walk: TypeAlias = Generator[datetime, None, None]
"""A run on its way: gives the next moment at which it has something to do."""


def rehearse(
    play: Play, steps: Sequence[Step], runs: Iterable[Rehearsal], past: Past, budget: ContactBudget, touched: Touched
) -> None:
    """Walk the runs of one account through its past, all of them in the order of time, since they share its budget.
    What they say and where they end is noted in them."""
    queue: list[tuple[datetime, int, Rehearsal, Walk]] = []
    for nth, run in enumerate(runs):
        if not run.held_out:
            heapq.heappush(queue, (run.at, nth, run, _walk(play, steps, run, past, budget, touched)))
    while queue:
        at, nth, run, walk = heapq.heappop(queue)
        if at > past.until:
            run.ended = End.UNDER_WAY
            continue
        coming = next(walk, None)
        if coming is not None:
            heapq.heappush(queue, (coming, nth, run, walk))


def _walk(
    play: Play, steps: Sequence[Step], run: Rehearsal, past: Past, budget: ContactBudget, touched: Touched
) -> Walk:
    now = since = run.at
    left_out = set[int]()
    over = past.first(play.exit, run.at) if play.exit is not None else None
    for number, step in enumerate(steps):
        if number in left_out:
            continue
        if over is not None and over <= now:
            run.ended, run.ended_at = End.EXIT, over
            return
        failed = False
        match step:
            case WaitStep():
                now = _waited(step, run, past, since, now)
                since = now
                yield now
            case BranchStep():
                left_out |= set(not_taken(step, number, holds=past.holds(step.branch, now)))
            case _:
                since = since if isinstance(step, NotifyStep | SetStep) else now
                said = past.say(number, step, run)
                failed = any(one.failed for one in said)
                for one in said:
                    if failed or one.problem is not None or not _is_touch(step, one, past):
                        run.words.append(_word(now, one))
                    elif isinstance(step, ActionStep):
                        now = yield from _touch(one, step, run, past, budget, touched, now)
                if failed and not step.on_failure:
                    run.ended, run.ended_at = End.HELD, now
                    return
                due = None if failed else _waited_for(step)
                if due is not None:
                    now += due
                    yield now
        if not failed:
            left_out |= set(on_failure(step, number))
    run.ended_at = now


def _waited(step: WaitStep, run: Rehearsal, past: Past, since: datetime, now: datetime) -> datetime:
    """When a wait that begins now is over; an event counts from `since` on (see `WaitStep`)."""
    over, sooner = past.wait_over(step, now), None
    match step.until:
        case Selection() as event:
            sooner = past.event(event, since, over, run.person.id if run.person else None)
        case str() as rule:
            sooner = past.first(rule, now)
    return over if sooner is None else max(now, min(over, sooner))


def _is_touch(step: Step, said: Said, past: Past) -> bool:
    return isinstance(step, ActionStep) and said.person is not None and past.is_touch(step)


def _word(now: datetime, said: Said) -> Word:
    if said.failed:
        return Word(now, said, Outcome.FAILED, said.problem)
    return Word(now, said, Outcome.SENT if said.problem is None else Outcome.SKIPPED, said.problem)


def _waited_for(step: Step) -> timedelta | None:
    """How long a run waits for somebody to do the step; None when it does not."""
    match step:
        case ApproveStep(due=due):
            return due
        case TaskStep(due=due, until_done=True):
            return due
        case _:
            return None


def _touch(
    said: Said, step: ActionStep, run: Rehearsal, past: Past, budget: ContactBudget, touched: Touched, now: datetime
) -> Generator[datetime, None, datetime]:
    """Ask the budget for a place, again when it says so, and note what came of it. Gives the moment at which the run
    goes on."""
    assert said.person is not None  # noqa: S101  # as the caller chose it
    began, why, id_ = now, None, said.person.id
    mine = touched.of_person.setdefault(id_, [])
    while True:
        wait = not_before(
            budget,
            step.connector,
            past.zone(id_),
            [at for at in mine if now - WEEK < at <= now],
            [at for at in touched.at_account if now - DAY < at <= now],
            now,
        )
        if wait is None:
            break
        why = wait.why
        if now - began >= budget.patience:
            run.words.append(Word(now, said, Outcome.DROPPED, why))
            return now
        now = min(wait.until, began + budget.patience)
        yield now
    mine.append(now)
    touched.at_account.append(now)
    run.words.append(Word(now, said, Outcome.SENT if now == began else Outcome.LATE, why))
    return now


def counted(runs: Iterable[Rehearsal]) -> Counter[str]:
    """How often each outcome of a touch or other word was, the runs, and those held out."""
    totals: Counter[str] = Counter()
    for run in runs:
        totals["held_out" if run.held_out else "runs"] += 1
        totals.update(str(word.outcome) for word in run.words)
    return totals
