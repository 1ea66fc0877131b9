"""Families of accounts: which account belongs to which, e.g. a subsidiary to its holding.

An account has one parent at most. Vendors tell it by a key with the relation `below`; of several the one that was told
last stands, and an account takes its place as soon as both are known, whichever came first. What a person says stands
against all vendors.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.accounts.model import Account
from hub.kit.db import lock
from hub.kit.errors import Invalid, NotFound


async def set_parent(
    session: AsyncSession, viewer: Viewer, account_id: UUID, parent_id: UUID | None, now: datetime
) -> Account:
    """Say to which account an account belongs (None: to none). The parent that it has already changes nothing.

    Raises `NotAllowed` (it takes a csm or an admin), `NotFound`, and `Invalid` when the parent is the account itself or
    stands below it.
    """
    viewer.require(Role.CSM)
    await lock(session, "account families")  # two changes at once could close a circle that neither sees
    account = await living(session, account_id)
    if account.parent_id == parent_id and account.parent_by is not None:
        return account
    if parent_id is not None:
        await living(session, parent_id)
        if await _stands_below(session, parent_id, account_id):
            raise Invalid("An account cannot belong to itself, or to one below it.", path=("parent",))
    account.parent_id, account.parent_by = parent_id, viewer.actor
    await session.flush()
    details = {"parent_id": str(parent_id) if parent_id else None}
    await audit(session, viewer, "account.parent_set", f"account:{account_id}", details, now=now)
    return account


async def follow_sources(session: AsyncSession, account_ids: Collection[UUID]) -> None:
    """Give these accounts, and those that stand below them, the parents that their sources name; where no source names
    any there is none. One statement."""
    if not account_ids:
        return
    await session.execute(
        text(
            "WITH told AS (SELECT child.account_id AS child, i.source_account_id AS above, k.asserted_at "
            "FROM source_account child JOIN account_key k ON k.source_account_id = child.id AND k.relation = 'below' "
            "JOIN account_key i ON i.kind = k.kind AND i.value = k.value AND i.relation = 'is' "
            "WHERE child.account_id = ANY(CAST(:ids AS uuid[])) "
            "UNION ALL SELECT child.account_id, i.source_account_id, k.asserted_at FROM source_account mine "
            "JOIN account_key i ON i.source_account_id = mine.id AND i.relation = 'is' "
            "JOIN account_key k ON k.kind = i.kind AND k.value = i.value AND k.relation = 'below' "
            "JOIN source_account child ON child.id = k.source_account_id "
            "WHERE mine.account_id = ANY(CAST(:ids AS uuid[])) AND child.account_id IS NOT NULL), "
            "newest AS (SELECT DISTINCT ON (told.child) told.child, parent.account_id AS parent FROM told "
            "JOIN source_account parent ON parent.id = told.above WHERE parent.account_id <> told.child "
            "ORDER BY told.child, told.asserted_at DESC, parent.account_id) "
            "UPDATE account a SET parent_id = w.parent FROM (SELECT asked.id AS child, newest.parent "
            "FROM unnest(CAST(:ids AS uuid[])) AS asked(id) LEFT JOIN newest ON newest.child = asked.id "
            "UNION SELECT child, parent FROM newest) AS w "
            "WHERE a.id = w.child AND a.parent_by IS NULL AND a.parent_id IS DISTINCT FROM w.parent"
        ),
        {"ids": list(account_ids)},
    )


async def living(session: AsyncSession, account_id: UUID) -> Account:
    """The account, locked until the transaction ends. Raises `NotFound` when it was merged, or never was."""
    query = select(Account).where(Account.id == account_id, Account.merged_into.is_(None)).with_for_update()
    account = (await session.execute(query, execution_options={"populate_existing": True})).scalar_one_or_none()
    if account is None:
        raise NotFound("There is no such account, or it was merged into another.")
    return account


async def _stands_below(session: AsyncSession, account_id: UUID, other_id: UUID) -> bool:
    """Whether `other_id` is the account itself or stands above it; a merged account leads on to where it went."""
    found = await session.execute(
        text(
            "WITH RECURSIVE above AS (SELECT CAST(:id AS uuid) AS id UNION SELECT next.id FROM above "
            "JOIN account a ON a.id = above.id "
            "CROSS JOIN LATERAL unnest(ARRAY[a.parent_id, a.merged_into]) AS next(id) WHERE next.id IS NOT NULL) "
            "SELECT 1 FROM above WHERE id = :other"
        ),
        {"id": account_id, "other": other_id},
    )
    return found.first() is not None
