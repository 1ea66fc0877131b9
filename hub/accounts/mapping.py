"""Writing the mapping: accounts founded, sources moved with an assertion for each, accounts laid to rest.

An account whose sources came to belong to another one stays as a dormant row that points at the survivor; when its
anchor falls away from there again, it is the same account as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.identity import Cluster, KeyName, Partition
from hub.accounts.model import AssertionReason
from hub.accounts.places import own_place_id
from hub.kit import outbox
from hub.kit.ids import derived_id

MOST_SUGGESTED = 5
"""A domain that more accounts claim is a service provider's: suggesting every pair would help nobody."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why the mapping is looked at: when, by whom, and for what reason."""

    now: datetime
    actor: str = "hub"
    reason: AssertionReason = AssertionReason.RESOLVED
    merge_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A source account changes its account (None: it waits in the holding area), because of these keys."""

    source: UUID
    before: UUID | None
    after: UUID | None
    evidence: tuple[KeyName, ...]

    def reason(self, occasion: Occasion) -> AssertionReason:
        return AssertionReason.RELEASED if self.after is None else occasion.reason


async def found(session: AsyncSession, anchors: Mapping[UUID, UUID], occasion: Occasion) -> None:
    """Make accounts by id and anchor, each with a place of its own; what they are called is worked out afterwards."""
    if not anchors:
        return
    parameters = {"ids": list(anchors), "anchors": list(anchors.values()), "now": occasion.now}
    await session.execute(
        text(
            "INSERT INTO account (id, anchor, name, time_zone, facts, created_at, first_seen_at) "
            "SELECT id, anchor, '', 'UTC', '{}', :now, :now "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:anchors AS uuid[])) AS a(id, anchor)"
        ),
        parameters,
    )
    await furnish(session, list(anchors), occasion.now)


async def furnish(session: AsyncSession, account_ids: Sequence[UUID], now: datetime) -> None:
    """See to it that each account has its own place, where the hub's own facts about it lie."""
    await session.execute(
        text(
            "WITH furnished AS (INSERT INTO source_account (id, place, account_id, profile, first_seen_at) "
            "SELECT p.id, 'hub:' || a.id, coalesce(a.merged_into, a.id), '{}', :now "
            "FROM unnest(CAST(:places AS uuid[]), CAST(:ids AS uuid[])) AS p(id, account_id) "
            "JOIN account a ON a.id = p.account_id ORDER BY p.id ON CONFLICT (id) DO NOTHING RETURNING id, account_id) "
            "INSERT INTO account_assertion (source_account_id, account_id, reason, evidence, actor, recorded_at) "
            "SELECT id, account_id, :reason, '{}', 'hub', :now FROM furnished"
        ),
        {
            "ids": list(account_ids),
            "places": [own_place_id(account) for account in account_ids],
            "reason": AssertionReason.RESOLVED.value,
            "now": now,
        },
    )


async def write(session: AsyncSession, moves: Sequence[Move], occasion: Occasion) -> None:
    """Move the sources, and assert each move with its evidence."""
    if not moves:
        return
    await session.execute(
        text(
            "UPDATE source_account s SET account_id = m.account_id "
            "FROM unnest(CAST(:sources AS uuid[]), CAST(:accounts AS uuid[])) AS m(id, account_id) WHERE s.id = m.id"
        ),
        {"sources": [move.source for move in moves], "accounts": [move.after for move in moves]},
    )
    await session.execute(
        text(
            "INSERT INTO account_assertion "
            "(source_account_id, account_id, reason, evidence, actor, recorded_at, merge_id) "
            "SELECT source, account, reason, CAST(evidence AS jsonb), :actor, :now, CAST(:merge AS uuid) "
            "FROM unnest(CAST(:sources AS uuid[]), CAST(:accounts AS uuid[]), CAST(:reasons AS text[]), "
            "CAST(:evidence AS text[])) AS m(source, account, reason, evidence)"
        ),
        {
            "sources": [move.source for move in moves],
            "accounts": [move.after for move in moves],
            "reasons": [move.reason(occasion).value for move in moves],
            "evidence": [_evidence(move) for move in moves],
            "actor": occasion.actor,
            "now": occasion.now,
            "merge": occasion.merge_id,
        },
    )


def _evidence(move: Move) -> str:
    return orjson.dumps({"keys": [f"{kind}={value}" for kind, value in move.evidence]}).decode()


async def lay_to_rest(
    session: AsyncSession, clusters: Iterable[Cluster], accounts: Iterable[Any], occasion: Occasion
) -> set[UUID]:
    """Have each account that is not its cluster's survivor point there, and wake those that are on their own again.

    `accounts` are rows of id and merged_into as they were. Announces each change; returns the accounts concerned.
    """
    before = {row.id: row.merged_into for row in accounts}
    after: dict[UUID, UUID | None] = {}
    for cluster in clusters:
        survivor = cluster.survivor
        for account in cluster.accounts:
            after[account.account_id] = survivor.account_id if survivor and account != survivor else None
    changed = {id_: into for id_, into in after.items() if into != before[id_]}
    if not changed:
        return set()
    await session.execute(
        text(
            "UPDATE account a SET merged_into = c.target FROM unnest(CAST(:ids AS uuid[]), CAST(:into AS uuid[])) "
            "AS c(id, target) WHERE a.id = c.id"
        ),
        {"ids": list(changed), "into": list(changed.values())},
    )
    for id_, into in sorted(changed.items()):
        await _announce(session, id_, before[id_], into, occasion)
    return {account for id_, into in changed.items() for account in (id_, into, before[id_]) if account is not None}


async def _announce(
    session: AsyncSession, account_id: UUID, before: UUID | None, into: UUID | None, occasion: Occasion
) -> None:
    merge = str(occasion.merge_id) if occasion.merge_id else None
    if into is not None:
        payload = {"account_id": str(into), "merged_account_id": str(account_id), "merge_id": merge}
        await outbox.append(session, "account.merged", str(into), payload, now=occasion.now)
    else:
        payload = {"account_id": str(account_id), "merged_into": str(before), "merge_id": merge}
        await outbox.append(session, "account.unmerged", str(account_id), payload, now=occasion.now)


async def suggest(session: AsyncSession, parts: Partition, occasion: Occasion) -> None:
    """Ask people about accounts that share a contested domain; a pair is asked about once for each domain."""
    if not parts.contested:
        return
    claimants = sorted({source for sources in parts.contested.values() for source in sources})
    rows = await session.execute(
        text("SELECT id, account_id FROM source_account WHERE id = ANY(CAST(:ids AS uuid[]))"), {"ids": claimants}
    )
    homes = {source: account for source, account in rows if account is not None}
    pairs = [
        (derived_id("suggestion", one, other, *key), one, other, *key)
        for key, sources in sorted(parts.contested.items())
        if len(accounts := {homes[source] for source in sources if source in homes}) <= MOST_SUGGESTED
        for one, other in combinations(sorted(accounts), 2)
    ]
    if pairs:
        ids, ones, others, kinds, values = zip(*pairs, strict=True)
        await session.execute(
            text(
                "INSERT INTO merge_suggestion (id, account_id, other_id, key_kind, key_value, suggested_at) "
                "SELECT *, :now FROM unnest(CAST(:ids AS uuid[]), CAST(:ones AS uuid[]), CAST(:others AS uuid[]), "
                "CAST(:kinds AS text[]), CAST(:values AS text[])) ON CONFLICT (id) DO NOTHING"
            ),
            {
                "ids": list(ids),
                "ones": list(ones),
                "others": list(others),
                "kinds": list(kinds),
                "values": list(values),
                "now": occasion.now,
            },
        )
