"""What people do about the watch list: put an account on it, say how far saving it has come, who does it, what is next.

Every status is kept with who set it and what they said; everything is in the audit log.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.accounts.model import Account
from hub.health import store
from hub.health.model import Health, Watch, WatchStatus
from hub.health.steps import step, watch_entered, watch_left, watch_moved
from hub.health.watching import ENDS, hand_reason
from hub.journeys.section import CHURNED
from hub.journeys.telling import Told, tell
from hub.kit.db import lock
from hub.kit.errors import Conflict, Invalid, NotFound

LONGEST_TEXT: Final = 1_000
LONGEST_OWNER: Final = 200


async def watch_account(
    session: AsyncSession, viewer: Viewer, account_id: UUID, reason: str, now: datetime, owner: str | None = None
) -> Watch:
    """Put an account on the watch list; one that is on it has one reason more. The same reason again changes nothing.

    Without an owner it is the account's. Raises `NotAllowed` (it takes a csm or an admin), `NotFound`, and `Invalid`
    for an empty reason and an account that has churned.
    """
    viewer.require(Role.CSM)
    text = _text(reason, "reason")
    given = None if owner is None else _text(owner, "owner", LONGEST_OWNER)
    await lock(session, "watch", account_id)
    account = await _living(session, account_id)
    why = hand_reason(text, viewer.actor, now)
    query = select(Watch).where(Watch.account_id == account_id, Watch.ended_at.is_(None)).with_for_update()
    listed = (await session.execute(query)).scalar_one_or_none()
    if listed is not None:
        if any(known.get("text") == text for known in listed.reasons):
            return listed
        listed.reasons, listed.version = [*listed.reasons, why], listed.version + 1
        await _audit(session, viewer, listed, "watch.reason_added", {"reason": text}, now)
        return listed
    made = await _enter(session, account, given or account.owner, why, now)
    await store.keep_steps(session, [step(made.id, account_id, WatchStatus.AT_RISK, now, by=viewer.actor, note=text)])
    await _audit(session, viewer, made, "watch.entered", {"reason": text}, now)
    await tell(session, [watch_entered(made.id, account_id, [why], now)], now)
    return made


async def move_watch(
    session: AsyncSession,
    viewer: Viewer,
    watch_id: UUID,
    status: WatchStatus,
    now: datetime,
    note: str | None = None,
    expected_version: int | None = None,
) -> Watch:
    """Say how far saving an account has come; recovered and lost end the entry. The status it has changes nothing.

    Raises `NotAllowed` (it takes a csm or an admin), `NotFound`, `Conflict`, and `Invalid` for an entry that has ended.
    """
    said = None if note is None else _text(note, "note")
    entry = await _open_entry(session, viewer, watch_id, expected_version, moving_to=status)
    if entry.status == status:
        return entry
    entry.status, entry.status_since, entry.version = status, now, entry.version + 1
    if status in ENDS:
        entry.ended_at = now
    await store.keep_steps(session, [step(watch_id, entry.account_id, status, now, by=viewer.actor, note=said)])
    await _audit(session, viewer, entry, "watch.moved", {"status": status.value, "note": said}, now)
    fact: Told = (
        watch_left(watch_id, entry.account_id, status, viewer.actor, now)
        if status in ENDS
        else watch_moved(watch_id, entry.account_id, status, viewer.actor, entry.version, now)
    )
    await tell(session, [fact], now)
    return entry


async def assign_watch(
    session: AsyncSession,
    viewer: Viewer,
    watch_id: UUID,
    owner: str | None,
    now: datetime,
    expected_version: int | None = None,
) -> Watch:
    """Say who saves an account (None: nobody). Raises as `move_watch` does."""
    named = None if owner is None else _text(owner, "owner", LONGEST_OWNER)
    entry = await _open_entry(session, viewer, watch_id, expected_version)
    if entry.owner != named:
        entry.owner, entry.version = named, entry.version + 1
        await _audit(session, viewer, entry, "watch.assigned", {"owner": named}, now)
    return entry


async def plan_watch(
    session: AsyncSession,
    viewer: Viewer,
    watch_id: UUID,
    next_action: str | None,
    due: datetime | None,
    now: datetime,
    expected_version: int | None = None,
) -> Watch:
    """Say what is done next to save an account, and by when (None: nothing is planned). Raises as `move_watch` does,
    and `Invalid` for a moment without an action."""
    planned = None if next_action is None else _text(next_action, "nextAction")
    if planned is None and due is not None:
        raise Invalid("Say what is due then.", path=("nextAction",))
    entry = await _open_entry(session, viewer, watch_id, expected_version)
    if (entry.next_action, entry.next_action_due) != (planned, due):
        entry.next_action, entry.next_action_due, entry.version = planned, due, entry.version + 1
        details = {"next_action": planned, "due": due.isoformat() if due else None}
        await _audit(session, viewer, entry, "watch.planned", details, now)
    return entry


async def _living(session: AsyncSession, account_id: UUID) -> Account:
    query = select(Account).where(Account.id == account_id, Account.merged_into.is_(None))
    account = (await session.execute(query)).scalar_one_or_none()
    if account is None:
        raise NotFound("There is no such account, or it was merged into another.")
    return account


async def _enter(
    session: AsyncSession, account: Account, owner: str | None, why: dict[str, Any], now: datetime
) -> Watch:
    health = await session.get(Health, account.id)
    if health is not None and health.stage == CHURNED:
        raise Invalid("The account has churned: there is nothing left to save.", path=("account",))
    revenue = health.revenue_minor if health is not None else None
    currencies = await store.currencies(session, [account.id] if revenue is not None else [])
    made = Watch(
        account_id=account.id,
        status=WatchStatus.AT_RISK,
        reasons=[why],
        owner=owner,
        revenue_at_risk_minor=revenue,
        currency=currencies.get(account.id),
        entered_at=now,
        status_since=now,
        version=1,
    )
    session.add(made)
    await session.flush()
    return made


async def _open_entry(
    session: AsyncSession,
    viewer: Viewer,
    watch_id: UUID,
    expected_version: int | None,
    moving_to: WatchStatus | None = None,
) -> Watch:
    """The entry, locked, as somebody may change it; one that has ended already in the way asked for is no refusal."""
    viewer.require(Role.CSM)
    query = select(Watch).where(Watch.id == watch_id).with_for_update()
    entry = (await session.execute(query, execution_options={"populate_existing": True})).scalar_one_or_none()
    if entry is None:
        raise NotFound("There is no such entry of the watch list.")
    if expected_version is not None and entry.version != expected_version:
        raise Conflict(
            f"The entry has changed meanwhile: it has version {entry.version}, not {expected_version}.",
            remedy="Read it again, and decide anew.",
        )
    if entry.ended_at is not None and entry.status != moving_to:
        raise Invalid("The entry has ended.", remedy="Put the account on the watch list again.")
    return entry


async def _audit(
    session: AsyncSession, viewer: Viewer, entry: Watch, action: str, details: dict[str, Any], now: datetime
) -> None:
    await session.flush()
    details = {"watch_id": str(entry.id), **details}
    await audit(session, viewer, action, f"account:{entry.account_id}", details, now=now)


def _text(text: str, name: str, longest: int = LONGEST_TEXT) -> str:
    text = text.strip()
    if not text or len(text) > longest or "\x00" in text:
        raise Invalid(f"A text of 1 to {longest:,} characters is needed.", path=(name,))
    return text
