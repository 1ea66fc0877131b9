"""An event as it is stored: checked, its id derived, its values in the order of the table's columns.

All checking happens here, before a statement is sent: PostgreSQL would refuse a whole batch for one bad value. What
cannot be stored as it is, but has a meaning (NUL, lone surrogates), is replaced; what has none (an infinite number, a
naive time, a kind that nobody defined) is refused with a reason. A time in the future is kept: measures never look
ahead of the moment they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from hub.accounts.service import Sighting
from hub.kit.errors import Invalid
from hub.kit.ids import derived_id
from hub.kit.storable import storable, storable_json
from hub.sdk.events import Amount, Event, Flow, Subject
from hub.sdk.kinds import KINDS, flow_of

OWN_KIND: Final = "x."
"""A plugin's own kinds begin so, and need no entry in the registry."""

LONGEST_NAME: Final = 500
"""Types and ids of things: they stand in an index, whose rows have a limit."""

DELETED: Final = "deleted"
"""The state of a thing that its vendor deleted."""

_BIGINT: Final = 2**63


class EventRecord(NamedTuple):
    """One row of the timeline but for the time of its recording, in the order of the columns.

    `attributes` and `changes` are JSON as text, `people` are source persons.
    """

    source_account_id: UUID
    id: UUID
    kind: str
    occurred_at: datetime
    flow: str
    people: list[UUID] = []  # noqa: RUF012  # never changed: a row's values are only read
    subject_type: str | None = None
    subject_id: str | None = None
    subject_state: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    value: float | None = None
    unit: str | None = None
    attributes: str = "{}"
    changes: str | None = None
    title: str | None = None
    url: str | None = None
    caused_by_run: UUID | None = None
    connection_id: UUID | None = None
    stream: str | None = None
    record_id: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which version of which raw record an event was read from."""

    connection_id: UUID
    stream: str
    record_id: str
    version: str


def event_record(event: Event, seen: Sighting, pointer: Pointer, ordinal: int) -> EventRecord:
    """The event as it is stored, where and with whom it was seen; `ordinal` counts the record's events of its kind.

    A natural key identifies the fact within the connection, whichever record reports it. Raises `Invalid`.
    """
    connection = pointer.connection_id
    if event.natural_key is None:
        identity = derived_id(
            "event", connection, pointer.stream, pointer.record_id, pointer.version, event.kind, ordinal
        )
    else:
        identity = derived_id("fact", connection, event.kind, event.natural_key)
    return _row(
        event,
        seen.account.id,
        identity,
        list(dict.fromkeys(person.id for person in seen.people)),
        None,
        (connection, pointer.stream, pointer.record_id, pointer.version),
    )


def deletion(place: UUID, subject_type: str, subject_id: str, at: datetime, pointer: Pointer) -> EventRecord:
    """The event that a tombstone makes of a thing: derived from both, so it is one however often it is made."""
    return EventRecord(
        source_account_id=place,
        id=derived_id(
            "deletion",
            pointer.connection_id,
            pointer.stream,
            pointer.record_id,
            pointer.version,
            subject_type,
            subject_id,
        ),
        kind="thing.deleted",
        occurred_at=at,
        flow=flow_of("thing.deleted").value,
        subject_type=subject_type,
        subject_id=subject_id,
        subject_state=DELETED,
        connection_id=pointer.connection_id,
        stream=pointer.stream,
        record_id=pointer.record_id,
        version=pointer.version,
    )


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that the hub itself found or decided about an account; `natural_key` identifies it there."""

    account_id: UUID
    kind: str
    occurred_at: datetime
    natural_key: str
    title: str | None = None
    attributes: Mapping[str, Any] | None = None
    subject: Subject | None = None
    people: Iterable[UUID] = ()
    caused_by_run: UUID | None = None


def fact_record(fact: Fact, own_place: UUID) -> EventRecord:
    """The fact as it is stored, at the account's own place. Raises `Invalid`."""
    identity = derived_id("own-fact", fact.account_id, fact.kind, fact.natural_key)
    return _row(fact, own_place, identity, list(fact.people), fact.caused_by_run, (None, None, None, None))


def _row(
    told: Event | Fact,
    place: UUID,
    identity: UUID,
    people: list[UUID],
    run: UUID | None,
    pointer: tuple[UUID | None, str | None, str | None, str | None],
) -> EventRecord:
    event = told if isinstance(told, Event) else None
    subject = told.subject
    minor, currency = _money(event.amount) if event else (None, None)
    return EventRecord(
        place,
        identity,
        _kind(told.kind),
        _time(told.occurred_at),
        _flow(told.kind, event.flow if event else None),
        people,
        _text(subject.type, "subject.type", LONGEST_NAME) if subject else None,
        _text(subject.id, "subject.id", LONGEST_NAME) if subject else None,
        _optional(subject.state, "subject.state") if subject else None,
        minor,
        currency,
        _number(event.value) if event else None,
        _optional(event.unit, "unit") if event else None,
        _json({**(told.attributes or {}), **(subject.attributes if subject else {})}, "attributes"),
        _changes(subject),
        _optional(told.title, "title"),
        _optional(event.url, "url") if event else None,
        run,
        *pointer,
    )


def _kind(kind: str) -> str:
    if kind not in KINDS and not kind.startswith(OWN_KIND):
        raise Invalid(
            f"{kind!r} is no known kind of event.",
            remedy="Use one of the registry, or a kind of your own: x.<plugin>.<object>.<action>.",
            path=("kind",),
        )
    return kind


def _time(at: datetime) -> datetime:
    if not isinstance(at, datetime):
        raise Invalid(f"occurred_at is a {type(at).__name__}, not a datetime.", path=("occurred_at",))
    if at.utcoffset() is None:
        raise Invalid("occurred_at has no time zone.", path=("occurred_at",))
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise Invalid(f"occurred_at {at} is out of range.", path=("occurred_at",)) from None


def _flow(kind: str, own: Flow | None) -> str:
    return Flow(own).value if own is not None else flow_of(kind).value


def _text(value: Any, name: str, longest: int | None = None) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{name} is a {type(value).__name__}, not text.", path=tuple(name.split(".")))
    if longest is not None and not 0 < len(value) <= longest:
        raise Invalid(f"{name} has {len(value)} characters, not 1 to {longest}.", path=tuple(name.split(".")))
    return storable(value)


def _optional(value: Any, name: str) -> str | None:
    return None if value is None else _text(value, name)


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"value is a {type(value).__name__}, not a number.", path=("value",))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Invalid(f"value {value} is not a number that can be stored.", path=("value",))
    return number


def _money(amount: Amount | None) -> tuple[int | None, str | None]:
    if amount is None:
        return None, None
    if isinstance(amount.minor, bool) or not isinstance(amount.minor, int) or not -_BIGINT <= amount.minor < _BIGINT:
        raise Invalid(f"amount.minor {amount.minor!r} is not a whole number of minor units.", path=("amount", "minor"))
    currency = amount.currency
    if not (isinstance(currency, str) and len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise Invalid(f"amount.currency {currency!r} is no ISO 4217 code.", path=("amount", "currency"))
    return amount.minor, currency


def _json(value: Mapping[str, Any], name: str) -> str:
    if not value:
        return "{}"
    try:
        return storable_json(value)
    except ValueError as error:
        raise Invalid(f"{name} cannot be stored: {error}.", path=(name,)) from None


def _changes(subject: Subject | None) -> str | None:
    if subject is None or not subject.changes:
        return None
    named = {name: {"before": change.before, "after": change.after} for name, change in subject.changes.items()}
    return _json(named, "changes")
