"""Work lists: what has to be done, kept in SQL, so that losing Redis loses no work.

An entry is (list, key). Marking the same key again coalesces: a thousand events on one account are one entry. A job
claims a batch under a lease, does the work, and finishes the entries; an entry that was marked again meanwhile keeps
its place (its `generation` has moved on). A lease that ran out, because a worker died, is claimed again.

What arrives in bulk may be marked as settling (`mark_and_settle`): the entry becomes due only when no such mark has
come for a while, so that nothing is decided on half of a history that is still arriving. It never waits longer
than `LONGEST_SETTLING`.

Cost: marking n keys is one statement; claiming reads an index on (list, due_at), so what is not due costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base

LONGEST_SETTLING = timedelta(minutes=10)


class WorkItem(Base):
    """One entry of a work list."""

    __tablename__ = "work_item"

    list: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    generation: Mapped[int]
    attempts: Mapped[int]
    leased_until: Mapped[datetime | None]
    last_error: Mapped[str | None]
    settling_since: Mapped[datetime | None]

    __table_args__ = (Index(None, "list", "due_at"),)


@dataclass(frozen=True, slots=True)
class Claim:
    """An entry taken for a while; `attempts` counts this one."""

    list: str
    key: str
    generation: int
    attempts: int


async def mark(session: AsyncSession, list_name: str, keys: Iterable[str], *, due_at: datetime) -> None:
    """Put keys on a list. A key already there becomes due at the earlier of the two times; one that settles goes on."""
    unique = sorted(set(keys))
    if not unique:
        return
    await session.execute(
        text(
            "INSERT INTO work_item (list, key, due_at, generation, attempts) "
            "SELECT :list, key, :due_at, 1, 0 FROM unnest(CAST(:keys AS text[])) AS key "
            "ON CONFLICT (list, key) DO UPDATE SET generation = work_item.generation + 1, "
            "due_at = CASE WHEN work_item.settling_since IS NULL THEN LEAST(work_item.due_at, excluded.due_at) "
            "ELSE work_item.due_at END"
        ),
        {"list": list_name, "keys": unique, "due_at": due_at},
    )
    nudge(session, list_name)


async def mark_selected(
    session: AsyncSession, list_name: str, query: str, parameters: Mapping[str, Any], *, due_at: datetime
) -> int:
    """Put the keys on a list that a query gives as `key` (it may name `:list`); otherwise as `mark`. Returns how many
    there are. One statement."""
    marked = await session.execute(
        text(
            f"INSERT INTO work_item (list, key, due_at, generation, attempts) SELECT :list, key, :due_at, 1, 0 "
            f'FROM ({query}) AS selected ORDER BY key COLLATE "C" '
            "ON CONFLICT (list, key) DO UPDATE SET generation = work_item.generation + 1, "
            "due_at = CASE WHEN work_item.settling_since IS NULL THEN LEAST(work_item.due_at, excluded.due_at) "
            "ELSE work_item.due_at END RETURNING 1"
        ),
        {"list": list_name, "due_at": due_at, **parameters},
    )
    nudge(session, list_name)
    return len(marked.all())


async def mark_each(session: AsyncSession, list_name: str, due_at: Mapping[str, datetime]) -> None:
    """Put keys on a list, each due at its own time; otherwise as `mark`."""
    if not due_at:
        return
    ordered = sorted(due_at)
    await session.execute(
        text(
            "INSERT INTO work_item (list, key, due_at, generation, attempts) SELECT :list, key, at, 1, 0 "
            "FROM unnest(CAST(:keys AS text[]), CAST(:moments AS timestamptz[])) AS k(key, at) "
            "ON CONFLICT (list, key) DO UPDATE SET generation = work_item.generation + 1, "
            "due_at = CASE WHEN work_item.settling_since IS NULL THEN LEAST(work_item.due_at, excluded.due_at) "
            "ELSE work_item.due_at END"
        ),
        {"list": list_name, "keys": ordered, "moments": [due_at[key] for key in ordered]},
    )


async def mark_and_settle(
    session: AsyncSession,
    list_name: str,
    *,
    marked: Iterable[str],
    settling: Iterable[str],
    now: datetime,
    quiet: timedelta,
) -> None:
    """Mark some keys as due now and settle others, in one statement sorted by key.

    What settles is due when it has not been settled again for `quiet`; an entry that is due before stays so.
    Two statements would take locks in two passes, and two transactions that do so can wait for each other in a circle.
    """
    due = dict.fromkeys(settling, True) | dict.fromkeys(marked, False)
    if not due:
        return
    ordered = sorted(due)
    await session.execute(
        text(
            "INSERT INTO work_item (list, key, due_at, generation, attempts, settling_since) "
            "SELECT :list, key, CASE WHEN settles THEN CAST(:until AS timestamptz) ELSE CAST(:now AS timestamptz) END, "
            "1, 0, CASE WHEN settles THEN CAST(:now AS timestamptz) END "
            "FROM unnest(CAST(:keys AS text[]), CAST(:settles AS boolean[])) AS k(key, settles) "
            "ON CONFLICT (list, key) DO UPDATE SET generation = work_item.generation + 1, due_at = CASE "
            "WHEN work_item.settling_since IS NULL THEN LEAST(work_item.due_at, excluded.due_at) "
            "WHEN excluded.settling_since IS NULL THEN work_item.due_at "
            "ELSE LEAST(excluded.due_at, work_item.settling_since + :longest) END, "
            "settling_since = CASE WHEN excluded.settling_since IS NULL THEN work_item.settling_since "
            "WHEN work_item.settling_since IS NULL AND work_item.due_at <= excluded.due_at THEN NULL "
            "ELSE coalesce(work_item.settling_since, excluded.settling_since) END"
        ),
        {
            "list": list_name,
            "keys": ordered,
            "settles": [due[key] for key in ordered],
            "until": now + quiet,
            "now": now,
            "longest": LONGEST_SETTLING,
        },
    )
    if not all(due.values()):
        nudge(session, list_name)


async def stop_settling(session: AsyncSession, list_name: str, *, now: datetime) -> None:
    """Make everything on a list that settles due now, because somebody knows that no more is coming."""
    await session.execute(
        text(
            "UPDATE work_item SET due_at = :now, settling_since = NULL "
            "WHERE list = :list AND settling_since IS NOT NULL"
        ),
        {"list": list_name, "now": now},
    )
    nudge(session, list_name)


def nudge(session: AsyncSession, list_name: str) -> None:
    """Remember to wake the list's worker when this transaction has committed (see `Kit.transaction`)."""
    session.info.setdefault("nudged", set()).add(list_name)


