"""Scoring accounts, a batch at a time: measure, move along the journey, score, follow alerts and the watch list, tell.

A batch is one transaction with a fixed number of statements. The row of `health` is an account's lock: it is taken
first, so two workers never decide about the same account at once, and what was decided from older facts never replaces
what was decided from newer ones. A score is written only when something that counts in it has changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health import store
from hub.health.explain import Cause, ScoreAt, Term
from hub.health.following import BAND_BEFORE, follow_alerts, follow_watch
from hub.health.history import Explanation, explain, score_at
from hub.health.own_alerts import raise_alert
from hub.health.rating import in_points, overridden, profile_names, rate
from hub.health.remembering import overrides, recall, windows_of, with_changes, with_memory
from hub.health.results import Result, Standing, is_new, results
from hub.health.rules import ready
from hub.health.scoring import MICRO
from hub.health.section import Profiles
from hub.health.vocabulary import Band
from hub.health.waking import next_looks
from hub.journeys import service as journeys
from hub.journeys.telling import Told, tell
from hub.kit.ids import read_id
from hub.measures.service import Catalogue, compute

__all__ = [
    "Cause",
    "Explanation",
    "ScoreAt",
    "ScoringResult",
    "Term",
    "explain",
    "raise_alert",
    "score_accounts",
    "score_at",
]


@dataclass(frozen=True, slots=True)
class ScoringResult:
    """What a batch came to: the accounts that were looked at, those whose score changed, and when to look at each again
    although nothing happens; those that may sleep are not in `looks`."""

    scored: frozenset[UUID] = frozenset()
    changed: frozenset[UUID] = frozenset()
    looks: Mapping[UUID, datetime] = field(default_factory=dict)


Then: TypeAlias = Callable[
    [AsyncSession, Blueprint, pl.DataFrame, Mapping[UUID, datetime], datetime], Awaitable[frozenset[UUID]]
]
"""What else is done with accounts that were scored, in the same transaction: given their rows with everything that a
rule may name (but of the changes of the score only those that `remembering.windows_of` gives; see `with_asked`), and
when each was scored before (those that never were are left out). Returns those that are to be looked at every day."""


async def score_accounts(
    session: AsyncSession,
    blueprint: Blueprint,
    account_ids: Collection[UUID],
    now: datetime,
    then: Then | None = None,
) -> ScoringResult:
    """Score accounts as of now, in one transaction (the caller's).

    Accounts that were merged into others or deleted are taken off all lists; those that somebody scored at a later
    moment than `now` are left alone. Facts told: `score.changed`, `band.changed`, and those of alerts, of the watch
    list and of the journey.
    """
    facts = await journeys.facts(session, list(account_ids), now)
    living = [read_id(account_id) for account_id in facts["account_id"]]
    await store.forget(session, set(account_ids) - set(living), now)
    before = await store.hold(session, living)
    current = [id_ for id_ in living if id_ not in before or before[id_].scored_at <= now]
    if not current:
        return ScoringResult()
    catalogue = blueprint.section("measures", Catalogue)
    measures = await compute(session, catalogue, current, as_of=now)
    frame = measures.join(facts, on="account_id", how="inner", maintain_order="left")
    memory = await recall(session, current, windows_of(blueprint), now)
    # An account that comes back out of another one has no health, but goes on from the score that it had.
    stood = before | await store.remembered(session, [id_ for id_ in current if id_ not in before])
    frame = await journeys.progress(session, blueprint, with_memory(with_standing(frame, stood), memory), now)
    names = profile_names(frame, blueprint.section("profiles", Profiles))
    rated = overridden(rate(frame, names, ready(blueprint).profiles), frame["account_id"], overrides(memory))

    decided = results(frame, rated, catalogue, before, now)
    written = await store.confirm_health(session, [one for one in decided if not is_new(one, before)], now)
    changed = [one for one in decided if is_new(one, before)]
    kept = await store.keep_health(session, changed, before.keys(), now)
    changed = [one for one in changed if one.account_id in kept]
    written |= kept
    await store.keep_scores(session, changed, blueprint.version, now)
    versions = {id_: one.blueprint_version for id_, one in memory.items()}
    told = [fact for one in changed for fact in _told(one, before.get(one.account_id), blueprint, versions, now)]
    judged = with_changes(_judged(frame, rated, written), memory)
    opened, alive, alert_facts = await follow_alerts(session, blueprint, judged, now)
    watch_facts = await follow_watch(session, judged, opened, alive, now)
    await tell(session, [*told, *alert_facts, *watch_facts], now)
    restless: frozenset[UUID] = frozenset()
    if then is not None:
        looked = {id_: one.scored_at for id_, one in before.items()}
        restless = await then(session, blueprint, judged, looked, now)
    news = frozenset(one.account_id for one in changed)
    return ScoringResult(
        frozenset(written), news, await next_looks(session, blueprint, _those(frame, written), news | restless, now)
    )


def with_standing(frame: pl.DataFrame, before: Mapping[UUID, Standing]) -> pl.DataFrame:
    """Adds `score` (points) and `band` as they stand; null for accounts never scored."""
    stood = [before.get(read_id(account_id)) for account_id in frame["account_id"]]
    points = [one.micro_points / MICRO if one and one.micro_points is not None else None for one in stood]
    bands = [str(one.band) if one else None for one in stood]
    return frame.with_columns(pl.Series("score", points, dtype=pl.Float64), pl.Series("band", bands, dtype=pl.String))


def _judged(frame: pl.DataFrame, rated: pl.DataFrame, written: Collection[UUID]) -> pl.DataFrame:
    """The accounts that were written, with their new score and band."""
    return _those(
        frame.with_columns(in_points(rated["micro_points"]), rated["band"], frame["band"].alias(BAND_BEFORE)), written
    )


def _those(frame: pl.DataFrame, account_ids: Collection[UUID]) -> pl.DataFrame:
    """The rows of some of the accounts of `frame`: nearly always of all."""
    if len(account_ids) == frame.height:
        return frame
    return frame.filter(pl.col("account_id").is_in([str(account_id) for account_id in account_ids]))


def _told(
    result: Result, stood: Standing | None, blueprint: Blueprint, versions: Mapping[UUID, int | None], now: datetime
) -> list[Told]:
    """A new score, and a new band where it has one. An account that was never scored was unknown.

    `new_blueprint` is said where the score before was made by another version: that is (also) why it changed.
    """
    account_id, band_before = str(result.account_id), stood.band if stood else Band.UNKNOWN
    facts: dict[str, Any] = {
        "score_id": str(result.score_id),
        "previous_score_id": str(stood.score_id) if stood else None,
        "micro_points": result.micro_points,
        "band": str(result.band),
        "previous_band": str(stood.band) if stood else None,
    }
    if versions.get(result.account_id) not in (None, blueprint.version):
        facts["new_blueprint"] = blueprint.version
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
