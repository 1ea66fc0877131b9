"""Alerts and the watch list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from hub.graphql import ids
from hub.graphql.context import Info
from hub.graphql.declare import about, given, maybe, output, resolved, vocabulary
from hub.graphql.ids import Prefix
from hub.graphql.scalars import Money, money
from hub.graphql.types.bands import Band
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
    snoozed_until: datetime | None = about("Until then nobody is reminded of it; null when it was not put off.")
    rearmed_at: datetime | None = about("When its rule could open the next alert; null while it cannot.")
    version: int = about("Counts the changes of status, owner and snooze; give it as `expectedVersion`.")
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
            snoozed_until=row.snoozed_until,
            rearmed_at=row.rearmed_at,
            version=row.version,
            blueprint_version=row.blueprint_version,
        )


@output
class WatchReason:
    """Why an account is on the watch list: an alert that opened, a band that became red, or a person's word."""

    alert: strawberry.ID | None = about("The alert that opened; null when it was none.")
    rule: str | None = about("The alert rule's name in the blueprint; null when it was none.")
    severity: Severity | None = about("How much the alert matters; null when it was none.")
    values: JSON | None = about("The values for which the rule held; null when it was none.")
    band: Band | None = about("The band that the account got; null when it was no band.")
    previous_band: Band | None = about("The band before; null when it was no band, or the first one.")
    text: str | None = about("What a person said; null when it was nobody.")
    by: str | None = about("Who said it; null when it was nobody.")
    at: datetime = about("When it came about.")

    @classmethod
    def of(cls, reason: Mapping[str, Any]) -> WatchReason:
        """The reason as the API shows it."""
        alert, severity = reason.get("alert_id"), reason.get("severity")
        band, previous_band = reason.get("band"), reason.get("previous_band")
        return cls(
            alert=strawberry.ID(f"alt_{UUID(alert).hex}") if alert else None,
            rule=reason.get("rule"),
            severity=Severity(severity) if severity else None,
            values=JSON(reason["values"]) if "values" in reason else None,
            band=Band(band) if band else None,
            previous_band=Band(previous_band) if previous_band else None,
            text=reason.get("text"),
            by=reason.get("by"),
            at=datetime.fromisoformat(reason["at"]),
        )


@output
class WatchStep:
    """A status that an entry of the watch list took."""

    status: WatchStatus = about("The status.")
    at: datetime = about("When it took it.")
    by: str = about("Who set it, or the hub.")
    note: str | None = about("What they said about it; null when nothing.")

    @classmethod
    def of(cls, row: health.WatchStep) -> WatchStep:
        """The step as the API shows it."""
        return cls(status=WatchStatus(row.status), at=row.at, by=row.by, note=row.note)


@output
class WatchEntry(Owned):
    """An account being saved, from its entry on the watch list (the member-at-risk monitor, MAR) until it recovered or
    was lost. One that comes back has a new entry."""

    key: strawberry.Private[UUID]
    status: WatchStatus = about("Where it is in its life.")
    reasons: list[WatchReason] = about("Why it is on the list, the first reason first.")
    owner: str | None = about("Who saves it; null when nobody is named.")
    revenue_at_risk: Money | None = about(
        "What would be lost in a year: twelve times what the active subscriptions pay in a month; null when not known."
    )
    next_action: str | None = about("What is to be done next; null when nothing is planned.")
    next_action_due: datetime | None = about("By when; null when nobody said.")
    version: int = about("Counts the changes of status, owner and next action; give it as `expectedVersion`.")
    entered_at: datetime = about("When it came on the list.")
    status_since: datetime = about("Since when it has had its status.")
    ended_at: datetime | None = about("When it left the list; null while it is on it.")

    @resolved
    def days_in_status(self, info: Info) -> int:
        """Whole days in its status; the clock stops when the entry ends."""
        return ((self.ended_at or info.context.now) - self.status_since).days

    @resolved
    def days_on_list(self, info: Info) -> int:
        """Whole days on the list; the clock stops when the entry ends."""
        return ((self.ended_at or info.context.now) - self.entered_at).days

    @resolved
    async def history(self, info: Info) -> list[WatchStep]:
        """Every status that it had, the first first; at most 100."""
        info.context.spend(10)
        found = await info.context.load(health.watch_steps, self.key)
        return [WatchStep.of(step) for step in found or ()]

    @classmethod
    def of(cls, row: health.Watch) -> WatchEntry:
        """The entry as the API shows it."""
        return cls(
            key=row.id,
            id=strawberry.ID(f"wat_{row.id.hex}"),
            account_key=row.account_id,
            status=WatchStatus(row.status),
            reasons=[WatchReason.of(reason) for reason in row.reasons],
            owner=row.owner,
            revenue_at_risk=money(row.revenue_at_risk_minor, row.currency),
            next_action=row.next_action,
            next_action_due=row.next_action_due,
            version=row.version,
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
    snoozed: bool | None = maybe("Whether somebody has put it off.")


@given
class WatchFilter:
    """Which entries of the watch list. All that is given has to hold; an empty list restricts nothing."""

    status: list[WatchStatus] | None = maybe("With one of these statuses.")
    owner: list[str] | None = maybe("Saved by one of these.")
    account: list[strawberry.ID] | None = maybe("Of one of these accounts.")
    due_by: datetime | None = maybe("Whose next action is due by then.")
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
        snoozed=wanted.snoozed,
    )


def _accounts(wanted: WatchFilter) -> tuple[strawberry.ID, ...]:
    return several(wanted.account, "filter", "account")


def wanted_watches(wanted: WatchFilter | None) -> health.WatchFilter:
    """The filter as health reads it. Raises `Invalid`."""
    if wanted is None:
        return health.WatchFilter()
    return health.WatchFilter(
        statuses=several(wanted.status, "filter", "status"),
        owners=texts(wanted.owner, "filter", "owner"),
        accounts=tuple(ids.read(Prefix.ACCOUNT, id_, "filter", "account") for id_ in _accounts(wanted)),
        due_by=wanted.due_by,
        ended=bool(wanted.include_ended),
    )
