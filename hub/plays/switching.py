"""What people do with a whole play: pause it and let it go on, switch it off and on.

- A *paused* play starts nothing, and its runs stand where they are. What would have started it is put aside, and when
  it goes on, each of these starts is looked at as if it came then.
- A play that is *off* starts nothing and forgets. Its runs end; their open tasks are left to whoever has them, or
  closed, as asked.
- Whoever switches a play *on* says what becomes of those for whom its trigger holds already: the accounts for which the
  rule holds, in the stage, in the band, with the alert or the milestone. An event or a time of a schedule leaves nobody
  behind who is there already.

The blueprint says whether there is a play at all; a play that it does not enable cannot be switched on here. A switch
concerns every account, so it takes an admin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer, audit
from hub.accounts.service import mark_all_changed
from hub.blueprint import service as blueprints
from hub.kit import outbox, work
from hub.kit.errors import Invalid
from hub.plays.closing import SWITCHED_OFF, OpenTasks
from hub.plays.enrolling import TO_ADVANCE, definition_of
from hub.plays.members import put_members_aside
from hub.plays.model import CollectedStart, PlaySwitch, RuleFollowed, RuleHolds, SwitchState
from hub.plays.put_aside import TO_START
from hub.plays.section import Play
from hub.plays.switches import state_of
from hub.plays.trigger_kinds import Existing


@dataclass(frozen=True, slots=True)
class Switched:
    """How a play stands now, and how many starts (when it goes on, or is switched on) or runs (when it is switched off)
    that moved."""

    play: str
    state: SwitchState
    moved: int = 0


async def pause_play(session: AsyncSession, viewer: Viewer, play: str, *, now: datetime) -> Switched:
    """Start and send nothing until it goes on. What a vendor is being asked at this moment cannot be called back.

    Raises `NotFound`, and `Invalid` for a play that is not on.
    """
    await _held(session, viewer, play, SwitchState.ON, "paused")
    return await _say(session, viewer, play, SwitchState.PAUSED, now)


async def resume_play(session: AsyncSession, viewer: Viewer, play: str, *, now: datetime) -> Switched:
    """Let a paused play go on, with everything that was put aside meanwhile. Raises `NotFound`, and `Invalid` for a
    play that is not paused."""
    await _held(session, viewer, play, SwitchState.PAUSED, "resumed")
    switched = await _say(session, viewer, play, SwitchState.ON, now, moved=await _waiting(session, play))
    await work.mark(session, TO_START, [play], due_at=now)
    # A run that rests for its own reasons has an entry that is not leased. One whose turn came while the play was
    # paused has none any more, or one that is about to be finished.
    await work.mark_selected(
        session,
        TO_ADVANCE,
        "SELECT r.id::text AS key FROM run r LEFT JOIN work_item w ON w.list = :list AND w.key = r.id::text "
        "WHERE r.play = :play AND r.status = 'running' AND (w.key IS NULL OR w.leased_until IS NOT NULL)",
        {"play": play},
        due_at=now,
    )
    return switched


async def switch_off(session: AsyncSession, viewer: Viewer, play: str, tasks: OpenTasks, *, now: datetime) -> Switched:
    """End a play: it starts nothing, its runs end, and what was put aside for it is forgotten.

    Raises `NotFound`, and `Invalid` for a play that is off.
    """
    await _held(session, viewer, play, None, "switched off")
    await session.execute(delete(CollectedStart).where(CollectedStart.play == play))
    ended = await session.execute(
        text(
            "WITH alive AS (SELECT id FROM run WHERE play = :play AND status IN ('running', 'held', 'paused') "
            "ORDER BY id FOR UPDATE) UPDATE run SET status = 'running', "
            "ending = jsonb_build_object('reason', CAST(:reason AS text), 'tasks', CAST(:tasks AS text)) "
            "FROM alive WHERE run.id = alive.id RETURNING run.id::text"
        ),
        {"play": play, "reason": SWITCHED_OFF, "tasks": tasks},
    )
    ids = list(ended.scalars())
    await work.mark(session, TO_ADVANCE, ids, due_at=now)
    return await _say(session, viewer, play, SwitchState.OFF, now, moved=len(ids), tasks=tasks)


async def switch_on(session: AsyncSession, viewer: Viewer, play: str, existing: Existing, *, now: datetime) -> Switched:
    """Switch a play on, and say what becomes of those for whom its trigger holds already.

    Those that a rule holds for are found when accounts are looked at, which begins at once for all of them; the others
    are put aside to start, and `moved` says how many. Raises `NotFound`, and `Invalid` for a play that is paused, or
    that the blueprint does not enable.
    """
    definition = await _known(session, viewer, play)
    if not definition.enabled:
        raise Invalid(f"The play {play} is not enabled.", remedy="Enable it in the blueprint.", path=("play",))
    if await state_of(session, play) is SwitchState.PAUSED:
        raise Invalid(f"The play {play} is paused.", remedy="Resume it, or switch it off first.", path=("play",))
    await session.execute(delete(RuleHolds).where(RuleHolds.play == play))
    await session.execute(delete(RuleFollowed).where(RuleFollowed.play == play))
    moved = await put_members_aside(session, play, definition.trigger, now) if existing is Existing.START else 0
    switched = await _say(session, viewer, play, SwitchState.ON, now, moved=moved, existing=existing)
    await work.mark(session, TO_START, [play], due_at=now)
    await mark_all_changed(session, now)
    return switched


async def _waiting(session: AsyncSession, play: str) -> int:
    """How many starts are put aside for the play."""
    counted = select(func.count()).select_from(CollectedStart).where(CollectedStart.play == play)
    return (await session.execute(counted)).scalar_one()


async def _known(session: AsyncSession, viewer: Viewer, play: str) -> Play:
    viewer.require()
    return definition_of(await blueprints.current(session), play)


async def _held(session: AsyncSession, viewer: Viewer, play: str, wanted: SwitchState | None, what: str) -> None:
    """Hold the play's switch until the transaction ends. Raises `NotFound`, and `Invalid` unless it stands as wanted
    (None: anything but off)."""
    await _known(session, viewer, play)
    await session.execute(
        upsert(PlaySwitch)
        .values(play=play, state=SwitchState.ON, existing=None, since=func.now(), by=viewer.actor)
        .on_conflict_do_nothing()
    )
    switch = await session.get_one(PlaySwitch, play, with_for_update=True, populate_existing=True)
    fits = switch.state != SwitchState.OFF if wanted is None else switch.state == wanted
    if not fits:
        raise Invalid(f"The play {play} is {switch.state}, so it cannot be {what}.", path=("play",))


async def _say(
    session: AsyncSession,
    viewer: Viewer,
    play: str,
    state: SwitchState,
    now: datetime,
    *,
    moved: int = 0,
    existing: Existing | None = None,
    tasks: OpenTasks | None = None,
) -> Switched:
    row: dict[str, Any] = {"state": state, "since": now, "by": viewer.actor}
    if existing is not None:
        row["existing"] = existing
    await session.execute(
        upsert(PlaySwitch)
        .values(play=play, **{"existing": None, **row})
        .on_conflict_do_update(index_elements=["play"], set_=row)
    )
    facts = {"play": play, "state": state, "existing": existing, "tasks": tasks, "moved": moved, "by": viewer.actor}
    await audit(session, viewer, "play.switched", f"play:{play}", facts, now=now)
    await outbox.append(session, "play.switched", f"play:{play}", facts, now=now)
    return Switched(play, state, moved)
