"""How an account is doing: now, at any other moment, and how that came about."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated
from uuid import UUID

import strawberry

from hub.graphql.context import Info
from hub.graphql.declare import about, argument, output, resolved, vocabulary
from hub.graphql.paging import After, Before, Connection, First, Last, asked_page, connection
from hub.graphql.types.bands import Band
from hub.graphql.types.explanations import Explanation
from hub.graphql.types.scores import MICRO, Score, points
from hub.health import queries as health
from hub.health import trends as moving
from hub.health.trends import TrendDirection

DEAR = 2_000
"""What working out one score or one explanation counts for, in nodes: it takes statements of its own."""

Since = Annotated[datetime | None, argument("From this time on.")]
Until = Annotated[datetime | None, argument("Before this time.")]
AsOf = Annotated[datetime | None, argument("As of this moment; now when left out.")]
KnownAt = Annotated[
    datetime | None,
    argument("From what was known at this moment: what was recorded later does not count. All when left out."),
]


vocabulary(
    TrendDirection,
    RISING="It rose by a point or more.",
    STEADY="It changed by less than a point.",
    FALLING="It fell by a point or more.",
    UNKNOWN="One of the two scores is not known.",
)


@output
class BandOverride:
    """A person's word against the computed band."""

    band: Band = about("The band that is in effect instead.")
    reason: str = about("Why.")
    by: str = about("Who says so.")
    since: datetime = about("Since when.")
    until: datetime = about("Until when; then the computed band is in effect again.")

    @classmethod
    def of(cls, row: health.BandOverride) -> BandOverride:
        """The override as the API shows it."""
        return cls(band=Band(row.band), reason=row.reason, by=row.made_by, since=row.made_at, until=row.until)

    @classmethod
    def of_term(cls, term: health.Override) -> BandOverride:
        """The override that a score was made under, as the API shows it."""
        return cls(band=term.band, reason=term.reason, by=term.by, since=term.since, until=term.until)


@output
class HealthTrend:
    """The change of a score over some days."""

    days: int = about("Over how many days: 7, 30 or 90.")
    before: float | None = about("The score then; null when it was unknown, or there was none.")
    after: float | None = about("The score now; null while it is unknown.")
    change_micro_points: int | None = about("The change in millionths of a point; null when one of the two is null.")
    direction: TrendDirection = about("Where it is going.")

    @classmethod
    def of(cls, trend: moving.Trend) -> HealthTrend:
        """The trend as the API shows it."""
        return cls(
            days=trend.days,
            before=points(trend.before),
            after=points(trend.after),
            change_micro_points=trend.change,
            direction=trend.direction,
        )


@output
class DayScore:
    """The score in force at the end of a day."""

    day: datetime = about("The day's beginning, in UTC.")
    points: float | None = about("0 to 100; null while the band was unknown.")
    band: Band = about("The band in effect.")
    computed_band: Band = about("What the score alone said.")

    @classmethod
    def of(cls, one: moving.DayScore) -> DayScore:
        """The day as the API shows it."""
        day = datetime.combine(one.day, time.min, UTC)
        return cls(day=day, points=points(one.micro_points), band=one.band, computed_band=one.computed_band)


@output
class Health:
    """How an account is doing."""

    account_key: strawberry.Private[UUID]
    score_key: strawberry.Private[UUID | None]
    worked_out: strawberry.Private[health.ScoreAt | None]
    band: Band = about("What the score means, or what a person says it means; UNKNOWN before the first score.")
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
    async def computed_band(self, info: Info) -> Band:
        """What the score alone says. It differs from `band` while a person has overridden it."""
        if self.worked_out is not None:
            return self.worked_out.computed_band
        if self.score_key is None:
            return Band.UNKNOWN
        score = await info.context.load(health.scores, self.score_key)
        return Band(score.computed_band) if score else self.band

    @resolved
    async def override(self, info: Info) -> BandOverride | None:
        """What a person says the band is, and until when; null when nobody does. For the past: what they said then."""
        if self.worked_out is not None:
            said = self.worked_out.terms.override
            return BandOverride.of_term(said) if said else None
        found = await info.context.load(health.overrides, self.account_key)
        return BandOverride.of(found) if found and found.until > info.context.now else None

    @resolved
    async def trends(self, info: Info) -> list[HealthTrend]:
        """Where the score is going: over the last 7, 30 and 90 days; for the past, up to that moment."""
        at = self.worked_out.as_of if self.worked_out is not None else info.context.now
        found = await info.context.load(moving.trends, self.account_key, at)
        return [HealthTrend.of(trend) for trend in found or ()]

    @resolved
    async def by_day(
        self,
        info: Info,
        since: Annotated[datetime, argument("A moment on the first day.")],
        until: Annotated[datetime | None, argument("A moment on the last day; now when left out.")] = None,
    ) -> list[DayScore]:
        """The score of each day (in UTC), at most 400; days before the first score are left out."""
        first, last = since.date(), (until or info.context.now).date()
        info.context.spend(moving.check_days(first, last))
        found = await info.context.load(moving.by_day, self.account_key, first, last)
        return [DayScore.of(one) for one in found or ()]

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
