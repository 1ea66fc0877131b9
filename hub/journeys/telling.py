"""Telling what the hub decided, to two readers at once: the account's timeline, for people, and the outbox, for whoever
reacts. Many facts cost as many statements as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit import outbox
from hub.kit.ids import read_id
from hub.timeline import service as timeline
from hub.timeline.service import Fact

BEHIND: Final = timedelta(microseconds=1)
"""What a look finds is known behind it: asked for again, the look must not count its own findings."""


@dataclass(frozen=True, slots=True)
class Told:
    """One fact. `topic` is its kind on the timeline and its topic in the outbox.

    `natural_key` identifies it on the account's timeline; without one it does not stand there. `payload` is what
    reactions and subscriptions get, beside the account's id; without one it is not announced (it is over already).
    """

    topic: str
    account_id: str
    payload: Mapping[str, Any] | None
    natural_key: str | None = None
    occurred_at: datetime | None = None
    title: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


async def tell(session: AsyncSession, told: Sequence[Told], now: datetime) -> None:
    """Write the facts, in the transaction that makes them true."""
    announced = [
        (one.topic, one.account_id, {"account_id": one.account_id, **one.payload})
        for one in told
        if one.payload is not None
    ]
    facts = [
        Fact(read_id(one.account_id), one.topic, one.occurred_at or now, one.natural_key, one.title, one.attributes)
        for one in told
        if one.natural_key is not None
    ]
    await outbox.append_all(session, announced, now=now)
    if facts:
        await timeline.append_facts(session, facts, now=now + BEHIND)
