"""Families of accounts: which account belongs to which, e.g. a subsidiary to its holding.

An account has one parent at most, and is never above itself. It is what a person says; vendors disagree about it too
often to be believed.
"""

from __future__ import annotations

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
    account = await _living(session, account_id)
    if account.parent_id == parent_id:
        return account
    if parent_id is not None:
        await _living(session, parent_id)
        if await _stands_below(session, parent_id, account_id):
            raise Invalid("An account cannot belong to itself, or to one below it.", path=("parent",))
    account.parent_id = parent_id
    await session.flush()
    details = {"parent_id": str(parent_id) if parent_id else None}
    await audit(session, viewer, "account.parent_set", f"account:{account_id}", details, now=now)
    return account


async def _living(session: AsyncSession, account_id: UUID) -> Account:
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
