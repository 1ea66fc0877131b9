"""Things: what has a state, as the events about it tell.

A thing has no table. Its state at any moment is that of the newest event about it by then: by the vendor's time, then
by the version of the record, then by id, so that it is the same whatever order the events came in. At one and the same
time a deletion is the newest and a beginning (`….created`, `….started`) the oldest: an invoice over nothing is issued
and paid within a second.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing of an account, as it was after the newest event about it.

    `connection_id` is the vendor whose thing it is (None: the hub's own), `since` the time of that event.
    """

    account_id: UUID
    connection_id: UUID | None
    type: str
    id: str
    state: str | None
    attributes: dict[str, Any]
    since: datetime
    source_account_id: UUID
    event_id: UUID


async def things(
    session: AsyncSession,
    account_ids: Collection[UUID],
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    type: str | None = None,  # noqa: A002  # the word of the domain
) -> list[Thing]:
    """The things of these accounts, sorted by account, type and id; deleted ones are there with that state.

    `as_of` leaves out events after that time, `known_at` what was recorded, or corrected, after that. Without `as_of`
    events that lie in the future count as well.
    """
    rows = await session.execute(
        text(
            "SELECT DISTINCT ON (s.account_id, e.subject_type, e.subject_id, e.connection_id) "
            "s.account_id, e.connection_id, e.subject_type, e.subject_id, e.subject_state, e.attributes, "
            "e.occurred_at, e.source_account_id, e.id FROM source_account s "
            "JOIN event e ON e.source_account_id = s.id AND e.subject_type IS NOT NULL "
            "WHERE s.account_id = ANY(CAST(:accounts AS uuid[])) "
            "AND (CAST(:type AS text) IS NULL OR e.subject_type = :type) "
            "AND (CAST(:as_of AS timestamptz) IS NULL OR e.occurred_at <= :as_of) "
            "AND (CAST(:known_at AS timestamptz) IS NULL OR e.recorded_at <= :known_at) "
            "AND (e.retracted_at IS NULL OR e.retracted_at > CAST(:known_at AS timestamptz)) "
            "ORDER BY s.account_id, e.subject_type, e.subject_id, e.connection_id, e.occurred_at DESC, "
            "e.kind = 'thing.deleted' DESC, e.kind LIKE ANY ('{%.created,%.started}'), "
            'e.version COLLATE "C" DESC NULLS LAST, e.id DESC'
        ),
        {"accounts": list(account_ids), "type": type, "as_of": as_of, "known_at": known_at},
    )
    return [Thing(*row) for row in rows]
