"""The scene of these tests: accounts with people, a blueprint with plays, and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from hub.accounts.model import Account, Person, PersonKey, SourcePerson
from hub.blueprint import service as blueprints
from hub.health.asking import frame_now
from hub.kit.ids import new_id
from hub.kit.outbox import OutboxRow
from hub.kit.runtime import Kit
from hub.plays import service
from hub.plays.jobs import drain_runs_to_advance
from hub.plays.model import Run, RunStep, Task
from hub.timeline.model import EventRow

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)

SEND = {"action": "pigeon.send", "to": {"role": ["administrator", "champion"]}, "input": {"title": "Hello"}}
SHOUT = {**SEND, "action": "pigeon.shout"}
CALL = {"task": "Call {{ account.name }}", "due": "3d"}


@dataclass(frozen=True)
class Somebody:
    """A person to put at an account; `user` is the product's id of them."""

    role: str | None = "administrator"
    user: str | None = "u"
    name: str | None = "Ada"
    do_not_contact: bool = False


async def add_account(
    kit: Kit, *people: Somebody, name: str = "Acme", owner: str | None = "sam", first_seen: datetime = NOW
) -> UUID:
    """An account with these people."""
    async with kit.transaction() as session:
        account = Account(
            id=new_id(), name=name, owner=owner, time_zone="UTC", facts={}, created_at=NOW, first_seen_at=first_seen
        )
        session.add(account)
        await session.flush()
        for nth, somebody in enumerate(people):
            person = Person(
                id=new_id(),
                account_id=account.id,
                name=somebody.name,
                role=somebody.role,
                do_not_contact=somebody.do_not_contact,
                first_seen_at=NOW,
            )
            source = SourcePerson(
                id=new_id(), place=f"user:{account.id}:{nth}", person_id=person.id, profile={}, first_seen_at=NOW
            )
            session.add_all([person, source])
            if somebody.user is not None:
                key = f"{somebody.user}{nth}@{name}"
                session.add(PersonKey(kind="segment.user", value=key, source_person_id=source.id, asserted_at=NOW))
    return account.id


AT_ANY_TIME = {
    "per_person_per_week": 1000,
    "per_account_per_day": 1000,
    "quiet": {"from": 0, "to": 0, "weekends": False},
}
"""A contact budget that lets everything pass."""


async def apply(
    kit: Kit,
    steps: Sequence[Mapping[str, Any]],
    budget: Mapping[str, Any] = AT_ANY_TIME,
    team: Mapping[str, str] | None = None,
    **more: Any,
) -> None:
    """A blueprint with the play `win_back` of these steps; `more` are further plays."""
    plays = {"win_back": {"trigger": {"alert": "decline"}, "steps": list(steps)}, **more}
    document = {
        "blueprint": 1,
        "name": "test",
        "plays": plays,
        "contact_budget": dict(budget),
        "team": dict(team or {}),
    }
    async with kit.transaction() as session:
        await blueprints.apply(session, document, "test", NOW)


async def look(kit: Kit, *accounts: UUID, before: datetime | None = NOW - timedelta(days=1)) -> None:
    """Look at the accounts as scoring does, as if they had been looked at `before`."""
    async with kit.transaction() as session:
        blueprint = await blueprints.current(session)
        frame = await frame_now(session, blueprint, accounts, kit.clock.now())
        looked = {} if before is None else dict.fromkeys(accounts, before)
        await service.follow(session, blueprint, frame, looked, kit.clock.now())


async def own(kit: Kit, account: UUID, owner: str | None) -> None:
    """Give the account another owner: what rules of these tests ask for."""
    async with kit.transaction() as session:
        await session.execute(update(Account).where(Account.id == account).values(owner=owner))


async def enrol(kit: Kit, account_id: UUID, occurrence: str = "alert:1", play: str = "win_back") -> Run | None:
    """Enrol the account."""
    async with kit.transaction() as session:
        blueprint = await blueprints.current(session)
        return await service.enrol(
            session, blueprint, play, account_id, occurrence, {"topic": "test"}, now=kit.clock.now()
        )


async def drain(kit: Kit) -> int:
    """Move every due run on until none is due."""
    moved = 0
    while count := await drain_runs_to_advance(kit):
        moved += count
    return moved


async def runs(kit: Kit) -> list[Run]:
    """Every run, in the order of its start."""
    async with kit.reading() as session:
        return list((await session.execute(select(Run).order_by(Run.started_at, Run.id))).scalars())


async def steps(kit: Kit, run_id: UUID) -> list[RunStep]:
    """The steps of a run."""
    async with kit.reading() as session:
        found = await session.execute(select(RunStep).where(RunStep.run_id == run_id).order_by(RunStep.index))
        return list(found.scalars())


async def tasks(kit: Kit) -> list[Task]:
    """Every task."""
    async with kit.reading() as session:
        return list((await session.execute(select(Task).order_by(Task.created_at, Task.id))).scalars())


async def events(kit: Kit) -> dict[str, list[EventRow]]:
    """The events on the timeline, by kind."""
    async with kit.reading() as session:
        found = await session.execute(select(EventRow).order_by(EventRow.occurred_at, EventRow.id))
        kinds: dict[str, list[EventRow]] = {}
        for event in found.scalars():
            kinds.setdefault(event.kind, []).append(event)
        return kinds


async def topics(kit: Kit) -> list[str]:
    """The topics of the outbox, in the order in which they were written."""
    async with kit.reading() as session:
        return list((await session.execute(select(OutboxRow.topic).order_by(OutboxRow.id))).scalars())


async def count(kit: Kit, model: Any) -> int:
    """How many rows a table has."""
    async with kit.reading() as session:
        return (await session.execute(select(func.count()).select_from(model))).scalar_one()
