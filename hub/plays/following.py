"""What plays make of accounts that were just looked at: whom they start on, and which runs they move.

Scoring hands over the accounts of a batch, with everything that rules may ask, in its own transaction. So a rule that
began to hold starts its play together with the score that shows it; nothing is computed twice, and nobody is asked who
was not touched. The number of statements depends on what happened, not on the number of accounts.

- A rule starts its play when it begins to hold, or ceases to. Which accounts it holds for is kept; accounts that are
  looked at for the first time since the play was switched on begin nothing, unless it says `existing: start`.
- An event starts its play once, when it is fresh.
- A schedule starts its play after each of its spans since the account was first seen; a cron expression at each of its
  times where the account is, to the minute: the account is looked at then (see `calendar`).

Of the runs that are under way, see `under_way`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import polars as pl
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health.moments import MOMENTS
from hub.health.remembering import with_asked
from hub.journeys.progress import FIRST_SEEN
from hub.journeys.rules import known_names
from hub.kit import work
from hub.kit.db import driver_connection, json_text
from hub.measures.fragments import Fragments, Question
from hub.measures.rules import Rule
from hub.plays.calendar import around, time_zones
from hub.plays.enrolling import enrol_if_wanted
from hub.plays.model import PlaySwitch
from hub.plays.section import Play, Plays
from hub.plays.switches import existing, is_off, switches
from hub.plays.trigger_kinds import Calendar, EventRecorded, Existing, RuleEntered, RuleExited, Scheduled
from hub.plays.twins import end_as_twins
from hub.plays.under_way import move_runs, moves_by_itself

OVERLAP: Final = timedelta(minutes=10)
"""How far back events are looked for behind the last look: a transaction that was slow to commit is not missed."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An enabled play whose trigger is looked for here, with its rule."""

    name: str
    play: Play
    rule: Rule | None

    @property
    def digest(self) -> str:
        """Stands for the rule: another one is followed anew."""
        return blake2b(repr(self.play.trigger).encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=16)
