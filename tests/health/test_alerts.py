"""The life of an alert: once, up to date, resolved by itself, and quiet after a person has dealt with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from hub.health.alerts import AlertChanges, StandingAlert, follow
from hub.health.rules import ReadyAlert
from hub.health.section import AlertRule
from hub.health.vocabulary import AlertStatus
from hub.measures.rules import Rule

RULE = "use < 0.8 * before AND before >= 3"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DECLINE = ReadyAlert("decline", AlertRule(when=RULE), Rule.parse(RULE, {"use", "before"}))


def _follow(accounts: dict[str, tuple[float | None, float | None]], *standing: StandingAlert) -> AlertChanges:
    rows = [{"account_id": name, "use": use, "before": before} for name, (use, before) in accounts.items()]
    schema: dict[str, Any] = {"account_id": pl.String, "use": pl.Float64, "before": pl.Float64}
    return follow((DECLINE,), pl.DataFrame(rows, schema=schema), standing, NOW)


def _standing(status: AlertStatus, **values: float) -> StandingAlert:
    return StandingAlert("id", "a", "decline", status, {"before": 10.0, "use": 2.0} | values)


def test_it_opens_where_its_rule_holds() -> None:
    """With the values that it was held against; unknown does not hold."""
    changes = _follow({"a": (2, 10), "b": (9, 10), "c": (None, 10), "d": (1, 2)})
    assert [(opened.account_id, opened.values) for opened in changes.opened] == [("a", {"before": 10.0, "use": 2.0})]
    assert [*changes.updated, *changes.resolved, *changes.rearmed] == []


def test_it_does_not_open_twice() -> None:
    """While it is alive and nothing moved, nothing happens."""
    for status in (AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED):
        assert _follow({"a": (2, 10)}, _standing(status)) == AlertChanges()


def test_it_is_kept_up_to_date() -> None:
    """Other values are written down, acknowledged or not."""
    for status in (AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED):
        standing = _standing(status)
        assert _follow({"a": (1, 10)}, standing) == AlertChanges(updated=[(standing, {"before": 10.0, "use": 1.0})])


def test_it_resolves_itself() -> None:
    """When the rule does not hold any more, or when its values have become unknown."""
    standing = _standing(AlertStatus.OPEN)
    assert _follow({"a": (9, 10)}, standing) == AlertChanges(resolved=[standing], rearmed=[standing])
    assert _follow({"a": (None, 10)}, standing) == AlertChanges(resolved=[standing], rearmed=[standing])


def test_resolved_by_a_person_it_stays_quiet_until_the_rule_has_ceased_to_hold() -> None:
    """It does not come back by itself; once the rule has not held, it is armed again."""
    resolved = _standing(AlertStatus.RESOLVED)
    assert _follow({"a": (1, 10)}, resolved) == AlertChanges()
    assert _follow({"a": (9, 10)}, resolved) == AlertChanges(rearmed=[resolved])
    assert len(_follow({"a": (1, 10)}).opened) == 1


def test_a_rule_that_is_gone_does_not_hold() -> None:
    """An alert whose rule the blueprint no longer has is resolved."""
    gone = StandingAlert("id", "a", "retired", AlertStatus.OPEN, {})
    assert _follow({"a": (9, 10)}, gone) == AlertChanges(resolved=[gone], rearmed=[gone])
