"""Scoring accounts, a batch at a time: measure, move along the journey, score, follow alerts and the watch list, tell.

A batch is one transaction with a fixed number of statements. The row of `health` is an account's lock: it is taken
first, so two workers never decide about the same account at once, and what was decided from older facts never replaces
what was decided from newer ones. A score is written only when something that counts in it has changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.blueprint.service import Blueprint
from hub.health import store
from hub.health.explain import Cause, ScoreAt, Term
from hub.health.following import alert_fact, follow_alerts, follow_watch
from hub.health.history import Explanation, Trend, explain, score_at, trends
from hub.health.model import Alert
from hub.health.rating import in_points, profile_names, rate
from hub.health.results import Result, Standing, is_new, results
from hub.health.rules import ready
from hub.health.scoring import MICRO
from hub.health.section import Profiles
from hub.health.vocabulary import AlertStatus, Band
from hub.health.waking import next_looks
from hub.journeys import service as journeys
from hub.journeys.telling import Told, tell
from hub.kit.errors import Invalid, NotFound
from hub.measures.service import Catalogue, compute

__all__ = [
    "Cause",
    "Explanation",
    "ScoreAt",
    "ScoringResult",
    "Term",
    "Trend",
    "acknowledge_alert",
    "explain",
    "resolve_alert",
    "score_accounts",
    "score_at",
    "trends",
]


@dataclass(frozen=True, slots=True)
class ScoringResult:
    """What a batch came to: the accounts that were looked at, those whose score changed, and when to look at each again
    although nothing happens; those that may sleep are not in `looks`."""

    scored: frozenset[UUID] = frozenset()
    changed: frozenset[UUID] = frozenset()
    looks: Mapping[UUID, datetime] = field(default_factory=dict)


async def score_accounts(
    session: AsyncSession, blueprint: Blueprint, account_ids: Collection[UUID], now: datetime
) -> ScoringResult:
    """Score accounts as of now, in one transaction (the caller's).

    Accounts that were merged into others or deleted are taken off all lists; those that somebody scored at a later
    moment than `now` are left alone. Facts told: `score.changed`, `band.changed`, and those of alerts, of the watch
    list and of the journey.
    """
    facts = await journeys.facts(session, list(account_ids), now)
    living = [UUID(account_id) for account_id in facts["account_id"]]
    await store.forget(session, set(account_ids) - set(living), now)
    before = await store.hold(session, living)
    current = [id_ for id_ in living if id_ not in before or before[id_].scored_at <= now]
    if not current:
        return ScoringResult()
    catalogue = blueprint.section("measures", Catalogue)
    measures = await compute(session, catalogue, current, as_of=now)
    frame = measures.join(facts, on="account_id", how="inner", maintain_order="left")
    # An account that comes back out of another one has no health, but goes on from the score that it had.
    stood = before | await store.remembered(session, [id_ for id_ in current if id_ not in before])
    frame = await journeys.progress(session, blueprint, _with_standing(frame, stood), now)
    names = profile_names(frame, blueprint.section("profiles", Profiles))
    rated = rate(frame, names, ready(blueprint).profiles)

    decided = results(frame, rated, catalogue, before, now)
    written = await store.keep_health(session, decided, before.keys(), now)
    changed = [one for one in decided if one.account_id in written and is_new(one, before)]
    await store.keep_scores(session, changed, blueprint.version, now)
    told = [fact for one in changed for fact in _told(one, before.get(one.account_id), now)]
    judged = _judged(frame, rated, written)
    opened, alive, alert_facts = await follow_alerts(session, blueprint, judged, now)
    watch_facts = await follow_watch(session, judged, opened, alive, now)
    await tell(session, [*told, *alert_facts, *watch_facts], now)
    news = frozenset(one.account_id for one in changed)
    mine = frame.filter(pl.col("account_id").is_in([str(account_id) for account_id in written]))
    return ScoringResult(frozenset(written), news, await next_looks(session, blueprint, mine, news, now))


async def acknowledge_alert(session: AsyncSession, viewer: Viewer, alert_id: UUID, now: datetime) -> Alert:
    """Note that somebody has seen an alert; once is enough, a second time changes nothing.

    Raises `NotAllowed` (it takes a csm or an admin), `NotFound`, and `Invalid` when the alert is resolved already.
    """
    seen = {"status": AlertStatus.ACKNOWLEDGED, "acknowledged_at": now, "acknowledged_by": viewer.actor}
    return await _change_alert(session, viewer, alert_id, {AlertStatus.OPEN}, seen, now)


async def resolve_alert(session: AsyncSession, viewer: Viewer, alert_id: UUID, now: datetime) -> Alert:
    """End an alert by hand. It stays quiet until its rule has ceased to hold; then it may open again as a new one.

    Raises `NotAllowed` (it takes a csm or an admin) and `NotFound`. Resolving it again changes nothing.
    """
    alive = {AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED}
    ended = {"status": AlertStatus.RESOLVED, "resolved_at": now, "resolved_by": viewer.actor}
    return await _change_alert(session, viewer, alert_id, alive, ended, now)


async def _change_alert(
    session: AsyncSession,
    viewer: Viewer,
    alert_id: UUID,
    wanted: set[AlertStatus],
    values: dict[str, Any],
    now: datetime,
) -> Alert:
    """Give an alert a new status, if it has one of those wanted; tell and note it only then."""
    viewer.require(Role.CSM)
    status: AlertStatus = values["status"]
    changed = await session.execute(
        update(Alert)
        .where(Alert.id == alert_id, Alert.status.in_(wanted))
        .values(**values, updated_at=now)
        .returning(Alert.id)
    )
    alert = (
        await session.execute(select(Alert).where(Alert.id == alert_id), execution_options={"populate_existing": True})
    ).scalar_one_or_none()
    if alert is None:
        raise NotFound("There is no such alert.")
    if changed.first() is not None:
        topic = f"alert.{status}"
        await audit(session, viewer, topic, f"account:{alert.account_id}", {"alert_id": str(alert_id)}, now=now)
        await tell(session, [alert_fact(topic, alert_id, str(alert.account_id), alert.rule, viewer.actor, now)], now)
    elif alert.status == AlertStatus.RESOLVED and status is not AlertStatus.RESOLVED:
        raise Invalid("The alert is resolved already.", remedy="It opens again by itself when its rule holds again.")
    return alert


def _with_standing(frame: pl.DataFrame, before: Mapping[UUID, Standing]) -> pl.DataFrame:
    """Adds `score` (points) and `band` as they stand; null for accounts never scored."""
    stood = [before.get(UUID(account_id)) for account_id in frame["account_id"]]
    points = [one.micro_points / MICRO if one and one.micro_points is not None else None for one in stood]
    bands = [str(one.band) if one else None for one in stood]
    return frame.with_columns(pl.Series("score", points, dtype=pl.Float64), pl.Series("band", bands, dtype=pl.String))


def _judged(frame: pl.DataFrame, rated: pl.DataFrame, written: Collection[UUID]) -> pl.DataFrame:
    """The accounts that were written, with their new score and band."""
    judged = frame.with_columns(in_points(rated["micro_points"]), rated["band"])
    return judged.filter(pl.col("account_id").is_in([str(account_id) for account_id in written]))


def _told(result: Result, stood: Standing | None, now: datetime) -> list[Told]:
    """A new score, and a new band where it has one. An account that was never scored was unknown."""
    account_id, band_before = str(result.account_id), stood.band if stood else Band.UNKNOWN
    facts = {
        "score_id": str(result.score_id),
        "previous_score_id": str(stood.score_id) if stood else None,
        "micro_points": result.micro_points,
        "band": str(result.band),
        "previous_band": str(stood.band) if stood else None,
    }
    told = [Told("score.changed", account_id, payload=facts)]
    if result.band is not band_before:
        told.append(
            Told(
                "band.changed",
                account_id,
                occurred_at=now,
                natural_key=f"band:{result.score_id}",
                title=f"Health went from {band_before} to {result.band}",
                attributes=facts,
                payload=facts,
            )
        )
    return told
