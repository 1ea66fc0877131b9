"""Whether a play runs: what the blueprint enables, a person may pause or switch off. Read here, changed in `switching`.

A play without a row is on. What is put aside for a paused play is put aside under a shared lock of its row: so whoever
lets it go on sees everything that was put aside before, and whoever comes later sees that it goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.db import json_text
from hub.kit.paging import among
from hub.plays.model import PlaySwitch, SwitchState
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
    await put_many_aside(session, play, [account_id], occurrence, trigger, now)


async def put_many_aside(
    session: AsyncSession,
    play: str,
    account_ids: Sequence[UUID],
    occurrence: str,
    trigger: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep the same start for many accounts. One statement."""
    await session.execute(
        text(
            "INSERT INTO collected_start (play, account_id, occurrence, trigger, collected_at) "
            "SELECT :play, id, :occurrence, CAST(:trigger AS jsonb), :now FROM unnest(CAST(:ids AS uuid[])) AS id "
            "ORDER BY id ON CONFLICT DO NOTHING"
        ),
        {
            "play": play,
            "occurrence": occurrence,
            "trigger": json_text(dict(trigger)),
            "now": now,
            "ids": list(account_ids),
        },
    )
