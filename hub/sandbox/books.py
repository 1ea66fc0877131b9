"""Books: what a Stripe account holds, as facts that know nothing of any API version.

Stripe renders one object differently from version to version, and an event keeps the version of its day. So
the books keep facts, and `shapes` renders them in the version that is asked for. A shelf holds one kind of
fact in the order of its creation; it may also be a lazy one that computes a fact when it is read
(`synthetic`).
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Final, Protocol, TypeAlias, TypeVar

from hub.sandbox.stories import Interval

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def stripe_id(rng: Random, prefix: str, length: int = 24) -> str:
    """An id that looks like Stripe's: `stripe_id(rng, "cus_", 14)` → `cus_NffrFeUfNV2Hib`."""
    return f"{prefix}{''.join(rng.choices(_ALPHABET, k=length))}"


class Resource(StrEnum):
    """A list endpoint, by the name it has in the path."""

    CUSTOMERS = "customers"
    SUBSCRIPTIONS = "subscriptions"
    INVOICES = "invoices"
    CHARGES = "charges"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    CREDIT_NOTES = "credit_notes"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Customer:
    """`deleted` leaves a tombstone: it can be asked for by id and is in no list."""

    id: str
    created: int
    name: str
    email: str
    currency: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    delinquent: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Subscription:
    """`unit_amount` is the price of one licence for one interval, in minor units; times are unix seconds."""

    id: str
    created: int
    customer: str
    item: str
    product: str
    interval: Interval
    currency: str
    unit_amount: int
    quantity: int
    period_start: int
    period_end: int
    status: str = "active"
    latest_invoice: str | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Invoice:
    """`subscription` is None for an invoice that was written by hand."""

    id: str
    created: int
    customer: str
    customer_name: str
    customer_email: str
    subscription: str | None
    product: str
    number: str
    currency: str
    amount: int
    quantity: int
    period_start: int
    period_end: int
    reason: str
    payment_intent: str
    charge: str | None = None
    status: str = "draft"
    attempts: int = 0
    next_attempt: int | None = None
    paid_at: int | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    id: str
    created: int
    customer: str
    invoice: str | None
    payment_intent: str
    currency: str
    amount: int
    email: str
    failure: str | None = None
    amount_refunded: int = 0
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class Refund:
    id: str
    created: int
    charge: str
    payment_intent: str
    currency: str
    amount: int
    reason: str = "requested_by_customer"


@dataclass(frozen=True, slots=True)
class Dispute:
    """Names a charge, and no customer: whose dispute it is has to be found out through the charge."""

    id: str
    created: int
    charge: str
    payment_intent: str
    currency: str
    amount: int
    reason: str = "product_unacceptable"
    status: str = "needs_response"


@dataclass(frozen=True, slots=True)
class CreditNote:
    id: str
    created: int
    customer: str
    invoice: str
    number: str
    currency: str
    amount: int
    reason: str = "order_change"


Thing: TypeAlias = Customer | Subscription | Invoice | Charge | Refund | Dispute | CreditNote


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a thing: its state afterwards and, for an update, before. Rendered in `api_version` for ever."""

    id: str
    created: int
    type: str
    api_version: str
    thing: Thing
    before: Thing | None = None
    request: str | None = None
    idempotency_key: str | None = None


Fact: TypeAlias = Thing | Event


_RESOURCES: Final[Mapping[type[Fact], Resource]] = {
    Customer: Resource.CUSTOMERS,
    Subscription: Resource.SUBSCRIPTIONS,
    Invoice: Resource.INVOICES,
    Charge: Resource.CHARGES,
    Refund: Resource.REFUNDS,
    Dispute: Resource.DISPUTES,
    CreditNote: Resource.CREDIT_NOTES,
    Event: Resource.EVENTS,
}

Kind = TypeVar("Kind", Customer, Subscription, Invoice, Charge, Refund, Dispute, CreditNote, Event)


class Shelf(Protocol):
    """Facts of one kind by place: 0 is the oldest, and facts of the same second have one fixed order."""

    def __len__(self) -> int: ...

    def at(self, place: int) -> Fact:
        """The fact at this place."""

    def place_of(self, fact_id: str) -> int | None:
        """Where the fact with this id stands; None if there is none."""

    def first_since(self, created: int) -> int:
        """The first place whose fact was created at this second or later; the length if there is none."""

    def put(self, fact: Fact) -> None:
        """Adds the fact, or replaces the one with its id."""


class MemoryShelf:
    """A shelf in memory. A fact that arrives with an earlier time than others still goes to its place in time."""

    def __init__(self) -> None:
        self._keys: list[tuple[int, int]] = []
        self._facts: list[Fact] = []
        self._key_of: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._facts)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    def at(self, place: int) -> Fact:
        return self._facts[place]

    def place_of(self, fact_id: str) -> int | None:
        key = self._key_of.get(fact_id)
        return None if key is None else bisect_left(self._keys, key)

    def first_since(self, created: int) -> int:
        return bisect_left(self._keys, (created, 0))

    def put(self, fact: Fact) -> None:
        place = self.place_of(fact.id)
        if place is not None:
            self._facts[place] = fact
            return
        key = (fact.created, len(self._facts))
        place = bisect_left(self._keys, key)
        self._keys.insert(place, key)
        self._facts.insert(place, fact)
        self._key_of[fact.id] = key


@dataclass(slots=True)
class Books:
    """One Stripe account's content. `upgraded_at`: when it moved from `older_version` to `version`."""

    account: str
    shelves: dict[Resource, Shelf]
    version: str
    older_version: str
    upgraded_at: int

    def put(self, fact: Fact) -> None:
        self.shelves[_RESOURCES[type(fact)]].put(fact)

    def get(self, resource: Resource, fact_id: str) -> Fact | None:
        """The fact with this id in its present state."""
        place = self.shelves[resource].place_of(fact_id)
        return None if place is None else self.shelves[resource].at(place)

    def find(self, kind: type[Kind], fact_id: str) -> Kind | None:
        """The same for who knows what kind of fact it is."""
        fact = self.get(_RESOURCES[kind], fact_id)
        return fact if isinstance(fact, kind) else None

    def newest(self, kind: type[Kind], before: int | None = None) -> Iterator[Kind]:
        """All facts of a kind, the newest first; those created before this second, if one is given."""
        shelf = self.shelves[_RESOURCES[kind]]
        for place in reversed(range(len(shelf) if before is None else shelf.first_since(before))):
            fact = shelf.at(place)
            if isinstance(fact, kind):
                yield fact

    def version_at(self, created: int) -> str:
        """The API version in which an event of that second is rendered."""
        return self.version if created >= self.upgraded_at else self.older_version


def empty_shelves() -> dict[Resource, Shelf]:
    """A shelf in memory for every resource."""
    return {resource: MemoryShelf() for resource in Resource}
