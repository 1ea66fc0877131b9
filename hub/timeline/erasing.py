"""The events of people who were erased: they go on counting, and say nothing of them any more.

An event keeps its kind, times, place, thing, amount and value, and of its attributes the numbers and the short words
that are not the person's own: what measures are made of. Which people it counts for are ids that lead to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import service as accounts
from hub.accounts.service import Traces
from hub.connections import service as connections
from hub.kit.crypto import Vault
from hub.timeline.rows import EventRecord

EVENTS_AT_ONCE: Final = 5_000
LONGEST_WORD: Final = 80
"""A longer text is something that somebody wrote."""

PERSONAL: Final = frozenset(
    {
        "address",
        "avatar",
        "birthday",
        "comment",
        "email",
        "first_name",
        "firstname",
        "full_name",
        "ip",
        "last_name",
        "lastname",
        "message",
        "name",
        "phone",
        "text",
        "user_agent",
        "useragent",
        "username",
        "verbatim",
    }
)
"""Attributes that are a person's by their name, compared in lower case."""

ABOUT_PEOPLE: Final = "person."
"""Events of these kinds tell what is known of somebody: nothing of it stays."""


def impersonal(attributes: Mapping[str, Any], words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Attributes without what may say who somebody is. Pure."""
    kept = {name: _kept(value, words) for name, value in attributes.items() if name.lower() not in PERSONAL}
    return {name: value for name, value in kept.items() if value is not None}


def _kept(value: Any, words: tuple[str, ...]) -> Any:
    match value:
        case str():
            says = len(value) > LONGEST_WORD or "@" in value or connections.speaks_of(words).search(value)
            return None if says else value
        case dict():
            return impersonal(value, words)
        case list():
            return [part for part in (_kept(part, words) for part in value) if part is not None]
        case _:
            return value


def without_person(event: EventRecord, words: tuple[str, ...] = ()) -> EventRecord:
    """The event as it is stored when somebody that it names was erased."""
    attributes, changes = _left(event.kind, orjson.loads(event.attributes), _json(event.changes), words)
    title = None if event.title is None else _kept(event.title, words)
    return event._replace(
        attributes=orjson.dumps(attributes).decode(),
        changes=None if changes is None else orjson.dumps(changes).decode(),
        title=None if event.kind.startswith(ABOUT_PEOPLE) else title,
        url=None,
    )


def _json(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)


def _left(
    kind: str, attributes: Mapping[str, Any], changes: Mapping[str, Any] | None, words: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    if kind.startswith(ABOUT_PEOPLE):
        return {}, None
    return impersonal(attributes, words), impersonal(changes, words) or None if changes else None


async def withhold(
    session: AsyncSession, vault: Vault, seen: accounts.Seen, *told: list[EventRecord]
) -> list[tuple[UUID, str, str]]:
    """Take out of what records tell, in place, what is about erased people; the names of those records, which have to
    be forgotten when their events are stored."""
    erased = await accounts.withhold(session, vault, seen)
    names = []
    for events in told if erased else ():
        for nth, event in enumerate(events):
            if not erased.isdisjoint(event.people):
                events[nth] = without_person(event)
                if event.connection_id and event.stream and event.record_id:
                    names.append((event.connection_id, event.stream, event.record_id))
    return names


async def erase_events(session: AsyncSession, traces: Traces, position: Sequence[str]) -> tuple[int, int, list[str]]:
    """Free the next events that name the person, behind a position, and forget the records that they were read from.

    Returns how many events and records that were, and the new position: empty at the end. Every revision is freed,
    also of what was retracted.
    """
    behind = "AND (source_account_id, id, revision) > (CAST(:place AS uuid), CAST(:id AS uuid), :revision) "
    rows = await session.execute(
        text(
            "SELECT source_account_id, id, revision, kind, attributes, changes, title, connection_id, stream, "
            "record_id FROM event WHERE source_account_id = ANY(CAST(:places AS uuid[])) AND people && CAST(:people AS uuid[]) "
            f"{behind if position else ''}ORDER BY source_account_id, id, revision LIMIT :limit"
        ),
        {"places": list(traces.places), "people": list(traces.sources), "limit": EVENTS_AT_ONCE}
        | ({"place": position[0], "id": position[1], "revision": int(position[2])} if position else {}),
    )
    page = rows.all()
    left = [_left(row.kind, row.attributes, row.changes, traces.words) for row in page]
    titles = [
        None if row.title is None or row.kind.startswith(ABOUT_PEOPLE) else _kept(row.title, traces.words)
        for row in page
    ]
    await session.execute(
        text(
            "UPDATE event e SET attributes = CAST(n.attributes AS jsonb), changes = CAST(n.changes AS jsonb), "
            "title = n.title, url = NULL FROM unnest(CAST(:places AS uuid[]), CAST(:ids AS uuid[]), "
            "CAST(:revisions AS smallint[]), CAST(:attributes AS text[]), CAST(:changes AS text[]), "
            "CAST(:titles AS text[])) AS n(place, id, revision, attributes, changes, title) "
            "WHERE e.source_account_id = n.place AND e.id = n.id AND e.revision = n.revision"
        ),
        {
            "places": [row.source_account_id for row in page],
            "ids": [row.id for row in page],
            "revisions": [row.revision for row in page],
            "attributes": [orjson.dumps(attributes).decode() for attributes, _ in left],
            "changes": [None if changes is None else orjson.dumps(changes).decode() for _, changes in left],
            "titles": titles,
        },
    )
    names = {(row.connection_id, row.stream, row.record_id) for row in page if row.connection_id and row.record_id}
    records = await connections.forget_records(session, names)
    last = page[-1] if len(page) == EVENTS_AT_ONCE else None
    return len(page), records, [str(last.source_account_id), str(last.id), str(last.revision)] if last else []
