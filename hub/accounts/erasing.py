"""Erasing a person: asked for by an admin or by a vendor, carried out by a job, room by room.

First comes the tombstone, so that nothing new gets in; then every room removes what it holds; then, last, the names by
which it was found. So a job that dies half-way finds all that is left, and doing it twice does nothing more. Who was
counted stays counted: the mapping of source persons to people and places keeps its ids, and loses its names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer, audit
from hub.accounts.identity import founds
from hub.accounts.model import Erasure, Person
from hub.accounts.profiles import Profile
from hub.accounts.resolving import LOCK
from hub.accounts.tombstones import ERASED, name_of, of_a_person, place_of, remember, without_data, words_of
from hub.kit import work
from hub.kit.crypto import Vault
from hub.kit.db import lock
from hub.kit.errors import Invalid, NotFound
from hub.kit.ids import derived_id, new_id
from hub.sdk import keys

TO_ERASE: Final = "people_to_erase"
"""The work list of erasures that are to be carried out; its keys are their ids."""

LONGEST_REASON: Final = 1_000


@dataclass(frozen=True, slots=True)
class Traces:
    """By what an erased person is found: ids, and, until the erasure is done, their own words.

    `places` are those where they were seen and all others of the same accounts. `words` are names, addresses and
    ids of theirs in lower case, `addresses` and `users` those of them that are e-mail addresses and the product's ids.
    """

    erasure_id: UUID
    person_id: UUID
    sources: tuple[UUID, ...]
    places: tuple[UUID, ...]
    words: tuple[str, ...]
    addresses: tuple[str, ...]
    users: tuple[str, ...]


async def find_person(session: AsyncSession, sought: str) -> UUID:
    """The person of an id or an e-mail address. Raises `NotFound`, and `Invalid` for an address of several."""
    try:
        person = await session.get(Person, UUID(sought.removeprefix("per_")))
        found = [person.id] if person else []
    except ValueError:
        rows = await session.execute(
            text(
                "SELECT DISTINCT s.person_id FROM person_key k JOIN source_person s ON s.id = k.source_person_id "
                "WHERE k.kind = :email AND k.value = :value AND s.person_id IS NOT NULL"
            ),
            {"email": keys.EMAIL, "value": sought.strip().lower()},
        )
        found = list(rows.scalars())
    if not found:
        raise NotFound(f"There is nobody {sought!r}.", remedy="Give a person's id or their e-mail address.")
    if len(found) > 1:
        raise Invalid(f"{sought!r} is a mailbox of several people.", remedy="Give the id of the one you mean.")
    return found[0]


async def request_erasure(
    session: AsyncSession, viewer: Viewer, person_id: UUID, *, reason: str | None = None, now: datetime
) -> Erasure:
    """Have a person erased; asked for again, all is looked through once more.

    Raises `NotAllowed`, `NotFound`, `Invalid`.
    """
    viewer.require()
    if reason is not None and len(reason) > LONGEST_REASON:
        raise Invalid(f"A reason has at most {LONGEST_REASON:,} characters.", path=("reason",))
    person = await session.get(Person, person_id)
    while person is not None and person.merged_into is not None:
        person = await session.get(Person, person.merged_into)
    if person is None:
        raise NotFound("There is no such person.", remedy="Take the id from the account's people.")
    await audit(session, viewer, "person.erasure_requested", f"person:{person.id}", {}, now=now)
    return await _ask(session, person.id, viewer.actor, reason, now)


async def erase_by_request(session: AsyncSession, sources: Mapping[UUID, str], now: datetime) -> None:
    """Have the people erased whom vendors asked to erase: source persons, each with who said so."""
    rows = await session.execute(
        text("SELECT id, person_id FROM source_person WHERE id = ANY(CAST(:ids AS uuid[])) AND person_id IS NOT NULL"),
        {"ids": list(sources)},
    )
    for source, person_id in rows.all():
        await _ask(session, person_id, sources[source], None, now)


async def _ask(session: AsyncSession, person_id: UUID, actor: str, reason: str | None, now: datetime) -> Erasure:
    erasure_id = derived_id("erasure", person_id)
    await session.execute(
        text(
            "INSERT INTO erasure (id, person_id, requested_by, requested_at, reason) VALUES (:id, :person, :by, :now, "
            ":reason) ON CONFLICT (id) DO UPDATE SET done_at = NULL, position = '[]', counts = '{}'"
        ),
        {"id": erasure_id, "person": person_id, "by": actor, "now": now, "reason": reason},
    )
    await work.mark(session, TO_ERASE, [str(erasure_id)], due_at=now)
    return await session.get_one(Erasure, erasure_id, populate_existing=True)


async def bury(session: AsyncSession, vault: Vault, erasure_id: UUID) -> Traces:
    """Set the tombstone, so that nothing of the person gets in from now on; returns by what they are found."""
    await lock(session, LOCK)
    erasure = await session.get_one(Erasure, erasure_id)
    await session.execute(text("UPDATE person SET do_not_contact = true WHERE id = :id"), {"id": erasure.person_id})
    rows = await session.execute(
        text(
            "SELECT s.id, s.place, s.profile, k.kind, k.value, EXISTS (SELECT FROM person_key o "
            "JOIN source_person p ON p.id = o.source_person_id WHERE o.kind = k.kind AND o.value = k.value "
            "AND p.person_id IS DISTINCT FROM s.person_id) AS shared "
            "FROM source_person s LEFT JOIN person_key k ON k.source_person_id = s.id WHERE s.person_id = :person"
        ),
        {"person": erasure.person_id},
    )
    found = rows.all()
    sources = sorted({row.id for row in found})
    own = {(row.kind, row.value) for row in found if row.kind and of_a_person((row.kind, row.value)) and not row.shared}
    await session.execute(
        text(
            "INSERT INTO erased_key (digest, alias, erasure_id) SELECT digest, alias, :erasure "
            "FROM unnest(CAST(:digests AS text[]), CAST(:aliases AS text[])) AS n(digest, alias) ON CONFLICT DO NOTHING"
        ),
        {
            "erasure": erasure_id,
            "digests": [vault.digests(name_of(key))[0] for key in sorted(own)],
            "aliases": [new_id().hex for _ in own],
        },
    )
    await remember(session, dict.fromkeys(sources, erasure_id))
    places = await session.execute(
        text(
            "WITH seen AS (SELECT DISTINCT p.source_account_id AS id, s.account_id FROM person_place p "
            "JOIN source_account s ON s.id = p.source_account_id "
            "WHERE p.source_person_id = ANY(CAST(:sources AS uuid[]))) SELECT id FROM seen UNION SELECT o.id "
            "FROM source_account o JOIN seen ON seen.account_id = o.account_id ORDER BY 1"
        ),
        {"sources": sources},
    )
    words = {word for row in found for word in words_of((), row.place, row.profile) if not _is_gone(row.place)}
    words |= words_of(own, "", {})
    return Traces(
        erasure_id,
        erasure.person_id,
        tuple(sources),
        tuple(places.scalars()),
        tuple(sorted(words)),
        tuple(sorted(value for kind, value in own if kind == keys.EMAIL)),
        tuple(sorted(value for kind, value in own if kind == keys.USER)),
    )


def _is_gone(place: str) -> bool:
    return place.startswith(f"{ERASED}:")


async def how_far(session: AsyncSession, erasure_id: UUID) -> tuple[list[str], dict[str, int]]:
    """The position that an erasure is kept at (empty: at the beginning), and what it removed up to there."""
    erasure = await session.get_one(Erasure, erasure_id)
    return [str(part) for part in erasure.position], {} if erasure.done_at else dict(erasure.counts)


async def move_on(session: AsyncSession, erasure_id: UUID, position: Sequence[str], counts: Mapping[str, int]) -> None:
    """Keep how far an erasure is."""
    erasure = await session.get_one(Erasure, erasure_id)
    erasure.position, erasure.counts = list(position), dict(counts)


async def erasures(session: AsyncSession, viewer: Viewer, limit: int = 100) -> list[Erasure]:
    """The erasures, the latest asked for at the head. Raises `NotAllowed`."""
    viewer.require()
    latest = select(Erasure).order_by(Erasure.requested_at.desc(), Erasure.id).limit(limit)
    return list((await session.execute(latest)).scalars())


async def close(session: AsyncSession, vault: Vault, traces: Traces, counts: Mapping[str, int], now: datetime) -> None:
    """Take the names away by which the person was found, and say that it is done."""
    await lock(session, LOCK)
    await _replace_keys(session, vault, traces)
    rows = await session.execute(
        text("SELECT id, profile, profile_times FROM source_person WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id"),
        {"ids": list(traces.sources)},
    )
    for row in rows.all():
        left = without_data(Profile(row.profile, row.profile_times))
        await session.execute(
            text(
                "UPDATE source_person SET place = :place, profile = CAST(:profile AS jsonb), "
                "profile_times = CAST(:times AS jsonb) WHERE id = :id"
            ),
            {
                "id": row.id,
                "place": place_of(row.id),
                "profile": orjson.dumps(left.attributes).decode(),
                "times": orjson.dumps(left.times).decode(),
            },
        )
    await session.execute(
        text(
            "UPDATE person SET name = NULL, email = NULL, title = NULL, time_zone = NULL, do_not_contact = true, "
            "erased_at = coalesce(erased_at, :now) WHERE id = :id OR anchor = ANY(CAST(:sources AS uuid[]))"
        ),
        {"id": traces.person_id, "sources": list(traces.sources), "now": now},
    )
    removed = {name: number for name, number in sorted(counts.items()) if number}
    await session.execute(
        text("UPDATE erasure SET done_at = :now, position = '[]', counts = CAST(:counts AS jsonb) WHERE id = :id"),
        {"id": traces.erasure_id, "now": now, "counts": orjson.dumps(removed).decode()},
    )


async def _replace_keys(session: AsyncSession, vault: Vault, traces: Traces) -> None:
    """Put aliases in the place of the person's keys, at source persons and at the places that are users' own; a key
    that is others' too goes without one."""
    known = await session.execute(
        text("SELECT digest, alias FROM erased_key WHERE erasure_id = :id"), {"id": traces.erasure_id}
    )
    alias_of = {row.digest: row.alias for row in known}
    rows = await session.execute(
        text(
            "SELECT DISTINCT kind, value FROM person_key WHERE source_person_id = ANY(CAST(:ids AS uuid[])) "
            "AND kind <> :erased"
        ),
        {"ids": list(traces.sources), "erased": ERASED},
    )
    of_them = "source_person_id = ANY(CAST(:ids AS uuid[])) AND"
    for kind, value in rows.all():
        alias = next((alias_of[one] for one in vault.digests(name_of((kind, value))) if one in alias_of), None)
        given = {"kinds": [kind], "value": value, "alias": alias, "ids": list(traces.sources)}
        await _replace(session, "person_key", "source_person_id", given, of_them)
        plain = kind.removeprefix("external:")
        if alias is not None and not founds((plain, value)):
            given["kinds"] = [plain]
            await _rename_places(session, plain, value)
            await _replace(session, "account_key", "source_account_id, relation", given)


