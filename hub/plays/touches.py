"""Places in the contact budget: taken before a vendor is asked, by one run at a time for each account.

A place is a row of `touch`. It is counted as soon as it is taken, so that two plays that want the same person at the
same moment cannot both have the last one; a run that dies keeps its place, and asks under the same key again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import Select, Text, and_, cast, delete, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import Account, Person
from hub.kit import work
from hub.kit.paging import among
from hub.plays.budget import DAY, WEEK, ContactBudget, Wait, not_before
from hub.plays.enrolling import TO_ADVANCE
from hub.plays.model import CallStatus, Run, RunStatus, StepCall, Touch
from hub.plays.step_kinds import ActionStep

GIVE_WAY: Final = timedelta(minutes=1)
LONGEST_GIVING_WAY: Final = timedelta(hours=1)
"""How long a run lets one of higher priority go first before it looks again: until that one is looked at, within these
bounds."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call of a run that is a touch."""

    run: Run
    call: StepCall
    step: ActionStep

    @property
    def person_id(self) -> UUID:
        assert self.call.person_id is not None  # noqa: S101  # as the caller chose it
        return self.call.person_id

    @property
    def key(self) -> tuple[UUID, int, UUID]:
        return self.run.id, self.call.step, self.person_id


async def take(
    session: AsyncSession, budget: ContactBudget, wanted: Sequence[Wanted], now: datetime
) -> dict[tuple[UUID, int, UUID], Wait]:
    """Take the places of calls, the more important plays' first; why there is none, and until when, for those that
    have none. Once taken it stays taken.

    The caller holds the lock `touches` of every account. Five statements, whatever their number.
    """
    if not wanted:
        return {}
    ledger = await _Ledger.of(session, wanted, now)
    waits: dict[tuple[UUID, int, UUID], Wait] = {}
    taken: list[dict[str, Any]] = []
    for one in sorted(wanted, key=lambda one: (-one.run.priority, one.run.started_at, one.key)):
        if (*one.key, one.call.round) in ledger.taken:
            continue
        wait = ledger.judge(budget, one, now)
        if wait is not None:
            waits[one.key] = wait
            continue
        ledger.note(one, now)
        taken.append(
            {
                "run_id": one.run.id,
                "step": one.call.step,
                "person_id": one.person_id,
                "round": one.call.round,
                "account_id": one.run.account_id,
                "channel": one.step.connection_name,
                "touched_at": now,
            }
        )
    if taken:
        await session.execute(upsert(Touch).on_conflict_do_nothing(), taken)
    return waits


@dataclass(slots=True)
class _Ledger:
    """What the budget asks about some people and accounts; places that are taken are entered as they are."""

    taken: set[tuple[UUID, int, UUID, int]]
    people: dict[UUID, tuple[str | None, bool]]
    """The person's time zone, and whether they do not want to be contacted."""
    zones: dict[UUID, str | None]
    """The accounts' time zones."""
    of_person: defaultdict[UUID, list[datetime]]
    at_account: defaultdict[UUID, list[datetime]]
    waiting: defaultdict[UUID, dict[UUID, tuple[int, datetime | None]]]
    """The runs that wait for each person, with their priority and the time at which they are looked at again."""

    @classmethod
    async def of(cls, session: AsyncSession, wanted: Sequence[Wanted], now: datetime) -> Self:
        people = list({one.person_id for one in wanted})
        accounts = list({one.run.account_id for one in wanted})
        runs = list({one.run.id for one in wanted})
        there = await session.execute(
            select(Touch.run_id, Touch.step, Touch.person_id, Touch.round).where(among(Touch.run_id, runs))
        )
        known = await session.execute(
            select(Person.id, Person.time_zone, Person.do_not_contact).where(among(Person.id, people))
        )
        zones = await session.execute(select(Account.id, Account.time_zone).where(among(Account.id, accounts)))
        touches = await session.execute(
            select(Touch.person_id, Touch.account_id, Touch.touched_at).where(
                or_(
                    and_(among(Touch.person_id, people), Touch.touched_at > now - WEEK),
                    and_(among(Touch.account_id, accounts), Touch.touched_at > now - DAY),
                )
            )
        )
        ledger = cls(
            taken={(run_id, step, person_id, round_) for run_id, step, person_id, round_ in there},
            people={id_: (zone, do_not) for id_, zone, do_not in known},
            zones=dict(zones.all()),
            of_person=defaultdict(list),
            at_account=defaultdict(list),
            waiting=defaultdict(dict),
        )
        for person_id, account_id, touched_at in touches:
            ledger.of_person[person_id].append(touched_at)
            if touched_at > now - DAY:
                ledger.at_account[account_id].append(touched_at)
        for row in await session.execute(_who_waits(people)):
            ledger.waiting[row.person_id][row.run_id] = row.priority, row.due_at
        return ledger

    def judge(self, budget: ContactBudget, one: Wanted, now: datetime) -> Wait | None:
        """Why the person may not be contacted now, if so."""
        zone, do_not_contact = self.people.get(one.person_id, (None, True))
        if do_not_contact:
            return Wait(now, "The person does not want to be contacted any more.", never=True)
        zone = zone or self.zones.get(one.run.account_id) or "UTC"
        touches = self.of_person[one.person_id], self.at_account[one.run.account_id]
        wait = not_before(budget, one.step.connector, zone, *touches, now)
        queue = self.waiting[one.person_id]
        if wait is not None:
            queue[one.run.id] = one.run.priority, wait.until
            return wait
        first = [
            again or now
            for run_id, (priority, again) in queue.items()
            if priority > one.run.priority and run_id != one.run.id
        ]
        if not first:
            return None
        until = min(max(now + GIVE_WAY, *first), now + LONGEST_GIVING_WAY)
        return Wait(until, "A play of higher priority wants the same person first.")

    def note(self, one: Wanted, now: datetime) -> None:
        """The place is taken."""
        self.of_person[one.person_id].append(now)
        self.at_account[one.run.account_id].append(now)
        self.waiting[one.person_id].pop(one.run.id, None)


def _who_waits(people: Sequence[UUID]) -> Select[UUID | None, UUID, int, datetime]:
    """The runs that wait for a place with one of these people, each with the time at which it is looked at again."""
    return (
        select(StepCall.person_id, StepCall.run_id, Run.priority, work.WorkItem.due_at)
        .join(Run, Run.id == StepCall.run_id)
        .outerjoin(
            work.WorkItem,
            and_(work.WorkItem.list == TO_ADVANCE, work.WorkItem.key == cast(Run.id, Text)),
        )
        .where(
            among(StepCall.person_id, people),
            StepCall.waiting_since.is_not(None),
            StepCall.status == CallStatus.PENDING,
            Run.status == RunStatus.RUNNING,
        )
    )


async def take_back(session: AsyncSession, run_id: UUID, step: int, person_id: UUID, round_: int) -> None:
    """Give the place back: nothing was sent."""
    await session.execute(
        delete(Touch).where(
            Touch.run_id == run_id, Touch.step == step, Touch.person_id == person_id, Touch.round == round_
        )
    )
