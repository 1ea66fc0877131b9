"""Reading all that a decision about identity depends on: whatever the keys connect, however far away.

A few statements for each step outwards, for any number of sources at once; real neighbourhoods are one or two steps
wide. The claimants of a key that a crowd claims are not read, as they decide nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.identity import CROWD, Claim, KeyName
from hub.sdk import keys


@dataclass(frozen=True, slots=True)
class Keyring:
    """Where one sort of source keeps its keys. `crowding` is the kind of key that a crowd makes worthless."""

    table: str
    column: str
    sources: str
    crowding: str
    only: str = ""


ACCOUNTS = Keyring("account_key", "source_account_id", "source_account", keys.DOMAIN, " AND k.relation = 'is'")
PEOPLE = Keyring("person_key", "source_person_id", "source_person", keys.EMAIL)


@dataclass(slots=True)
class Around:
    """The claims that connect the sources, the sources, and the crowded keys among them."""

    claims: set[Claim] = field(default_factory=set)
    sources: set[UUID] = field(default_factory=set)
    crowded: set[KeyName] = field(default_factory=set)


async def around(
    session: AsyncSession,
    keyring: Keyring,
    start: Iterable[UUID],
    *,
    joins: Callable[[KeyName], bool],
    stops: Callable[[KeyName], bool] | None = None,
    beyond: Callable[[Collection[UUID]], Awaitable[set[UUID]]] | None = None,
) -> Around:
    """Everything reachable from `start` over keys that `joins` accepts.

    A source with a key that `stops` accepts is left out of the answer, and only gone through when the way starts there.
    `beyond` gives the sources that are connected by something else than keys.
    """
    found = Around()
    first = todo = set(start)
    passed: set[UUID] = set()
    asked: set[KeyName] = set()
    while todo:
        claims = await _claims_of(session, keyring, todo)
        passed |= todo
        barred = {claim.source for claim in claims if stops is not None and stops(claim.key)}
        found.claims.update(claim for claim in claims if claim.source not in barred)
        found.sources |= todo - barred
        through = [claim for claim in claims if claim.source in first or claim.source not in barred]
        names = {claim.key for claim in through if joins(claim.key)} - asked
        asked |= names
        crowds = await _crowds(session, keyring, names)
        found.crowded |= crowds.keys()
        fresh = {name: sum(1 for claim in through if claim.key == name and claim.source in first) for name in crowds}
        worthless = {name for name, size in crowds.items() if size - fresh[name] > CROWD}
        reached = {claim.source for claim in await _claimants(session, keyring, names - worthless)}
        if beyond is not None and todo - barred:
            reached |= await beyond(todo - barred)
        todo = reached - passed
    return found


async def _claims_of(session: AsyncSession, keyring: Keyring, sources: Collection[UUID]) -> list[Claim]:
    rows = await session.execute(
        text(
            f"SELECT s.id, s.connection_id, k.kind, k.value FROM {keyring.table} k "
            f"JOIN {keyring.sources} s ON s.id = k.{keyring.column} "
            f"WHERE k.{keyring.column} = ANY(CAST(:sources AS uuid[])){keyring.only}"
        ),
        {"sources": list(sources)},
    )
    return [Claim(source, connection, (kind, value)) for source, connection, kind, value in rows.all()]


async def _claimants(session: AsyncSession, keyring: Keyring, names: Collection[KeyName]) -> list[Claim]:
    if not names:
        return []
    rows = await session.execute(
        text(
            f"SELECT s.id, s.connection_id, k.kind, k.value FROM {_named(keyring)} "
            f"JOIN {keyring.sources} s ON s.id = k.{keyring.column}"
        ),
        _pairs(names),
    )
    return [Claim(source, connection, (kind, value)) for source, connection, kind, value in rows.all()]


async def _crowds(session: AsyncSession, keyring: Keyring, names: Collection[KeyName]) -> dict[KeyName, int]:
    """The keys that more than `CROWD` sources of one connection claim, with their number."""
    suspects = [name for name in names if name[0] == keyring.crowding]
    if not suspects:
        return {}
    rows = await session.execute(
        text(
            "SELECT kind, value, max(size) FROM (SELECT k.kind, k.value, count(*) AS size "
            f"FROM {_named(keyring)} JOIN {keyring.sources} s ON s.id = k.{keyring.column} "
            "GROUP BY k.kind, k.value, s.connection_id) AS sizes GROUP BY kind, value HAVING max(size) > :crowd"
        ),
        {**_pairs(suspects), "crowd": CROWD},
    )
    return {(kind, value): size for kind, value, size in rows}


def _named(keyring: Keyring) -> str:
    return (
        "unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS n(kind, value) "
        f"JOIN {keyring.table} k ON k.kind = n.kind AND k.value = n.value{keyring.only}"
    )


def _pairs(names: Collection[KeyName]) -> dict[str, object]:
    ordered = sorted(names)
    return {"kinds": [kind for kind, _ in ordered], "values": [value for _, value in ordered]}
