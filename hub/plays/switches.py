"""Whether a play runs: what the blueprint enables, a person may pause or switch off. Read here, changed in `switching`.

A play without a row is on. What is put aside for a paused play is put aside under a shared lock of its row: so whoever
lets it go on sees everything that was put aside before, and whoever comes later sees that it goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.paging import among
from hub.plays.model import CollectedStart, PlaySwitch, SwitchState
from hub.plays.trigger_kinds import Existing


async def state_of(session: AsyncSession, play: str) -> SwitchState:
    """Whether the play runs. One that is paused stays so until the transaction ends."""
    return (await states_of(session, {play}))[play]


async def states_of(session: AsyncSession, plays: Collection[str]) -> dict[str, SwitchState]:
    """The same of several plays. One statement, and one more where any is paused."""
    said = select(PlaySwitch.play, PlaySwitch.state).order_by(PlaySwitch.play)
    found = dict((await session.execute(said.where(among(PlaySwitch.play, list(plays))))).all()) if plays else {}
    paused = [play for play, state in found.items() if state == SwitchState.PAUSED]
    if paused:
        held = said.where(among(PlaySwitch.play, paused)).with_for_update(read=True)
        found |= dict((await session.execute(held)).all())
    return {play: SwitchState(found.get(play, SwitchState.ON)) for play in plays}


async def switches(session: AsyncSession, plays: Sequence[str]) -> dict[str, PlaySwitch]:
    """What people said about these plays; those that nobody spoke of are left out. One statement."""
    found = await session.execute(select(PlaySwitch).where(among(PlaySwitch.play, plays)))
    return {switch.play: switch for switch in found.scalars()}


def is_off(switch: PlaySwitch | None) -> bool:
    """Whether somebody switched the play off."""
    return switch is not None and switch.state == SwitchState.OFF


def existing(switch: PlaySwitch | None, declared: Existing) -> Existing:
    """What becomes of those for whom a rule holds already: as was said when the play was switched on, else as the
    blueprint says."""
    return Existing(switch.existing) if switch is not None and switch.existing is not None else declared


async def put_aside(
    session: AsyncSession, play: str, account_id: UUID, occurrence: str, trigger: Mapping[str, Any], now: datetime
) -> None:
    """Keep a start for when the play goes on; the same occurrence is kept once."""
    row = {
        "play": play,
        "account_id": account_id,
        "occurrence": occurrence,
        "trigger": dict(trigger),
        "collected_at": now,
    }
    await session.execute(upsert(CollectedStart).values(row).on_conflict_do_nothing())
