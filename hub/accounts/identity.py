"""Who is who: decided by the keys that vendors assert and by what people decided, and by nothing else.

Identity is a pure function of both, so the order in which records arrive cannot matter: asserted keys only ever
accumulate, and every decision is taken anew over all keys that touch it.

- Source accounts that share a *strong* key (a vendor's own id, the product's group) are one account.
- A *weak* key (a domain) joins them only while it is unambiguous: no connection may know two different accounts by it.
  Otherwise it is *contested*: it joins nothing, and people are asked.
- A *link* (the product's user id) ties the places of one user together; it founds no account.
- A place without a key of its own belongs to the account that its memberships name, when that is exactly one; a strong
  membership outranks a domain. Otherwise it waits.
- A merge by a person is a bond between the two accounts' anchors, laid over what the keys say: it only ever adds.
  Undoing it takes the bond away, and whatever arrived meanwhile falls to the side that its own keys name.

An account lives where its anchor is, the source account that it was made for. Of several in one component the oldest
survives, unless a person said otherwise; the others are dormant and come back when the component falls apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from hub.accounts.components import Components
from hub.accounts.free_mail import is_free_mail
from hub.sdk import keys

CROWD: Final = 25
"""A domain or address that more source accounts (or persons) of one connection claim than this identifies nobody."""

PLACEHOLDERS: Final = frozenset({"", "-", "n/a", "nan", "none", "null", "undefined", "unknown", "[object object]"})
"""What a program writes where it has no id: taken for a key, it would weld strangers together."""

KeyName = tuple[str, str]
"""A key's kind and value."""


class Strength(StrEnum):
    """What a key can do for an account."""

    STRONG = "strong"
    WEAK = "weak"
    LINK = "link"
    NOTHING = "nothing"


def strength(key: KeyName) -> Strength:
    """What the key can do for an account; a placeholder, an e-mail address and a free-mail domain can do nothing."""
    kind, value = key
    if value.lower() in PLACEHOLDERS:
        return Strength.NOTHING
    match kind:
        case keys.DOMAIN:
            return Strength.NOTHING if is_free_mail(value) else Strength.WEAK
        case keys.EMAIL:
            return Strength.NOTHING
        case keys.GROUP:
            return Strength.STRONG
        case _:
            return Strength.STRONG if kind.startswith("external:") else Strength.LINK


def founds(key: KeyName) -> bool:
    """Whether a place that *is* this key is an account's, and not only a user's."""
    return strength(key) in (Strength.STRONG, Strength.WEAK)


def names_person(key: KeyName) -> bool:
    """Whether the key can tell that two source persons are one."""
    kind, value = key
    return kind != keys.DOMAIN and value.lower() not in PLACEHOLDERS


@dataclass(frozen=True, slots=True)
class Claim:
    """A source account (or person) of a connection says that it *is* a key."""

    source: UUID
    connection: UUID | None
    key: KeyName


@dataclass(frozen=True, slots=True)
class Founded:
    """An account, and since when; `lost` when a person merged it into another one."""

    account_id: UUID
    created_at: datetime
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """Source accounts that are one account, and the accounts that live there (empty: one has to be founded)."""

    sources: frozenset[UUID]
    accounts: tuple[Founded, ...]

    @property
    def survivor(self) -> Founded | None:
        """The account that stands for the cluster: the oldest of those that did not lose a merge."""
        return min(self.accounts, key=lambda one: (one.lost, one.created_at, one.account_id), default=None)


@dataclass(frozen=True, slots=True)
class Partition:
    """The clusters, and the domains that more than one of them claims."""

    clusters: tuple[Cluster, ...]
    contested: Mapping[KeyName, frozenset[UUID]]
    """Each contested domain with the source accounts that claim it."""


def partition(
    claims: Iterable[Claim],
    bonds: Iterable[tuple[UUID, UUID]],
    founded: Mapping[UUID, Founded],
    crowded: Collection[KeyName] = (),
) -> Partition:
    """Split source accounts into accounts.

    `claims` are all that touch the source accounts in question, transitively; those that found nothing are passed over.
    `bonds` are pairs of sources that belong together without a key: the anchors of accounts that a person merged, an
    anchor and its account's own place. `founded` tells the accounts by anchor. `crowded` are keys with so many
    claimants that they were not all read.
    """
    usable = [claim for claim in claims if founds(claim.key)]
    strong = Components()
    for source in founded:
        strong.add(source)
    for claim in usable:
        strong.add(claim.source)
    for sharing in _by_key(claim for claim in usable if strength(claim.key) is Strength.STRONG).values():
        strong.join(*(claim.source for claim in sharing))
    weak = _by_key(claim for claim in usable if strength(claim.key) is Strength.WEAK)
    joined, contested = _joined_by_domain(strong, weak, {*crowded, *_crowded(weak)})
    for one, other in bonds:
        joined.join(one, other)
    clusters = tuple(
        Cluster(sources, tuple(founded[source] for source in sorted(sources) if source in founded))
        for sources in joined.sets()
    )
    return Partition(clusters, contested)


