"""What starts a play: an alert, a band, a stage, a milestone, a rule, an event, a schedule, a time of the calendar, or
nobody but a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias

from cronsim import CronSim, CronSimError
from pydantic import Field, Tag, field_validator

from hub.blueprint.values import Duration, Entry
from hub.health.vocabulary import Band
from hub.measures.definitions import EventKind, Where
from hub.plays.kinds import kind_in, one_or_more


class AlertOpened(Entry):
    """An alert of this rule opened."""

    alert: str


class BandChanged(Entry):
    """The health band became one of `band`; where `previously` is given, it was one of those before."""

    band: Annotated[tuple[Band, ...], one_or_more(Band), Field(min_length=1)]
    previously: Annotated[tuple[Band, ...], one_or_more(Band)] = ()


class StageEntered(Entry):
    """The account entered the stage (of any segment, unless one is named)."""

    stage: str
    segment: str | None = None


class MilestoneReached(Entry):
    """The milestone was reached."""

    milestone_reached: str


class MilestoneOverdue(Entry):
    """The milestone was not reached in its time."""

    milestone_overdue: str


class Existing(StrEnum):
    """What becomes of accounts for which a rule holds already when the play is switched on."""

    SKIP = "skip"
    START = "start"


class RuleEntered(Entry):
    """The rule began to hold for the account. `existing` says what becomes of those for which it holds already when
    the play is switched on."""

    rule_enters: str
    existing: Existing = Existing.SKIP


class RuleExited(Entry):
    """The rule ceased to hold for the account."""

    rule_exits: str


class EventRecorded(Entry):
    """An event of this kind, with these attributes, happened at the account. One that is heard of later than `within`
    after it happened starts nothing: a history that arrives is no news."""

    event: EventKind
    where: Where = Field(default_factory=dict)
    within: Duration = timedelta(days=2)


class Scheduled(Entry):
    """Again and again after so much time, counted from when the account was first seen; with `when`, only while that
    rule holds."""

    schedule: Duration
    when: str | None = None


class Calendar(Entry):
    """At times of the calendar, in the account's own time zone: a cron expression of five fields (minute, hour, day of
    month, month, day of week), e.g. `0 9 * * 1` for every Monday at nine; with `when`, only while that rule holds.

    A time that the clocks skip in spring comes when they have been put forward; one that they repeat in autumn comes
    once (as in Debian's cron).
    """

    cron: Annotated[str, Field(examples=["0 9 * * 1"])]
    when: str | None = None

    @field_validator("cron")
    @classmethod
    def _is_an_expression(cls, value: str) -> str:
        if len(value.split()) != 5:
            raise ValueError("a cron expression has five fields: minute, hour, day of month, month, day of week")
        try:
            next(CronSim(value, datetime(2026, 1, 1, tzinfo=UTC)))
        except CronSimError as error:
            raise ValueError(f"is no cron expression: {str(error)[:1].lower()}{str(error)[1:]}") from None
        except StopIteration:
            raise ValueError("names a time that never comes") from None
        return value


class ByHand(Entry):
    """Nothing but a person starts the play. (A person may start any other play as well.)"""

    by_hand: Literal[True]


TRIGGERS: Final[dict[str, type[Entry]]] = {
    "alert": AlertOpened,
    "band": BandChanged,
    "stage": StageEntered,
    "milestone_reached": MilestoneReached,
    "milestone_overdue": MilestoneOverdue,
    "rule_enters": RuleEntered,
    "rule_exits": RuleExited,
    "event": EventRecorded,
    "schedule": Scheduled,
    "cron": Calendar,
    "by_hand": ByHand,
}

Trigger: TypeAlias = Annotated[
    Annotated[AlertOpened, Tag("alert")]
    | Annotated[BandChanged, Tag("band")]
    | Annotated[StageEntered, Tag("stage")]
    | Annotated[MilestoneReached, Tag("milestone_reached")]
    | Annotated[MilestoneOverdue, Tag("milestone_overdue")]
    | Annotated[RuleEntered, Tag("rule_enters")]
    | Annotated[RuleExited, Tag("rule_exits")]
    | Annotated[EventRecorded, Tag("event")]
    | Annotated[Scheduled, Tag("schedule")]
    | Annotated[Calendar, Tag("cron")]
    | Annotated[ByHand, Tag("by_hand")],
    kind_in(TRIGGERS),
]
