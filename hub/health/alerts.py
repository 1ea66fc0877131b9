"""The life of an alert, decided from what holds now and what is known already.

An alert opens once, is kept up to date while its rule holds, and resolves itself when it does not. A person may resolve
it earlier. Either way it stays quiet until it is *armed* again, which the rule's re-arm policy decides
(`section.Rearm`; usually when the rule has ceased to hold): only then may the next alert of the same rule open. So an
alert that somebody has dealt with does not come back by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from hub.health.rules import ReadyAlert
from hub.health.section import Rearm
from hub.health.vocabulary import AlertStatus


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """An alert that is alive, or was resolved by a person while its rule went on holding."""

    id: Any
    account_id: str
    rule: str
    status: AlertStatus
    values: Mapping[str, Any]
    resolved_at: datetime | None = None
    ceased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenedAlert:
    """An alert that opens now, with the facts that its rule was held against."""

    account_id: str
    alert: ReadyAlert
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """What has to be written, in this order: `ceased` (the rule has just stopped holding) and `resumed` (it holds
    again), `rearmed` and `resolved`, `opened` and `updated`. One alert may be in several."""

    opened: list[OpenedAlert] = field(default_factory=list)
    updated: list[tuple[StandingAlert, Mapping[str, Any]]] = field(default_factory=list)
    resolved: list[StandingAlert] = field(default_factory=list)
    rearmed: list[StandingAlert] = field(default_factory=list)
    ceased: list[StandingAlert] = field(default_factory=list)
    resumed: list[StandingAlert] = field(default_factory=list)


def follow(
    alerts: Sequence[ReadyAlert], frame: pl.DataFrame, standing: Iterable[StandingAlert], now: datetime
) -> AlertChanges:
    """What happens to the alerts of the accounts of `frame` (columns: measures and facts).

    `standing` are the alerts of these accounts, at most one for an account and rule. One whose rule is no longer in the
    blueprint does not hold.
    """
    changes = AlertChanges()
    left = {(alert.account_id, alert.rule): alert for alert in standing}
    for alert in alerts:
        for row in frame.filter(alert.rule.holds(frame)).iter_rows(named=True):
            known = left.pop((row["account_id"], alert.name), None)
            _holds(changes, OpenedAlert(row["account_id"], alert, alert.rule.values(row)), known, now)
    policies = {alert.name: alert.definition.rearm for alert in alerts}
    for known in left.values():
        _ceases(changes, known, policies.get(known.rule, Rearm()), now)
    return changes


def _holds(changes: AlertChanges, now_true: OpenedAlert, known: StandingAlert | None, now: datetime) -> None:
    if known is None:
        changes.opened.append(now_true)
    elif known.status is not AlertStatus.RESOLVED:
        if known.values != now_true.values:
            changes.updated.append((known, now_true.values))
    elif now_true.alert.definition.rearm.arms(known.resolved_at or now, known.ceased_at, now):
        changes.rearmed.append(known)
        changes.opened.append(now_true)
    elif known.ceased_at is not None:
        changes.resumed.append(known)


def _ceases(changes: AlertChanges, known: StandingAlert, policy: Rearm, now: datetime) -> None:
    if known.status is not AlertStatus.RESOLVED:
        changes.resolved.append(known)
    if policy.arms(known.resolved_at or now, known.ceased_at or now, now):
        changes.rearmed.append(known)
    elif known.ceased_at is None:
        changes.ceased.append(known)
