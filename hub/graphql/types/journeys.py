"""The journey of an account: stays in stages, and milestones."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from hub.graphql.context import Info
from hub.graphql.declare import about, output, resolved, vocabulary
from hub.graphql.paging import After, Before, Connection, First, Last, asked_page, connection
from hub.graphql.types.node import Owned
from hub.journeys import queries as journeys


class MilestoneStatus(StrEnum):
    """Whether a proof of value has been given."""

    EXPECTED = "expected"
    REACHED = "reached"
    OVERDUE = "overdue"


vocabulary(
    MilestoneStatus,
    EXPECTED="Not reached yet, and not late.",
    REACHED="Reached, in time or late.",
    OVERDUE="Not reached in its time.",
)


@output
class Milestone:
    """A proof of value in a stage."""

    name: str = about("Its name in the blueprint.")
    status: MilestoneStatus = about("Whether it has been reached.")
    expected_at: datetime | None = about("When it should be reached at the latest; null when no time is set.")
    reached_at: datetime | None = about("When it was reached; null while it is not.")
    overdue_at: datetime | None = about("When it was noticed to be late; null when it never was.")
    evidence: JSON = about("What shows that it was reached: the event, or the rule with the values that held.")

    @classmethod
    def of(cls, row: journeys.MilestoneProgress) -> Milestone:
        """The milestone as the API shows it."""
        late = MilestoneStatus.OVERDUE if row.overdue_at else MilestoneStatus.EXPECTED
        return cls(
            name=row.milestone,
            status=MilestoneStatus.REACHED if row.reached_at else late,
            expected_at=row.expected_at,
            reached_at=row.reached_at,
            overdue_at=row.overdue_at,
            evidence=JSON(row.evidence),
        )

    @classmethod
    def all_of(cls, rows: list[journeys.MilestoneProgress]) -> list[Milestone]:
        """The milestones of one stay."""
        return [cls.of(row) for row in rows]


vocabulary(
    journeys.StayStatus,
    ON_TRACK="As expected.",
    BEHIND="Longer than the stage should take, or a required milestone is late.",
    STUCK="So long that it will not go on by itself.",
)
vocabulary(
    journeys.StayReason,
    FIRST_SEEN="The account was new.",
    TRANSITION="A rule of its journey held.",
    SEGMENT="The account came into another segment, with another journey.",
    BLUEPRINT="A new version of the blueprint no longer has the stage where the account was.",
)


@output
class BecauseOf:
    """Why an account entered a stage."""

    reason: journeys.StayReason = about("What moved it.")
    came_from: str | None = about(
        "The stage, or for another segment the segment, that it came from; null for the first."
    )
    rule: str | None = about("The rule that held; null where none was asked.")
    values: JSON = about("The values of the measures and facts that the rule looked at, by name.")

    @classmethod
    def of(cls, because: dict[str, Any]) -> BecauseOf:
        """The reason as the API shows it."""
        return cls(
            reason=journeys.StayReason(because["reason"]),
            came_from=because.get("from"),
            rule=because.get("rule"),
            values=JSON(because.get("values", {})),
        )


@output
class Stay(Owned):
    """An account in a stage, from its entry until it left."""

    key: strawberry.Private[UUID]
    segment: str = about("The segment whose journey it is on.")
    stage: str = about("The stage.")
    entered_at: datetime = about("When the account entered the stage.")
    recorded_at: datetime = about("When the hub noticed.")
    left_at: datetime | None = about("When it left; null while it is there.")
    because_of: BecauseOf = about("Why it entered.")
    blueprint_version: int = about("The version of the blueprint that decided it.")

    @resolved
    def status(self, info: Info) -> journeys.StayStatus | None:
        """How it goes, by the blueprint in force; null when it is over."""
        return info.context.promise(journeys.StayStatus, journeys.statuses, self.key, info.context.now)

    @resolved
    def milestones(self, info: Info) -> list[Milestone]:
        """The milestones of this stay, the one expected first at the head."""
        return info.context.promise(Milestone.all_of, journeys.milestones, self.key)

    @classmethod
    def of(cls, row: journeys.Stay) -> Stay:
        """The stay as the API shows it."""
        return cls(
            id=strawberry.ID(f"sta_{row.id.hex}"),
            account_key=row.account_id,
            key=row.id,
            segment=row.segment,
            stage=row.stage,
            entered_at=row.entered_at,
            recorded_at=row.recorded_at,
            left_at=row.left_at,
            because_of=BecauseOf.of(row.because),
            blueprint_version=row.blueprint_version,
        )


@output
class Journey:
    """The lifecycle of an account: where it is and where it was."""

    account_key: strawberry.Private[UUID]

    @resolved
    def stay(self, info: Info) -> Stay | None:
        """The stage that the account is in; null before it entered any."""
        return info.context.promise(Stay.of, journeys.current_stays, self.account_key)

    @resolved
    async def stays(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Stay]:
        """All its stays, the latest first."""
        page = asked_page(journeys.NEWEST_FIRST, first, after, last, before)
        info.context.spend(page.limit)
        found = await info.context.load(journeys.stays_of, self.account_key, page)
        return connection(found, journeys.NEWEST_FIRST, Stay.of)
