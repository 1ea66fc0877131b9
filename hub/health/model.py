"""Scores with their terms, alerts, and the watch list."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.health.vocabulary import AlertStatus, Band, WatchStatus
from hub.kit.db import Base
from hub.kit.ids import new_id

__all__ = ["Alert", "AlertStatus", "Band", "Health", "Score", "Watch", "WatchStatus"]


class Score(Base):
    """One score of one account, never changed. Points are whole micro-points (1 point = 1,000,000), so sums are exact.

    `terms` holds everything that the score was made from (`hub.health.terms`), so that it can be explained and made
    again. `micro_points` is None when the band is unknown. A row is written only when something that counts changed: a
    value that moved without moving a point makes no new row. Without a journey or a profile the names are empty.
    """

    __tablename__ = "score"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID]
    as_of: Mapped[datetime]
    recorded_at: Mapped[datetime]
    micro_points: Mapped[int | None]
    coverage_ppm: Mapped[int]
    band: Mapped[str]
    computed_band: Mapped[str]
    segment: Mapped[str]
    stage: Mapped[str]
    profile: Mapped[str]
    terms: Mapped[dict[str, Any]]
    blueprint_version: Mapped[int]

    __table_args__ = (Index(None, "account_id", text("as_of DESC"), text("recorded_at DESC")),)


class Health(Base):
    """The newest score of an account, for lists and filters.

    `scored_at` is when it was last looked at, `changed_at` when the score last changed. `digest` stands for everything
    that counts in the score: as long as it stays the same, no new score is written. The row is also the account's lock:
    whoever scores holds it, so no older result can replace a newer one.
    """

    __tablename__ = "health"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    score_id: Mapped[UUID]
    micro_points: Mapped[int | None]
    coverage_ppm: Mapped[int]
    band: Mapped[str]
    segment: Mapped[str]
    stage: Mapped[str]
    scored_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    digest: Mapped[bytes] = mapped_column(LargeBinary)

    # Every scoring updates every row: half-empty pages let PostgreSQL do it in place (HOT), at half the cost.
    __table_args__ = (
        Index(None, "band", "account_id"),
        Index(None, "micro_points", "account_id"),
        {"postgresql_with": {"fillfactor": 50}},
    )


class Alert(Base):
    """A change that needs attention. At most one is alive for an account and a rule.

    `rearmed_at` is when the rule was first seen not to hold after the alert was opened; until then no other alert of
    the same rule can open, even when a person has resolved this one.
    """

    __tablename__ = "alert"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID]
    rule: Mapped[str]
    severity: Mapped[str]
    status: Mapped[str]
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    rearmed_at: Mapped[datetime | None]
    values: Mapped[dict[str, Any]]
    owner: Mapped[str | None]
    blueprint_version: Mapped[int]

    __table_args__ = (
        Index("uq_alert_alive", "account_id", "rule", unique=True, postgresql_where=text("rearmed_at IS NULL")),
        Index(None, "status", text("opened_at DESC"), "id"),
        Index(None, "account_id", text("opened_at DESC")),
    )


class Watch(Base):
    """An account being saved, from its entry until it recovered or was lost."""

    __tablename__ = "watch"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID]
    status: Mapped[str]
    reasons: Mapped[list[Any]]
    owner: Mapped[str | None]
    revenue_at_risk_minor: Mapped[int | None]
    currency: Mapped[str | None]
    next_action: Mapped[str | None]
    entered_at: Mapped[datetime]
    status_since: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_watch_alive", "account_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index(None, "ended_at", "entered_at"),
    )
