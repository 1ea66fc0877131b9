"""Where accounts are on their journeys, decided: pure functions over a table of accounts.

The table has one row for each account: its measures and what else rules may ask (`days_known`, `owner`, `score` and
`band` as they were before). Rules are held against all rows at once; only the few accounts that move are looked at one
by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import polars as pl

from hub.journeys.rules import ReadyMap
from hub.journeys.section import ANY, InFlight, Transition
from hub.journeys.stays import Staying
from hub.kit.ids import new_id
from hub.measures.rules import Rule

DAY_SECONDS = 86_400

STAY_ID = "stay id"
FIRST_SEEN = "first seen at"
"""Columns for the id of a stay and the beginning of an account; with a space in their names they are no measures'."""


@dataclass(frozen=True, slots=True)
class Moves:
    """What happened: stays that were left (as they are now), stays that were entered (some perhaps left again), and the
    stay that every account is in, by account."""

    left: tuple[Staying, ...]
    entered: tuple[Staying, ...]
    current: Mapping[str, Staying]

    @property
    def touched(self) -> tuple[Staying, ...]:
        """Every stay whose milestones may have changed, in the order of time for each account."""
        entered = {stay.id for stay in self.entered}
        kept = (stay for stay in self.current.values() if stay.id not in entered)
        return (*(stay for stay in self.left if stay.id not in entered), *self.entered, *kept)


def segment_of(frame: pl.DataFrame, segments: Sequence[tuple[str, Rule | None]]) -> pl.Series:
    """The first segment whose rule holds for each row; null when there is none."""
    found = pl.Series("segment", [None], dtype=pl.String).new_from_index(0, frame.height)
    for name, rule in segments:
        holds = pl.lit(True) if rule is None else rule.holds(frame)
        found = pl.select(pl.coalesce(found, pl.when(holds).then(pl.lit(name)))).to_series()
    return found


def move(
    frame: pl.DataFrame,
    world: ReadyMap,
    stays: Mapping[str, Staying],
    first_seen: Mapping[str, datetime],
    as_of: datetime,
) -> Moves:
    """Let every account enter its journey, change it with its segment, and take the transitions whose rules hold.

    Several transitions may follow one another, but no account comes back to a stage that it was in during the same
    look: rules that contradict each other make it move once a look, never for ever.
    """
    walk = _Walk(world, stays, as_of)
    for account_id, segment in zip(frame["account_id"], segment_of(frame, world.segments), strict=True):
        if segment is not None:
            walk.place(account_id, segment, first_seen[account_id])
    moved = set(walk.current)
    for _ in range(1 + max((len(journey.definition.stages) for journey in world.journeys.values()), default=0)):
        moved = walk.advance(frame.filter(pl.col("account_id").is_in(moved)))
        if not moved:
            break
    return Moves(tuple(walk.left), tuple(walk.entered.values()), walk.current)


class _Walk:
    """One look at many accounts: where each is now, and which stays it left and entered on the way."""

    def __init__(self, world: ReadyMap, stays: Mapping[str, Staying], as_of: datetime) -> None:
        self.world = world
        self.as_of = as_of
        self.current = dict(stays)
        self.left: list[Staying] = []
        self.entered: dict[UUID, Staying] = {}
        self.been: set[tuple[str, str, str]] = set()

    def place(self, account_id: str, segment: str, first_seen: datetime) -> None:
        """Enter the journey, or go on in another one: in the stage of the same name, if it has one."""
        journey = self.world.journeys[segment].definition
        stay = self.current.get(account_id)
        if stay is None:
            entered_at = min(first_seen, self.as_of)
            self._enter(account_id, segment, journey.first, entered_at, {"reason": "first_seen"}, first=True)
        elif stay.segment != segment:
            stage = stay.stage if stay.stage in journey.stages else journey.first
            because = {"reason": "segment", "from": stay.segment, "values": {}}
            self._leave(stay)
            self._enter(account_id, segment, stage, self.as_of, because)
        elif journey.in_flight is InFlight.MOVE and not journey.has(stay.stage):
            because = {"reason": "blueprint", "from": stay.stage, "values": {}}
            self._leave(stay)
            self._enter(account_id, segment, journey.first, self.as_of, because)

    def advance(self, frame: pl.DataFrame) -> set[str]:
        """Take the first transition that holds for each account of `frame`; returns the accounts that moved."""
        here = at_stays(frame, [self.current[account_id] for account_id in frame["account_id"]], self.as_of)
        moved: set[str] = set()
        for segment, journey in self.world.journeys.items():
            for transition, rule in journey.transitions:
                comes_from = pl.lit(True) if transition.from_ == ANY else pl.col("stage") == transition.from_
                candidates = here.filter(pl.col("segment") == segment, comes_from, pl.col("stage") != transition.to)
                for row in candidates.filter(rule.holds(candidates)).iter_rows(named=True):
                    if row["account_id"] not in moved and self._take(row, transition, rule):
                        moved.add(row["account_id"])
        return moved

    def _take(self, row: dict[str, Any], transition: Transition, rule: Rule) -> bool:
        stay = self.current[row["account_id"]]
        if (stay.account_id, stay.segment, transition.to) in self.been:
            return False
        because = {"reason": "transition", "from": stay.stage, "rule": transition.when, "values": rule.values(row)}
        self._leave(stay)
        self._enter(stay.account_id, stay.segment, transition.to, self.as_of, because)
        return True

    def _leave(self, stay: Staying) -> None:
        closed = replace(stay, left_at=max(self.as_of, stay.entered_at))
        if stay.id in self.entered:
            self.entered[stay.id] = closed
        else:
            self.left.append(closed)
        self.been.add((stay.account_id, stay.segment, stay.stage))

    def _enter(
        self,
        account_id: str,
        segment: str,
        stage: str,
        entered_at: datetime,
        because: Mapping[str, Any],
        *,
        first: bool = False,
    ) -> None:
        stay = Staying(new_id(), account_id, segment, stage, entered_at, None, first, because)
        self.entered[stay.id] = self.current[account_id] = stay


def at_stays(frame: pl.DataFrame, stays: Sequence[Staying], as_of: datetime) -> pl.DataFrame:
    """The rows of `frame` with one row for each stay: its account's, with `segment`, `stage` and `days_in_stage` (to
    the moment it was left, or else to `as_of`; Float64), and its id as `STAY_ID`."""
    placed = pl.DataFrame(
        {
            "account_id": [stay.account_id for stay in stays],
            STAY_ID: [str(stay.id) for stay in stays],
            "segment": [stay.segment for stay in stays],
            "stage": [stay.stage for stay in stays],
            "days_in_stage": [days_between(stay.entered_at, stay.left_at or as_of) for stay in stays],
        },
        schema={
            "account_id": pl.String,
            STAY_ID: pl.String,
            "segment": pl.String,
            "stage": pl.String,
            "days_in_stage": pl.Float64,
        },
    )
    bare = frame.drop(STAY_ID, "segment", "stage", "days_in_stage", strict=False)
    return placed.join(bare, on="account_id", how="inner", maintain_order="left")


def days_between(earlier: datetime, later: datetime) -> float:
    """Days with their fraction; never negative."""
    return max((later - earlier).total_seconds(), 0.0) / DAY_SECONDS
