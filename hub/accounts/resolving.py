"""Carrying out what identity decides: read the neighbourhood, decide, write the mapping.

One resolution at a time (an advisory lock), and only when keys are new: what it reads cannot change under its hands.
Places with keys of their own come first; those that only belong somewhere follow the accounts which that made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import mapping, refreshing
from hub.accounts.identity import (
    Founded,
    KeyName,
    Partition,
    Strength,
    anchor_of,
    founds,
    named,
    partition,
    same_user,
    strength,
)
from hub.accounts.mapping import Move, Occasion
from hub.accounts.neighbours import ACCOUNTS, Around, around
from hub.accounts.places import own_place_id
from hub.kit.db import lock
from hub.kit.ids import new_id

LOCK = "identity"
MOST_EVIDENCE = 10


@dataclass(slots=True)
class Bonds:
    """What ties sources together besides keys: an account and its anchor, and merges by people."""

    anchors: dict[UUID, UUID] = field(default_factory=dict)
    accounts: dict[UUID, Any] = field(default_factory=dict)
    merges: set[tuple[UUID, UUID]] = field(default_factory=set)

    def pairs(self) -> set[tuple[UUID, UUID]]:
        """The pairs of sources: the anchors of merged accounts, each anchor and its account's own place."""
        merged = {(self.anchors[winner], self.anchors[loser]) for winner, loser in self.merges}
        return merged | {(anchor, own_place_id(account)) for account, anchor in self.anchors.items()}

    def founded(self) -> dict[UUID, Founded]:
        """The accounts by anchor."""
        losers = {loser for _, loser in self.merges}
        return {row.anchor: Founded(row.id, row.created_at, row.id in losers) for row in self.accounts.values()}


async def resolve(session: AsyncSession, sources: Iterable[UUID], occasion: Occasion) -> set[UUID]:
    """Decide anew to which accounts these source accounts belong, and carry out all that depends on it.

    Returns the accounts that gained or lost something. Other resolutions wait until the transaction ends.
    """
    await lock(session, LOCK)
    start, bonds = set(sources), Bonds()
    near = await around(session, ACCOUNTS, start, joins=founds, beyond=lambda todo: _bonded(session, bonds, todo))
    parts = partition(near.claims, bonds.pairs(), bonds.founded(), near.crowded)
    moves = await _settle(session, parts, near, occasion)
    await mapping.write(session, moves, occasion)
    settled = {source for cluster in parts.clusters for source in cluster.sources}
    placed = await _place(session, start, settled, near, {move.source for move in moves})
    await mapping.write(session, placed, occasion)
    laid = await mapping.lay_to_rest(session, parts.clusters, bonds.accounts.values(), occasion)
    await mapping.suggest(session, parts, occasion)
    moves += placed
    touched = laid | {account for move in moves for account in (move.before, move.after) if account is not None}
    await refreshing.accounts(session, touched, occasion.now)
    await refreshing.people_at(session, {move.source for move in moves})
    return touched


async def _bonded(session: AsyncSession, bonds: Bonds, todo: Collection[UUID]) -> set[UUID]:
    """The anchors of the accounts that people merged with those anchored here."""
    columns = "SELECT id, anchor, created_at, merged_into FROM account"
    here = await session.execute(text(f"{columns} WHERE anchor = ANY(CAST(:todo AS uuid[]))"), {"todo": list(todo)})
    ids = []
    for row in here:
        bonds.accounts[row.id], bonds.anchors[row.id] = row, row.anchor
        ids.append(row.id)
    if not ids:
        return set()
    merges = await session.execute(
        text(
            "SELECT m.winner_id, m.loser_id, w.anchor AS winner_anchor, l.anchor AS loser_anchor FROM merge m "
            "JOIN account w ON w.id = m.winner_id JOIN account l ON l.id = m.loser_id "
            "WHERE m.undone_at IS NULL "
            "AND (m.winner_id = ANY(CAST(:ids AS uuid[])) OR m.loser_id = ANY(CAST(:ids AS uuid[])))"
        ),
        {"ids": ids},
    )
    reached = set()
    for row in merges:
        bonds.merges.add((row.winner_id, row.loser_id))
        bonds.anchors[row.winner_id], bonds.anchors[row.loser_id] = row.winner_anchor, row.loser_anchor
        reached |= {row.winner_anchor, row.loser_anchor}
    return reached


