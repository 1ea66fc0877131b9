"""What vendors tell about an account or a person, and what the hub makes of it.

Each attribute counts since a time; of two values the newer one stands, whichever arrives first, and of two values of
the same time the one that sorts last. So a profile is the same for every order of arrival, and a vendor that tells only
what changed takes nothing else away. A None says that there is none any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from hub.accounts.identity import Strength, strength
from hub.kit.storable import storable_json
from hub.sdk import keys

SPOKEN_FOR = ("name", "domain", "owner", "time_zone")
"""Attributes that an account has columns for; the others are its facts."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Attributes, and since when each is known to be so (ISO 8601 in UTC, so that text sorts as time)."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    times: Mapping[str, str] = field(default_factory=dict)

    @property
    def newest(self) -> datetime | None:
        """The newest of the times."""
        return datetime.fromisoformat(max(self.times.values())) if self.times else None


def told(attributes: Mapping[str, Any], at: datetime) -> Profile:
    """What somebody told at one time. Raises `ValueError` for what JSON does not know and for a naive time."""
    if not attributes:
        return Profile()
    if at.tzinfo is None:
        raise ValueError(f"profile_at {at.isoformat()} must be aware, for example with tzinfo=UTC")
    plain = orjson.loads(storable_json(dict(attributes)))
    return Profile(plain, dict.fromkeys(plain, at.astimezone(UTC).isoformat(timespec="microseconds")))


def combined(one: Profile, other: Profile) -> Profile:
    """Both profiles of one source; the newer value of each attribute stands."""
    if not other.attributes:
        return one
    attributes, times = dict(one.attributes), dict(one.times)
    for name, value in other.attributes.items():
        if name not in attributes or _mark(other, name) > _mark(one, name):
            attributes[name], times[name] = value, other.times[name]
    return Profile(attributes, times)


def _mark(profile: Profile, name: str) -> tuple[str, bytes]:
    return profile.times.get(name, ""), _canonical(profile.attributes[name])


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Source:
    """One source of an account or a person: its id, the vendor's name for it, its keys, its profile."""

    id: UUID
    place: str
    keys: tuple[tuple[str, str], ...]
    profile: Profile


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What an account's sources say of it."""

    name: str
    domain: str | None
    owner: str | None
    time_zone: str
    facts: Mapping[str, Any]


def account_facts(sources: Iterable[Source]) -> AccountFacts:
    """What these sources say of their account, each attribute by its newest value.

    Without a name the account goes by its domain, or else by what a vendor calls it.
    """
    sources = list(sources)
    known = _newest(sources)
    domain = _domain(known.get("domain")) or min(
        (value for source in sources for kind, value in source.keys if strength((kind, value)) is Strength.WEAK),
        default=None,
    )
    return AccountFacts(
        name=_text(known.get("name")) or domain or min((source.place for source in sources if source.keys), default=""),
        domain=domain,
        owner=_text(known.get("owner")),
        time_zone=_time_zone(known.get("time_zone")) or "UTC",
        facts={name: value for name, value in sorted(known.items()) if name not in SPOKEN_FOR},
    )


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What a person's sources say of them."""

    name: str | None
    email: str | None
    role: str | None
    title: str | None
    time_zone: str | None


def person_facts(sources: Iterable[Source]) -> PersonFacts:
    """What these sources say of their person, each attribute by its newest value."""
    sources = list(sources)
    known = _newest(sources)
    addresses = (value for source in sources for kind, value in source.keys if kind == keys.EMAIL)
    role = _text(known.get("role"))
    return PersonFacts(
        name=_text(known.get("name")),
        email=_text(known.get("email")) or min(addresses, default=None),
        role=role.lower().replace(" ", "_") if role else None,
        title=_text(known.get("title")),
        time_zone=_time_zone(known.get("time_zone")),
    )


def _newest(sources: Iterable[Source]) -> dict[str, Any]:
    best: dict[str, tuple[str, bytes, Any]] = {}
    for source in sources:
        for name, value in source.profile.attributes.items():
            if value is None:
                continue
            mark = (*_mark(source.profile, name), value)
            if name not in best or mark[:2] > best[name][:2]:
                best[name] = mark
    return {name: value for name, (_, _, value) in best.items()}


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _domain(value: Any) -> str | None:
    if (text := _text(value)) is None:
        return None
    key = keys.domain(text)
    return key.value if strength((key.kind, key.value)) is Strength.WEAK else None


@lru_cache(maxsize=1024)
def _known_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _time_zone(value: Any) -> str | None:
    text = _text(value)
    return text if text and _known_zone(text) else None
