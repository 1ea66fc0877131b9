"""Connections, their checkpoints, and everything that a vendor sent, as it was sent."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base
from hub.kit.ids import new_id

NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")
"""What a connection may be called: its name is a segment of webhook addresses."""


class ConnectionStatus(StrEnum):
    """Whether a connection works, and if not, who has to do something."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


class Connection(Base):
    """An installed connector with its credentials. `name` is part of webhook addresses; `tenant` is the vendor's."""

    __tablename__ = "connection"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    connector: Mapped[str]
    name: Mapped[str] = mapped_column(unique=True)
    tenant: Mapped[str]
    status: Mapped[str]
    problem: Mapped[str | None]
    sealed_config: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_connection_tenant",
            "connector",
            "tenant",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
    )


class Checkpoint(Base):
    """How far a stream has been read; a backfill has a checkpoint of its own beside the live one."""

    __tablename__ = "checkpoint"

    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    backfill: Mapped[bool] = mapped_column(primary_key=True)
    cursor: Mapped[dict[str, Any] | None]
    done: Mapped[bool]
    records: Mapped[int]
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    problem: Mapped[str | None]
    paused: Mapped[bool]
    """The stream is not read until a person asks for it: too much of it could not be read."""


class OutletState(Base):
    """How far the hub's facts have left through a connection; the next one is the first behind `position`.

    `failures` counts the attempts at that one since `failing_since`; it is not tried before `retry_at`.
    """

    __tablename__ = "outlet"

    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    position: Mapped[int]
    delivered: Mapped[int]
    delivered_at: Mapped[datetime | None]
    failures: Mapped[int]
    failing_since: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    problem: Mapped[str | None]


class ListedRecord(Base):
    """A record that the running full refresh of a stream has listed; what it does not list is gone."""

    __tablename__ = "listed_record"

    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    record_id: Mapped[str] = mapped_column(primary_key=True)


class RawRecord(Base):
    """A record as the vendor sent it. Every version is a row of its own, so no version can replace another.

    `payload` is JSON as bytes (PostgreSQL's JSON types refuse what vendors do send, e.g. NUL and lone surrogates);
    it is NULL for a tombstone.
    """

    __tablename__ = "raw_record"

    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    record_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[bytes | None] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class RawPending(Base):
    """Raw records that wait to become events. Claimed by deleting, in the transaction that records the events."""

    __tablename__ = "raw_pending"

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    record_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)


class WebhookDelivery(Base):
    """The raw body of a verified delivery, stored before it is answered. `problem` is set when it could not be read."""

    __tablename__ = "webhook_delivery"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    connection_id: Mapped[UUID]
    webhook: Mapped[str]
    delivery_id: Mapped[str | None]
    path: Mapped[str]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]
    problem: Mapped[str | None]

    __table_args__ = (
        Index(
            "ix_webhook_delivery_waiting",
            "received_at",
            postgresql_where=text("processed_at IS NULL AND problem IS NULL"),
        ),
        Index(
            "uq_webhook_delivery_id",
            "connection_id",
            "webhook",
            "delivery_id",
            unique=True,
            postgresql_where=text("delivery_id IS NOT NULL"),
        ),
        Index("ix_webhook_delivery_processed", "processed_at", postgresql_where=text("processed_at IS NOT NULL")),
    )


class Quarantine(Base):
    """Something that could not be read: kept, shown, and replayed when the connector or the vendor was mended.

    `stage` is where it failed: `delivery` (receive), `record` (does not fit the model), `normalize`.
    """

    __tablename__ = "quarantine"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    stage: Mapped[str]
    stream: Mapped[str | None]
    record_id: Mapped[str | None]
    version: Mapped[str | None]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    attempts: Mapped[int]
    resolved_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "connection_id", "resolved_at", "last_seen_at"),)


class ActionStatus(StrEnum):
    """What is known about an action that was asked of a vendor."""

    PENDING = "pending"
    DONE = "done"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    FAILED = "failed"


class ActionCall(Base):
    """One action asked of a vendor, once for each idempotency key (`run:step`)."""

    __tablename__ = "action_call"

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    action: Mapped[str]
    input: Mapped[dict[str, Any]]
    status: Mapped[str]
    output: Mapped[dict[str, Any] | None]
    problem: Mapped[str | None]
    attempts: Mapped[int]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    """While a call is under way: until when nobody else may make it."""
    retry_at: Mapped[datetime | None]


class MailboxMessage(Base):
    """A message that waits until the connector's end user fetches it."""

    __tablename__ = "mailbox_message"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    recipient: Mapped[str]
    key: Mapped[str]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    marks: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))

    __table_args__ = (
        UniqueConstraint("connection_id", "key"),
        Index(
            "ix_mailbox_message_waiting",
            "connection_id",
            "recipient",
            "created_at",
            postgresql_where=text("closed_at IS NULL"),
        ),
    )
