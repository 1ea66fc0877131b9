"""The events of people who were erased: they go on counting, and say nothing of them any more.

An event keeps its kind, times, place, thing, amount and value, and of its attributes the numbers and the short words
that are not the person's own: what measures are made of. Which people it counts for are ids that lead to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    for events in told if erased.sources else ():
        for nth, event in enumerate(events):
            if not erased.sources.isdisjoint(event.people):
                events[nth] = without_person(event, erased.words)
                if event.connection_id and event.stream and event.record_id:
                    names.append((event.connection_id, event.stream, event.record_id))
    return names


@dataclass(frozen=True, slots=True)
class _Freed:
    """What is left of one event's words."""

    attributes: str
    changes: str | None
    title: str | None
    url: str | None


async def erase_events(session: AsyncSession, traces: Traces, position: Sequence[str]) -> tuple[int, int, list[str]]:
    """Free the next events of the person's accounts behind a position, and forget the records that those were read
    from which name the person; from others the person's words are taken.

    Returns how many events and records that were, and the new position: empty at the end. Every revision is freed,
    also of what was retracted. Reads the accounts' whole timelines, page by page.
    """
    behind = "AND (source_account_id, id, revision) > (CAST(:place AS uuid), CAST(:id AS uuid), :revision) "
    rows = await session.execute(
        text(
            "WITH page AS MATERIALIZED (SELECT source_account_id, id, revision, kind, attributes, changes, title, url, "
            "connection_id, stream, record_id, people && CAST(:people AS uuid[]) AS named FROM event "
            f"WHERE source_account_id = ANY(CAST(:places AS uuid[])) {behind if position else ''}"
            "ORDER BY source_account_id, id, revision LIMIT :limit), ends AS (SELECT source_account_id, id, revision, "
            "row_number() OVER (ORDER BY source_account_id, id, revision) AS nth FROM page) "
            "SELECT page.*, ends.nth FROM page JOIN ends USING (source_account_id, id, revision) WHERE named OR nth = "
            ":limit OR EXISTS (SELECT FROM unnest(CAST(:needles AS text[])) AS needle WHERE strpos(lower("
            "concat_ws(' ', attributes::text, changes::text, title, url)), needle) > 0) ORDER BY nth"
        ),
        {
            "places": list(traces.places),
            "people": list(traces.sources),
            "needles": connections.needles(traces.words),
            "limit": EVENTS_AT_ONCE,
        }
        | ({"place": position[0], "id": position[1], "revision": int(position[2])} if position else {}),
    )
    page = rows.all()
    left = [(row, freed) for row in page if (freed := _freed(row, traces.words)) is not None]
    await _write(session, left)
    names = {(row.connection_id, row.stream, row.record_id) for row in page if row.named and row.record_id is not None}
    records = await connections.forget_records(session, names)
    last = page[-1] if page and page[-1].nth == EVENTS_AT_ONCE else None
    return len(left), records, [str(last.source_account_id), str(last.id), str(last.revision)] if last else []


def _freed(row: Any, words: tuple[str, ...]) -> _Freed | None:
    """What an event says without the person; None when that is what it says."""
    if row.named:
        attributes, changes = _left(row.kind, row.attributes, row.changes, words)
        title = None if row.title is None or row.kind.startswith(ABOUT_PEOPLE) else _kept(row.title, words)
        url = None
    else:
        told = [row.attributes, row.changes, row.title, row.url]
        attributes, changes, title, url = connections.freed(told, words)
    if (attributes, changes, title, url) == (row.attributes, row.changes, row.title, row.url):
        return None
    kept = None if changes is None else orjson.dumps(changes).decode()
    return _Freed(orjson.dumps(attributes).decode(), kept, title, url)


async def _write(session: AsyncSession, left: Sequence[tuple[Any, _Freed]]) -> None:
    if not left:
        return
    await session.execute(
        text(
            "UPDATE event e SET attributes = CAST(n.attributes AS jsonb), changes = CAST(n.changes AS jsonb), "
            "title = n.title, url = n.url FROM unnest(CAST(:places AS uuid[]), CAST(:ids AS uuid[]), "
            "CAST(:revisions AS smallint[]), CAST(:attributes AS text[]), CAST(:changes AS text[]), "
            "CAST(:titles AS text[]), CAST(:urls AS text[])) "
            "AS n(place, id, revision, attributes, changes, title, url) "
            "WHERE e.source_account_id = n.place AND e.id = n.id AND e.revision = n.revision"
        ),
        {
            "places": [row.source_account_id for row, _ in left],
            "ids": [row.id for row, _ in left],
            "revisions": [row.revision for row, _ in left],
            "attributes": [freed.attributes for _, freed in left],
            "changes": [freed.changes for _, freed in left],
            "titles": [freed.title for _, freed in left],
            "urls": [freed.url for _, freed in left],
        },
    )
