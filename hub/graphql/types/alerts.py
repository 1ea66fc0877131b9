"""Alerts and the watch list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from hub.graphql.context import Info
from hub.graphql.declare import about, given, maybe, output, resolved, vocabulary
from hub.graphql.scalars import Money, money
from hub.graphql.types.node import Owned, several, texts
from hub.health import queries as health
from hub.health.queries import AlertStatus, Severity, WatchStatus

vocabulary(
    AlertStatus,
    OPEN="Nobody has seen it yet.",
    ACKNOWLEDGED="Somebody has seen it and looks after it.",
    RESOLVED="Over: its rule holds no more, or somebody closed it.",
)
vocabulary(
    Severity,
    LOW="Good to know.",
    MEDIUM="Look at it this week.",
    HIGH="Look at it today.",
    CRITICAL="Look at it now.",
)
vocabulary(
    WatchStatus,
    AT_RISK="In danger; nothing has been done yet.",
    PLAN_IN_PLACE="There is a plan to save it.",
    SAVING="The plan is being carried out.",
    RECOVERED="Saved. The entry has ended.",
    LOST="Lost. The entry has ended.",
)


@output
class Alert(Owned):
    """A change that needs attention. At most one is alive for an account and a rule."""

    rule: str = about("The alert rule's name in the blueprint.")
    severity: Severity = about("How much it matters.")
    status: AlertStatus = about("Where it is in its life.")
    opened_at: datetime = about("When it opened.")
    updated_at: datetime = about("When something in it last changed.")
    acknowledged_at: datetime | None = about("When somebody saw it; null while nobody has.")
    acknowledged_by: str | None = about("Who saw it; null while nobody has.")
    resolved_at: datetime | None = about("When it ended; null while it is alive.")
    resolved_by: str | None = about("Who ended it, or the hub; null while it is alive.")
    values: JSON = about("The values for which the rule held.")
    owner: str | None = about("Who looks after it; null when nobody is named.")
    blueprint_version: int = about("The version of the blueprint whose rule it is.")

    @classmethod
    def of(cls, row: health.Alert) -> Alert:
        """The alert as the API shows it."""
        return cls(
            id=strawberry.ID(f"alt_{row.id.hex}"),
            account_key=row.account_id,
            rule=row.rule,
            severity=Severity(row.severity),
            status=AlertStatus(row.status),
            opened_at=row.opened_at,
            updated_at=row.updated_at,
            acknowledged_at=row.acknowledged_at,
            acknowledged_by=row.acknowledged_by,
            resolved_at=row.resolved_at,
            resolved_by=row.resolved_by,
            values=JSON(row.values),
            owner=row.owner,
            blueprint_version=row.blueprint_version,
        )


@output
class WatchReason:
    """Why an account is on the watch list: an alert that opened."""

    alert: strawberry.ID = about("The alert.")
    rule: str = about("The alert rule's name in the blueprint.")
    severity: Severity = about("How much it matters.")
    values: JSON = about("The values for which the rule held.")
    at: datetime = about("When the alert opened.")

    @classmethod
    def of(cls, reason: Mapping[str, Any]) -> WatchReason:
        """The reason as the API shows it."""
        return cls(
            alert=strawberry.ID(f"alt_{UUID(reason['alert_id']).hex}"),
            rule=reason["rule"],
            severity=Severity(reason["severity"]),
            values=JSON(reason["values"]),
            at=datetime.fromisoformat(reason["at"]),
        )


@output
class WatchEntry(Owned):
    """An account being saved, from its entry on the watch list until it recovered or was lost."""

    status: WatchStatus = about("Where it is in its life.")
    reasons: list[WatchReason] = about("Why it is on the list, the first reason first.")
    owner: str | None = about("Who saves it; null when nobody is named.")
    revenue_at_risk: Money | None = about("What would be lost in a year; null when not known.")
    next_action: str | None = about("What is to be done next; null when nothing is planned.")
    entered_at: datetime = about("When it came on the list.")
    status_since: datetime = about("Since when it has had its status.")
    ended_at: datetime | None = about("When it left the list; null while it is on it.")

    @resolved
    def days_in_status(self, info: Info) -> int:
        """Whole days in its status; the clock stops when the entry ends."""
        return ((self.ended_at or info.context.now) - self.status_since).days

    @classmethod
    def of(cls, row: health.Watch) -> WatchEntry:
        """The entry as the API shows it."""
        return cls(
            id=strawberry.ID(f"wat_{row.id.hex}"),
            account_key=row.account_id,
            status=WatchStatus(row.status),
            reasons=[WatchReason.of(reason) for reason in row.reasons],
            owner=row.owner,
            revenue_at_risk=money(row.revenue_at_risk_minor, row.currency),
            next_action=row.next_action,
            entered_at=row.entered_at,
            status_since=row.status_since,
            ended_at=row.ended_at,
        )


@given
class AlertFilter:
    """Which alerts. All that is given has to hold; an empty list restricts nothing."""

    status: list[AlertStatus] | None = maybe("With one of these statuses.")
    severity: list[Severity] | None = maybe("With one of these severities.")
    rule: list[str] | None = maybe("Of one of these rules.")
    owner: list[str] | None = maybe("Looked after by one of these.")


@given
class WatchFilter:
    """Which entries of the watch list. All that is given has to hold; an empty list restricts nothing."""

    status: list[WatchStatus] | None = maybe("With one of these statuses.")
    owner: list[str] | None = maybe("Saved by one of these.")
    include_ended: bool | None = maybe("Also entries that have ended; left out unless true.")


WantedAlerts = Annotated[AlertFilter | None, strawberry.argument(description="Which alerts; all when left out.")]
WantedWatches = Annotated[
    WatchFilter | None, strawberry.argument(description="Which entries; all that have not ended when left out.")
]


def wanted_alerts(wanted: AlertFilter | None) -> health.AlertFilter:
    """The filter as health reads it. Raises `Invalid`."""
    if wanted is None:
        return health.AlertFilter()
    return health.AlertFilter(
        statuses=several(wanted.status, "filter", "status"),
        severities=several(wanted.severity, "filter", "severity"),
        rules=texts(wanted.rule, "filter", "rule"),
        owners=texts(wanted.owner, "filter", "owner"),
    )


def wanted_watches(wanted: WatchFilter | None) -> health.WatchFilter:
    """The filter as health reads it. Raises `Invalid`."""
    if wanted is None:
        return health.WatchFilter()
    return health.WatchFilter(
        statuses=several(wanted.status, "filter", "status"),
        owners=texts(wanted.owner, "filter", "owner"),
        ended=bool(wanted.include_ended),
    )
