"""What would have started a play in the past: for each account the moments, with what stands behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, assert_never
from uuid import UUID

import polars as pl
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health.rules import ready
from hub.health.vocabulary import Band
from hub.kit.db import driver_connection
from hub.measures.fragments import Fragments, Question
from hub.measures.rules import Rule
from hub.plays.calendar import between, time_zones
from hub.plays.trigger_kinds import (
    AlertOpened,
    BandChanged,
    ByHand,
    Calendar,
    EventRecorded,
    Existing,
    MilestoneOverdue,
    MilestoneReached,
    RuleEntered,
    RuleExited,
    Scheduled,
    StageEntered,
    Trigger,
)


@dataclass(frozen=True, slots=True)
class Then:
    """A moment at which the play would have started, and why."""

    account_id: UUID
    at: datetime
    trigger: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Days:
    """The days of some accounts. `frame`: a row for each account and end of a day, by both, with everything that a rule
    may name. `since`: what is before is known, and starts nothing. `first_seen`: when each account was."""

    frame: pl.DataFrame
    since: datetime
    until: datetime
    first_seen: Mapping[UUID, datetime]

    @property
    def ids(self) -> list[UUID]:
        return list(self.first_seen)


async def reasons_then(session: AsyncSession, blueprint: Blueprint, trigger: Trigger, days: Days) -> list[Then]:
    """The moments at which the trigger would have started its play, in the order of accounts and time.

    What rules, stages, bands and alerts say is seen at the end of each day (UTC); events, milestones and times have
    their own moments. At most two statements.
    """
    match trigger:
        case RuleEntered(rule_enters=rule, existing=existing):
            return _changes(days, _holding(blueprint, rule, days), existing is Existing.START, {"rule": rule})
        case RuleExited(rule_exits=rule):
            return _changes(days, ~_holding(blueprint, rule, days), False, {"rule": rule}, was_otherwise=True)
        case AlertOpened(alert=name):
            rules = [alert.rule for alert in ready(blueprint).alerts if alert.name == name]
            return _changes(days, rules[0].holds(days.frame), False, {"alert": name}) if rules else []
        case StageEntered(stage=stage, segment=segment):
            there = days.frame["stage"] == stage
            there = there if segment is None else there & (days.frame["segment"] == segment)
            return _changes(days, there.fill_null(False), False, {"stage": stage})
        case BandChanged():
            return _bands(days, trigger)
        case MilestoneReached(milestone_reached=name):
            return await _milestones(session, "reached_at", name, days)
        case MilestoneOverdue(milestone_overdue=name):
            return await _milestones(session, "overdue_at", name, days)
        case EventRecorded():
            return await _events(session, trigger, days)
        case Scheduled(schedule=span, when=when):
            times = {id_: _every(span, first, days) for id_, first in days.first_seen.items()}
            return _while(blueprint, when, days, times, "schedule")
        case Calendar(cron=cron, when=when):
            zones = await time_zones(session, days.ids)
            by_zone = {zone: between(cron, zone, days.since, days.until) for zone in {*zones.values()}}
            times = {id_: [at for at in by_zone[zones[id_]] if at > days.first_seen[id_]] for id_ in days.ids}
            return _while(blueprint, when, days, times, "calendar")
        case ByHand():
            return []
        case _:
            assert_never(trigger)


def _holding(blueprint: Blueprint, rule: str, days: Days) -> pl.Series:
    return Rule.parse(rule, days.frame.columns).holds(days.frame)


def _changes(
    days: Days, holds: pl.Series, existing: bool, because: Mapping[str, Any], *, was_otherwise: bool = False
) -> list[Then]:
    """The days on which something begins to hold. Of what held already at the beginning nothing begins, unless
    `existing`; an account that is younger begins on its first day, unless it has to have been otherwise before."""
    found: list[Then] = []
    before: dict[str, bool] = {}
    begun: set[str] = set()
    for account, at, is_so in zip(days.frame["account_id"], days.frame["as_of"], holds, strict=True):
        if at > days.since and is_so:
            was = before.get(account, was_otherwise)
            if not was or (existing and account not in begun):
                found.append(Then(UUID(account), at, {"topic": "past", **because}))
        if at > days.since:
            begun.add(account)
        before[account] = is_so
    return found


def _bands(days: Days, trigger: BandChanged) -> list[Then]:
    rows = zip(days.frame["account_id"], days.frame["as_of"], days.frame["band"], strict=True)
    found = []
    for (account, _, was), (same, at, band) in pairwise(rows):
        became = account == same and was != band and band in trigger.band and at > days.since
        if became and (not trigger.previously or (was or Band.UNKNOWN) in trigger.previously):
            found.append(Then(UUID(account), at, {"topic": "past", "band": band, "previous_band": was}))
    return found


async def _milestones(session: AsyncSession, column: str, name: str, days: Days) -> list[Then]:
    rows = await session.execute(
        text(
            f"SELECT account_id, {column} AS at FROM milestone_progress WHERE account_id = ANY(CAST(:ids AS uuid[])) "
            f"AND milestone = :name AND {column} > :since AND {column} <= :until ORDER BY account_id, {column}"
        ),
        {"ids": days.ids, "name": name, "since": days.since, "until": days.until},
    )
    return [Then(row.account_id, row.at, {"topic": "past", "milestone": name}) for row in rows]


async def _events(session: AsyncSession, trigger: EventRecorded, days: Days) -> list[Then]:
    sql = Fragments(Question(days.ids, days.until, None))
    statement = (
        "SELECT s.account_id, e.occurred_at, e.kind, e.title, e.attributes FROM source_account s "
        "JOIN event e ON e.source_account_id = s.id "
        f"WHERE s.account_id = ANY({sql.bind(days.ids, 'uuid[]')}) AND e.kind = {sql.bind(trigger.event, 'text')} "
        f"AND {sql.where(trigger.where)} AND e.occurred_at > {sql.bind(days.since, 'timestamptz')} "
        f"AND e.occurred_at <= {sql.bind(days.until, 'timestamptz')} AND e.retracted_at IS NULL "
        f"AND e.recorded_at - e.occurred_at <= {sql.bind(trigger.within, 'interval')} "
        "ORDER BY s.account_id, e.occurred_at, e.id"
    )
    found = await (await driver_connection(session)).fetch(statement, *sql.parameters)
    return [
        Then(
            row["account_id"],
            row["occurred_at"],
            {"topic": "event", "event": row["kind"], "title": row["title"], "attributes": row["attributes"]},
        )
        for row in found
    ]


def _every(span: timedelta, first_seen: datetime, days: Days) -> list[datetime]:
    """The ends of an account's spans in the time."""
    passed, until = max((days.since - first_seen) // span, 0), (days.until - first_seen) // span
    return [first_seen + nth * span for nth in range(passed + 1, until + 1)]


def _while(
    blueprint: Blueprint, when: str | None, days: Days, times: Mapping[UUID, Sequence[datetime]], topic: str
) -> list[Then]:
    """The times at which the rule held, as it was seen at the end of the day before."""
    asked = Asked(days)
    return [
        Then(id_, at, {"topic": topic, "at": at.isoformat()})
        for id_ in sorted(times)
        for at in times[id_]
        if when is None or asked.holds(id_, when, at)
    ]


class Asked:
    """Rules held against days, each once for all of them."""

    def __init__(self, days: Days) -> None:
        self._days = days
        self._held: dict[str, dict[UUID, list[tuple[datetime, bool]]]] = {}

    def holds(self, account_id: UUID, rule: str, moment: datetime) -> bool:
        """Whether the rule held at the last end of a day before the moment, the moment included."""
        last = False
        for at, is_so in self._of(rule).get(account_id, ()):
            if at > moment:
                break
            last = is_so
        return last

    def first(self, account_id: UUID, rule: str, after: datetime) -> datetime | None:
        """The first moment from then on at which the rule is seen to hold."""
        if self.holds(account_id, rule, after):
            return after
        return next((at for at, is_so in self._of(rule).get(account_id, ()) if is_so and at > after), None)

    def _of(self, rule: str) -> dict[UUID, list[tuple[datetime, bool]]]:
        if rule not in self._held:
            frame = self._days.frame
            answers: dict[UUID, list[tuple[datetime, bool]]] = {}
            rows = zip(frame["account_id"], frame["as_of"], Rule.parse(rule, frame.columns).holds(frame), strict=True)
            for account, at, is_so in rows:
                answers.setdefault(UUID(account), []).append((at, is_so))
            self._held[rule] = answers
        return self._held[rule]
