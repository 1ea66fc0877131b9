"""Scores of any moment: as kept, as they can be worked out for any day, and why two of them differ.

There are two clocks. *As of* is the moment that a score is about, *known at* the moment whose knowledge it uses. A
score that was kept comes back bit for bit when it is worked out again as of, and as known at, its own moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import orjson
import polars as pl
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.service import own_place_id
from hub.blueprint import service as blueprints
from hub.blueprint.model import BlueprintVersion
from hub.blueprint.service import Blueprint
from hub.health.explain import Cause, Rules, ScoreAt, Term, difference
from hub.health.model import Score
from hub.health.rating import COMPUTED_BEFORE, overridden, profile_names, rate
from hub.health.remembering import overrides, recall, windows_of, with_changes
from hub.health.results import results
from hub.health.rules import ready
from hub.health.scoring import MICRO
from hub.health.section import Profiles
from hub.health.terms import read_terms
from hub.health.vocabulary import Band
from hub.journeys import service as journeys
from hub.kit.errors import NotFound
from hub.measures.service import Catalogue, compute, evidence
from hub.timeline.model import EventRow

EVIDENCE = 20
"""How many events are cited for one side of a term."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Two scores of an account and the terms of their difference: `sum(term.micro_points for term in terms)` is
    exactly `after.computed - before.computed`."""

    before: ScoreAt
    after: ScoreAt
    terms: tuple[Term, ...]

    @property
    def difference(self) -> int:
        return self.after.computed - self.before.computed


async def score_at(
    session: AsyncSession, account_id: UUID, as_of: datetime, known_at: datetime | None = None
) -> ScoreAt:
    """The score of an account as of any moment, worked out from what was known at `known_at` (None: all that is known
    by now), under the blueprint that was in force then. Nothing is written.

    The stage is the one that the hub noted for that moment; for a moment before it knew the account, the one in which
    it would have put it then.
    Raises `NotFound` for an account that does not exist, or was merged into another, and without any blueprint.
    """
    blueprint = await _blueprint_at(session, known_at)
    facts = await journeys.facts(session, [account_id], as_of, known_at)
    if facts.is_empty():
        raise NotFound("There is no such account, or it was merged into another.")
    catalogue = blueprint.section("measures", Catalogue)
    measures = await compute(session, catalogue, [account_id], as_of=as_of, known_at=known_at)
    previous = await _kept(session, account_id, _known(known_at).where(Score.as_of < as_of))
    points = previous.micro_points / MICRO if previous and previous.micro_points is not None else None
    frame = measures.join(facts, on="account_id", how="inner").with_columns(
        pl.lit(points, pl.Float64).alias("score"), pl.lit(previous.band if previous else None, pl.String).alias("band")
    )
    memory = await recall(session, [account_id], windows_of(blueprint), as_of, known_at)
    computed_before = pl.lit(previous.computed_band if previous else None, pl.String).alias(COMPUTED_BEFORE)
    frame = with_changes(frame, memory).with_columns(computed_before)
    frame = await journeys.placed_at(session, blueprint, frame, as_of, known_at)
    names = profile_names(frame, blueprint.section("profiles", Profiles))
    rated = overridden(rate(frame, names, ready(blueprint).profiles), frame["account_id"], overrides(memory))
    (result,) = results(frame, rated, catalogue, {}, as_of)
    return ScoreAt(
        score_id=None,
        account_id=account_id,
        as_of=as_of,
        known_at=known_at,
        blueprint_version=blueprint.version,
        segment=result.segment,
        stage=result.stage,
        profile=result.profile,
        micro_points=result.micro_points,
        coverage_ppm=result.coverage_ppm,
        band=result.band,
        computed_band=result.computed_band,
        terms=read_terms(orjson.loads(result.terms)),
    )


async def explain(session: AsyncSession, account_id: UUID, from_at: datetime, to_at: datetime) -> Explanation:
    """Why the score at `to_at` is not what it was at `from_at`.

    Both are the scores that were in force at these moments as the hub kept them; for a moment before the first one it
    is worked out (`score_at`). Raises `NotFound` as `score_at` does. Cost: two statements for each measure that
    changed, for its evidence.
    """
    before = await _in_force(session, account_id, from_at)
    after = await _in_force(session, account_id, to_at)
    then = await blueprints.at_version(session, before.blueprint_version)
    now = await blueprints.at_version(session, after.blueprint_version)
    terms = difference(before, after, _rules(then), _rules(now))
    return Explanation(
        before, after, tuple([await _with_evidence(session, term, (then, before), (now, after)) for term in terms])
    )


async def _in_force(session: AsyncSession, account_id: UUID, at: datetime) -> ScoreAt:
    kept = await _kept(session, account_id, select(Score).where(Score.as_of <= at))
    if kept is None:
        return await score_at(session, account_id, at)
    return ScoreAt(
        score_id=kept.id,
        account_id=account_id,
        as_of=kept.as_of,
        known_at=kept.recorded_at,
        blueprint_version=kept.blueprint_version,
        segment=kept.segment,
        stage=kept.stage,
        profile=kept.profile,
        micro_points=kept.micro_points,
        coverage_ppm=kept.coverage_ppm,
        band=Band(kept.band),
        computed_band=Band(kept.computed_band),
        terms=read_terms(kept.terms),
    )


async def _kept(session: AsyncSession, account_id: UUID, query: Select[Score]) -> Score | None:
    """The newest kept score of the account among those of the query."""
    newest = query.where(Score.account_id == account_id).order_by(
        Score.as_of.desc(), Score.recorded_at.desc(), Score.id.desc()
    )
    return (await session.execute(newest.limit(1))).scalars().first()


def _known(known_at: datetime | None) -> Select[Score]:
    query = select(Score)
    return query if known_at is None else query.where(Score.recorded_at <= known_at)


async def _blueprint_at(session: AsyncSession, known_at: datetime | None) -> Blueprint:
    """The blueprint that was in force at a moment; before the first one, that one."""
    if known_at is None:
        return await blueprints.current(session)
    version = BlueprintVersion.version
    in_force = select(func.max(version)).where(BlueprintVersion.applied_at <= known_at).scalar_subquery()
    first = select(func.min(version)).scalar_subquery()
    found = (await session.execute(select(func.coalesce(in_force, first)))).scalar_one_or_none()
    return await (blueprints.current(session) if found is None else blueprints.at_version(session, found))


def _rules(blueprint: Blueprint) -> Rules:
    return Rules(blueprint.section("profiles", Profiles), blueprint.section("measures", Catalogue).names)


async def _with_evidence(
    session: AsyncSession, term: Term, then: tuple[Blueprint, ScoreAt], now: tuple[Blueprint, ScoreAt]
) -> Term:
    """The term with the events behind its old and its new value, the newest first."""
    return replace(
        term,
        evidence_before=await _evidence(session, term, *then),
        evidence_after=await _evidence(session, term, *now),
    )


async def _evidence(session: AsyncSession, term: Term, blueprint: Blueprint, score: ScoreAt) -> tuple[UUID, ...]:
    if term.cause is Cause.STAGE:
        return await _fact(session, score, "stage.entered")
    if term.cause is Cause.OVERRIDE:
        return await _fact(session, score, "band.overridden" if score.terms.override else "band.override_ended")
    catalogue = blueprint.section("measures", Catalogue)
    found: list[UUID] = []
    for measure in sorted(_measures_of(term, blueprint, score) & catalogue.names):
        found += await evidence(
            session,
            catalogue,
            measure,
            score.account_id,
            as_of=score.as_of,
            known_at=score.known_at,
            limit=EVIDENCE,
        )
    return tuple(dict.fromkeys(found))[:EVIDENCE]


async def _fact(session: AsyncSession, score: ScoreAt, kind: str) -> tuple[UUID, ...]:
    """The newest of the hub's own facts of that kind about the account, as of the score's moment."""
    place = own_place_id(score.account_id)
    query = (
        select(EventRow.id)
        .where(EventRow.source_account_id == place, EventRow.kind == kind, EventRow.occurred_at <= score.as_of)
        .where(EventRow.retracted_at.is_(None))
        .order_by(EventRow.occurred_at.desc(), EventRow.id.desc())
        .limit(1)
    )
    return tuple((await session.execute(query)).scalars())


def _measures_of(term: Term, blueprint: Blueprint, score: ScoreAt) -> frozenset[str]:
    match term.cause:
        case Cause.MEASURE | Cause.COVERAGE:
            return frozenset({term.name})
        case Cause.CAP:
            profile = ready(blueprint).profiles.get(score.profile)
            caps = profile.caps if profile else ()
            return frozenset(name for cap, rule in caps if cap.name == term.name for name in rule.names)
        case Cause.BLUEPRINT | Cause.STAGE | Cause.OVERRIDE:
            return frozenset()
