"""From raw records to events. Pure: a record and its connector are all that counts.

A record that cannot be read, for whatever reason, is a `Refused` with the reason; the others go on. Deleting a record
makes `thing.deleted` of every thing that any version of it was about. As each version tells its things by itself, it
does not matter whether the tombstone came before or after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from pydantic import BaseModel, ValidationError

from hub.accounts.service import Sighting, sighting
from hub.kit.errors import Invalid
from hub.kit.storable import storable, storable_parts
from hub.sdk.connector import Connector
from hub.sdk.declarations import kind_is_known
from hub.sdk.events import Event
from hub.timeline.rows import EventRecord, Pointer, deletion, event_record

LONGEST_REASON = 500


class RawVersion(Protocol):
    """A version of a raw record; `payload` is what the vendor sent, None for a tombstone."""

    @property
    def connection_id(self) -> UUID: ...
    @property
    def stream(self) -> str: ...
    @property
    def record_id(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def payload(self) -> Mapping[str, Any] | None: ...
    @property
    def received_at(self) -> datetime: ...
    @property
    def deleted_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing that a record was about, and where."""

    place: UUID
    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Read:
    """What one record tells: events (those with a natural key may be known from another record), and who was seen."""

    events: list[EventRecord] = field(default_factory=list)
    shared: list[EventRecord] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def things(self) -> set[Thing]:
        """The things that the events are about."""
        return {
            Thing(event.source_account_id, event.subject_type, event.subject_id)
            for event in (*self.events, *self.shared)
            if event.subject_type is not None and event.subject_id is not None
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that cannot become events, and why."""

    reason: str


def pointer(record: RawVersion) -> Pointer:
    """Which version of which record it is."""
    return Pointer(record.connection_id, record.stream, record.record_id, record.version)


def read(connector: Connector[Any], record: RawVersion) -> Read | Refused:
    """The events of one version of a record (none for a tombstone)."""
    if record.payload is None:
        return Read()
    stream = connector.streams.get(record.stream)
    if stream is None or stream.normalizer is None:
        return Refused(f"{connector.id} has no stream {record.stream!r} that makes events.")
    try:
        model = _fitted(stream.record, record.payload)
        return _shaped(connector.id, stream.normalizer(connector, model), pointer(record))
    except ValidationError as error:
        return Refused(_shortened(f"The record does not fit: {_problems(error)}"))
    except Exception as error:  # a plugin's code may fail in any way; this record waits, the others go on
        return Refused(_shortened(f"{type(error).__name__}: {error}"))


def _fitted(model: type[BaseModel], payload: Mapping[str, Any]) -> BaseModel:
    """The payload as the stream's model; lone surrogates, which no model takes, become U+FFFD."""
    try:
        return model.model_validate(payload)
    except ValidationError:
        cleaned = storable_parts(payload)
        if cleaned == payload:
            raise
        return model.model_validate(cleaned)


def _shaped(connector_id: str, events: Iterable[Event], source: Pointer) -> Read:
    told = Read()
    ordinals: Counter[str] = Counter()
    for event in events:
        if not kind_is_known(event.kind, connector_id):
            raise Invalid(
                f"{event.kind!r} is no known kind of event.",
                remedy=f"Use one of the registry, or a kind of your own: x.{connector_id}.<object>.<action>.",
                path=("kind",),
            )
        seen = sighting(source.connection_id, event.account, event.people, event.occurred_at)
        row = event_record(event, seen, source, ordinals[event.kind])
        ordinals[event.kind] += 1
        (told.events if event.natural_key is None else told.shared).append(row)
        told.sightings.append(seen)
    return told


def deletions(record: RawVersion, things: Iterable[Thing]) -> list[EventRecord]:
    """What a tombstone says of these things: deleted, at the vendor's time, or when we heard of it."""
    at = record.deleted_at or record.received_at
    return [deletion(thing.place, thing.type, thing.id, at, pointer(record)) for thing in things]


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'record'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _shortened(reason: str) -> str:
    reason = storable(reason)
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"
