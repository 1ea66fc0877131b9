"""What changed for owners, many at once: each sort of change is one statement, bounded for each owner.

An account is its owner's; an alert, a task and an entry of the watch list are those of whoever is named there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MOST: Final = 30
"""How many changes of one sort an owner is told; of more there is the number."""

SOON: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when an owner is told what changed."""

    owner: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """The changes of one sort, the newest or most urgent first, at most `MOST`, and how many there are."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0


SECTIONS: Final[dict[str, str]] = {
    "bands": (
        "SELECT w.nr, a.name AS account, s.as_of AS at, s.band, before.band AS previous "
        "FROM windows w JOIN account a ON a.owner = w.owner AND a.merged_into IS NULL "
        "CROSS JOIN LATERAL (SELECT * FROM score WHERE account_id = a.id AND as_of <= w.until "
        "ORDER BY as_of DESC, recorded_at DESC, id DESC LIMIT 1) AS s "
        "CROSS JOIN LATERAL (SELECT band FROM score WHERE account_id = a.id AND as_of <= w.since "
        "ORDER BY as_of DESC, recorded_at DESC, id DESC LIMIT 1) AS before "
        "WHERE s.as_of > w.since AND s.band <> before.band"
    ),
    "alerts": (
        "SELECT w.nr, a.name AS account, x.opened_at AS at, x.rule, x.severity "
        "FROM windows w JOIN alert x ON x.owner = w.owner AND x.status <> 'resolved' "
        "AND x.opened_at > w.since AND x.opened_at <= w.until AND coalesce(x.snoozed_until, w.until) <= w.until "
        "JOIN account a ON a.id = x.account_id"
    ),
    "resolved": (
        "SELECT w.nr, a.name AS account, x.resolved_at AS at, x.rule, x.severity "
        "FROM windows w JOIN alert x ON x.owner = w.owner AND x.status = 'resolved' "
        "AND x.resolved_at > w.since AND x.resolved_at <= w.until JOIN account a ON a.id = x.account_id"
    ),
    "watch": (
        "SELECT w.nr, a.name AS account, s.at, s.status, s.note "
        "FROM windows w JOIN watch x ON x.owner = w.owner JOIN watch_step s ON s.watch_id = x.id "
        "AND s.at > w.since AND s.at <= w.until JOIN account a ON a.id = x.account_id"
    ),
    "milestones": (
        "SELECT w.nr, a.name AS account, m.overdue_at AS at, m.milestone "
        "FROM windows w JOIN account a ON a.owner = w.owner AND a.merged_into IS NULL "
        "JOIN milestone_progress m ON m.account_id = a.id "
        "AND m.overdue_at > w.since AND m.overdue_at <= w.until AND m.reached_at IS NULL"
    ),
    "tasks": (
        "SELECT w.nr, a.name AS account, t.due_at AS at, t.title, t.due_at <= w.until AS overdue "
        "FROM windows w JOIN task t ON t.owner = w.owner AND t.status = 'open' "
        "AND t.due_at <= w.until + CAST(:soon AS interval) JOIN account a ON a.id = t.account_id"
    ),
}
"""What is told, in the order in which it is. Each gives the number of a window, an account's name, a moment, and what
happened."""

FIRST: Final = {"tasks": "at, account"}
"""What comes first: tasks that are due the longest; otherwise the newest."""


async def gather(session: AsyncSession, windows: Sequence[Window]) -> list[dict[str, Part]]:
    """What there is to tell in each window, by section; sections without anything are left out."""
    found: list[dict[str, Part]] = [{} for _ in windows]
    asked = {
        "owners": [window.owner for window in windows],
        "sinces": [window.since for window in windows],
        "untils": [window.until for window in windows],
    }
    for name, query in SECTIONS.items():
        order = FIRST.get(name, "at DESC, account")
        rows = await session.execute(
            text(
                "WITH windows AS (SELECT * FROM unnest(CAST(:owners AS text[]), CAST(:sinces AS timestamptz[]), "
                "CAST(:untils AS timestamptz[])) WITH ORDINALITY AS w(owner, since, until, nr)), "
                f"told AS ({query}), ranked AS (SELECT *, row_number() OVER (PARTITION BY nr ORDER BY {order}) "
                "AS nth, count(*) OVER (PARTITION BY nr) AS total FROM told) "
                "SELECT * FROM ranked WHERE nth <= :most ORDER BY nr, nth"
            ),
            {**asked, "most": MOST} | ({"soon": SOON} if ":soon" in query else {}),
        )
        for row in rows.mappings():
            line = {key: value for key, value in row.items() if key not in ("nr", "nth", "total")}
            found[row["nr"] - 1].setdefault(name, Part([], row["total"])).lines.append(line)
    return found
