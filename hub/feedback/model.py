"""The voice of the customer: one thing said, and what became of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base
from hub.kit.ids import new_id


class FeedbackStatus(StrEnum):
    """The life of a piece of feedback."""

    NEW = "new"
    TRIAGED = "triaged"
    PLANNED = "planned"
    SHIPPED = "shipped"
    ANSWERED = "answered"
    DECLINED = "declined"


class FeedbackKind(StrEnum):
    """What sort of thing was said."""

    PRAISE = "praise"
    REQUEST = "request"
    PROBLEM = "problem"
    QUESTION = "question"


class Feedback(Base):
    """One thing that an account said."""

    __tablename__ = "feedback"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID]
    person_id: Mapped[UUID | None]
    kind: Mapped[str]
    theme: Mapped[str | None]
    text: Mapped[str]
    status: Mapped[str]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)

    __table_args__ = (Index(None, "account_id", sql("recorded_at DESC"), "id"),)
