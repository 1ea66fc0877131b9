"""A play tried over the past: whom it would have started on, when, what it would have said, and what the contact budget
would have stopped. Nothing is sent or written.

The days of the accounts are worked out as they would have been scored (`health.daily`), all at once and account by
account in batches; the play of the blueprint in force is walked through them (`rehearsing`). People, their roles and
addresses are today's; touches that other plays really made count against the budget.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import partial
from typing import Final, Self, TypeAlias
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.model import Account, Person
from hub.accounts.service import account_ids, how_many
from hub.blueprint import service as blueprints
from hub.blueprint.service import Blueprint
from hub.health.daily import days_known
from hub.kit.errors import HubError, Invalid
from hub.kit.ids import new_id
from hub.kit.paging import among
from hub.measures.definitions import Selection
from hub.plays.audience import people_at
from hub.plays.awaited import Happened, happened
from hub.plays.budget import WEEK, ContactBudget
from hub.plays.business_time import BusinessHours, over
from hub.plays.calls import declared_action
from hub.plays.decisions import Somebody
from hub.plays.enrolling import definition_of
from hub.plays.model import Run, RunStatus, Touch
from hub.plays.previewing import Said, say, subjects
from hub.plays.reasons_then import Asked, Days, Then, reasons_then
from hub.plays.rehearsing import Past, Rehearsal, Touched, counted, rehearse
from hub.plays.section import Play
from hub.plays.starting import Earlier, is_held_out, why_not
from hub.plays.step_kinds import ActionStep, Step, WaitStep, program

DAY: Final = timedelta(days=1)

LONGEST: Final = timedelta(days=366)
MOST_AT_ONCE: Final = 5000
"""How many accounts a simulation may look at while somebody waits for an answer on the screen."""

POINTS: Final = 200_000
"""Accounts × days that are worked through at once."""

BEFORE: Final = 91
"""Days before the time that is looked at: rules may ask how a score changed over a quarter."""

Progress: TypeAlias = Callable[[int, int], None]
"""Told after each batch how many accounts have been looked at, and how many there are."""


@dataclass(slots=True)
class Simulation:
    """What a play would have done. `totals` counts runs, `held_out`, what was `sent`, `late`, `dropped` and `failed`;
    `left_out` the starts that the play would have refused, by why. `first` are the earliest runs by account."""

    play: str
    since: datetime
    until: datetime
    accounts: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    first: list[Rehearsal] = field(default_factory=list)
    names: dict[UUID, str] = field(default_factory=dict)


async def simulate(
    session: AsyncSession,
    viewer: Viewer,
    play: str,
    *,
    since: datetime,
    now: datetime,
    first: int = 20,
    progress: Progress = lambda _, __: None,
    at_most: int | None = None,
) -> Simulation:
    """Try a play of the blueprint in force over the time from `since` until `now`; the `first` runs come in detail.

    Raises `NotFound`, `NotAllowed`, and `Invalid` for a play that only a person starts, a time that is not past or is
    longer than a year, and more accounts than `at_most`. Cost: for each batch of about 200,000 days about fifteen
    statements.
    """
    viewer.require()  # it looks at every account
    blueprint = await blueprints.current(session)
    definition = definition_of(blueprint, play)
    if not now - LONGEST <= since < now:
        raise Invalid("The time has to lie within the last 366 days.", remedy="Say for example 90d.", path=("since",))
    if definition.trigger.model_dump().get("by_hand"):
        raise Invalid(f"Nothing but a person starts the play {play}.", path=("play",))
    total = await how_many(session)
    if at_most is not None and total > at_most:
        raise Invalid(
            f"A simulation over {total:,} accounts takes too long to wait for.",
            remedy=f"Run: hub play simulate {play}",
            path=("play",),
        )
    found = Simulation(play, since, now)
    days = (now - since) // DAY + 1 + BEFORE
    size, last = max(1, POINTS // days), UUID(int=0)
    while batch := await account_ids(session, after=last, limit=size):
        await _look(session, blueprint, definition, found, batch, days, first)
        last = batch[-1]
        found.accounts += len(batch)
        progress(found.accounts, total)
    return found


async def _look(
    session: AsyncSession,
    blueprint: Blueprint,
    play: Play,
    found: Simulation,
    batch: Sequence[UUID],
    days: int,
    first: int,
) -> None:
    last = datetime.combine(found.until.date(), time.min, found.until.tzinfo)
    frame = await days_known(session, blueprint, batch, first=last - (days - 1) * DAY, days=days)
    rows = await session.execute(select(Account).where(among(Account.id, batch)))
    accounts = {account.id: account for account in rows.scalars()}
    seen = {id_: account.first_seen_at for id_, account in accounts.items()}
    known = Days(frame, found.since, found.until, seen)
    reasons = by_account(await reasons_then(session, blueprint, play.trigger, known))
    if not reasons:
        return
    scene = await _Scene.of(session, blueprint, found, play, sorted(reasons))
    asked, steps = Asked(known), program(play.steps)
    for id_, mine in sorted(reasons.items()):
        account, people = accounts[id_], scene.people[id_]
        runs = list(_enrolled(found, play, mine, people, scene.others[id_], asked))
        past = Past(
            until=found.until,
            holds=partial(asked.holds, id_),
            first=partial(asked.first, id_),
            wait_over=partial(_wait_over, scene.hours, account.time_zone),
            event=partial(scene.happened.first, id_),
            say=partial(_say, found.play, account, people),
            is_touch=_is_touch,
            zone=partial(scene.zone, account),
        )
        rehearse(play, steps, runs, past, scene.budget, scene.touched[id_])
        found.totals += counted(runs)
        for run in runs[: max(first - len(found.first), 0)]:
            found.first.append(run)
            found.names[id_] = account.name


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is known of some accounts besides their days: the people there today, the runs of plays that are not to be
    met, and the touches that others made."""

    people: Mapping[UUID, list[Somebody]]
    zones: Mapping[UUID, str | None]
    others: Mapping[UUID, list[Earlier]]
    touched: Mapping[UUID, Touched]
    budget: ContactBudget
    hours: BusinessHours
    happened: Happened

    @classmethod
    async def of(
        cls, session: AsyncSession, blueprint: Blueprint, found: Simulation, play: Play, ids: Sequence[UUID]
    ) -> Self:
        people = await people_at(session, ids)
        zones = await session.execute(select(Person.id, Person.time_zone).where(among(Person.account_id, ids)))
        others: defaultdict[UUID, list[Earlier]] = defaultdict(list)
        runs = select(Run.account_id, Run.play, Run.started_at, Run.ended_at)
        runs = runs.where(among(Run.account_id, ids), among(Run.play, play.not_with), Run.holdout.is_(False))
        for account_id, name, started, ended in await session.execute(runs):
            others[account_id].append(Earlier(name, RunStatus.RUNNING, started, ended))
        touched: defaultdict[UUID, Touched] = defaultdict(lambda: Touched({}, []))
        made = select(Touch.account_id, Touch.person_id, Touch.touched_at).join(Run, Run.id == Touch.run_id)
        made = made.where(among(Touch.account_id, ids), Touch.touched_at > found.since - WEEK, Run.play != found.play)
        for account_id, person_id, at in await session.execute(made):
            touched[account_id].of_person.setdefault(person_id, []).append(at)
            touched[account_id].at_account.append(at)
        budget = blueprint.section("contact_budget", ContactBudget)
        hours = blueprint.section("business_hours", BusinessHours)
        events = await happened(session, _awaited(play), ids, found.since, found.until)
        return cls(people, dict(zones.all()), others, touched, budget, hours, events)

    def zone(self, account: Account, person: UUID) -> str:
        """The person's time zone, else the account's."""
        return self.zones.get(person) or account.time_zone


