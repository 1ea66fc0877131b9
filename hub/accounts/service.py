"""Accounts and people: what vendors show is registered, resolved to accounts, merged by people, and found again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts import mapping, merging, owners, resolving
from hub.accounts.erasing import (
    TO_ERASE,
    Traces,
    bury,
    close,
    erase_by_request,
    erasures,
    find_person,
    how_far,
    move_on,
    request_erasure,
)
from hub.accounts.families import set_parent
from hub.accounts.identity import named
from hub.accounts.mapping import Occasion
from hub.accounts.merging import dismiss_suggestion
from hub.accounts.model import Account, MergeSuggestion
from hub.accounts.places import own_place_id, source_account_id, source_person_id
from hub.accounts.profiles import told
from hub.accounts.registering import Registered, observe
from hub.accounts.sightings import Known, Seen, Sighting, sighting
from hub.accounts.tombstones import withhold
from hub.kit import work
from hub.kit.db import lock
from hub.kit.errors import Invalid, NotFound
from hub.sdk.events import Account as ToldAccount
from hub.sdk.events import Person as ToldPerson

__all__ = [
    "TO_ERASE",
    "TO_SCORE",
    "Registered",
    "Seen",
    "Sighting",
    "Traces",
    "Waiting",
    "account_ids",
    "accounts_at",
    "assign_owner",
    "bury",
    "close",
    "dismiss_suggestion",
    "erase_by_request",
    "erasures",
    "find",
    "find_person",
    "holding",
    "how_far",
    "how_many",
    "mark_all_changed",
    "mark_changed",
    "mark_heard_of",
    "mark_later",
    "merge",
    "move_on",
    "note",
    "observe",
    "own_place",
    "own_place_id",
    "register",
    "request_erasure",
    "resolve",
    "set_parent",
    "sighting",
    "source_account_id",
    "source_person_id",
    "suggestions",
    "undo_merge",
    "withhold",
]

TO_SCORE = "accounts_to_score"
"""The work list of accounts whose score may have changed."""

QUIET = timedelta(seconds=5)
"""How long an account's history has to have been quiet before it is scored."""

MOST_OFFERED = 5
MARKED_AT_ONCE = 10_000


async def register(
    session: AsyncSession,
    connection_id: UUID,
    accounts: Iterable[ToldAccount],
    people: Iterable[tuple[ToldPerson, str]],
    now: datetime,
) -> Registered:
    """Take in accounts, and people with the place of the account where they are, as known now.

    What was seen at a time of its own comes by `observe`. Raises `ValueError` for what cannot be stored.
    """
    told = {account.place: account for account in accounts}
    at_place: dict[str, list[ToldPerson]] = {place: [] for place in told}
    for person, place in people:
        told.setdefault(place, ToldAccount(place, ()))
        at_place.setdefault(place, []).append(person)
    seen = Seen()
    for place, account in told.items():
        seen.add(sighting(connection_id, account, at_place[place], now))
    return await observe(session, seen, now)


async def note(session: AsyncSession, account_id: UUID, attributes: Mapping[str, Any], now: datetime) -> None:
    """Note facts about an account that the hub, or somebody in it, knows: they lie at its own place, and count since
    now as a vendor's would. Raises `ValueError` for what JSON does not know."""
    places = await own_place(session, [account_id], now)
    known = Known(None, f"hub:{account_id}", now, profile=told(attributes, now), unresolved=False)
    seen = Seen({places[account_id]: known})
    registered = await observe(session, seen, now)
    await mark_changed(session, registered.changed, now)


async def resolve(session: AsyncSession, source_account_ids: Collection[UUID], now: datetime) -> set[UUID]:
    """Decide to which accounts these source accounts belong, and carry it out.

    Returns the accounts that gained or lost something. Nothing is done, and nobody waits, when none is given.
    """
    if not source_account_ids:
        return set()
    return await resolving.resolve(session, source_account_ids, Occasion(now))


async def accounts_at(session: AsyncSession, source_account_ids: Collection[UUID]) -> set[UUID]:
    """The accounts that these source accounts belong to; those that wait belong to none."""
    rows = await session.execute(
        text(
            "SELECT DISTINCT account_id FROM source_account "
            "WHERE id = ANY(CAST(:ids AS uuid[])) AND account_id IS NOT NULL"
        ),
        {"ids": list(source_account_ids)},
    )
    return set(rows.scalars())