async def claim(
    session: AsyncSession, list_name: str, *, limit: int, now: datetime, lease: timedelta, still_arriving: bool = False
) -> list[Claim]:
    """Take up to `limit` due entries that nobody else holds, the longest due first.

    `still_arriving` says that more of what settles is known to be on its way: such entries are left where they are,
    unless they have settled for too long already.
    """
    result = await session.execute(
        text(
            "WITH due AS (SELECT list, key FROM work_item WHERE list = :list AND due_at <= :now "
            "AND (leased_until IS NULL OR leased_until < :now) "
            "AND (settling_since IS NULL OR NOT :still_arriving OR settling_since <= :longest_ago) "
            "ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED) "
            "UPDATE work_item SET leased_until = :until, attempts = attempts + 1 FROM due "
            "WHERE work_item.list = due.list AND work_item.key = due.key "
            "RETURNING work_item.list, work_item.key, work_item.generation, work_item.attempts"
        ),
        {
            "list": list_name,
            "now": now,
            "until": now + lease,
            "limit": limit,
            "still_arriving": still_arriving,
            "longest_ago": now - LONGEST_SETTLING,
        },
    )
    return [Claim(*row) for row in result]


async def finish(session: AsyncSession, claims: Sequence[Claim]) -> None:
    """Take done entries off their lists; those marked again since the claim stay, free to be claimed."""
    if not claims:
        return
    parameters = {
        "lists": [claim.list for claim in claims],
        "keys": [claim.key for claim in claims],
        "generations": [claim.generation for claim in claims],
    }
    done = "unnest(CAST(:lists AS text[]), CAST(:keys AS text[]), CAST(:generations AS bigint[])) AS d(list, key, gen)"
    # In the order in which marks take them: a DELETE alone locks as it comes, and could wait in a circle with a mark.
    await session.execute(
        text(
            f"SELECT 1 FROM work_item w JOIN {done} ON w.list = d.list AND w.key = d.key "
            'ORDER BY w.list COLLATE "C", w.key COLLATE "C" FOR UPDATE OF w'
        ),
        parameters,
    )
    await session.execute(
        text(f"DELETE FROM work_item w USING {done} WHERE w.list = d.list AND w.key = d.key AND w.generation = d.gen"),
        parameters,
    )
    remaining = await session.execute(
        text(
            f"UPDATE work_item w SET leased_until = NULL, attempts = 0, last_error = NULL FROM {done} "
            "WHERE w.list = d.list AND w.key = d.key RETURNING w.list"
        ),
        parameters,
    )
    for (list_name,) in remaining.all():
        nudge(session, list_name)


