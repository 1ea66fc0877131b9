"""Merges by people: a bond between two accounts that holds until somebody takes it back.

A merge moves nothing by itself: it is one more fact for identity, which then decides anew. So undoing it restores both
sides exactly, and what arrived meanwhile falls to the side that its own keys name.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.accounts import mapping
from hub.accounts.mapping import Occasion
from hub.accounts.model import AssertionReason, Merge
from hub.accounts.places import own_place_id
from hub.accounts.resolving import LOCK, resolve
from hub.kit.db import lock
from hub.kit.errors import HubError, Invalid, NotFound
from hub.kit.ids import new_id

MAY_MERGE = (Role.CSM,)


async def merge(
    session: AsyncSession, viewer: Viewer, winner: UUID, loser: UUID, reason: str, now: datetime
) -> tuple[UUID, set[UUID]]:
    """Declare two accounts one; `winner` stands for both from now on.

    Returns the merge's id and the accounts that changed. Raises `NotFound`, and `Invalid` when they are one already.
    """
    viewer.require(*MAY_MERGE)
    await lock(session, LOCK)
    anchors = await _anchors(session, winner, loser, now)
    made = Merge(id=new_id(), winner_id=winner, loser_id=loser, reason=reason, actor=viewer.actor, merged_at=now)
    session.add(made)
    await session.flush()
    occasion = Occasion(now, viewer.actor, AssertionReason.MERGED, made.id)
    touched = await resolve(session, anchors, occasion)
    await _decide_suggestions(session, winner, loser, "merged", now)
    details = {"merge": str(made.id), "loser": str(loser), "reason": reason}
    await audit(session, viewer, "account.merged", f"account:{winner}", details, now=now)
    return made.id, touched | {winner, loser}


async def undo_merge(session: AsyncSession, viewer: Viewer, merge_id: UUID, now: datetime) -> set[UUID]:
    """Take a merge back: both accounts are again what their own keys make of them.

    Where keys that arrived since say that they are one, they stay one. Returns the accounts that changed. Raises
    `NotFound`, and `Invalid` when it was undone before.
    """
    viewer.require(*MAY_MERGE)
    await lock(session, LOCK)
    undone = await session.execute(
        text(
            "UPDATE merge SET undone_at = :now, undone_by = :actor WHERE id = :id AND undone_at IS NULL "
            "RETURNING winner_id, loser_id"
        ),
        {"id": merge_id, "now": now, "actor": viewer.actor},
    )
    row = undone.first()
    if row is None:
        raise await _why_not(session, merge_id)
    anchors = await session.execute(
        text("SELECT anchor FROM account WHERE id IN (:winner, :loser)"),
        {"winner": row.winner_id, "loser": row.loser_id},
    )
    occasion = Occasion(now, viewer.actor, AssertionReason.MERGE_UNDONE, merge_id)
    touched = await resolve(session, anchors.scalars().all(), occasion)
    await _decide_suggestions(session, row.winner_id, row.loser_id, "dismissed", now)
    details = {"merge": str(merge_id), "loser": str(row.loser_id)}
    await audit(session, viewer, "account.unmerged", f"account:{row.winner_id}", details, now=now)
    return touched | {row.winner_id, row.loser_id}


async def dismiss_suggestion(session: AsyncSession, viewer: Viewer, suggestion_id: UUID, now: datetime) -> None:
    """Say that two accounts are not one: they are not suggested again for that key. Raises `NotFound`."""
    viewer.require(*MAY_MERGE)
    dismissed = await session.execute(
        text(
            "UPDATE merge_suggestion SET decided_at = :now, decision = 'dismissed' "
            "WHERE id = :id AND decided_at IS NULL RETURNING account_id, other_id"
        ),
        {"id": suggestion_id, "now": now},
    )
    row = dismissed.first()
    if row is None:
        raise NotFound(f"There is no open merge suggestion {suggestion_id}.")
    details = {"suggestion": str(suggestion_id), "other": str(row.other_id)}
    await audit(session, viewer, "merge.dismissed", f"account:{row.account_id}", details, now=now)


async def _anchors(session: AsyncSession, winner: UUID, loser: UUID, now: datetime) -> list[UUID]:
    """The anchors of two accounts that may be merged; one that no vendor brought is anchored at its own place."""
    if winner == loser:
        raise Invalid("An account cannot be merged into itself.", path=("loser",))
    rows = await session.execute(
        text("SELECT id, name, merged_into, anchor FROM account WHERE id IN (:winner, :loser)"),
        {"winner": winner, "loser": loser},
    )
    accounts = {row.id: row for row in rows}
    for id_, path in ((winner, "winner"), (loser, "loser")):
        if id_ not in accounts:
            raise NotFound(f"There is no account {id_}.")
        if accounts[id_].merged_into is not None:
            raise Invalid(
                f"{accounts[id_].name} was merged into another account already.",
                remedy=f"Name the account {accounts[id_].merged_into} instead.",
                path=(path,),
            )
    await mapping.furnish(session, [winner, loser], now)
    for id_, row in accounts.items():
        if row.anchor is None:
            await session.execute(
                text("UPDATE account SET anchor = :place WHERE id = :id"), {"id": id_, "place": own_place_id(id_)}
            )
    return [row.anchor or own_place_id(id_) for id_, row in accounts.items()]


async def _why_not(session: AsyncSession, merge_id: UUID) -> HubError:
    if (await session.execute(text("SELECT 1 FROM merge WHERE id = :id"), {"id": merge_id})).first() is None:
        return NotFound(f"There is no merge {merge_id}.")
    return Invalid("This merge was undone before.")


async def _decide_suggestions(session: AsyncSession, one: UUID, other: UUID, decision: str, now: datetime) -> None:
    await session.execute(
        text(
            "UPDATE merge_suggestion SET decided_at = :now, decision = :decision "
            "WHERE (account_id, other_id) IN ((:one, :other), (:other, :one)) "
            "AND (decided_at IS NULL OR decision <> :decision)"
        ),
        {"one": one, "other": other, "decision": decision, "now": now},
    )
