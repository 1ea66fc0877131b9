"""Where an account is on its journey, where it was, and what it has proved."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base
from hub.kit.ids import new_id


class Stay(Base):
    """An account in a stage, from `entered_at` until `left_at`; `because` holds the rule and the values that held."""

    __tablename__ = "stay"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID]
    segment: Mapped[str]
    stage: Mapped[str]
    entered_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    because: Mapped[dict[str, Any]]
    blueprint_version: Mapped[int]

    __table_args__ = (
        Index("uq_stay_current", "account_id", unique=True, postgresql_where=text("left_at IS NULL")),
        Index(None, "account_id", "entered_at"),
    )


class MilestoneProgress(Base):
    """A milestone of one stay: when it was expected, when it was reached or noticed overdue, and by what evidence."""

    __tablename__ = "milestone_progress"

    stay_id: Mapped[UUID] = mapped_column(primary_key=True)
    milestone: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    expected_at: Mapped[datetime | None]
    reached_at: Mapped[datetime | None]
    overdue_at: Mapped[datetime | None]
    evidence: Mapped[dict[str, Any]]

    __table_args__ = (UniqueConstraint("account_id", "stay_id", "milestone"),)