def watched(blueprint: Blueprint) -> tuple[Watched, ...]:
    """The plays of a blueprint that are looked for here."""
    names = known_names(blueprint)
    found = []
    for name, play in blueprint.section("plays", Plays).root.items():
        match play.trigger:
            case RuleEntered(rule_enters=rule) | RuleExited(rule_exits=rule) if play.enabled:
                found.append(Watched(name, play, Rule.parse(rule, names)))
            case Scheduled(when=when) | Calendar(when=when) if play.enabled:
                found.append(Watched(name, play, Rule.parse(when, names) if when else None))
            case EventRecorded() if play.enabled:
                found.append(Watched(name, play, None))
            case _:
                pass
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a play starts on an account."""

    play: str
    account_id: UUID
    occurrence: str
    trigger: Mapping[str, Any]


async def follow(
    session: AsyncSession,
    blueprint: Blueprint,
    frame: pl.DataFrame,
    looked: Mapping[UUID, datetime],
    now: datetime,
) -> frozenset[UUID]:
    """Look at the accounts of a batch. `frame` has a row for each, with everything that a rule may name; `looked` is
    when each was looked at before (those that never were are left out). Returns the accounts that are to be looked at
    every day, because a rule or schedule here moves by itself."""
    if frame.is_empty():
        return frozenset()
    plays = watched(blueprint)
    frame = await with_asked(session, frame, [one.rule for one in plays if one.rule], now)
    if plays:
        said = await switches(session, [one.name for one in plays])
        plays = tuple(one for one in plays if not is_off(said.get(one.name)))
    if plays:
        look = _Look(frame, looked, await _followed_since(session, plays, now), said, now)
        reasons = [
            *await _by_rule(session, [one for one in plays if one.rule and not _has_times(one)], look),
            *_by_schedule([one for one in plays if _is_scheduled(one)], look),
            *await _by_calendar(session, [one for one in plays if isinstance(one.play.trigger, Calendar)], look),
            *await _by_event(session, [one for one in plays if isinstance(one.play.trigger, EventRecorded)], look),
        ]
        for reason in reasons:
            await enrol_if_wanted(
                session, blueprint, reason.play, reason.account_id, reason.occurrence, reason.trigger, now=now
            )
    await end_as_twins(session, [UUID(account_id) for account_id in frame["account_id"]], now)
    restless = await move_runs(session, blueprint, frame, now)
    if any(_is_scheduled(one) or moves_by_itself(blueprint, one.rule) for one in plays):
        return frozenset(UUID(account_id) for account_id in frame["account_id"])
    return restless


@dataclass(frozen=True, slots=True)
class _Look:
    """The accounts of a batch, when each was looked at before, and since when each play is followed."""

    frame: pl.DataFrame
    looked: Mapping[UUID, datetime]
    since: Mapping[str, datetime]
    said: Mapping[str, PlaySwitch]
    now: datetime
    ids: list[UUID] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", [UUID(account_id) for account_id in self.frame["account_id"]])

    def was_there_before(self, play: str) -> list[bool]:
        """For each account whether it is older than the play, and is looked at for the first time since."""
        known = zip(self.ids, self.frame[FIRST_SEEN], strict=True)
        return [(self.looked.get(id_) or first_seen) < self.since[play] for id_, first_seen in known]


def _is_scheduled(one: Watched) -> bool:
    return isinstance(one.play.trigger, Scheduled)


def _has_times(one: Watched) -> bool:
    return isinstance(one.play.trigger, Scheduled | Calendar)


async def _by_rule(session: AsyncSession, plays: Sequence[Watched], look: _Look) -> list[Reason]:
    """Rules that began or ceased to hold."""
    if not plays:
        return []
    held = await _held(session, [one.name for one in plays], look.ids)
    reasons: list[Reason] = []
    began: list[tuple[str, UUID]] = []
    ceased: list[tuple[str, UUID]] = []
    for one in plays:
        assert one.rule is not None  # noqa: S101  # as the caller chose them
        rows = zip(look.ids, one.rule.holds(look.frame), look.was_there_before(one.name), strict=True)
        for nth, (account_id, holds, there_before) in enumerate(rows):
            since = held.get((one.name, account_id))
            if holds == (since is not None):
                continue
            (began if holds else ceased).append((one.name, account_id))
            if _starts(one, look.said.get(one.name), holds=holds, there_before=there_before):
                values = one.rule.values(look.frame.row(nth, named=True))
                occurrence = f"rule:{(since or look.now).isoformat()}:{'in' if holds else 'out'}"
                trigger = {"topic": "rule", "rule": one.rule.text, "values": values}
                reasons.append(Reason(one.name, account_id, occurrence, trigger))
    await _keep(session, began, ceased, look.now)
    return reasons


def _starts(one: Watched, said: PlaySwitch | None, *, holds: bool, there_before: bool) -> bool:
    match one.play.trigger:
        case RuleEntered(existing=declared):
            return holds and (not there_before or existing(said, declared) is Existing.START)
        case _:
            return not holds


async def _followed_since(session: AsyncSession, plays: Sequence[Watched], now: datetime) -> dict[str, datetime]:
    """Since when each rule is followed; one that is new, or reads differently than before, since now."""
    rows = [{"play": one.name, "digest": one.digest} for one in plays]
    await session.execute(
        text(
            "INSERT INTO rule_followed (play, digest, since) "
            "SELECT r.play, r.digest, :now FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(play text, digest text) "
            "WHERE NOT EXISTS (SELECT 1 FROM rule_followed f WHERE f.play = r.play AND f.digest = r.digest) "
            "ORDER BY r.play ON CONFLICT (play) DO UPDATE SET digest = excluded.digest, since = excluded.since "
            "WHERE rule_followed.digest <> excluded.digest"
        ),
        {"rows": json_text(rows), "now": now},
    )
    found = await session.execute(
        text("SELECT play, since FROM rule_followed WHERE play = ANY(CAST(:plays AS text[]))"),
        {"plays": [one.name for one in plays]},
    )
    return {row.play: row.since for row in found}


async def _held(session: AsyncSession, plays: Sequence[str], ids: Sequence[UUID]) -> dict[tuple[str, UUID], datetime]:
    found = await session.execute(
        text(
            "SELECT play, account_id, since FROM rule_holds "
            "WHERE account_id = ANY(CAST(:ids AS uuid[])) AND play = ANY(CAST(:plays AS text[]))"
        ),
        {"ids": list(ids), "plays": list(plays)},
    )
    return {(play, account_id): since for play, account_id, since in found}


async def _keep(
    session: AsyncSession, began: Sequence[tuple[str, UUID]], ceased: Sequence[tuple[str, UUID]], now: datetime
) -> None:
    pairs = "unnest(CAST(:plays AS text[]), CAST(:ids AS uuid[])) AS p(play, account_id)"
    if began:
        await session.execute(
            text(
                f"INSERT INTO rule_holds (play, account_id, since) SELECT play, account_id, :now FROM {pairs} "
                "ORDER BY play, account_id ON CONFLICT DO NOTHING"
            ),
            {"plays": [play for play, _ in began], "ids": [id_ for _, id_ in began], "now": now},
        )
    if ceased:
        await session.execute(
            text(f"DELETE FROM rule_holds h USING {pairs} WHERE h.play = p.play AND h.account_id = p.account_id"),
            {"plays": [play for play, _ in ceased], "ids": [id_ for _, id_ in ceased]},
        )


def _by_schedule(plays: Sequence[Watched], look: _Look) -> list[Reason]:
    """Spans that have ended since the last look, each counted from when the account was first seen. Of several that
    ended meanwhile the last one counts; of an account that is met for the first time, none."""
    reasons = []
    for one in plays:
        assert isinstance(one.play.trigger, Scheduled)  # noqa: S101  # as the caller chose them
        span = one.play.trigger.schedule
        holding = one.rule.holds(look.frame).to_list() if one.rule else [True] * look.frame.height
        for id_, first_seen, holds in zip(look.ids, look.frame[FIRST_SEEN], holding, strict=True):
            before = look.looked.get(id_)
            if not holds or before is None:
                continue
            passed = (look.now - first_seen) // span
            if passed > max((before - first_seen) // span, 0):
                reasons.append(Reason(one.name, id_, f"schedule:{passed}", {"topic": "schedule", "nth": passed}))
    return reasons


async def _by_calendar(session: AsyncSession, plays: Sequence[Watched], look: _Look) -> list[Reason]:
    """Times of the calendar that came since the last look; of several the last one counts, and of an account that is
    met for the first time none. Each account is looked at again when the next one comes. Two statements."""
    if not plays:
        return []
    zones = await time_zones(session, look.ids)
    reasons, again = [], dict[str, datetime]()
    for one in plays:
        assert isinstance(one.play.trigger, Calendar)  # noqa: S101  # as the caller chose them
        times = {zone: around(one.play.trigger.cron, zone, look.now) for zone in {*zones.values()}}
        holding = one.rule.holds(look.frame).to_list() if one.rule else [True] * look.frame.height
        for id_, holds in zip(look.ids, holding, strict=True):
            last, coming = times[zones[id_]]
            before = max(look.looked.get(id_) or look.now, look.since[one.name])
            if holds and last > before:
                trigger = {"topic": "calendar", "at": last.isoformat()}
                reasons.append(Reason(one.name, id_, f"cron:{last.isoformat()}", trigger))
            key = f"look:{id_}:cron"
            again[key] = min(again.get(key, coming), coming)
    await work.mark_each(session, MOMENTS, again)
    return reasons


async def _by_event(session: AsyncSession, plays: Sequence[Watched], look: _Look) -> list[Reason]:
    """Events that were recorded since the last look, and happened not long ago."""
    triggers = {one.name: one.play.trigger for one in plays if isinstance(one.play.trigger, EventRecorded)}
    if not triggers:
        return []
    oldest = look.now - max(trigger.within for trigger in triggers.values())
    sql = Fragments(Question(look.ids, look.now, None))
    which = [
        f"CASE WHEN e.kind = {sql.bind(trigger.event, 'text')} AND {sql.where(trigger.where)} "
        f"AND e.occurred_at > {sql.bind(max(look.now - trigger.within, look.since[name]), 'timestamptz')} "
        f"AND r.play IS DISTINCT FROM {sql.bind(name, 'text')} THEN {sql.bind(name, 'text')} END"
        for name, trigger in triggers.items()
    ]
    statement = (
        f"SELECT * FROM (SELECT s.account_id, e.id, e.kind, e.occurred_at, e.title, e.attributes, "
        f"e.caused_by_run, "
        f"array_remove(ARRAY[{', '.join(which)}], NULL) AS plays "
        f"FROM unnest({sql.bind(look.ids, 'uuid[]')}, {sql.bind(_heard_since(look, oldest), 'timestamptz[]')}) "
        "AS l(account_id, since) JOIN source_account s ON s.account_id = l.account_id "
        "JOIN event e ON e.source_account_id = s.id LEFT JOIN run r ON r.id = e.caused_by_run "
        f"WHERE e.kind = ANY({sql.bind(sorted({trigger.event for trigger in triggers.values()}), 'text[]')}) "
        f"AND e.occurred_at > {sql.bind(oldest, 'timestamptz')} "
        f"AND e.occurred_at <= {sql.bind(look.now, 'timestamptz')} "
        "AND e.recorded_at >= l.since AND e.retracted_at IS NULL) AS found "
        "WHERE cardinality(plays) > 0 ORDER BY occurred_at, id"
    )
    found = await (await driver_connection(session)).fetch(statement, *sql.parameters)
    return [
        Reason(name, event["account_id"], f"event:{event['id']}", _told(event))
        for event in found
        for name in event["plays"]
    ]


def _heard_since(look: _Look, oldest: datetime) -> list[datetime]:
    """For each account since when events may have been recorded that no look has seen."""
    return [look.looked[id_] - OVERLAP if id_ in look.looked else oldest for id_ in look.ids]


def _told(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "topic": "event",
        "event": event["kind"],
        "title": event["title"],
        "occurred_at": event["occurred_at"].isoformat(),
        "attributes": event["attributes"],
        "caused_by_run": event["caused_by_run"] and str(event["caused_by_run"]),
    }
