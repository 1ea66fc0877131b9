"""Scores with their terms, overridden bands, alerts, and the watch list."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.health.vocabulary import AlertStatus, Band, WatchStatus
from hub.kit.db import Base
from hub.kit.ids import new_id

__all__ = ["Alert", "AlertStatus", "Band", "BandOverride", "Health", "Score", "Watch", "WatchStatus", "WatchStep"]


class Score(Base):
    """One score of one account, never changed. Points are whole micro-points (1 point = 1,000,000), so sums are exact.

    `terms` holds everything that the score was made from (`hub.health.terms`), so that it can be explained and made
    again. `micro_points` is None when the band is unknown. A row is written only when something that counts changed: a
    value that moved without moving a point makes no new row. Without a journey or a profile the names are empty.
    `computed_band` is what the score says, `band` what is in effect: they differ while a person has overridden it.
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
    whoever scores holds it, so no older result can replace a newer one. `revenue_minor` is what a year of the account
    is worth as of the last look (see `watching.yearly_minor`; None: not known), by which roll-ups are weighted.
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
    revenue_minor: Mapped[int | None]

    # Every scoring updates every row: half-empty pages let PostgreSQL do it in place (HOT), at half the cost.
    __table_args__ = (
        Index(None, "band", "account_id"),
        Index(None, "micro_points", "account_id"),
        {"postgresql_with": {"fillfactor": 50}},
    )


class BandOverride(Base):
    """A person's word against the computed band, with a reason, until a moment. At most one of an account stands.

    `ended_at` is when it was taken back, replaced, or seen to have run out; it counts no longer from the earlier of
    `until` and `ended_at` on.
    """

    __tablename__ = "band_override"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID]
    band: Mapped[str]
    reason: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]

    __table_args__ = (
        Index("uq_band_override_standing", "account_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index(None, "account_id", text("made_at DESC")),
    )


class Alert(Base):
    """A change that needs attention. At most one is alive for an account and a rule.

    Until `rearmed_at`, which the rule's re-arm policy decides, no other alert of the same rule can open, even when a
    person has resolved this one. `ceased_at` is since when the rule has not held (None: it holds). Until
    `snoozed_until` nobody is reminded of it. `version` counts the changes of status, owner and snooze.
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
    ceased_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))

    __table_args__ = (
        Index("uq_alert_alive", "account_id", "rule", unique=True, postgresql_where=text("rearmed_at IS NULL")),
        Index(None, "status", text("opened_at DESC"), "id"),
        Index(None, "owner", "opened_at"),
        Index(None, "account_id", text("opened_at DESC")),
    )


class Watch(Base):
    """An account being saved, from its entry until it recovered or was lost; every status it had is a `WatchStep`.

    An account that comes back has a new entry: the clock of an entry stops for good at its end. `version` counts the
    changes of status, owner and next action.
    """

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
    next_action_due: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))

    __table_args__ = (
        Index("uq_watch_alive", "account_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index(None, "ended_at", "entered_at"),
        Index(None, "owner"),
    )


class WatchStep(Base):
    """A status that an entry of the watch list took, when, and by whom. Never changed."""

    __tablename__ = "watch_step"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    watch_id: Mapped[UUID]
    account_id: Mapped[UUID]
    status: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    note: Mapped[str | None]

    __table_args__ = (Index(None, "watch_id", "at", "id"),)
