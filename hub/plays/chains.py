"""Plays that start each other: how far that may go. A fact that a run brought about never starts its own play again;
here a ring of several plays comes to its end, and somebody is told.

- A chain is at most `MOST_DEEP` runs long, each started by what the one before it did.
- A play starts at most `MOST_A_DAY` times on one account within a day, whatever starts it: rings whose plays move each
  other by facts on the account have no visible cause.

What a person starts counts as the beginning of a chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.health.service import raise_alert

MOST_DEEP: Final = 5
MOST_A_DAY: Final = 100
DAY: Final = timedelta(days=1)

ALERT: Final = "hub.play_chain"
"""The alert's rule: one of the hub's own, which no blueprint can name."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a run would stand in its chain: the run that causes it (None: none), how many stand before it, and how
    often the play started on the account within a day."""

    caused_by: UUID | None
    depth: int
    starts: int


BEGINNING: Final = Link(None, 0, 0)
"""Where a run stands that nothing but a person or the world outside started."""


def beyond(link: Link) -> str | None:
    """Why the chain ends here; None when it may go on."""
    if link.depth >= MOST_DEEP:
        return f"It would be the run number {link.depth + 1} of a chain of plays that start each other."
    if link.starts >= MOST_A_DAY:
        return f"It started {link.starts} times on the account within a day."
    return None


async def link_of(
    session: AsyncSession, play: str, account_id: UUID, trigger: Mapping[str, Any], now: datetime
) -> Link:
    """Where a run that is started by this would stand. One statement; it reads as many runs as may start in a day."""
    cause = trigger.get("caused_by_run")
    found = await session.execute(
        text(
            "SELECT (SELECT depth + 1 FROM run WHERE id = CAST(:cause AS uuid)) AS depth, "
            "(SELECT count(DISTINCT occurrence) FROM (SELECT occurrence FROM run WHERE account_id = :account "
            "AND play = :play AND started_at > :since AND occurrence NOT LIKE 'hand:%') AS recent) AS starts"
        ),
        {"cause": cause, "account": account_id, "play": play, "since": now - DAY},
    )
    row = found.one()
    return Link(UUID(cause) if cause and row.depth is not None else None, row.depth or 0, row.starts)


async def tell(session: AsyncSession, play: str, account_id: UUID, why: str, link: Link, now: datetime) -> None:
    """Open an alert on the account, unless one is open already."""
    values = {"play": play, "why": why, "caused_by_run": str(link.caused_by) if link.caused_by else None}
    await raise_alert(session, account_id, ALERT, values, now=now)
