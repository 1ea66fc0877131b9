"""The life of an alert, decided from what holds now and what is known already.

An alert opens once, is kept up to date while its rule holds, and resolves itself when it does not. A person may resolve
it earlier; it then stays quiet until the rule has ceased to hold at least once (it *re-arms*), and only after that may
the next alert of the same rule open. So an alert that somebody has dealt with does not come back by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from hub.health.rules import ReadyAlert
from hub.health.vocabulary import AlertStatus


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """An alert that is alive, or was resolved by a person while its rule went on holding."""

    id: Any
    account_id: str
    rule: str
    status: AlertStatus
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenedAlert:
    """An alert that opens now, with the facts that its rule was held against."""

    account_id: str
    alert: ReadyAlert
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """What has to be written. Whatever resolves or re-arms may open again from the next look on."""

    opened: list[OpenedAlert] = field(default_factory=list)
    updated: list[tuple[StandingAlert, Mapping[str, Any]]] = field(default_factory=list)
    resolved: list[StandingAlert] = field(default_factory=list)
    rearmed: list[StandingAlert] = field(default_factory=list)


def follow(alerts: Sequence[ReadyAlert], frame: pl.DataFrame, standing: Iterable[StandingAlert]) -> AlertChanges:
    """What happens to the alerts of the accounts of `frame` (columns: measures and facts).

    `standing` are the alerts of these accounts, at most one for an account and rule. One whose rule is no longer in the
    blueprint does not hold.
    """
    changes = AlertChanges()
    left = {(alert.account_id, alert.rule): alert for alert in standing}
    for alert in alerts:
        for row in frame.filter(alert.rule.holds(frame)).iter_rows(named=True):
            values = alert.rule.values(row)
            known = left.pop((row["account_id"], alert.name), None)
            if known is None:
                changes.opened.append(OpenedAlert(row["account_id"], alert, values))
            elif known.status is not AlertStatus.RESOLVED and known.values != values:
                changes.updated.append((known, values))
    for known in left.values():
        (changes.rearmed if known.status is AlertStatus.RESOLVED else changes.resolved).append(known)
    return changes
