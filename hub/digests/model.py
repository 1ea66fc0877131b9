"""One digest of one owner and day."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base


class DigestStatus(StrEnum):
    """The life of a digest. `empty`: there was nothing to tell. `unknown`: nobody can say whether it was sent."""

    PENDING = "pending"
    SENT = "sent"
    EMPTY = "empty"
    FAILED = "failed"
    UNKNOWN = "unknown"


class OwnerDigest(Base):
    """What an owner is told on a day: what changed from `since` until `until`, which the next one goes on from.

    The key makes a second digest of a day impossible. `message` is written before anybody is asked to send it, so that
    every later attempt sends the same.
    """

    __tablename__ = "owner_digest"

    owner: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    since: Mapped[datetime]
    until: Mapped[datetime]
    status: Mapped[str]
    message: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    problem: Mapped[str | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "status", "day"),)
