"""Health: the score with everything it was made from, its history, and why it changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from hub.graphql.context import Info
from hub.graphql.declare import about, argument, output, resolved, vocabulary
from hub.graphql.paging import After, Before, Connection, First, Last, asked_page, connection
from hub.graphql.types.timeline import Event
from hub.health import queries as health
from hub.health.queries import Band, Cause, Indicator
from hub.timeline import queries as timeline

MICRO = 1_000_000
PPB = 1_000_000_000
DEAR = 2_000
"""What working out one score or one explanation counts for, in nodes: it takes statements of its own."""

vocabulary(
    Band,
    RED="At risk.",
    YELLOW="Neutral.",
    GREEN="Engaged.",
    PURPLE="Engaged, and could speak for us.",
    UNKNOWN="Too little is known to say; never a good sign by itself.",
)
vocabulary(
    Indicator,
    BUSINESS_OUTCOMES="What the customer bought it for. Primary.",
    PRODUCT_ENGAGEMENT="How much and how widely it is used. Primary.",
    SERVICE_UTILISATION="Whether the services that were bought are taken up. Primary.",
    CUSTOMER_SATISFACTION="What they say of it. Secondary.",
    SUPPORT_OPERATIONS="Trouble, open questions, payments. Secondary.",
)

vocabulary(
    Cause,
    BLUEPRINT="A new version of the blueprint weighs things differently.",
    STAGE="Another stage, with another profile.",
    MEASURE="A measure has another value.",
    CAP="A limit of the profile took hold, or let go.",
)

Since = Annotated[datetime | None, argument("From this time on.")]
Until = Annotated[datetime | None, argument("Before this time.")]
AsOf = Annotated[datetime | None, argument("As of this moment; now when left out.")]
KnownAt = Annotated[
    datetime | None,
    argument("From what was known at this moment: what was recorded later does not count. All when left out."),
]


@output
class MeasureScore:
    """What one measure gave to a score."""

    measure: str = about("The measure's name in the blueprint.")
    value: float | None = about("Its value; null when it had none.")
    points: float | None = about("What the curve of the profile made of the value, 0 to 100; null without a value.")
    weight: float = about("The share of the score that it counted for, 0 to 1; 0 without a value.")
    part_micro_points: int = about("Its part of the score before caps, in millionths of a point. The parts add up.")

    @classmethod
    def of(cls, term: health.MeasureTerm) -> MeasureScore:
        """The term as the API shows it."""
        return cls(
            measure=term.measure,
            value=term.value,
            points=points(term.points),
            weight=term.weight / PPB,
            part_micro_points=term.part,
        )


@output
class IndicatorScore:
    """What one of the five factors gave to a score."""

    indicator: Indicator = about("The factor.")
    points: float | None = about("Its own score, 0 to 100; null when none of its measures had a value.")
    weight: float = about("The share of the score that it counted for, 0 to 1.")
    part_micro_points: int = about("Its part of the score before caps, in millionths of a point. The parts add up.")
    measures: list[MeasureScore] = about("What it was made from.")

    @classmethod
    def of(cls, term: health.IndicatorTerm) -> IndicatorScore:
        """The term as the API shows it."""
        return cls(
            indicator=term.indicator,
            points=points(term.micro_points),
            weight=term.weight / PPB,
            part_micro_points=term.part,
            measures=[MeasureScore.of(measure) for measure in term.measures],
        )


@output
class CapTerm:
    """A limit of the profile that counts while its rule holds."""

    name: str = about("Its name in the blueprint.")
    at_most: float = about("The highest score while it holds.")
    holds: bool = about("Whether its rule held.")
    takes_micro_points: int = about("What it took from the score, in millionths of a point: 0 or less.")

    @classmethod
    def of(cls, term: health.CapTerm) -> CapTerm:
        """The cap as the API shows it."""
        return cls(name=term.name, at_most=term.at_most / MICRO, holds=term.holds, takes_micro_points=term.takes)


@output
class Score:
    """A score of an account as of one moment, from what was known at another, with everything it was made from."""

    terms: strawberry.Private[Mapping[str, Any] | health.Terms]
    id: strawberry.ID | None = about("Null for a score that was worked out afterwards and never kept.")
    as_of: datetime = about("The moment that it describes.")
    known_at: datetime | None = about("What was known then counts in it; null: all that is known by now.")
    points: float | None = about("0 to 100; null while the band is unknown.")
    micro_points: int | None = about("The same, exact, in millionths of a point.")
    band: Band = about("What the score means.")
    coverage: float = about("The share of weight that had a value, 0 to 1.")
    segment: str | None = about("The segment then; null before the account was in any.")
    stage: str | None = about("The stage then; null before the account was in any.")
    profile: str | None = about("The health profile that applied; null when none did.")
    blueprint_version: int = about("The version of the blueprint that it was made by.")

    @resolved
    def indicators(self) -> list[IndicatorScore]:
        """What it was made from, factor by factor, in the order of the profile."""
        return [IndicatorScore.of(term) for term in self._read().indicators()]

    @resolved
    def caps(self) -> list[CapTerm]:
        """The limits of the profile, in the order in which they were applied."""
        return [CapTerm.of(term) for term in self._read().caps]

    def _read(self) -> health.Terms:
        return self.terms if isinstance(self.terms, health.Terms) else health.read_terms(self.terms)

    @classmethod
    def of(cls, row: health.Score | health.ScoreAt) -> Score:
        """The score as the API shows it: one that was kept, or one that was worked out."""
        id_ = row.id if isinstance(row, health.Score) else row.score_id
        return cls(
            terms=row.terms,
            id=strawberry.ID(f"scr_{id_.hex}") if id_ else None,
            as_of=row.as_of,
            known_at=row.recorded_at if isinstance(row, health.Score) else row.known_at,
            points=points(row.micro_points),
            micro_points=row.micro_points,
            band=Band(row.band),
            coverage=row.coverage_ppm / MICRO,
            segment=row.segment or None,
            stage=row.stage or None,
            profile=row.profile or None,
            blueprint_version=row.blueprint_version,
        )


@output
class Health:
    """How an account is doing."""

    account_key: strawberry.Private[UUID]
    score_key: strawberry.Private[UUID | None]
    worked_out: strawberry.Private[health.ScoreAt | None]
    band: Band = about("What the score means; UNKNOWN before the first score.")
    points: float | None = about("0 to 100; null while the band is unknown.")
    coverage: float = about("The share of weight that had a value, 0 to 1.")
    segment: str | None = about("The segment; null before the account was in any.")
    stage: str | None = about("The stage; null before the account was in any.")
    changed_at: datetime | None = about("When the score last changed; null before the first score, and for the past.")

    @resolved
    def score(self, info: Info) -> Score | None:
        """The score with everything it was made from; null before the first one."""
        if self.worked_out is not None:
            return Score.of(self.worked_out)
        if self.score_key is None:
            return None
        return info.context.promise(Score.of, health.scores, self.score_key)

    @resolved
    async def history(
        self,
        info: Info,
        since: Since = None,
        until: Until = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Score]:
        """The scores that were kept, the newest first. One is kept when something that counts in it has changed."""
        page = asked_page(health.HISTORY, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.load(health.history_of, self.account_key, page, since, until)
        return connection(found, health.HISTORY, Score.of)

    @resolved
    async def explain(
        self,
        info: Info,
        from_: Annotated[datetime, strawberry.argument(name="from", description="The earlier moment.")],
        to: Annotated[datetime | None, argument("The later moment; now when left out.")] = None,
    ) -> Explanation | None:
        """Why the score changed between two moments. Dear: at most 10 in one operation. Null for a deleted account."""
        info.context.spend(DEAR)
        found = await info.context.load(health.explanations, self.account_key, from_, to or info.context.now)
        return Explanation.of(found) if found else None

    @classmethod
    def now(cls, account_id: UUID, row: health.Health | None) -> Health:
        """The newest health of an account; unknown when it was never scored."""
        return cls(
            account_key=account_id,
            score_key=row.score_id if row else None,
            worked_out=None,
            band=Band(row.band) if row else Band.UNKNOWN,
            points=points(row.micro_points) if row else None,
            coverage=row.coverage_ppm / MICRO if row else 0.0,
            segment=(row.segment or None) if row else None,
            stage=(row.stage or None) if row else None,
            changed_at=row.changed_at if row else None,
        )

    @classmethod
    def then(cls, row: health.ScoreAt) -> Health:
        """The health of an account as of an earlier moment, or as it was known then."""
        return cls(
            account_key=row.account_id,
            score_key=None,
            worked_out=row,
            band=Band(row.band),
            points=points(row.micro_points),
            coverage=row.coverage_ppm / MICRO,
            segment=row.segment or None,
            stage=row.stage or None,
            changed_at=None,
        )


@output
class ExplanationTerm:
    """One part of the difference between two scores."""

    account_key: strawberry.Private[UUID]
    before_keys: strawberry.Private[tuple[UUID, ...]]
    after_keys: strawberry.Private[tuple[UUID, ...]]
    cause: Cause = about("What changed.")
    name: str = about("The measure or the cap; `blueprint` or `stage` for these.")
    micro_points: int = about("Its part of the difference, in millionths of a point. The parts add up exactly.")
    points: float = about("The same in points.")
    before: JSON | None = about("What it was: a value, a version, a profile's name, or what a cap took; null: nothing.")
    after: JSON | None = about("What it is now.")

    @resolved
    def evidence_before(self, info: Info) -> list[Event]:
        """The events behind what it was, the newest first; at most 20."""
        return self._events(info, self.before_keys) if self.before_keys else []  # type: ignore[return-value]  # awaited

    @resolved
    def evidence_after(self, info: Info) -> list[Event]:
        """The events behind what it is now, the newest first; at most 20."""
        return self._events(info, self.after_keys) if self.after_keys else []  # type: ignore[return-value]  # awaited

    async def _events(self, info: Info, keys: tuple[UUID, ...]) -> list[Event]:
        found = await asyncio.gather(
            *(info.context.load(timeline.events_of_accounts, (self.account_key, key)) for key in keys)
        )
        return [Event.of(event) for event in found if event is not None]

    @classmethod
    def of(cls, account_id: UUID, term: health.Term) -> ExplanationTerm:
        """The term as the API shows it."""
        return cls(
            account_key=account_id,
            before_keys=term.evidence_before,
            after_keys=term.evidence_after,
            cause=term.cause,
            name=term.name,
            micro_points=term.micro_points,
            points=term.micro_points / MICRO,
            before=JSON(term.before) if term.before is not None else None,
            after=JSON(term.after) if term.after is not None else None,
        )


@output
class Explanation:
    """Why a score is not what it was: terms that add up to the difference, without a remainder."""

    before: Score = about("The score at the earlier moment.")
    after: Score = about("The score at the later moment.")
    micro_points: int = about("The difference, in millionths of a point, also where a band was unknown.")
    points: float = about("The same in points.")
    terms: list[ExplanationTerm] = about("The parts of the difference: blueprint, stage, measures, caps.")

    @classmethod
    def of(cls, found: health.Explanation) -> Explanation:
        """The explanation as the API shows it."""
        return cls(
            before=Score.of(found.before),
            after=Score.of(found.after),
            micro_points=found.difference,
            points=found.difference / MICRO,
            terms=[ExplanationTerm.of(found.after.account_id, term) for term in found.terms],
        )


def points(micro_points: int | None) -> float | None:
    """Micro-points as points."""
    return None if micro_points is None else micro_points / MICRO
