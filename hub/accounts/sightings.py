"""What a batch of records showed of accounts and people, and what of it is new. Pure: the caller reads and writes.

A sighting is one place with the people at it at one time. Many sightings add up, in any order, to what is known of
each source: its keys, its profile, the time of its first event, and the days on which a person was seen there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from hub.accounts.places import REMEMBERED, source_account_id, source_person_id
from hub.accounts.profiles import Profile, combined, told
from hub.kit.storable import storable
from hub.sdk import keys
from hub.sdk.events import Account, Key, Person, Relation

LONGEST_KEY = 200
"""Longer values are stored by their beginning and a digest: an index row has its limit."""

LONGEST_PLACE = 500

AssertedKey = tuple[str, str, str]
"""Kind, value, relation."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A source account or source person as one record showed it, fit to be stored."""

    id: UUID
    place: str
    keys: tuple[AssertedKey, ...]
    profile: Profile


@dataclass(frozen=True, slots=True)
class Sighting:
    """A place and the people at it, as one record showed them at one time (the event's)."""

    connection_id: UUID
    at: datetime
    account: Glimpse
    people: tuple[Glimpse, ...]


@dataclass(slots=True)
class Known:
    """What is known of one source account or source person. `unresolved` when it is new, or has new keys."""

    connection_id: UUID | None
    place: str
    first_seen_at: datetime
    keys: set[AssertedKey] = field(default_factory=set)
    profile: Profile = field(default_factory=Profile)
    unresolved: bool = True


@dataclass(slots=True)
class Seen:
    """What many sightings add up to, in any order: as large as what they are about, however many they are.

    Source accounts and source persons by id, and the last day that a person was seen at a place.
    """

    accounts: dict[UUID, Known] = field(default_factory=dict)
    people: dict[UUID, Known] = field(default_factory=dict)
    stays: dict[tuple[UUID, UUID], date] = field(default_factory=dict)

    def add(self, one: Sighting) -> None:
        """Count a sighting in."""
        _add(self.accounts, one, one.account)
        for person in one.people:
            _add(self.people, one, person)
            stay = (person.id, one.account.id)
            self.stays[stay] = max(self.stays.get(stay, date.min), one.at.date())


def sighting(connection_id: UUID, account: Account, people: Iterable[Person], at: datetime) -> Sighting:
    """The place and the people as they can be stored and compared.

    Raises `ValueError` for a naive time, a key or place that is not text, and a profile that JSON does not know.
    """
    if at.tzinfo is None:
        raise ValueError(f"the time {at.isoformat()} must be aware, for example with tzinfo=UTC")
    return Sighting(
        connection_id,
        at.astimezone(UTC),
        _glimpse(source_account_id(connection_id, account.place), account, at, account.keys),
        tuple(
            # What somebody is a member of says something about places, not about who they are.
            _glimpse(source_person_id(connection_id, person.place), person, at, _own(person.keys))
            for person in people
        ),
    )


def _glimpse(id_: UUID, what: Account | Person, at: datetime, asserted_keys: Iterable[Key]) -> Glimpse:
    if not isinstance(what.place, str) or not 0 < len(what.place) <= LONGEST_PLACE:
        raise ValueError(f"a place is a text of 1 to {LONGEST_PLACE} characters, not {str(what.place)[:50]!r}")
    profile = told(what.profile, what.profile_at or at) if what.profile else Profile()
    return Glimpse(id_, storable(what.place), tuple(asserted(key) for key in asserted_keys), profile)


def _own(person_keys: Iterable[Key]) -> list[Key]:
    return [key for key in person_keys if key.relation is Relation.IS]


@lru_cache(maxsize=REMEMBERED)
def asserted(key: Key) -> AssertedKey:
    """The key as it is stored and compared. Raises `ValueError` when its parts are not text."""
    if not (isinstance(key.kind, str) and isinstance(key.value, str)):
        raise ValueError(f"the key {key.kind!r} = {key.value!r} must be text")
    value = storable(key.value).strip()
    if key.kind in (keys.DOMAIN, keys.EMAIL):
        value = value.lower()
    return _bounded(storable(key.kind)), _bounded(value), Relation(key.relation).value


def _bounded(value: str) -> str:
    if len(value) <= LONGEST_KEY:
        return value
    return f"{value[: LONGEST_KEY - 40]}…{blake2b(value.encode(), digest_size=16).hexdigest()}"


def _add(known: dict[UUID, Known], where: Sighting, shown: Glimpse) -> None:
    entry = known.get(shown.id)
    if entry is None:
        entry = known[shown.id] = Known(where.connection_id, shown.place, where.at)
    entry.first_seen_at = min(entry.first_seen_at, where.at)
    entry.keys.update(shown.keys)
    entry.profile = combined(entry.profile, shown.profile)


def news(known: Mapping[UUID, Known], shown: Mapping[UUID, Known]) -> dict[UUID, Known]:
    """Of what was shown: those that are new or change something, as they are to be stored.

    Each carries the whole profile, the earliest time and only the keys that are new.
    """
    changed = {}
    for id_, now in shown.items():
        before = known.get(id_)
        if before is None:
            changed[id_] = now
            continue
        profile = combined(before.profile, now.profile)
        fresh = now.keys - before.keys
        first = min(before.first_seen_at, now.first_seen_at)
        if fresh or profile != before.profile or first != before.first_seen_at:
            changed[id_] = Known(before.connection_id, before.place, first, fresh, profile, bool(fresh))
    return changed