async def _replace(
    session: AsyncSession, table: str, columns: str, given: Mapping[str, object], more: str = ""
) -> None:
    where = f"WHERE {more} kind = ANY(CAST(:kinds AS text[])) AND value = :value"
    if given["alias"] is not None:
        await session.execute(
            text(
                f"INSERT INTO {table} (kind, value, asserted_at, {columns}) "
                f"SELECT '{ERASED}', :alias, asserted_at, {columns} FROM {table} {where} ON CONFLICT DO NOTHING"
            ),
            given,
        )
    await session.execute(text(f"DELETE FROM {table} {where}"), given)


async def _rename_places(session: AsyncSession, kind: str, value: str) -> None:
    """A place that is a user's own, and no company's, is called by the user's id: it goes, and so does the evidence."""
    rows = await session.execute(
        text(
            "SELECT s.id FROM source_account s JOIN account_key k ON k.source_account_id = s.id "
            "WHERE k.kind = :kind AND k.value = :value AND NOT EXISTS (SELECT FROM account_key f "
            "WHERE f.source_account_id = s.id AND f.relation = 'is' "
            "AND (f.kind LIKE 'external:%' OR f.kind IN (:group, :domain)))"
        ),
        {"kind": kind, "value": value, "group": keys.GROUP, "domain": keys.DOMAIN},
    )
    for place in set(rows.scalars()):
        await session.execute(
            text("UPDATE source_account SET place = :place, profile = '{}', profile_times = '{}' WHERE id = :id"),
            {"id": place, "place": place_of(place)},
        )
        await session.execute(
            text("UPDATE account_assertion SET evidence = '{}' WHERE source_account_id = :id"), {"id": place}
        )