def by_account(reasons: Iterable[Then]) -> dict[UUID, list[Then]]:
    """The moments of each account, in the order of time."""
    found: defaultdict[UUID, list[Then]] = defaultdict(list)
    for reason in sorted(reasons, key=lambda one: one.at):
        found[reason.account_id].append(reason)
    return found


def _enrolled(
    found: Simulation,
    play: Play,
    reasons: Sequence[Then],
    people: Sequence[Somebody],
    others: Sequence[Earlier],
    asked: Asked,
) -> Iterator[Rehearsal]:
    """The runs that the play would have begun on an account. For how often it may, a run counts as over at once."""
    begun: list[Earlier] = []
    for reason in reasons:
        if play.audience is not None and not asked.holds(reason.account_id, play.audience, reason.at):
            found.left_out["It is for other accounts."] += 1
            continue
        met = [
            run for run in others if run.started_at <= reason.at and (run.ended_at is None or run.ended_at > reason.at)
        ]
        for person in subjects(play.each, people):
            key = None if person is None else person.id
            own = [run for run in begun if run.person_id == key]
            why = why_not(found.play, play, [*met, *own], reason.at)
            if why is not None:
                found.left_out[why] += 1
                continue
            begun.append(Earlier(found.play, RunStatus.DONE, reason.at, reason.at, key))
            held_out = is_held_out(found.play, reason.account_id, play.holdout)
            yield Rehearsal(reason.account_id, person, reason.at, reason.trigger, held_out)


def _say(
    play: str, account: Account, people: Sequence[Somebody], number: int, step: Step, run: Rehearsal
) -> Sequence[Said]:
    """The words of a step in a run that never was."""
    one = Run(id=new_id(), play=play, account_id=account.id, trigger=dict(run.trigger))
    return say(number, step, one, account, people if run.person is None else [run.person], run.person)


def _wait_over(hours: BusinessHours, time_zone: str, step: WaitStep, began: datetime) -> datetime:
    return over(step.wait, hours, time_zone, began)


def _awaited(play: Play) -> list[Selection]:
    """The events that steps wait for."""
    waits = [step for step in program(play.steps) if isinstance(step, WaitStep)]
    return [step.until for step in waits if isinstance(step.until, Selection)]


def _is_touch(step: ActionStep) -> bool:
    try:
        return declared_action(step).touch
    except HubError:
        return False
