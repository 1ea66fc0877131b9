"""What screens are told as it happens: new scores here, alerts, runs and tasks in `following`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from hub.accounts.queries import READERS
from hub.graphql import ids
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, output, resolved, subscription
from hub.graphql.facts import facts, is_seen, start, write_position
from hub.graphql.following import FollowingSubscription
from hub.graphql.ids import Prefix
from hub.graphql.types.bands import Band
from hub.graphql.types.node import AnAccount, promised_account
from hub.graphql.types.scores import Score, points
from hub.health import queries as health
from hub.kit.outbox import Fact

SCORE_CHANGED = "score.changed"


@output
class HealthChange:
    """A new score of an account."""

    account_key: strawberry.Private[UUID]
    score_key: strawberry.Private[UUID]
    previous_key: strawberry.Private[UUID | None]
    cursor: str = about("Where this event stands: `after` this, the next one follows. Opaque.")
    at: datetime = about("When the hub decided it.")
    band: Band = about("The band now.")
    previous_band: Band | None = about("The band before; null when this is the first score.")
    points: float | None = about("The score now, 0 to 100; null while the band is unknown.")
    new_blueprint: int | None = about("The version of the blueprint, where the score before was made by another one.")

    @resolved
    def account(self, info: Info) -> AnAccount:
        """The account."""
        return promised_account(info, self.account_key)

    @resolved
    def score(self, info: Info) -> Score | None:
        """The score now, with everything it was made from; null only after the account was erased."""
        return info.context.promise(Score.of, health.scores, self.score_key)

    @resolved
    def previous_score(self, info: Info) -> Score | None:
        """The score before; null when this is the first one."""
        if self.previous_key is None:
            return None
        return info.context.promise(Score.of, health.scores, self.previous_key)

    @classmethod
    def of(cls, fact: Fact) -> HealthChange:
        """The fact as the API shows it."""
        said = fact.payload
        previous_score, previous_band = said.get("previous_score_id"), said.get("previous_band")
        return cls(
            account_key=UUID(said["account_id"]),
            score_key=UUID(said["score_id"]),
            previous_key=UUID(previous_score) if previous_score else None,
            cursor=write_position(fact.position),
            at=fact.created_at,
            band=Band(said["band"]),
            previous_band=Band(previous_band) if previous_band else None,
            points=points(said["micro_points"]),
            new_blueprint=said.get("new_blueprint"),
        )


@output
class Subscription(FollowingSubscription):
    """Everything that can be followed, over `graphql-transport-ws` or server-sent events."""

    @subscription
    async def health_changed(
        self,
        info: Info,
        account: Annotated[strawberry.ID | None, argument("Only of this account; of all when left out.")] = None,
        after: Annotated[
            str | None,
            argument("A cursor of this subscription: go on behind it without a gap. From now on when left out."),
        ] = None,
    ) -> AsyncGenerator[HealthChange, None]:
        """Each new score, as it is decided. Ends with the error CURSOR_EXPIRED when `after` is too old to go on."""
        context = info.context
        account_id = ids.read(Prefix.ACCOUNT, account, "account") if account is not None else None
        context.viewer.require(*READERS)
        position = await start(context, after or context.resume_after)
        async with aclosing(facts(context, (SCORE_CHANGED,), position)) as changes:
            async for fact in changes:
                if account_id is None or fact.key == str(account_id):
                    if not await is_seen(context, UUID(fact.key)):
                        continue
                    context.position = write_position(fact.position)
                    yield HealthChange.of(fact)
