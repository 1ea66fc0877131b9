"""What vendors sent of a person who is erased: removed where it is about them, freed of their names elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.sdk import payloads

GONE: Final = "erased"
SHORTEST_NEEDLE: Final = 6
"""Shorter words stand in too many records that are somebody else's."""

RECORDS_AT_ONCE: Final = 5_000

RecordName = tuple[UUID, str, str]
"""Connection, stream and record id."""


@lru_cache(maxsize=8)
def speaks_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """Finds one of these words standing by itself, in any case."""
    one_of_them = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{one_of_them})(?!\w)" if words else r"(?!)", re.IGNORECASE)


def freed(value: Any, words: tuple[str, ...]) -> Any:
    """JSON without a person's words: a text that holds one of them says `erased`. Pure."""
    match value:
        case str():
            return GONE if speaks_of(words).search(value) else value
        case dict():
            return {name: freed(part, words) for name, part in value.items()}
        case list():
            return [freed(part, words) for part in value]
        case _:
            return value


def needles(words: Iterable[str]) -> list[str]:
    """The words by which a table is searched: long enough to mean somebody, and the same letters in every encoding."""
    return [word for word in words if len(word) >= SHORTEST_NEEDLE and word.isascii()]


async def forget_records(session: AsyncSession, names: Iterable[RecordName]) -> int:
    """Remove every version of these records that was read, and empty the deliveries that they came in.

    The events that were read from them stay as they are: a replay only corrects what it can read.
    """
    wanted = sorted(set(names))
    if not wanted:
        return 0
    rows = await session.execute(
        text(
            "DELETE FROM raw_record r USING unnest(CAST(:connections AS uuid[]), CAST(:streams AS text[]), "
            "CAST(:ids AS text[])) AS n(connection_id, stream, record_id) WHERE r.connection_id = n.connection_id "
            "AND r.stream = n.stream AND r.record_id = n.record_id AND r.payload IS NOT NULL AND NOT EXISTS ("
            "SELECT FROM raw_pending p WHERE (p.connection_id, p.stream, p.record_id, p.version) "
            "= (r.connection_id, r.stream, r.record_id, r.version)) RETURNING r.connection_id, r.received_at"
        ),
        {
            "connections": [name[0] for name in wanted],
            "streams": [name[1] for name in wanted],
            "ids": [name[2] for name in wanted],
        },
    )
    gone = rows.all()
    came = sorted({(row.connection_id, row.received_at) for row in gone})
    # A record is received when its delivery is read, so the same moment names the deliveries of that reading.
    await session.execute(
        text(
            "UPDATE webhook_delivery d SET body = ''::bytea, headers = '{}' FROM unnest(CAST(:connections AS uuid[]), "
            "CAST(:moments AS timestamptz[])) AS n(connection_id, at) "
            "WHERE d.processed_at = n.at AND d.connection_id = n.connection_id"
        ),
        {"connections": [one for one, _ in came], "moments": [at for _, at in came]},
    )
    return len(gone)


async def free_records(session: AsyncSession, words: tuple[str, ...], position: Sequence[str]) -> tuple[int, list[str]]:
    """Free the next records behind a position from a person's words; how many there were, and the new position,
    which is empty at the end. Looks for the longer words alone, and takes all of them out of what it finds."""
    sought = needles(words)
    if not sought:
        return 0, []
    behind = "WHERE (connection_id, stream, record_id, version) > (CAST(:c AS uuid), :s, :r, :v) " if position else ""
    rows = await session.execute(
        text(
            "WITH page AS MATERIALIZED (SELECT connection_id, stream, record_id, version, payload FROM raw_record "
            f"{behind}ORDER BY connection_id, stream, record_id, version LIMIT :limit) "
            "SELECT connection_id, stream, record_id, version, CASE WHEN EXISTS (SELECT FROM unnest("
            "CAST(:needles AS text[])) AS needle WHERE strpos(lower(encode(payload, 'escape')), needle) > 0) "
            "THEN payload END AS hit FROM page ORDER BY connection_id, stream, record_id, version"
        ),
        {"needles": sought, "limit": RECORDS_AT_ONCE} | dict(zip("csrv", position, strict=False)),
    )
    page = rows.all()
    hits = [row for row in page if row.hit is not None]
    for row in hits:
        await session.execute(
            text(
                "UPDATE raw_record SET payload = :payload WHERE connection_id = :c AND stream = :s AND record_id = :r "
                "AND version = :v"
            ),
            {
                "payload": payloads.dumps(freed(payloads.loads(row.hit), words)),
                **dict(zip("csrv", row[:4], strict=True)),
            },
        )
    return len(hits), [str(part) for part in page[-1][:4]] if len(page) == RECORDS_AT_ONCE else []


async def forget_messages(
    session: AsyncSession, person_id: UUID, words: Sequence[str], users: Sequence[str], addresses: Sequence[str]
) -> dict[str, int]:
    """Remove what waits for the person, what they were sent, and what of theirs could not be read."""
    sought = needles(words)
    statements: dict[str, tuple[str, dict[str, Any]]] = {
        "mailbox_messages": (
            "DELETE FROM mailbox_message WHERE recipient = ANY(CAST(:recipients AS text[])) RETURNING 1",
            {"recipients": [*users, *addresses]},
        ),
        "actions": (
            "UPDATE action_call SET input = '{}', output = NULL WHERE status <> 'pending' AND input <> '{}' AND "
            "(strpos(key, :person) > 0 OR EXISTS (SELECT FROM unnest(CAST(:needles AS text[])) AS needle "
            "WHERE strpos(lower(input::text), needle) > 0)) RETURNING 1",
            {"person": str(person_id), "needles": sought},
        ),
        "quarantine": (
            "UPDATE quarantine SET payload = ''::bytea, reason = :gone, resolved_at = now() WHERE payload <> ''::bytea "
            "AND EXISTS (SELECT FROM unnest(CAST(:needles AS text[])) AS needle "
            "WHERE strpos(lower(encode(payload, 'escape')), needle) > 0) RETURNING 1",
            {"gone": GONE, "needles": sought},
        ),
    }
    return {name: len((await session.execute(text(sql), given)).all()) for name, (sql, given) in statements.items()}