def _by_key(claims: Iterable[Claim]) -> dict[KeyName, list[Claim]]:
    found: dict[KeyName, list[Claim]] = defaultdict(list)
    for claim in claims:
        found[claim.key].append(claim)
    return found


def _crowded(by_key: Mapping[KeyName, list[Claim]]) -> set[KeyName]:
    sizes = {key: Counter(claim.connection for claim in claims) for key, claims in by_key.items()}
    return {key for key, size in sizes.items() if max(size.values()) > CROWD}


def _joined_by_domain(
    strong: Components, weak: Mapping[KeyName, list[Claim]], crowded: Collection[KeyName]
) -> tuple[Components, dict[KeyName, frozenset[UUID]]]:
    """Join strong components by their unambiguous domains; the others are contested.

    Ambiguity is judged before any domain has joined anything, so no order among the domains can matter. Domains that
    together would join two accounts which one connection tells apart, by whatever domains, are contested as well.
    """
    clear = {key: claims for key, claims in weak.items() if key not in crowded and not _ambiguous(strong, claims)}
    tried = strong.copy()
    for claims in clear.values():
        tried.join(*(claim.source for claim in claims))
    together: dict[UUID, list[Claim]] = defaultdict(list)
    for claims in weak.values():
        for claim in claims:
            together[tried.root(claim.source)].append(claim)
    torn = {root for root, claims in together.items() if _ambiguous(strong, claims)}
    joined = strong.copy()
    contested = {}
    for key, claims in weak.items():
        if key in clear and tried.root(claims[0].source) not in torn:
            joined.join(*(claim.source for claim in claims))
        elif key not in crowded and len({strong.root(claim.source) for claim in claims}) > 1:
            contested[key] = frozenset(claim.source for claim in claims)
    return joined, contested


def _ambiguous(strong: Components, claims: Iterable[Claim]) -> bool:
    """Whether one connection knows two different accounts among the claimants."""
    known: dict[UUID | None, UUID] = {}
    return any(
        known.setdefault(claim.connection, strong.root(claim.source)) != strong.root(claim.source) for claim in claims
    )


def same_user(places: Iterable[UUID], claims: Iterable[Claim]) -> list[frozenset[UUID]]:
    """Split places without a key of their own into those that belong to one user."""
    together = Components()
    for place in places:
        together.add(place)
    for sharing in _by_key(claim for claim in claims if strength(claim.key) is Strength.LINK).values():
        together.join(*(claim.source for claim in sharing))
    return together.sets()


def named(memberships: Iterable[KeyName], owners: Mapping[KeyName, Collection[UUID]]) -> frozenset[UUID]:
    """The accounts that a place's memberships name: the place belongs to it when that is one, and waits otherwise.

    `owners` are the accounts whose source accounts *are* the key.
    """
    by_strength: dict[Strength, set[UUID]] = defaultdict(set)
    for key in memberships:
        by_strength[strength(key)].update(owners.get(key, ()))
    return frozenset(by_strength[Strength.STRONG] or by_strength[Strength.WEAK])


def anchor_of(sources: Iterable[UUID], strong: Collection[UUID]) -> UUID:
    """The source account that a new account is made for: one with a strong key if there is any, the first by id."""
    return min(sources, key=lambda source: (source not in strong, source))


def same_people(claims: Iterable[Claim], crowded: Collection[KeyName] = ()) -> list[frozenset[UUID]]:
    """Split source persons into people: those that share a key are one.

    An address that more than `CROWD` users of one connection have is a shared mailbox and identifies nobody.
    """
    people = Components()
    for key, sharing in _by_key(claims).items():
        for claim in sharing:
            people.add(claim.source)
        shared = key in crowded or (key[0] == keys.EMAIL and bool(_crowded({key: sharing})))
        if names_person(key) and not shared:
            people.join(*(claim.source for claim in sharing))
    return people.sets()
