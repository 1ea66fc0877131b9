"""Plays that start each other come to an end, and somebody is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from hub.blueprint import service as blueprints
from hub.health.model import Alert, AlertStatus
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.plays import chains, service

from .scene import CALL, NOW, add_account, apply, drain, enrol, look, runs


async def alerts(kit: Kit) -> list[Alert]:
    async with kit.reading() as session:
        return list((await session.execute(select(Alert).order_by(Alert.opened_at))).scalars())


def after(other: str) -> dict[str, Any]:
    """A play that begins when the other one has ended."""
    return {"trigger": {"event": "run.ended", "where": {"play": other}}, "steps": [{"notify": "Next"}]}


async def test_a_ring_of_plays_ends(still: Kit, clock: FrozenClock) -> None:
    """Three plays that start each other for ever: the chain is five runs long, an alert is open, and the next look at
    the account leaves it open."""
    await apply(still, [CALL], one=after("three"), two=after("one"), three=after("two"))
    account = await add_account(still)
    await look(still, account, before=None)
    clock.advance(timedelta(hours=1))
    await enrol(still, account, play="one")
    for _ in range(8):
        await drain(still)
        clock.advance(timedelta(minutes=1))
        await look(still, account, before=clock.now() - timedelta(minutes=1))
    found = await runs(still)
    assert [(run.play, run.depth) for run in found] == [
        (play, depth) for depth, play in enumerate(["one", "two", "three", "one", "two"])
    ]
    assert [run.caused_by for run in found] == [None, *(run.id for run in found[:-1])]
    [alert] = await alerts(still)
    assert (alert.rule, alert.status, alert.values["play"]) == ("hub.play_chain", AlertStatus.OPEN, "three")


async def test_a_play_starts_only_so_often_in_a_day(
    still: Kit, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever starts it; a day later it may again."""
    monkeypatch.setattr(chains, "MOST_A_DAY", 3)
    await apply(still, [CALL])
    account = await add_account(still)

    async def start(nth: int) -> None:
        async with still.transaction() as session:
            blueprint = await blueprints.current(session)
            occurrence = f"alert:{UUID(int=nth)}"
            await service.enrol_if_wanted(
                session, blueprint, "win_back", account, occurrence, {"topic": "test"}, now=clock.now()
            )

    for nth in range(5):
        await start(nth)
    assert len(await runs(still)) == 3
    [alert] = await alerts(still)
    assert alert.values["why"] == "It started 3 times on the account within a day."
    clock.advance(timedelta(days=1))
    await start(9)
    assert len(await runs(still)) == 4
    assert (await alerts(still))[0].opened_at == NOW
