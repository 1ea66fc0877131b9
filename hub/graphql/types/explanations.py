"""Why a score is not what it was."""

from __future__ import annotations

import asyncio
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from hub.graphql.context import Info
from hub.graphql.declare import about, output, resolved, vocabulary
from hub.graphql.types.scores import MICRO, Score
from hub.graphql.types.timeline import Event
from hub.health import queries as health
from hub.health.queries import Cause
from hub.timeline import queries as timeline

vocabulary(
    Cause,
    BLUEPRINT="A new version of the blueprint weighs things differently.",
    STAGE="Another stage, with another profile.",
    MEASURE="A measure has another value.",
    COVERAGE="A measure has a value that had none, or has none any more: what is known weighs more, or less.",
    CAP="A limit of the profile took hold, or let go.",
    OVERRIDE="A person set the band, or no longer does; always 0 points.",
)


@output
class ExplanationTerm:
    """One part of the difference between two scores."""

    account_key: strawberry.Private[UUID]
    before_keys: strawberry.Private[tuple[UUID, ...]]
    after_keys: strawberry.Private[tuple[UUID, ...]]
    cause: Cause = about("What changed.")
    name: str = about("The measure or the cap; `blueprint`, `stage` or `override` for these.")
    micro_points: int = about("Its part of the difference, in millionths of a point. The parts add up exactly.")
    points: float = about("The same in points.")
    before: JSON | None = about(
        "What it was: a value, a version, a profile's name, what a cap took, a band and who set it; null: nothing."
    )
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
    terms: list[ExplanationTerm] = about("The parts of the difference: blueprint, stage, measures, caps, override.")

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
