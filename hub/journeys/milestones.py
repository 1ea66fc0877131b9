"""Milestones of a stay, and what they and the time spent say about it: pure functions.

A milestone is reached by the first event of its kind during the stay (during an account's first stay: at any time, so
that what happened before the hub knew the account counts), or at the first look at which its rule holds. It is overdue
once its time has passed without that, also when nothing happens at all. Reached stays reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

import polars as pl

from hub.journeys.progress import STAY_ID, at_stays
from hub.journeys.rules import ReadyMap, ReadyMilestone
from hub.journeys.section import InFlight, Stage
from hub.journeys.stays import Staying
from hub.measures.definitions import Where
from hub.measures.rules import Rule


class StayStatus(StrEnum):
    """How a stay goes."""

    ON_TRACK = "on_track"
    BEHIND = "behind"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Reached:
    """When a milestone was reached, and what shows it."""

    at: datetime
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sought:
    """An event that would be a proof: the first of `kind`, with the attributes of `where`, from `since` (None: ever)
    until `until`, both included."""

    stay_id: UUID
    milestone: str
    account_id: str
    kind: str
    since: datetime | None
    until: datetime
    where: Where = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """A milestone of one stay. `expected_at` is fixed when the stay begins, unless a new version moves it."""

    stay_id: UUID
    milestone: str
    account_id: str
    expected_at: datetime | None
    reached_at: datetime | None = None
    overdue_at: datetime | None = None
    evidence: Mapping[str, Any] | None = None


Known = Mapping[tuple[UUID, str], Progress]
"""What is kept already, by stay and milestone."""


def sought(world: ReadyMap, stays: Iterable[Staying], known: Known, as_of: datetime) -> list[Sought]:
    """The events to look for: those of milestones that are not reached yet."""
    return [
        Sought(
            stay.id,
            milestone.name,
            stay.account_id,
            milestone.definition.event,
            None if stay.first else stay.entered_at,
            stay.left_at or as_of,
            milestone.definition.where,
        )
        for stay, milestone in _open(world, stays, known)
        if milestone.definition.event is not None
    ]


def held(
    world: ReadyMap, frame: pl.DataFrame, stays: Sequence[Staying], known: Known, as_of: datetime
) -> dict[tuple[UUID, str], Reached]:
    """The milestones whose rules hold now. `frame` is as in `hub.journeys.progress`."""
    waiting: dict[tuple[str, str, str], tuple[Rule, list[Staying]]] = {}
    for stay, milestone in _open(world, stays, known):
        if milestone.rule is not None:
            place = (stay.segment, stay.stage, milestone.name)
            waiting.setdefault(place, (milestone.rule, []))[1].append(stay)
    found = {}
    for (_, _, name), (rule, here) in waiting.items():
        table = at_stays(frame, here, as_of)
        for row in table.filter(rule.holds(table)).iter_rows(named=True):
            found[UUID(row[STAY_ID]), name] = Reached(as_of, {"rule": rule.text, "values": rule.values(row)})
    return found


def follow(
    world: ReadyMap,
    stays: Iterable[Staying],
    known: Known,
    reached: Mapping[tuple[UUID, str], Reached],
    as_of: datetime,
) -> list[Progress]:
    """The milestones that are new or have changed, as they are now."""
    changed = []
    for stay, milestone in _open(world, stays, known):
        before = known.get((stay.id, milestone.name))
        now = before or Progress(stay.id, milestone.name, stay.account_id, expected(stay, milestone))
        if now.overdue_at is None and world.journeys[stay.segment].definition.in_flight is InFlight.MOVE:
            now = replace(now, expected_at=expected(stay, milestone))
        if (proof := reached.get((stay.id, milestone.name))) is not None:
            now = replace(now, reached_at=proof.at, evidence=proof.evidence)
        elif now.overdue_at is None and now.expected_at and now.expected_at <= (stay.left_at or as_of):
            now = replace(now, overdue_at=as_of)
        if now != before:
            changed.append(now)
    return changed


def status(
    stage: Stage | None, entered_at: datetime, milestones: Iterable[MilestoneState], now: datetime
) -> StayStatus:
    """How a stay goes. `milestones` are those of the stay; a stage that the blueprint does not know has no limits."""
    stage = stage or Stage()
    behind_after, stuck_after = stage.limits()
    stayed = now - entered_at
    if stuck_after is not None and stayed > stuck_after:
        return StayStatus.STUCK
    late = any(
        milestone.reached_at is None and milestone.expected_at is not None and milestone.expected_at <= now
        for milestone in milestones
        if milestone.milestone not in stage.milestones or stage.milestones[milestone.milestone].required
    )
    return StayStatus.BEHIND if late or (behind_after is not None and stayed > behind_after) else StayStatus.ON_TRACK


class MilestoneState(Protocol):
    """What `status` asks of a milestone."""

    @property
    def milestone(self) -> str: ...
    @property
    def expected_at(self) -> datetime | None: ...
    @property
    def reached_at(self) -> datetime | None: ...


def _open(world: ReadyMap, stays: Iterable[Staying], known: Known) -> Iterator[tuple[Staying, ReadyMilestone]]:
    """Every milestone of the stays that is not reached yet. One that a later version brought begins with the next stay,
    unless that version moves those on their way."""
    for stay in stays:
        journey = world.journeys.get(stay.segment)
        for milestone in journey.milestones.get(stay.stage, ()) if journey else ():
            before = known.get((stay.id, milestone.name))
            is_later = before is None and stay.version not in (None, world.version)
            if is_later and journey is not None and journey.definition.in_flight is InFlight.KEEP:
                continue
            if before is None or before.reached_at is None:
                yield stay, milestone


def expected(stay: Staying, milestone: ReadyMilestone) -> datetime | None:
    """When the milestone of the stay is expected at the latest."""
    span: timedelta | None = milestone.definition.expected
    return stay.entered_at + span if span is not None else None
