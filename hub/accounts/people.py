"""Which source persons are one person: components over the keys that they share.

A person is made for one source person, their anchor, and lives where that one belongs, like an account. Who a source
person is held to be is an append-only list of assertions, so that it can be asked who was counted on any day.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import refreshing
from hub.accounts.identity import names_person, same_people
from hub.accounts.neighbours import PEOPLE, around
from hub.kit.ids import new_id


async def resolve_people(session: AsyncSession, sources: Collection[UUID], now: datetime) -> set[UUID]:
    """Decide anew which people these source persons are. Returns the people who gained or lost something.

    Only under the lock of `resolving`.
    """
    if not sources:
        return set()
    near = await around(session, PEOPLE, sources, joins=names_person)
    groups = same_people(near.claims, near.crowded)
    alone = near.sources - {claim.source for claim in near.claims}
    groups += [frozenset({source}) for source in sorted(alone)]
    rows = await session.execute(
        text(
            "SELECT s.id AS source, s.person_id, p.id FROM source_person s "
            "LEFT JOIN person p ON p.anchor = s.id WHERE s.id = ANY(CAST(:sources AS uuid[]))"
        ),
        {"sources": [source for group in groups for source in group]},
    )
    before, anchored = {}, {}
    for row in rows.all():
        before[row.source] = row.person_id
        if row.id is not None:
            anchored[row.source] = row.id
    founding: dict[UUID, UUID] = {}
    after: dict[UUID, UUID] = {}
    merged: dict[UUID, UUID | None] = {}
    for group in groups:
        # A person's id is a UUIDv7, so the smallest is the oldest.
        known = sorted(anchored[source] for source in group if source in anchored)
        person = known[0] if known else new_id()
        if not known:
            founding[person] = min(group)
        merged.update({one: person if one != person else None for one in known})
        after.update(dict.fromkeys(group, person))
    await _found(session, founding, now)
    return await _write(session, before, after, merged, now)


async def _found(session: AsyncSession, anchors: dict[UUID, UUID], now: datetime) -> None:
    if not anchors:
        return
    await session.execute(
        text(
            "INSERT INTO person (id, anchor, do_not_contact, first_seen_at) SELECT id, anchor, false, :now "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:anchors AS uuid[])) AS p(id, anchor)"
        ),
        {"ids": list(anchors), "anchors": list(anchors.values()), "now": now},
    )


async def _write(
    session: AsyncSession,
    before: dict[UUID, UUID | None],
    after: dict[UUID, UUID],
    merged: dict[UUID, UUID | None],
    now: datetime,
) -> set[UUID]:
    moved = {source: person for source, person in after.items() if before[source] != person}
    await session.execute(
        text(
            "UPDATE source_person s SET person_id = m.person_id "
            "FROM unnest(CAST(:sources AS uuid[]), CAST(:people AS uuid[])) AS m(id, person_id) WHERE s.id = m.id"
        ),
        {"sources": list(moved), "people": list(moved.values())},
    )
    await session.execute(
        text(
            "INSERT INTO person_assertion (source_person_id, person_id, recorded_at) SELECT *, :now "
            "FROM unnest(CAST(:sources AS uuid[]), CAST(:people AS uuid[]))"
        ),
        {"sources": list(moved), "people": list(moved.values()), "now": now},
    )
    await session.execute(
        text(
            "UPDATE person p SET merged_into = m.target FROM unnest(CAST(:ids AS uuid[]), CAST(:into AS uuid[])) "
            "AS m(id, target) WHERE p.id = m.id AND p.merged_into IS DISTINCT FROM m.target"
        ),
        {"ids": list(merged), "into": list(merged.values())},
    )
    touched = {person for source in moved for person in (before[source], moved[source]) if person is not None}
    await refreshing.people(session, touched, now)
    return touched
