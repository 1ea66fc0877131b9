"""Working out again what follows from the sources: what accounts and people are called, and where people belong.

Nothing here is remembered on its own: the columns repeat what the sources say, so an undone merge leaves no trace.
Only who owned an account, and which role a person had, is asked for long afterwards: each change is noted, with since
when it is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import families, owners
from hub.accounts.identity import founds
from hub.accounts.profiles import Profile, Source, account_facts, person_facts


async def accounts(session: AsyncSession, account_ids: Collection[UUID], now: datetime) -> None:
    """Names, domains, owners, facts and first days of these accounts, from the sources that are theirs."""
    if not account_ids:
        return
    sources = await _account_sources(session, account_ids)
    told = {account: account_facts(parts) for account, parts in sources.items()}
    await session.execute(
        text(
            "UPDATE account a SET name = n.name, domain = n.domain, time_zone = n.time_zone, "
            "facts = CAST(n.facts AS jsonb) FROM unnest(CAST(:ids AS uuid[]), CAST(:names AS text[]), "
            "CAST(:domains AS text[]), CAST(:zones AS text[]), CAST(:facts AS text[])) "
            "AS n(id, name, domain, time_zone, facts) WHERE a.id = n.id AND (a.name, a.domain, "
            "a.time_zone, a.facts) IS DISTINCT FROM (n.name, n.domain, n.time_zone, CAST(n.facts AS jsonb))"
        ),
        {
            "ids": list(told),
            "names": [facts.name for facts in told.values()],
            "domains": [facts.domain for facts in told.values()],
            "zones": [facts.time_zone for facts in told.values()],
            "facts": [orjson.dumps(facts.facts).decode() for facts in told.values()],
        },
    )
    await owners.follow_sources(session, {account: facts.owner for account, facts in told.items()}, now)
    await session.execute(
        text(
            "UPDATE account a SET first_seen_at = f.first FROM (SELECT account_id, min(first_seen_at) AS first "
            "FROM source_account WHERE account_id = ANY(CAST(:ids AS uuid[])) AND connection_id IS NOT NULL "
            "GROUP BY account_id) AS f WHERE a.id = f.account_id AND a.first_seen_at <> f.first"
        ),
        {"ids": list(account_ids)},
    )
    await families.follow_sources(session, account_ids)


async def _account_sources(session: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, list[Source]]:
    """The sources that speak for each account: those with a key that founds accounts, and beside them the account's
    own place, where the hub notes what it knows itself."""
    rows = await session.execute(
        text(
            "SELECT s.account_id, s.id, s.place, s.profile, s.profile_times, s.connection_id IS NULL AS own, "
            "array_remove(array_agg(k.kind), NULL) AS kinds, array_remove(array_agg(k.value), NULL) AS values "
            "FROM source_account s LEFT JOIN account_key k ON k.source_account_id = s.id AND k.relation = 'is' "
            "WHERE s.account_id = ANY(CAST(:ids AS uuid[])) GROUP BY s.id"
        ),
        {"ids": list(account_ids)},
    )
    found: dict[UUID, list[Source]] = defaultdict(list)
    own: dict[UUID, list[Source]] = defaultdict(list)
    for row in rows.all():
        keys = tuple(zip(row.kinds, row.values, strict=True))
        if row.own and row.profile:
            own[row.account_id].append(_source(row, keys))
        elif any(founds(key) for key in keys):
            found[row.account_id].append(_source(row, keys))
    return {account: sources + own[account] for account, sources in found.items()}


async def people(session: AsyncSession, person_ids: Collection[UUID], now: datetime) -> None:
    """Names, addresses, roles and first days of these people, and the accounts that they belong to."""
    if not person_ids:
        return
    rows = await session.execute(
        text(
            "SELECT s.person_id, s.id, s.place, s.profile, s.profile_times, s.first_seen_at, "
            "array_remove(array_agg(k.kind), NULL) AS kinds, array_remove(array_agg(k.value), NULL) AS values "
            "FROM source_person s LEFT JOIN person_key k ON k.source_person_id = s.id "
            "WHERE s.person_id = ANY(CAST(:ids AS uuid[])) GROUP BY s.id"
        ),
        {"ids": list(person_ids)},
    )
    sources: dict[UUID, list[Source]] = defaultdict(list)
    first: dict[UUID, Any] = {}
    for row in rows.all():
        sources[row.person_id].append(_source(row, tuple(zip(row.kinds, row.values, strict=True))))
        first[row.person_id] = min(first.get(row.person_id, row.first_seen_at), row.first_seen_at)
    told = {person: person_facts(parts) for person, parts in sources.items()}
    await session.execute(
        text(
            "UPDATE person p SET name = n.name, email = n.email, role = n.role, title = n.title, "
            "time_zone = n.time_zone, first_seen_at = n.first FROM unnest(CAST(:ids AS uuid[]), "
            "CAST(:names AS text[]), CAST(:emails AS text[]), CAST(:roles AS text[]), CAST(:titles AS text[]), "
            "CAST(:zones AS text[]), CAST(:firsts AS timestamptz[])) "
            "AS n(id, name, email, role, title, time_zone, first) WHERE p.id = n.id AND "
            "(p.name, p.email, p.role, p.title, p.time_zone, p.first_seen_at) "
            "IS DISTINCT FROM (n.name, n.email, n.role, n.title, n.time_zone, n.first)"
        ),
        {
            "ids": list(told),
            "names": [facts.name for facts in told.values()],
            "emails": [facts.email for facts in told.values()],
            "roles": [facts.role for facts in told.values()],
            "titles": [facts.title for facts in told.values()],
            "zones": [facts.time_zone for facts in told.values()],
            "firsts": [first[person] for person in told],
        },
    )
    await _note_roles(session, {person: facts.role for person, facts in told.items()}, now)
    await homes(session, person_ids)


async def _note_roles(session: AsyncSession, roles: Mapping[UUID, str | None], now: datetime) -> None:
    """Write down since when each person is known to have their role, where that is news."""
    await session.execute(
        text(
            "INSERT INTO person_role (person_id, role, recorded_at) SELECT n.id, n.role, :now "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:roles AS text[])) AS n(id, role) LEFT JOIN LATERAL ("
            "SELECT h.role FROM person_role h WHERE h.person_id = n.id ORDER BY h.id DESC LIMIT 1) AS last ON true "
            "WHERE last.role IS DISTINCT FROM n.role ORDER BY n.id"
        ),
        {"ids": list(roles), "roles": list(roles.values()), "now": now},
    )


async def homes(session: AsyncSession, person_ids: Collection[UUID]) -> None:
    """Have each person belong to the account where they were seen last; places that wait for theirs do not count."""
    if not person_ids:
        return
    await session.execute(
        text(
            "UPDATE person p SET account_id = h.account_id FROM (SELECT asked.id, last.account_id "
            "FROM unnest(CAST(:ids AS uuid[])) AS asked(id) LEFT JOIN LATERAL (SELECT a.account_id "
            "FROM source_person s JOIN person_place pp ON pp.source_person_id = s.id "
            "JOIN source_account a ON a.id = pp.source_account_id "
            "WHERE s.person_id = asked.id AND a.account_id IS NOT NULL "
            "ORDER BY pp.seen_on DESC, pp.source_account_id LIMIT 1) AS last ON true) AS h "
            "WHERE p.id = h.id AND p.account_id IS DISTINCT FROM h.account_id"
        ),
        {"ids": list(person_ids)},
    )


async def people_at(session: AsyncSession, source_account_ids: Collection[UUID]) -> None:
    """Work out again where the people belong who were seen at these places."""
    if not source_account_ids:
        return
    rows = await session.execute(
        text(
            "SELECT DISTINCT s.person_id FROM person_place pp JOIN source_person s ON s.id = pp.source_person_id "
            "WHERE pp.source_account_id = ANY(CAST(:places AS uuid[])) AND s.person_id IS NOT NULL"
        ),
        {"places": list(source_account_ids)},
    )
    await homes(session, rows.scalars().all())


def _source(row: Any, keys: tuple[tuple[str, str], ...]) -> Source:
    return Source(row.id, row.place, keys, Profile(row.profile, row.profile_times))