async def _settle(session: AsyncSession, parts: Partition, near: Around, occasion: Occasion) -> list[Move]:
    """The moves that bring every source to the account of its cluster; accounts that are missing are founded."""
    strong = {claim.source for claim in near.claims if strength(claim.key) is Strength.STRONG}
    homes: dict[UUID, UUID] = {}
    founding: dict[UUID, UUID] = {}
    for cluster in parts.clusters:
        account_id = cluster.survivor.account_id if cluster.survivor else new_id()
        if cluster.survivor is None:
            founding[account_id] = anchor_of(cluster.sources, strong)
        homes.update(dict.fromkeys(cluster.sources, account_id))
    await mapping.found(session, founding, occasion)
    evidence: dict[UUID, list[KeyName]] = defaultdict(list)
    for claim in near.claims:
        if founds(claim.key):
            evidence[claim.source].append(claim.key)
    return await _moves(session, homes, evidence)


async def _place(
    session: AsyncSession,
    start: Collection[UUID],
    settled: Collection[UUID],
    near: Around,
    moved: Collection[UUID],
) -> list[Move]:
    """The moves of places that are no account's own: those asked about, and those of where something moved."""
    changed = {claim.key for claim in near.claims if claim.source in moved or claim.source in start}
    members = await _members(session, {key for key in changed if founds(key)})
    users = await around(
        session, ACCOUNTS, {*start, *members}, joins=lambda key: strength(key) is Strength.LINK, stops=founds
    )
    waiting = users.sources.difference(settled)
    memberships = await _memberships(session, waiting)
    owners = await _owners(session, {key for names in memberships.values() for key in names if founds(key)})
    homes: dict[UUID, UUID | None] = {}
    evidence: dict[UUID, list[KeyName]] = {}
    for places in same_user(waiting, users.claims):
        names = [key for place in places for key in memberships.get(place, ())]
        accounts = named(names, owners)
        home = next(iter(accounts)) if len(accounts) == 1 else None
        homes.update(dict.fromkeys(places, home))
        evidence.update(dict.fromkeys(places, names))
    return await _moves(session, homes, evidence)


async def _moves(
    session: AsyncSession, homes: Mapping[UUID, UUID | None], evidence: Mapping[UUID, Collection[KeyName]]
) -> list[Move]:
    if not homes:
        return []
    rows = await session.execute(
        text("SELECT id, account_id FROM source_account WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id"),
        {"ids": list(homes)},
    )
    return [
        Move(source, before, homes[source], tuple(sorted(set(evidence.get(source, ()))))[:MOST_EVIDENCE])
        for source, before in rows.all()
        if before != homes[source]
    ]


async def _members(session: AsyncSession, names: Collection[KeyName]) -> set[UUID]:
    if not names:
        return set()
    rows = await session.execute(
        text(f"SELECT DISTINCT k.source_account_id FROM {_KEYS} WHERE k.relation = 'member'"), _pairs(names)
    )
    return set(rows.scalars())


async def _memberships(session: AsyncSession, sources: Collection[UUID]) -> dict[UUID, list[KeyName]]:
    if not sources:
        return {}
    rows = await session.execute(
        text(
            "SELECT source_account_id, kind, value FROM account_key "
            "WHERE relation = 'member' AND source_account_id = ANY(CAST(:sources AS uuid[]))"
        ),
        {"sources": list(sources)},
    )
    found: dict[UUID, list[KeyName]] = defaultdict(list)
    for source, kind, value in rows.all():
        found[source].append((kind, value))
    return found


async def _owners(session: AsyncSession, names: Collection[KeyName]) -> dict[KeyName, set[UUID]]:
    if not names:
        return {}
    rows = await session.execute(
        text(
            f"SELECT DISTINCT k.kind, k.value, s.account_id FROM {_KEYS} "
            "JOIN source_account s ON s.id = k.source_account_id WHERE k.relation = 'is' AND s.account_id IS NOT NULL"
        ),
        _pairs(names),
    )
    found: dict[KeyName, set[UUID]] = defaultdict(set)
    for kind, value, account in rows.all():
        found[kind, value].add(account)
    return found


_KEYS = (
    "unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS n(kind, value) "
    "JOIN account_key k ON k.kind = n.kind AND k.value = n.value"
)


def _pairs(names: Collection[KeyName]) -> dict[str, list[str]]:
    ordered = sorted(names)
    return {"kinds": [kind for kind, _ in ordered], "values": [value for _, value in ordered]}
