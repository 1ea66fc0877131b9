"""Enrolling accounts in plays: once for each occurrence of the trigger, and only where the play wants them.

A run is unique by (play, account or person, occurrence): the database, not a check, makes a second enrolment for one
occurrence impossible. It keeps the definition it was started with, so a changed blueprint changes no run that is under
way.
Whether an account belongs to the holdout is decided and written here, before anybody is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.blueprint.service import Blueprint
from hub.kit import work
from hub.kit.db import lock
from hub.kit.errors import NotFound
from hub.kit.ids import new_id
from hub.plays import announcements
from hub.plays.asking import ask
from hub.plays.audience import account_of, people_at
from hub.plays.chains import BEGINNING, Link, beyond, link_of, tell
from hub.plays.decisions import addressed, occurrence_of
from hub.plays.model import Run, RunStatus, RunStep, StepStatus, SwitchState
from hub.plays.section import Play, Plays
from hub.plays.starting import ALIVE, Earlier, is_held_out, why_not
from hub.plays.step_kinds import kind_of, program
from hub.plays.switches import put_aside, state_of

TO_ADVANCE: Final = "runs_to_advance"
"""The work list of runs that have something to do; its keys are their ids."""

BY_HAND: Final = "hand:"
"""How the occurrence begins of a run that a person started."""


async def enrol_if_wanted(
    session: AsyncSession,
    blueprint: Blueprint,
    play: str,
    account_id: UUID,
    occurrence: str,
    trigger: Mapping[str, Any],
    *,
    now: datetime,
) -> list[Run]:
    """Start a play on an account for an occurrence of its trigger, unless the play says otherwise: it is started for
    this occurrence already, comes too often, meets a play that it is not to meet, or is for others. Where it is paused,
    the occurrence is kept for when it goes on; where it is off, it is not.

    Returns the run, or one for each person where the play is for people. Raises `NotFound` when the blueprint has no
    such play.
    """
    definition = definition_of(blueprint, play)
    match await state_of(session, play):
        case SwitchState.OFF:
            return []
        case SwitchState.PAUSED:
            await put_aside(session, play, account_id, occurrence, trigger, now)
            return []
        case SwitchState.ON:
            pass
    link = await link_of(session, play, account_id, trigger, now)
    if (why := beyond(link)) is not None:
        await tell(session, play, account_id, why, link, now)
        return []
    earlier: list[Earlier] = []
    if definition.frequency is not None or definition.cool_down is not None or definition.not_with:
        await lock(session, "plays", account_id)  # two occurrences at once must not both see that there is no run yet
        earlier = await _earlier(session, play, definition, account_id)
    people = await _whom(session, definition, account_id)
    wanted = [person for person in people if why_not(play, definition, _met(earlier, play, person), now) is None]
    if wanted and definition.audience is not None:
        held = await ask(session, blueprint, definition.audience, account_id, now)
        if not held.holds:
            return []
    runs = [
        await enrol(session, blueprint, play, account_id, occurrence, trigger, now=now, person_id=person, link=link)
        for person in wanted
    ]
    return [run for run in runs if run is not None]


async def enrol_by_hand(
    session: AsyncSession,
    blueprint: Blueprint,
    play: str,
    account_id: UUID,
    occurrence: str,
    trigger: Mapping[str, Any],
    *,
    now: datetime,
) -> list[Run]:
    """Start a play because a person wants it, whomever it leaves out by itself; nobody is held out."""
    definition = definition_of(blueprint, play)
    runs = [
        await enrol(session, blueprint, play, account_id, occurrence, trigger, now=now, person_id=person)
        for person in await _whom(session, definition, account_id)
    ]
    return [run for run in runs if run is not None]


async def _whom(session: AsyncSession, play: Play, account_id: UUID) -> list[UUID | None]:
    """The account (None), or each of the people that the play is for."""
    if play.each is None:
        return [None]
    return [person.id for person in addressed(play.each, (await people_at(session, [account_id]))[account_id])]


def _met(earlier: Sequence[Earlier], play: str, person: UUID | None) -> list[Earlier]:
    """The earlier runs that count: of the play itself those for the same person, of others all on the account."""
    return [run for run in earlier if run.play != play or run.person_id == person]


async def enrol(
    session: AsyncSession,
    blueprint: Blueprint,
    play: str,
    account_id: UUID,
    occurrence: str,
    trigger: Mapping[str, Any],
    *,
    now: datetime,
    person_id: UUID | None = None,
    link: Link = BEGINNING,
) -> Run | None:
    """Start a play on an account, or for a person there, once for each occurrence; None when that was so
    already.

    An account of the holdout gets a run in which nothing happens. `trigger` is kept with the run: what started it.
    Raises `NotFound` when the blueprint has no such play.
    """
    definition = definition_of(blueprint, play)
    by_hand = occurrence.startswith(BY_HAND)
    left_out = not by_hand and is_held_out(play, account_id, definition.holdout)
    values = {
        "id": new_id(),
        "play": play,
        "account_id": account_id,
        "person_id": person_id,
        "occurrence": occurrence,
        "status": RunStatus.HOLDOUT if left_out else RunStatus.RUNNING,
        "step": 0,
        "holdout": left_out,
        "trigger": dict(trigger),
        "definition": definition.model_dump(mode="json", by_alias=True),
        "blueprint_version": blueprint.version,
        "priority": definition.priority,
        "caused_by": link.caused_by,
        "depth": link.depth,
        "goal_by": now + definition.goal.within if definition.goal else None,
        "started_at": now,
        "updated_at": now,
        "ended_at": now if left_out else None,
    }
    written = await session.execute(
        upsert(Run)
        .values(values)
        .on_conflict_do_nothing(index_elements=["play", "account_id", "person_id", "occurrence"])
        .returning(Run.id)
    )
    run_id = written.scalar()
    if run_id is None:
        return None
    run = await session.get_one(Run, run_id)
    if left_out:
        await announcements.run_held_out(session, run, now=now)
        return run
    await session.execute(insert(RunStep), _pending_steps(run_id, definition))
    await work.mark(session, TO_ADVANCE, [str(run_id)], due_at=now)
    await announcements.run_started(session, run, now=now)
    return run


async def enrol_for_fact(session: AsyncSession, topic: str, payload: Mapping[str, Any], *, now: datetime) -> list[Run]:
    """Start every play for which this fact is a reason, except the play that caused the fact itself."""
    blueprint = await blueprints.current(session)
    occurrences = {
        name: occurrence
        for name, play in blueprint.section("plays", Plays).root.items()
        if play.enabled and (occurrence := occurrence_of(play.trigger, topic, payload)) is not None
    }
    if not occurrences:
        return []
    occurrences.pop(await causing_play(session, payload.get("caused_by_run")), None)
    account = await account_of(session, UUID(payload["account_id"]))
    trigger = {"topic": topic, **payload}
    return [
        run
        for name, occurrence in occurrences.items()
        for run in await enrol_if_wanted(session, blueprint, name, account.id, occurrence, trigger, now=now)
    ]


def definition_of(blueprint: Blueprint, play: str) -> Play:
    """The play of that name. Raises `NotFound`."""
    plays = blueprint.section("plays", Plays).root
    if play not in plays:
        raise NotFound(
            f"The blueprint has no play {play!r}.", remedy=f"It has: {', '.join(sorted(plays)) or 'no play at all'}."
        )
    return plays[play]


async def causing_play(session: AsyncSession, run_id: str | None) -> str:
    """The play of a run, or an empty name."""
    if run_id is None:
        return ""
    return (await session.execute(select(Run.play).where(Run.id == UUID(run_id)))).scalar_one_or_none() or ""


async def _earlier(session: AsyncSession, name: str, play: Play, account_id: UUID) -> list[Earlier]:
    others = Run.play.in_(play.not_with) & Run.status.in_(ALIVE)
    found = await session.execute(
        select(Run.play, Run.status, Run.started_at, Run.ended_at, Run.person_id).where(
            Run.account_id == account_id, or_(Run.play == name, others)
        )
    )
    return [Earlier(play, RunStatus(status), started, ended, person) for play, status, started, ended, person in found]


def _pending_steps(run_id: UUID, definition: Play) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run_id,
            "index": index,
            "kind": kind_of(step),
            "name": step.name,
            "status": StepStatus.PENDING,
            "attempts": 0,
            "result": {},
        }
        for index, step in enumerate(program(definition.steps))
    ]
