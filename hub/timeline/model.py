"""Events: facts that are never changed afterwards; and how far a replay of a connection's records is.

A thing (a subscription, a ticket, an invoice) has no table: its state at any time follows from the events about it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base


class EventRow(Base):
    """One event, at its source account for ever.

    The key leads with the source account, so a sorted batch touches few pages. `id` is derived (connection, record,
    version, kind, ordinal, or the fact's natural key), so the same fact recorded twice meets its own key. A corrected
    mapping retracts a row and adds the next `revision`: what was known on a day can still be asked.
    `people` are source persons.
    """

    __tablename__ = "event"

    source_account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default=text("0"))
    kind: Mapped[str]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    retracted_at: Mapped[datetime | None]
    flow: Mapped[str]
    people: Mapped[list[UUID]] = mapped_column(ARRAY(PgUUID(as_uuid=True)))
    subject_type: Mapped[str | None]
    subject_id: Mapped[str | None]
    subject_state: Mapped[str | None]
    amount_minor: Mapped[int | None]
    currency: Mapped[str | None]
    value: Mapped[float | None]
    unit: Mapped[str | None]
    attributes: Mapped[dict[str, Any]]
    changes: Mapped[dict[str, Any] | None]
    title: Mapped[str | None]
    url: Mapped[str | None]
    caused_by_run: Mapped[UUID | None]
    connection_id: Mapped[UUID | None]
    stream: Mapped[str | None]
    record_id: Mapped[str | None]
    version: Mapped[str | None]

    __table_args__ = (
        Index("ix_event_timeline", "source_account_id", text("occurred_at DESC"), text("id DESC")),
        Index(
            "ix_event_subject",
            "source_account_id",
            "subject_type",
            "subject_id",
            text("occurred_at DESC"),
            postgresql_where=text("subject_type IS NOT NULL"),
        ),
    )


class ReplayRow(Base):
    """A replay under way: which records it reads anew, and how far it is.

    `position` is the key behind which the phase goes on: of a record while reading, of a source account afterwards.
    The row and what was staged for it go when the replay has ended.
    """

    __tablename__ = "replay"

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str | None]
    phase: Mapped[str]
    position: Mapped[list[Any]]
    started_at: Mapped[datetime]
    records: Mapped[int]
    refused: Mapped[int]
    retracted: Mapped[int]
    added: Mapped[int]


class ReplayedRecord(Base):
    """A version of a raw record that the running replay could read."""

    __tablename__ = "replayed_record"

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    record_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)


class ReplayedEvent(Base):
    """An event as the running replay's records tell it; the first pointer wins, as when events are recorded."""

    __tablename__ = "replayed_event"

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    source_account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    occurred_at: Mapped[datetime]
    flow: Mapped[str]
    people: Mapped[list[UUID]] = mapped_column(ARRAY(PgUUID(as_uuid=True)))
    subject_type: Mapped[str | None]
    subject_id: Mapped[str | None]
    subject_state: Mapped[str | None]
    amount_minor: Mapped[int | None]
    currency: Mapped[str | None]
    value: Mapped[float | None]
    unit: Mapped[str | None]
    attributes: Mapped[dict[str, Any]]
    changes: Mapped[dict[str, Any] | None]
    title: Mapped[str | None]
    url: Mapped[str | None]
    caused_by_run: Mapped[UUID | None]
    stream: Mapped[str]
    record_id: Mapped[str]
    version: Mapped[str]
