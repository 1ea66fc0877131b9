"""One hash over everything that vendors told: events, whose they are, and what is known of accounts and people.

The same records give the same fingerprint in whatever order and however often they arrive, and on whatever day they are
recorded: account and person ids, which depend on who came first, and our own times are left out; an account counts by
the vendors' places that belong to it. It is what the tests of order, repetition and recovery compare.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_PARTS: Final = {
    "event": (
        "SELECT ROW(source_account_id, id, kind, occurred_at, flow, people, subject_type, subject_id, subject_state, "
        "amount_minor, currency, value, unit, attributes, changes, title, url, caused_by_run, connection_id, stream, "
        "record_id, version)::text AS line FROM event WHERE connection_id IS NOT NULL AND retracted_at IS NULL"
    ),
    "account": (
        "SELECT ROW(a.name, a.domain, a.owner, a.time_zone, a.facts, a.first_seen_at, s.places)::text AS line "
        "FROM account a JOIN (SELECT account_id, array_agg(id ORDER BY id) AS places FROM source_account "
        "WHERE connection_id IS NOT NULL GROUP BY account_id) AS s ON s.account_id = a.id"
    ),
    "source account": (
        "SELECT ROW(id, place, account_id IS NULL, profile, profile_at, first_seen_at)::text AS line "
        "FROM source_account WHERE connection_id IS NOT NULL"
    ),
    "person": (
        "SELECT ROW(p.name, p.email, p.role, p.title, p.time_zone, p.first_seen_at, s.places, h.places)::text AS line "
        "FROM person p JOIN (SELECT person_id, array_agg(id ORDER BY id) AS places FROM source_person "
        "GROUP BY person_id) AS s ON s.person_id = p.id "
        "LEFT JOIN (SELECT account_id, array_agg(id ORDER BY id) AS places FROM source_account "
        "WHERE connection_id IS NOT NULL GROUP BY account_id) AS h ON h.account_id = p.account_id"
    ),
    "source person": (
        "SELECT ROW(id, place, person_id IS NULL, profile, profile_at, first_seen_at)::text AS line FROM source_person"
    ),
}


async def fingerprint(session: AsyncSession) -> str:
    """The hash (SHA-256, hex) of all that vendors told. Reads everything: for tests and for moving a hub."""
    whole = _hash("coalesce(string_agg(line, '' ORDER BY line), '')")
    parts = " UNION ALL ".join(
        f"SELECT '{name}' AS part, {whole} AS digest "
        f"FROM (SELECT {_hash('line')} AS line FROM ({lines}) AS told) AS lines"
        for name, lines in _PARTS.items()
    )
    total = _hash("string_agg(part || digest, '' ORDER BY part)")
    return str((await session.execute(text(f"SELECT {total} FROM ({parts}) AS parts"))).scalar_one())


def _hash(expression: str) -> str:
    return f"encode(sha256(convert_to({expression}, 'UTF8')), 'hex')"
