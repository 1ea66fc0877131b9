"""Who of ours looks after an account, and who was known to at any moment.

Vendors tell it as an attribute of the account (`owner`), and a person may assign somebody. Both are entries of one list
that only grows, and the rule between them is that of families: **what a person says stands against all vendors, until
it is taken back**. A vendor tells the owner again with every other change of the account, so the newest word alone
would undo an assignment by accident. What vendors tell meanwhile is noted all the same, and counts once the assignment
is taken back. An assignment stays with its account: in a merge that of the survivor counts, and each has its own again
when the merge is undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.accounts.families import living
from hub.accounts.model import Account, AccountOwner
from hub.kit.errors import Invalid

LONGEST: Final = 200


async def assign(
    session: AsyncSession, viewer: Viewer, account_id: UUID, owner: str | None, now: datetime
) -> tuple[Account, bool]:
    """Say who looks after an account (None: whom its vendors name, again). Returns the account, and whether anything
    changed: the same again changes nothing.

    Raises `NotAllowed` (it takes a csm or an admin), `NotFound`, and `Invalid` for an owner that is blank or too long.
    """
    viewer.require(Role.CSM)
    named = None if owner is None else _checked(owner)
    account = await living(session, account_id)
    if (account.owner_by is None) if named is None else (account.owner_by is not None and account.owner == named):
        return account, False
    session.add(AccountOwner(account_id=account_id, owner=named, assigned_by=viewer.actor, recorded_at=now))
    account.owner, account.owner_by = (named, viewer.actor) if named else (await _told(session, account_id), None)
    await session.flush()
    await audit(session, viewer, "account.owner_assigned", f"account:{account_id}", {"owner": named}, now=now)
    return account, True


def _checked(owner: str) -> str:
    named = owner.strip()
    if not named or len(named) > LONGEST or "\0" in named:
        raise Invalid(f"An owner is named with 1 to {LONGEST} characters.", path=("owner",))
    return named


async def _told(session: AsyncSession, account_id: UUID) -> str | None:
    """Whom the vendors name."""
    found = await session.execute(
        text("SELECT owner FROM account_owner WHERE account_id = :id AND assigned_by IS NULL ORDER BY id DESC LIMIT 1"),
        {"id": account_id},
    )
    return found.scalar_one_or_none()


async def follow_sources(session: AsyncSession, told: Mapping[UUID, str | None], now: datetime) -> None:
    """Note whom the sources of each account name, where that is news; it is the owner where no person assigned another.
    One statement; only under the lock of `resolving`."""
    if not told:
        return
    await session.execute(
        text(
            "WITH told AS (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:owners AS text[])) AS t(id, owner)), "
            "noted AS (INSERT INTO account_owner (account_id, owner, recorded_at) "
            "SELECT t.id, t.owner, :now FROM told t LEFT JOIN LATERAL (SELECT h.owner FROM account_owner h "
            "WHERE h.account_id = t.id AND h.assigned_by IS NULL ORDER BY h.id DESC LIMIT 1) AS last ON true "
            "WHERE last.owner IS DISTINCT FROM t.owner ORDER BY t.id) "
            "UPDATE account a SET owner = t.owner FROM told t "
            "WHERE a.id = t.id AND a.owner_by IS NULL AND a.owner IS DISTINCT FROM t.owner"
        ),
        {"ids": list(told), "owners": list(told.values()), "now": now},
    )


OWNER_THEN: Final = """
LEFT JOIN LATERAL (SELECT h.owner FROM account_owner h WHERE h.account_id = a.id AND h.assigned_by IS NOT NULL
  AND h.recorded_at <= :known_at ORDER BY h.id DESC LIMIT 1) AS assigned ON true
LEFT JOIN LATERAL (SELECT h.owner FROM account_owner h WHERE h.account_id = a.id AND h.assigned_by IS NULL
  AND h.recorded_at <= :known_at ORDER BY h.id DESC LIMIT 1) AS told ON true
"""
"""Joins of a statement over `account a`: `coalesce(assigned.owner, told.owner)` is who owned it as known at
`:known_at`."""