async def own_place(session: AsyncSession, account_ids: Collection[UUID], now: datetime) -> dict[UUID, UUID]:
    """The source account of each account at which the hub's own facts about it lie."""
    places = {account: own_place_id(account) for account in account_ids}
    rows = await session.execute(
        text("SELECT id FROM source_account WHERE id = ANY(CAST(:places AS uuid[]))"),
        {"places": list(places.values())},
    )
    there = set(rows.scalars())
    if missing := [account for account, place in places.items() if place not in there]:
        await mapping.furnish(session, missing, now)
    return places


async def mark_changed(session: AsyncSession, account_ids: Iterable[UUID], now: datetime) -> None:
    """Have these accounts scored at once."""
    await work.mark(session, TO_SCORE, (str(account) for account in account_ids), due_at=now)


async def mark_later(session: AsyncSession, due_at: Mapping[UUID, datetime]) -> None:
    """Have accounts scored each at its own moment, when time alone will have changed something."""
    await work.mark_each(session, TO_SCORE, {str(account): moment for account, moment in due_at.items()})


async def mark_all_changed(session: AsyncSession, now: datetime) -> int:
    """Have every account scored at once: what is made of the facts has changed, not the facts. Returns how many there
    are. One statement."""
    everybody = "SELECT id::text AS key FROM account WHERE merged_into IS NULL"
    return await work.mark_selected(session, TO_SCORE, everybody, {}, due_at=now)


async def account_ids(session: AsyncSession, *, after: UUID, limit: int) -> list[UUID]:
    """Ids of accounts in their order, from behind `after` on; merged ones are left out."""
    found = await session.execute(
        select(Account.id).where(Account.merged_into.is_(None), Account.id > after).order_by(Account.id).limit(limit)
    )
    return list(found.scalars())


async def how_many(session: AsyncSession) -> int:
    """How many accounts there are, merged ones left out."""
    counted = await session.execute(select(func.count()).select_from(Account).where(Account.merged_into.is_(None)))
    return counted.scalar_one()


async def mark_heard_of(session: AsyncSession, *, news: Iterable[UUID], history: Iterable[UUID], now: datetime) -> None:
    """Have accounts with news scored at once, those with history when no more of it has come for a few seconds.

    Half of a history looks like a decline, and would open alerts and start plays that nobody should see.
    """
    await work.mark_and_settle(
        session,
        TO_SCORE,
        marked=(str(account) for account in news),
        settling=(str(account) for account in history),
        now=now,
        quiet=QUIET,
    )


async def merge(session: AsyncSession, viewer: Viewer, winner: UUID, loser: UUID, reason: str, now: datetime) -> UUID:
    """Declare two accounts one; `winner` stands for both until the merge is undone. Returns the merge's id.

    Raises `NotFound`, `NotAllowed`, and `Invalid` when one of them was merged already.
    """
    merge_id, touched = await merging.merge(session, viewer, winner, loser, reason, now)
    await mark_changed(session, touched, now)
    return merge_id


async def undo_merge(session: AsyncSession, viewer: Viewer, merge_id: UUID, now: datetime) -> None:
    """Take a merge back; both sides are restored exactly. Raises `NotFound`, `NotAllowed`, `Invalid`."""
    await mark_changed(session, await merging.undo_merge(session, viewer, merge_id, now), now)


async def assign_owner(
    session: AsyncSession, viewer: Viewer, account_id: UUID, owner: str | None, now: datetime
) -> Account:
    """Say who looks after an account (None: whom its vendors name, again), as `owners` has it; the account is scored
    anew. Raises `NotAllowed`, `NotFound`, `Invalid`."""
    await lock(session, resolving.LOCK)  # so that what vendors tell meanwhile is not missed
    account, changed = await owners.assign(session, viewer, account_id, owner, now)
    if changed:
        await mark_changed(session, [account_id], now)
    return account


