"""What `normalize` gives back: events about accounts, people and things, in the domain's words.

An event names its account by a *place* (the vendor's own account: a Stripe customer, a Segment group) and the keys
that place has. Only the hub decides which account a place belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Any, Self

from hub.sdk.currencies import exponent_of

KIND = re.compile(r"^(x\.[a-z0-9_]+\.)?[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")


class Flow(StrEnum):
    """The business flow that a fact belongs to; `meta` holds the hub's own facts."""

    INTENT_DEMAND = "intent_demand"
    ORDER_TO_CASH = "order_to_cash"
    PROCURE_TO_PAY = "procure_to_pay"
    OPERATIONAL_EXECUTION = "operational_execution"
    FINANCIAL_PERFORMANCE = "financial_performance"
    PEOPLE_GOVERNANCE = "people_governance"
    META = "meta"


class Relation(StrEnum):
    """How a key relates to the one that has it: it *is* that, it is a *member* of that, or, of an account, it stands
    *below* that one, as a subsidiary below its holding. Standing below decides nothing about who is who."""

    IS = "is"
    MEMBER = "member"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Key:
    """A typed identity key, e.g. `external:stripe.customer` = `cus_1`, `segment.group`, `domain`, `email`."""

    kind: str
    value: str
    relation: Relation = Relation.IS


@dataclass(frozen=True, slots=True)
class Account:
    """A place in the vendor's world that events happen at.

    `place` is unique within the connection, e.g. `customer:cus_1`, `group:42`, `user:7` (for somebody whose company is
    not known yet). `profile` holds what the vendor knows of it now: name, domain, plan, employees, … `profile_at` is
    when that was true; an older profile never replaces a newer one.
    """

    place: str
    keys: tuple[Key, ...]
    profile: Mapping[str, Any] = field(default_factory=dict)
    profile_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as the vendor knows them. `place` is unique within the connection, e.g. `user:7`.

    `profile` may hold name, email, role (`administrator`, `champion`, `sponsor`, `end_user`), title, time_zone.
    """

    place: str
    keys: tuple[Key, ...]
    profile: Mapping[str, Any] = field(default_factory=dict)
    profile_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute of a thing before and after."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing an event is about, as it was after the event: a subscription, ticket, invoice, opportunity.

    `attributes` are all that is known after the event, not only what changed; `changes` names what changed.
    """

    type: str
    id: str
    state: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Amount:
    """Money in minor units of an ISO 4217 currency (upper case); the exponent is the currency's, kept as data."""

    minor: int
    currency: str

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> Self:
        """A decimal amount of whole units, exactly; what is finer than the minor unit is rounded half to even."""
        minor = amount.scaleb(exponent_of(currency)).quantize(Decimal(1), ROUND_HALF_EVEN)
        return cls(int(minor), currency)


@dataclass(frozen=True, slots=True)
class Event:
    """One fact.

    `kind` is `object.action` in the past tense, from `hub.sdk.kinds`, or a plugin's own `x.<plugin>.<object>.<action>`.
    `occurred_at` is the vendor's time, aware. `natural_key`, where given, identifies the fact across records: two
    records that report the same fact (a poll and a webhook, an event and a resource) must give the same natural key
    and the same content. Without it the fact is identified by its record.
    """

    kind: str
    occurred_at: datetime
    account: Account
    people: tuple[Person, ...] = ()
    subject: Subject | None = None
    amount: Amount | None = None
    value: float | None = None
    unit: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    flow: Flow | None = None
    title: str | None = None
    url: str | None = None
    natural_key: str | None = None

    def __post_init__(self) -> None:
        if not KIND.match(self.kind):
            raise ValueError(f"kind {self.kind!r} is not of the form object.action, for example ticket.solved")
        if self.occurred_at.tzinfo is None:
            raise ValueError(f"{self.kind}: occurred_at must be aware, for example with tzinfo=UTC")
        if not self.account.keys:
            raise ValueError(f"{self.kind}: the account of {self.account.place!r} needs at least one key")
