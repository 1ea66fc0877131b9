"""Alerts and the watch list of a batch: load what stands, decide, write, and say what happened."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health import store
from hub.health.alerts import AlertChanges, OpenedAlert, StandingAlert, follow
from hub.health.moments import alert_changed, look_again
from hub.health.rules import ReadyAlert, ready
from hub.health.steps import step, watch_entered, watch_left
from hub.health.vocabulary import AlertStatus, Band
from hub.health.watching import REVENUE, Entry, Standing, band_reason, watch, yearly_minor
from hub.journeys.telling import Told
from hub.kit.ids import new_id, read_id

BAND_BEFORE = "band before"
"""A column with the band in effect before this moment; with a space in its name it is no measure's."""

WATCHED_BY = frozenset({"account_id", "band", "stage", "owner", REVENUE})
"""The columns that the watch list looks at."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """An alert that was opened, with its id."""

    id: UUID
    alert: OpenedAlert


async def follow_alerts(
    session: AsyncSession, blueprint: Blueprint, frame: pl.DataFrame, now: datetime
) -> tuple[list[Opened], Counter[str], list[Told]]:
    """Open, update and resolve the alerts of the accounts of `frame` (measures and facts, the new score and band).

    Returns the alerts that opened, how many alerts with `watch` are alive on each account, and the facts.
    """
    rules = ready(blueprint).alerts
    standing = await store.standing_alerts(session, _ids(frame))
    changes = follow(rules, frame, standing, now)
    ended = await store.end_alerts(session, changes, now)
    await _look_when_armed(session, rules, changes.resumed)
    opened = [Opened(new_id(), alert) for alert in changes.opened]
    owners = dict(zip(frame["account_id"], frame["owner"], strict=True))
    kept = await store.open_alerts(session, [_row(one, owners, blueprint.version, now) for one in opened])
    opened = [one for one in opened if one.id in kept]
    await store.update_alerts(session, changes, now)
    told = [_alert_opened(one, now) for one in opened]
    told += [_alert_resolved(alert, now) for alert in changes.resolved if alert.id in ended]
    watching = {rule.name for rule in rules if rule.definition.watch}
    return opened, _alive(standing, changes, opened, watching), told


async def _look_when_armed(
    session: AsyncSession, rules: Sequence[ReadyAlert], resumed: Sequence[StandingAlert]
) -> None:
    """A rule that holds again before its alert is armed has to be looked at when it is, where time alone arms it."""
    spans = {rule.name: rule.definition.rearm.after for rule in rules}
    for alert in resumed:
        span = spans.get(alert.rule)
        if span is not None and alert.resolved_at is not None:
            await look_again(session, read_id(alert.account_id), f"rearm-{alert.id}", alert.resolved_at + span)


async def follow_watch(
    session: AsyncSession,
    frame: pl.DataFrame,
    opened: Sequence[Opened],
    alive: Mapping[str, int],
    now: datetime,
) -> list[Told]:
    """Put accounts on the watch list and take them off it, by what `follow_alerts` found and by the bands that became
    red; returns the facts."""
    listed = await store.watched(session, _ids(frame))
    reasons: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in opened:
        if one.alert.alert.definition.watch:
            reasons[one.alert.account_id].append(_alert_reason(one, now))
    red = frame.select("account_id", BAND_BEFORE).filter(frame["band"] == Band.RED)
    for account_id, band_before in red.iter_rows():
        if band_before != Band.RED:
            reasons[account_id].append(band_reason(band_before, now))
    entering: list[tuple[Row, Entry]] = []
    changed: list[tuple[store.Watched, Entry, Row]] = []
    watched_by = [name for name in frame.columns if name in WATCHED_BY]
    concerned = frame.select(watched_by).filter(pl.col("account_id").is_in({*listed, *reasons}))
    for row in concerned.iter_rows(named=True):
        known = listed.get(row["account_id"])
        before = known.entry if known else None
        after = watch(before, _standing(row, alive, reasons[row["account_id"]]))
        if after is not None and known is None:
            entering.append((row, after))
        elif after is not None and known is not None and after != before:
            changed.append((known, after, row))
    told = await _enter(session, entering, now)
    written = await store.update_watch(session, [(known, after) for known, after, _ in changed], now)
    await store.keep_steps(
        session,
        [
            step(known.id, read_id(row["account_id"]), after.status, now)
            for known, after, row in changed
            if after.status is not known.entry.status and known.id in written
        ],
    )
    left = ((known, after, row) for known, after, row in changed if after.ended and known.id in written)
    return told + [
        watch_left(known.id, row["account_id"], after.status, store.THE_HUB, now) for known, after, row in left
    ]


async def _enter(session: AsyncSession, entering: Sequence[tuple[Row, Entry]], now: datetime) -> list[Told]:
    worth = [read_id(row["account_id"]) for row, entry in entering if entry.revenue_minor is not None]
    currencies = await store.currencies(session, worth)
    rows = [
        {
            "id": new_id(),
            "account_id": row["account_id"],
            "status": entry.status,
            "reasons": entry.reasons,
            "owner": row["owner"],
            "revenue_at_risk_minor": entry.revenue_minor,
            "currency": currencies.get(read_id(row["account_id"])),
            "entered_at": now,
            "status_since": now,
        }
        for row, entry in entering
    ]
    kept = await store.enter_watch(session, rows)
    entered = [row for row in rows if row["id"] in kept]
    await store.keep_steps(session, [step(row["id"], row["account_id"], row["status"], now) for row in entered])
    return [watch_entered(row["id"], row["account_id"], row["reasons"], now) for row in entered]


def _ids(frame: pl.DataFrame) -> list[UUID]:
    return [read_id(account_id) for account_id in frame["account_id"]]


def _alive(
    standing: Sequence[StandingAlert], changes: AlertChanges, opened: Sequence[Opened], watching: set[str]
) -> Counter[str]:
    """How many alerts with `watch` are alive on each account."""
    resolved = {alert.id for alert in changes.resolved}
    alive = Counter(
        alert.account_id
        for alert in standing
        if alert.rule in watching and alert.status is not AlertStatus.RESOLVED and alert.id not in resolved
    )
    alive.update(one.alert.account_id for one in opened if one.alert.alert.name in watching)
    return alive


def _standing(row: Row, alive: Mapping[str, int], reasons: Sequence[dict[str, Any]]) -> Standing:
    return Standing(
        Band(row["band"]), row["stage"], alive.get(row["account_id"], 0), reasons, yearly_minor(row.get(REVENUE))
    )


def _row(one: Opened, owners: Mapping[str, str | None], version: int, now: datetime) -> dict[str, Any]:
    definition = one.alert.alert.definition
    return {
        "id": one.id,
        "account_id": one.alert.account_id,
        "rule": one.alert.alert.name,
        "severity": definition.severity,
        "status": AlertStatus.OPEN,
        "opened_at": now,
        "updated_at": now,
        "values": one.alert.values,
        "owner": definition.owner or owners[one.alert.account_id],
        "blueprint_version": version,
    }


def _alert_reason(one: Opened, now: datetime) -> dict[str, Any]:
    """Why an account is on the watch list, as it is kept there."""
    alert = one.alert.alert
    return {
        "alert_id": str(one.id),
        "rule": alert.name,
        "severity": str(alert.definition.severity),
        "values": dict(one.alert.values),
        "at": now.isoformat(),
    }


def _alert_opened(one: Opened, now: datetime) -> Told:
    alert = one.alert.alert
    facts = {"alert_id": str(one.id), "rule": alert.name, "severity": str(alert.definition.severity)}
    return Told(
        "alert.opened",
        one.alert.account_id,
        occurred_at=now,
        natural_key=f"alert.opened:{one.id}",
        title=f"Alert: {alert.name}",
        attributes={**facts, "when": alert.definition.when, "values": dict(one.alert.values)},
        payload={**facts, "values": dict(one.alert.values)},
    )


def _alert_resolved(alert: StandingAlert, now: datetime) -> Told:
    return alert_changed("alert.resolved", alert.id, read_id(alert.account_id), alert.rule, store.THE_HUB, now)
