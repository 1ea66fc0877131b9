"""Accounts as they were known at a moment: which there were, and since when each was known to be a customer.

What `account` holds follows from its source accounts and changes with them. Which source accounts it had, since when
each of them was seen, and who owned the account are append-only lists, so a past moment can be asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.owners import OWNER_THEN


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account, who owns it, and when it was first seen."""

    id: UUID
    owner: str | None
    first_seen_at: datetime


_NOW: Final = (
    "SELECT id, owner, first_seen_at FROM account WHERE id = ANY(CAST(:ids AS uuid[])) AND merged_into IS NULL "
    "ORDER BY id"
)
_THEN: Final = f"""
WITH held AS (
  SELECT DISTINCT ON (h.source_account_id) h.source_account_id AS place, h.account_id FROM account_assertion h
  WHERE h.recorded_at <= :known_at AND h.source_account_id IN (
    SELECT a.source_account_id FROM account_assertion a WHERE a.account_id = ANY(CAST(:ids AS uuid[]))
    UNION SELECT a.anchor FROM account a WHERE a.id = ANY(CAST(:ids AS uuid[])))
  ORDER BY h.source_account_id, h.id DESC),
seen AS (
  SELECT held.account_id, min(f.first_seen_at) AS first_seen_at FROM held
  JOIN first_sighting f ON f.source_account_id = held.place AND f.recorded_at <= :known_at GROUP BY held.account_id)
SELECT a.id, coalesce(assigned.owner, told.owner) AS owner,
  coalesce(seen.first_seen_at, a.first_seen_at) AS first_seen_at FROM account a
LEFT JOIN seen ON seen.account_id = a.id LEFT JOIN held ON held.place = a.anchor {OWNER_THEN}
WHERE a.id = ANY(CAST(:ids AS uuid[]))
  AND CASE WHEN held.place IS NULL THEN a.merged_into IS NULL ELSE held.account_id = a.id END
ORDER BY a.id
"""


async def known_accounts(
    session: AsyncSession, account_ids: Sequence[UUID], known_at: datetime | None = None
) -> list[KnownAccount]:
    """The accounts that stood on their own at `known_at` (None: now), by id; one that lay in another by then, or does
    not exist, is left out. One statement."""
    parameters = {"ids": list(account_ids)} | ({} if known_at is None else {"known_at": known_at})
    rows = await session.execute(text(_NOW if known_at is None else _THEN), parameters)
    return [KnownAccount(row.id, row.owner, row.first_seen_at) for row in rows]
