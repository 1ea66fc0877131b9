"""Accounts with a history, told in a few words, under the shipped blueprint and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hub.accounts.model import Person, SourcePerson
from hub.accounts.roles import PersonRole
from hub.health.model import Score
from hub.journeys.model import Stay
from hub.kit.ids import new_id
from hub.plays.model import Run
from hub.reactions import drain_outbox
from hub.timeline.model import EventRow
from tests.health.conftest import NOW, World

CAST = {PersonRole.ADMINISTRATOR: 1000, PersonRole.CHAMPION: 2000, PersonRole.SPONSOR: 3000}
"""Where the ids of the people of each role begin; everybody else is somebody whose role is not known."""

OF_EACH = 5
CONNECTION = UUID(int=77)


@dataclass(frozen=True)
class Said:
    """Something that happened so many days ago: `times` events, in each of them so many people of a role."""

    kind: str
    days_ago: float = 1
    people: int = 1
    times: int = 1
    role: PersonRole | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    subject: tuple[str, str, str] | None = None
    value: float | None = None


@dataclass(frozen=True)
class Case:
    """The smallest history that does it, and one that just does not.

    `known_for`: since how many days the account is known; `looks`: how many days ago it was looked at before.
    """

    does: tuple[Said, ...]
    does_not: tuple[Said, ...]
    known_for: float = 100
    looks: tuple[float, ...] = ()
    looks_not: tuple[float, ...] | None = None
    known_for_not: float | None = None


@dataclass
class DefaultWorld(World):
    """The small world of the health tests, whose blueprint is the shipped one."""

    async def cast(self) -> None:
        """People with roles."""
        seen = {"first_seen_at": NOW - timedelta(days=900)}
        async with self.kit.transaction() as session:
            for role, first in CAST.items():
                for nth in range(OF_EACH):
                    person = Person(id=new_id(), role=str(role), do_not_contact=False, **seen)
                    session.add(person)
                    await session.flush()
                    id_ = UUID(int=first + nth)
                    session.add(SourcePerson(id=id_, place=str(id_), person_id=person.id, profile={}, **seen))

    async def tell(self, account_id: UUID, history: Iterable[Said]) -> None:
        """Record what happened, counted back from now."""
        async with self.kit.transaction() as session:
            session.add_all(row for said in history for row in self._rows(account_id, said))

    def _rows(self, account_id: UUID, said: Said) -> Iterable[EventRow]:
        first = CAST[said.role] if said.role else 1
        type_, id_, state = said.subject or (None, None, None)
        for _ in range(said.times):
            yield EventRow(
                source_account_id=self.places[account_id],
                id=new_id(),
                revision=0,
                kind=said.kind,
                occurred_at=NOW - timedelta(days=said.days_ago),
                recorded_at=NOW - timedelta(days=said.days_ago),
                flow="operational_execution",
                people=[UUID(int=first + nth) for nth in range(said.people)],
                attributes=dict(said.attributes),
                value=said.value,
                subject_type=type_,
                subject_id=id_,
                subject_state=state,
                connection_id=CONNECTION if type_ else None,
            )

    async def lived(self, history: Iterable[Said], *, known_for: float = 100, looks: Iterable[float] = ()) -> UUID:
        """An account with this history, looked at on each of the days and now; what it caused has been reacted to."""
        account = await self.account(first_seen=NOW - timedelta(days=known_for), owner="sam@example.net")
        await self.tell(account, history)
        for days_ago in (*looks, 0):
            self.now = NOW - timedelta(days=days_ago)
            await self.score(account)
        while await drain_outbox(self.kit):
            pass
        return account

    async def does(self, case: Case) -> UUID:
        """An account with the history that does it."""
        return await self.lived(case.does, known_for=case.known_for, looks=case.looks)

    async def does_not(self, case: Case) -> UUID:
        """An account with the history that just does not."""
        looks = case.looks if case.looks_not is None else case.looks_not
        return await self.lived(case.does_not, known_for=case.known_for_not or case.known_for, looks=looks)

    async def open_alerts(self, account_id: UUID) -> set[str]:
        """The rules whose alerts are alive."""
        return {alert.rule for alert in await self.alerts(account_id) if alert.resolved_at is None}

    async def reached(self, account_id: UUID, stage: str) -> set[str]:
        """The milestones of a stage that were reached."""
        stays = {stay.id for stay in await self.rows(Stay, account_id) if stay.stage == stage}
        return {
            name for name, row in (await self.milestones(account_id)).items() if row.reached_at and row.stay_id in stays
        }

    async def overdue(self, account_id: UUID) -> dict[str, datetime]:
        """The milestones that are overdue, each with the moment from which on."""
        found = await self.milestones(account_id)
        return {name: row.overdue_at for name, row in found.items() if row.overdue_at is not None}

    async def place(self, account_id: UUID) -> tuple[str, str]:
        """The present segment and stage."""
        (*_, stay) = await self.rows(Stay, account_id)
        return stay.segment, stay.stage

    async def runs(self, account_id: UUID) -> list[str]:
        """The plays that were started, by name."""
        async with self.kit.reading() as session:
            found = await session.execute(select(Run.play).where(Run.account_id == account_id).order_by(Run.play))
            return list(found.scalars())

    async def bands(self, account_id: UUID) -> list[str]:
        """The bands that it has had, the oldest first."""
        return [score.band for score in await self.rows(Score, account_id)]
