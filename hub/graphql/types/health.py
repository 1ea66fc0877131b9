"""How an account is doing: now, at any other moment, and how that came about."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from hub.graphql.context import Info
from hub.graphql.declare import about, argument, output, resolved
from hub.graphql.paging import After, Before, Connection, First, Last, asked_page, connection
from hub.graphql.types.explanations import Explanation
from hub.graphql.types.scores import MICRO, Score, points
from hub.health import queries as health
from hub.health.queries import Band

DEAR = 2_000
"""What working out one score or one explanation counts for, in nodes: it takes statements of its own."""

Since = Annotated[datetime | None, argument("From this time on.")]
Until = Annotated[datetime | None, argument("Before this time.")]
AsOf = Annotated[datetime | None, argument("As of this moment; now when left out.")]
KnownAt = Annotated[
    datetime | None,
    argument("From what was known at this moment: what was recorded later does not count. All when left out."),
]


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
