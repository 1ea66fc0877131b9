"""Taking in what records showed of accounts and people: sources, keys, profiles, days.

What is known is read first, without a lock: most batches show nothing new, and then nothing is written and nobody
waits. Whatever writes here holds the lock of the resolution, so two workers can neither lose each other's attributes
nor wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import refreshing
from hub.accounts.people import resolve_people
from hub.accounts.profiles import Profile
from hub.accounts.resolving import LOCK
from hub.accounts.sightings import AssertedKey, Known, Seen, news
from hub.kit.db import lock


@dataclass(frozen=True, slots=True)
class Registered:
    """What a batch brought: source accounts whose keys are new, to be resolved, and accounts known otherwise anew."""

    unresolved: frozenset[UUID] = frozenset()
    changed: frozenset[UUID] = frozenset()


@dataclass(slots=True)
class _News:
    accounts: dict[UUID, Known] = field(default_factory=dict)
    people: dict[UUID, Known] = field(default_factory=dict)
    stays: dict[tuple[UUID, UUID], date] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.accounts or self.people or self.stays)


async def observe(session: AsyncSession, shown: Seen, now: datetime) -> Registered:
    """Take in what was seen; people are resolved at once, source accounts by the caller."""
    first = await _news(session, shown)
    if not first:
        return Registered()
    await lock(session, LOCK)
    # Look again at what was new: somebody else may have taken it in before the lock was ours. The known stays known.
    fresh = await _news(session, _only(shown, first))
    await _write(session, "source_account", fresh.accounts)
    await _note_first_sightings(session, fresh.accounts, now)
    await _assert_accounts(session, fresh.accounts, now)
    await _write(session, "source_person", fresh.people)
    await _assert_people(session, fresh.people, now)
    await _stay(session, fresh.stays)
    touched = await resolve_people(session, [id_ for id_, known in fresh.people.items() if known.unresolved], now)
    await _refresh_people(session, touched, fresh, now)
    return Registered(
        frozenset(id_ for id_, known in fresh.accounts.items() if known.unresolved),
        frozenset(await _refresh_accounts(session, fresh, now)),
    )


def _only(shown: Seen, first: _News) -> Seen:
    return Seen(
        {id_: shown.accounts[id_] for id_ in first.accounts},
        {id_: shown.people[id_] for id_ in first.people},
        {stay: shown.stays[stay] for stay in first.stays},
    )


async def _news(session: AsyncSession, shown: Seen) -> _News:
    stays = await _known_stays(session, {person for person, _ in shown.stays})
    return _News(
        news(await _known(session, "source_account", list(shown.accounts)), shown.accounts),
        news(await _known(session, "source_person", list(shown.people)), shown.people),
        {stay: day for stay, day in shown.stays.items() if stays.get(stay, date.min) < day},
    )


async def _known(session: AsyncSession, table: str, ids: Collection[UUID]) -> dict[UUID, Known]:
    if not ids:
        return {}
    rows = await session.execute(
        text(
            f"SELECT id, connection_id, place, first_seen_at, profile, profile_times FROM {table} "
            "WHERE id = ANY(CAST(:ids AS uuid[]))"
        ),
        {"ids": list(ids)},
    )
    found = {
        row.id: Known(row.connection_id, row.place, row.first_seen_at, profile=Profile(row.profile, row.profile_times))
        for row in rows.all()
    }
    for id_, key in await _known_keys(session, table, list(found)):
        found[id_].keys.add(key)
    return found


async def _known_keys(session: AsyncSession, table: str, ids: Collection[UUID]) -> list[tuple[UUID, AssertedKey]]:
    columns = (
        "source_account_id, kind, value, relation FROM account_key WHERE source_account_id"
        if table == "source_account"
        else "source_person_id, kind, value, 'is' FROM person_key WHERE source_person_id"
    )
    rows = await session.execute(text(f"SELECT {columns} = ANY(CAST(:ids AS uuid[]))"), {"ids": list(ids)})
    return [(id_, (kind, value, relation)) for id_, kind, value, relation in rows.all()]


async def _known_stays(session: AsyncSession, people: Collection[UUID]) -> dict[tuple[UUID, UUID], date]:
    if not people:
        return {}
    rows = await session.execute(
        text(
            "SELECT source_person_id, source_account_id, seen_on FROM person_place "
            "WHERE source_person_id = ANY(CAST(:people AS uuid[]))"
        ),
        {"people": list(people)},
    )
    return {(person, place): day for person, place, day in rows.all()}


async def _write(session: AsyncSession, table: str, fresh: dict[UUID, Known]) -> None:
    if not fresh:
        return
    await session.execute(
        text(
            f"INSERT INTO {table} (id, connection_id, place, first_seen_at, profile, profile_times, profile_at) "
            "SELECT id, connection_id, place, first, CAST(profile AS jsonb), CAST(times AS jsonb), profile_at "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:connections AS uuid[]), CAST(:places AS text[]), "
            "CAST(:firsts AS timestamptz[]), CAST(:profiles AS text[]), CAST(:times AS text[]), "
            "CAST(:ats AS timestamptz[])) AS n(id, connection_id, place, first, profile, times, profile_at) "
            "ORDER BY id ON CONFLICT (id) DO UPDATE "
            "SET first_seen_at = excluded.first_seen_at, profile = excluded.profile, "
            "profile_times = excluded.profile_times, profile_at = excluded.profile_at"
        ),
        {
            "ids": list(fresh),
            "connections": [known.connection_id for known in fresh.values()],
            "places": [known.place for known in fresh.values()],
            "firsts": [known.first_seen_at for known in fresh.values()],
            "profiles": [orjson.dumps(known.profile.attributes).decode() for known in fresh.values()],
            "times": [orjson.dumps(known.profile.times).decode() for known in fresh.values()],
            "ats": [known.profile.newest for known in fresh.values()],
        },
    )


async def _note_first_sightings(session: AsyncSession, fresh: dict[UUID, Known], now: datetime) -> None:
    """Write down since when each place is known to have been there, where that is news."""
    if not fresh:
        return
    await session.execute(
        text(
            "INSERT INTO first_sighting (source_account_id, first_seen_at, recorded_at) SELECT n.id, n.first, :now "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:firsts AS timestamptz[])) AS n(id, first) "
            "WHERE NOT EXISTS (SELECT FROM first_sighting f WHERE f.source_account_id = n.id "
            "AND f.first_seen_at <= n.first)"
        ),
        {"ids": list(fresh), "firsts": [known.first_seen_at for known in fresh.values()], "now": now},
    )


async def _assert_accounts(session: AsyncSession, fresh: dict[UUID, Known], now: datetime) -> None:
    rows = [(id_, *key) for id_, known in fresh.items() for key in known.keys]
    if not rows:
        return
    await session.execute(
        text(
            "INSERT INTO account_key (source_account_id, kind, value, relation, asserted_at) "
            "SELECT *, :now FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:values AS text[]), "
            "CAST(:relations AS text[])) ON CONFLICT DO NOTHING"
        ),
        {
            "ids": [row[0] for row in rows],
            "kinds": [row[1] for row in rows],
            "values": [row[2] for row in rows],
            "relations": [row[3] for row in rows],
            "now": now,
        },
    )


async def _assert_people(session: AsyncSession, fresh: dict[UUID, Known], now: datetime) -> None:
    rows = [
        (id_, kind, value) for id_, known in fresh.items() for kind, value, relation in known.keys if relation == "is"
    ]
    if not rows:
        return
    await session.execute(
        text(
            "INSERT INTO person_key (source_person_id, kind, value, asserted_at) SELECT *, :now "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:values AS text[])) ON CONFLICT DO NOTHING"
        ),
        {
            "ids": [row[0] for row in rows],
            "kinds": [row[1] for row in rows],
            "values": [row[2] for row in rows],
            "now": now,
        },
    )


async def _stay(session: AsyncSession, stays: dict[tuple[UUID, UUID], date]) -> None:
    if not stays:
        return
    await session.execute(
        text(
            "INSERT INTO person_place (source_person_id, source_account_id, seen_on) SELECT * "
            "FROM unnest(CAST(:people AS uuid[]), CAST(:places AS uuid[]), CAST(:days AS date[])) "
            "ON CONFLICT (source_person_id, source_account_id) DO UPDATE SET seen_on = excluded.seen_on"
        ),
        {
            "people": [person for person, _ in stays],
            "places": [place for _, place in stays],
            "days": list(stays.values()),
        },
    )


async def _refresh_people(session: AsyncSession, resolved: Collection[UUID], fresh: _News, now: datetime) -> None:
    """Bring those up to date who are told of anew, or were seen somewhere; the resolved ones are already."""
    seen_somewhere = {person for person, _ in fresh.stays} - fresh.people.keys()
    await refreshing.people(session, await _people_of(session, fresh.people.keys()) - set(resolved), now)
    await refreshing.homes(session, await _people_of(session, seen_somewhere) | set(resolved))


async def _people_of(session: AsyncSession, sources: Collection[UUID]) -> set[UUID]:
    if not sources:
        return set()
    rows = await session.execute(
        text(
            "SELECT DISTINCT person_id FROM source_person "
            "WHERE id = ANY(CAST(:ids AS uuid[])) AND person_id IS NOT NULL"
        ),
        {"ids": list(sources)},
    )
    return set(rows.scalars())


async def _refresh_accounts(session: AsyncSession, fresh: _News, now: datetime) -> set[UUID]:
    if not fresh.accounts:
        return set()
    rows = await session.execute(
        text(
            "SELECT DISTINCT account_id FROM source_account "
            "WHERE id = ANY(CAST(:ids AS uuid[])) AND account_id IS NOT NULL"
        ),
        {"ids": list(fresh.accounts)},
    )
    touched = set(rows.scalars())
    await refreshing.accounts(session, touched, now)
    return touched