async def postpone(session: AsyncSession, claimed: Claim, *, until: datetime, error: str | None = None) -> None:
    """Give an entry back, to be tried again at `until`; `error` stays readable on it.

    An entry that was marked again since the claim stays due: what the mark asked for is not put off.
    """
    await postpone_each(session, {claimed: (until, error)})


async def postpone_each(session: AsyncSession, claimed: Mapping[Claim, tuple[datetime, str | None]]) -> None:
    """The same for many entries, each with its own time and error, in one statement."""
    if not claimed:
        return
    # In the order in which marks take them, so that the two never wait for each other in a circle.
    ordered = sorted(claimed, key=lambda claim: (claim.list, claim.key))
    await session.execute(
        text(
            "WITH given AS (SELECT w.list, w.key, g.gen, g.until, g.error FROM work_item w JOIN "
            "unnest(CAST(:lists AS text[]), CAST(:keys AS text[]), CAST(:generations AS bigint[]), "
            "CAST(:untils AS timestamptz[]), CAST(:errors AS text[])) AS g(list, key, gen, until, error) "
            "ON w.list = g.list AND w.key = g.key "
            'ORDER BY w.list COLLATE "C", w.key COLLATE "C" FOR UPDATE OF w) '
            "UPDATE work_item w SET leased_until = NULL, last_error = given.error, "
            "due_at = CASE WHEN w.generation = given.gen THEN given.until ELSE w.due_at END "
            "FROM given WHERE w.list = given.list AND w.key = given.key"
        ),
        {
            "lists": [claim.list for claim in ordered],
            "keys": [claim.key for claim in ordered],
            "generations": [claim.generation for claim in ordered],
            "untils": [claimed[claim][0] for claim in ordered],
            "errors": [claimed[claim][1] for claim in ordered],
        },
    )


async def renew(session: AsyncSession, claims: Sequence[Claim], *, until: datetime) -> None:
    """Hold claims for longer: for work that waits for somebody else, under a lease that is short in case we die."""
    if not claims:
        return
    await session.execute(
        text(
            "UPDATE work_item w SET leased_until = :until FROM "
            "unnest(CAST(:lists AS text[]), CAST(:keys AS text[]), CAST(:attempts AS bigint[])) "
            "AS c(list, key, attempts) "
            "WHERE w.list = c.list AND w.key = c.key AND w.attempts = c.attempts AND w.leased_until IS NOT NULL"
        ),
        {
            "until": until,
            "lists": [claim.list for claim in claims],
            "keys": [claim.key for claim in claims],
            "attempts": [claim.attempts for claim in claims],
        },
    )


async def depth(session: AsyncSession) -> dict[str, int]:
    """How many entries each list holds, due or not (for `/metrics` and `hub doctor`)."""
    result = await session.execute(text("SELECT list, count(*) FROM work_item GROUP BY list ORDER BY list"))
    return {row[0]: row[1] for row in result}
