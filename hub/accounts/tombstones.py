"""What is left of people who were erased, and how what is told of them later is withheld.

A tombstone holds keyed digests of a person's keys and the ids of their source persons, nothing of the person. A record
that comes later is recognised by them: its event is recorded and counts, what it tells of the person does not come in.
In the place of a key stands an alias that means nothing, so whatever the key joined stays joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.identity import KeyName, founds, names_person
from hub.accounts.profiles import Profile
from hub.accounts.sightings import AssertedKey, Known, Seen
from hub.kit.crypto import Vault

ERASED: Final = "erased"
"""The kind of an alias, and what a place is called that had a person's id for a name."""

KEPT: Final = ("role",)
"""Attributes of a person that say what they were there for and not who they are."""


SHORTEST_WORD: Final = 3


def of_a_person(key: KeyName) -> bool:
    """Whether a key may be a person's own: no company is known by it."""
    return names_person(key) and key[0] != ERASED and (not founds(key) or key[0].startswith("external:"))


def name_of(key: KeyName) -> str:
    """The key as it is digested. A place calls `external:segment.anonymous` of a person `segment.anonymous`."""
    return f"{key[0].removeprefix('external:')}\x1f{key[1]}"


def place_of(source: UUID) -> str:
    """What a source is called when its name was somebody's."""
    return f"{ERASED}:{source}"


def without_data(profile: Profile) -> Profile:
    """What stays of an erased person's profile."""
    return Profile(
        {name: value for name, value in profile.attributes.items() if name in KEPT},
        {name: at for name, at in profile.times.items() if name in KEPT},
    )


def words_of(keys: Iterable[KeyName], place: str, attributes: Mapping[str, Any]) -> set[str]:
    """What a person is called, in lower case: their keys, the vendor's name for them, and what a profile says. A title
    and a time zone are many people's."""
    told = {
        name: value
        for name, value in attributes.items()
        if isinstance(value, str) and name not in (*KEPT, "title", "time_zone")
    }
    words = {value for _, value in keys} | {place.partition(":")[2]} | set(told.values())
    words |= {part for name, value in told.items() if "name" in name for part in value.split()}
    lowered = {word.strip().lower() for word in words}
    return {word for word in lowered if len(word) >= SHORTEST_WORD}


@dataclass(frozen=True, slots=True)
class Withheld:
    """The source persons among those seen that are erased people, and the words by which they were told of."""

    sources: frozenset[UUID] = frozenset()
    words: tuple[str, ...] = ()


async def withhold(session: AsyncSession, vault: Vault, seen: Seen) -> Withheld:
    """Take out of what was seen what it tells of erased people.

    One statement where nobody was ever erased, three more where somebody was.
    """
    if not seen.people or not await session.scalar(text("SELECT EXISTS (SELECT FROM erasure)")):
        return Withheld()
    aliases = await _aliases(session, vault, seen)
    known = await session.execute(
        text("SELECT source_person_id FROM erased_source WHERE source_person_id = ANY(CAST(:ids AS uuid[]))"),
        {"ids": list(seen.people)},
    )
    erased = set(known.scalars())
    new: dict[UUID, UUID] = {}
    words: set[str] = set()
    for source, person in seen.people.items():
        found = [aliases[name] for name in _names(person.keys) if name in aliases]
        if found and source not in erased:
            new[source] = found[0][1]
        if found or source in erased:
            words |= words_of((key[:2] for key in person.keys), person.place, person.profile.attributes)
            person.keys = {(ERASED, alias, "is") for alias, _ in found}
            person.place, person.profile = place_of(source), without_data(person.profile)
    for place, account in seen.accounts.items():
        _rename(place, account, aliases)
    await remember(session, new)
    return Withheld(frozenset(erased | new.keys()), tuple(sorted(words)))


async def remember(session: AsyncSession, sources: Mapping[UUID, UUID]) -> None:
    """Keep that these source persons are erased people, each with the erasure."""
    await session.execute(
        text(
            "INSERT INTO erased_source (source_person_id, erasure_id) SELECT * "
            "FROM unnest(CAST(:sources AS uuid[]), CAST(:erasures AS uuid[])) AS n(source, erasure) "
            "ORDER BY source ON CONFLICT DO NOTHING"
        ),
        {"sources": list(sources), "erasures": list(sources.values())},
    )


def _rename(place: UUID, account: Known, aliases: Mapping[str, tuple[str, UUID]]) -> None:
    """Have a user's own place go without the user's name; a company's place keeps its own."""
    keys: set[AssertedKey] = set()
    for key in account.keys:
        found = None if founds(key[:2]) else aliases.get(name_of(key[:2]))
        keys.add(key if found is None else (ERASED, found[0], key[2]))
    if keys != account.keys and not any(founds(key[:2]) and key[2] == "is" for key in keys):
        account.place, account.profile = place_of(place), Profile()
    account.keys = keys


def _names(keys: Iterable[AssertedKey]) -> list[str]:
    return [name_of(key[:2]) for key in sorted(keys) if of_a_person(key[:2])]


async def _aliases(session: AsyncSession, vault: Vault, seen: Seen) -> dict[str, tuple[str, UUID]]:
    """Of the keys that were seen, those that an erased person had: alias and erasure by name."""
    names = {name for known in (*seen.people.values(), *seen.accounts.values()) for name in _names(known.keys)}
    by_digest = {digest: name for name in names for digest in vault.digests(name)}
    rows = await session.execute(
        text("SELECT digest, alias, erasure_id FROM erased_key WHERE digest = ANY(CAST(:digests AS text[]))"),
        {"digests": list(by_digest)},
    )
    return {by_digest[row.digest]: (row.alias, row.erasure_id) for row in rows}
