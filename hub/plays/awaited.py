"""Events that runs wait for: which of them came, now or in the past that a play is tried over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.db import driver_connection
from hub.measures.definitions import Selection
from hub.measures.fragments import Fragments, Question


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a run waits for: an event at its account, of its person if it has one, that happened from `since` until the
    wait is over."""

    run_id: UUID
    account_id: UUID
    person_id: UUID | None
    event: Selection
    since: datetime
    until: datetime


async def came(session: AsyncSession, awaited: Sequence[Awaited], now: datetime) -> dict[UUID, dict[str, Any]]:
    """The first event that each run waited for, as it is kept with the step, by the run; those for which none came are
    left out. One statement, none where nobody waits."""
    if not awaited:
        return {}
    kinds = {repr(one.event): one.event for one in awaited}
    places = {kind: nth for nth, kind in enumerate(kinds)}
    sql = Fragments(Question(None, now, None))
    which = [f"a.kind = {nth} AND {_is(sql, kinds[kind])}" for kind, nth in places.items()]
    columns = (
        sql.bind([one.run_id for one in awaited], "uuid[]"),
        sql.bind([one.account_id for one in awaited], "uuid[]"),
        sql.bind([one.person_id for one in awaited], "uuid[]"),
        sql.bind([places[repr(one.event)] for one in awaited], "int[]"),
        sql.bind([one.since for one in awaited], "timestamptz[]"),
        sql.bind([min(one.until, now) for one in awaited], "timestamptz[]"),
    )
    statement = (
        "SELECT a.run_id, a.since, f.* "
        f"FROM unnest({', '.join(columns)}) AS a(run_id, account_id, person_id, kind, since, until) "
        "CROSS JOIN LATERAL (SELECT e.id, e.kind AS event, e.occurred_at, e.title FROM source_account s "
        "JOIN event e ON e.source_account_id = s.id WHERE s.account_id = a.account_id "
        "AND e.occurred_at >= a.since AND e.occurred_at <= a.until AND e.retracted_at IS NULL "
        f"AND ({' OR '.join(which)}) AND (a.person_id IS NULL OR EXISTS (SELECT FROM source_person p "
        "WHERE p.id = ANY(e.people) AND p.person_id = a.person_id)) ORDER BY e.occurred_at, e.id LIMIT 1) AS f"
    )
    found = await (await driver_connection(session)).fetch(statement, *sql.parameters)
    return {row["run_id"]: _told(row) for row in found}


def _is(sql: Fragments, event: Selection) -> str:
    return f"e.kind = {sql.bind(event.event, 'text')} AND {sql.where(event.where)}"


def waits_for(event: Selection, since: datetime) -> dict[str, Any]:
    """What is kept with a step that waits for an event: one that happened before `since` is not meant."""
    return {"event": event.event, "since": since.isoformat(), "happened": False}


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "event": row["event"],
        "since": row["since"].isoformat(),
        "happened": True,
        "id": str(row["id"]),
        "title": row["title"],
        "occurred_at": row["occurred_at"].isoformat(),
    }


@dataclass(frozen=True, slots=True)
class Happened:
    """Events of the past that the steps of a play wait for, by account and in the order of time: when each happened,
    and who took part."""

    _found: Mapping[tuple[str, UUID], Sequence[tuple[datetime, frozenset[UUID]]]]

    def first(
        self, account_id: UUID, event: Selection, since: datetime, until: datetime, person_id: UUID | None
    ) -> datetime | None:
        """When the first one happened at the account, of this person if one is given."""
        times = self._found.get((repr(event), account_id), ())
        fits = (at for at, people in times if since <= at <= until and (person_id is None or person_id in people))
        return next(fits, None)


async def happened(
    session: AsyncSession, events: Sequence[Selection], ids: Sequence[UUID], since: datetime, until: datetime
) -> Happened:
    """What happened at these accounts in a time. One statement for each kind of event."""
    found: defaultdict[tuple[str, UUID], list[tuple[datetime, frozenset[UUID]]]] = defaultdict(list)
    for event in {repr(one): one for one in events}.values():
        sql = Fragments(Question(None, until, None))
        statement = (
            "SELECT s.account_id, e.occurred_at, ARRAY(SELECT p.person_id FROM source_person p "
            "WHERE p.id = ANY(e.people) AND p.person_id IS NOT NULL) AS people FROM source_account s "
            "JOIN event e ON e.source_account_id = s.id "
            f"WHERE s.account_id = ANY({sql.bind(list(ids), 'uuid[]')}) AND {_is(sql, event)} "
            f"AND e.occurred_at >= {sql.bind(since, 'timestamptz')} "
            f"AND e.occurred_at <= {sql.bind(until, 'timestamptz')} "
            "AND e.retracted_at IS NULL ORDER BY e.occurred_at, e.id"
        )
        for row in await (await driver_connection(session)).fetch(statement, *sql.parameters):
            found[repr(event), row["account_id"]].append((row["occurred_at"], frozenset(row["people"])))
    return Happened(found)
