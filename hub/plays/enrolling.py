"""Enrolling accounts in plays: once for each occurrence of the trigger, and only where the play wants them.

A run is unique by (play, account, occurrence): the database, not a check, makes a second enrolment for one occurrence
impossible. It keeps the definition it was started with, so a changed blueprint changes no run that is under way.
Whether an account belongs to the holdout is decided and written here, before anybody is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from hub.plays.audience import account_of
from hub.plays.decisions import occurrence_of
from hub.plays.model import Run, RunStatus, RunStep, StepStatus
from hub.plays.section import Play, Plays
from hub.plays.starting import Earlier, is_held_out, why_not
from hub.plays.step_kinds import kind_of, program

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
) -> Run | None:
    """Start a play on an account for an occurrence of its trigger, unless the play says otherwise: it is started for
    this occurrence already, comes too often, meets a play that it is not to meet, or is for others.

    Raises `NotFound` when the blueprint has no such play.
    """
    definition = definition_of(blueprint, play)
    if definition.frequency is not None or definition.cool_down is not None or definition.not_with:
        await lock(session, "plays", account_id)  # two occurrences at once must not both see that there is no run yet
        earlier = await _earlier(session, play, definition, account_id)
        if why_not(play, definition, earlier, now) is not None:
            return None
    if definition.audience is not None:
        held = await ask(session, blueprint, definition.audience, account_id, now)
        if not held.holds:
            return None
    return await enrol(session, blueprint, play, account_id, occurrence, trigger, now=now)


async def enrol(
    session: AsyncSession,
    blueprint: Blueprint,
    play: str,
    account_id: UUID,
    occurrence: str,
    trigger: Mapping[str, Any],
    *,
    now: datetime,
) -> Run | None:
    """Start a play on an account, once for each occurrence; None when it was started for this one already.

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
        "occurrence": occurrence,
        "status": RunStatus.HOLDOUT if left_out else RunStatus.RUNNING,
        "step": 0,
        "holdout": left_out,
        "trigger": dict(trigger),
        "definition": definition.model_dump(mode="json", by_alias=True),
        "blueprint_version": blueprint.version,
        "priority": definition.priority,
        "goal_by": now + definition.goal.within if definition.goal else None,
        "started_at": now,
        "updated_at": now,
        "ended_at": now if left_out else None,
    }
    written = await session.execute(
        upsert(Run)
        .values(values)
        .on_conflict_do_nothing(index_elements=["play", "account_id", "occurrence"])
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
    runs = [
        await enrol_if_wanted(session, blueprint, name, account.id, occurrence, trigger, now=now)
        for name, occurrence in occurrences.items()
    ]
    return [run for run in runs if run is not None]


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
    others = Run.play.in_(play.not_with) & Run.status.in_((RunStatus.RUNNING, RunStatus.HELD))
    found = await session.execute(
        select(Run.play, Run.status, Run.started_at, Run.ended_at).where(
            Run.account_id == account_id, or_(Run.play == name, others)
        )
    )
    return [Earlier(play, RunStatus(status), started, ended) for play, status, started, ended in found]


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