@dataclass(frozen=True, slots=True)
class Waiting:
    """A source account in the holding area.

    `named` are the accounts that its memberships name: none known yet, or more than one.
    """

    source_account_id: UUID
    connection_id: UUID | None
    place: str
    first_seen_at: datetime
    keys: tuple[tuple[str, str, str], ...]
    named: frozenset[UUID]


async def holding(session: AsyncSession, limit: int = 100) -> list[Waiting]:
    """Source accounts that belong to no account yet, those seen first at the head; their events wait with them."""
    rows = await session.execute(
        text(
            "SELECT s.id, s.connection_id, s.place, s.first_seen_at, k.kind, k.value, k.relation, owned.account_id "
            "FROM (SELECT * FROM source_account WHERE account_id IS NULL ORDER BY first_seen_at, id LIMIT :limit) AS s "
            "LEFT JOIN account_key k ON k.source_account_id = s.id LEFT JOIN LATERAL ("
            "SELECT DISTINCT o.account_id FROM account_key i JOIN source_account o ON o.id = i.source_account_id "
            "WHERE k.relation = 'member' AND i.relation = 'is' AND i.kind = k.kind AND i.value = k.value "
            "AND o.account_id IS NOT NULL) AS owned ON true ORDER BY s.first_seen_at, s.id, k.kind, k.value"
        ),
        {"limit": limit},
    )
    found: dict[UUID, list[Any]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(row)
    return [_waiting(parts) for parts in found.values()]


def _waiting(rows: Sequence[Any]) -> Waiting:
    """One place from its rows: one for each key, and for each account that a membership names."""
    owners: dict[tuple[str, str], set[UUID]] = {}
    for row in rows:
        if row.account_id is not None:
            owners.setdefault((row.kind, row.value), set()).add(row.account_id)
    keys = {(row.kind, row.value, row.relation) for row in rows if row.kind is not None}
    first = rows[0]
    return Waiting(
        first.id, first.connection_id, first.place, first.first_seen_at, tuple(sorted(keys)), named(owners, owners)
    )


async def suggestions(session: AsyncSession, limit: int = 100) -> list[MergeSuggestion]:
    """Pairs of accounts that share a contested key and that nobody has decided about, the newest first."""
    both_live = (
        select(func.count())
        .select_from(Account)
        .where(Account.id.in_([MergeSuggestion.account_id, MergeSuggestion.other_id]), Account.merged_into.is_(None))
        .scalar_subquery()
    )
    query = (
        select(MergeSuggestion)
        .where(MergeSuggestion.decided_at.is_(None), both_live == 2)
        .order_by(MergeSuggestion.suggested_at.desc(), MergeSuggestion.id)
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def find(session: AsyncSession, sought: str | UUID) -> Account:
    """The account of that id, domain or name (in any case; a part of the name will do when it fits one only).

    An account that was merged leads to the one that stands for it. Raises `NotFound`, and `Invalid` when several fit.
    """
    account_id = sought if isinstance(sought, UUID) else _as_id(sought)
    if account_id is not None:
        found = await session.get(Account, account_id)
        while found is not None and found.merged_into is not None:
            found = await session.get(Account, found.merged_into)
        if found is None:
            raise NotFound(f"There is no account {account_id}.", remedy="Name it by its name or domain.")
        return found
    text_ = str(sought).strip()
    exact = or_(func.lower(Account.name) == text_.lower(), func.lower(Account.domain) == text_.lower())
    for fits in (exact, Account.name.icontains(text_, autoescape=True)):
        if found := await _only(session, fits, text_):
            return found
    raise NotFound(f"There is no account named {text_!r}.", remedy="Give its id, its domain, or a part of its name.")


async def _only(session: AsyncSession, fits: ColumnElement[bool], sought: str) -> Account | None:
    query = select(Account).where(fits, Account.merged_into.is_(None)).order_by(Account.name, Account.id)
    found = list((await session.execute(query.limit(MOST_OFFERED))).scalars())
    if len(found) > 1:
        offered = ", ".join(f"{account.name} ({account.id})" for account in found)
        raise Invalid(f"Several accounts fit {sought!r}: {offered}.", remedy="Give the id of the one you mean.")
    return found[0] if found else None


def _as_id(sought: str) -> UUID | None:
    try:
        return UUID(sought.strip())
    except ValueError:
        return None
