"""The journey of accounts that arrive with a history, decided day by day as if the hub had looked at the end of each:
pure functions over a table of accounts and days.

The table has a row for each account and day, sorted by both: `account_id`, `as_of` (the moment of the look), its
measures, and what else rules may ask. It is worked through in rounds, each of which finds the next move of every
account at once; there are as many rounds as the most restless account has stays, and most need few. The outcome is that
of `progress.move` and `milestones` at the moment of every row in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import polars as pl

from hub.journeys.milestones import Progress, Reached, expected
from hub.journeys.progress import DAY_SECONDS, STAY_ID, segment_of
from hub.journeys.rules import ReadyJourney, ReadyMap
from hub.journeys.section import ANY
from hub.journeys.stays import Staying
from hub.kit.ids import new_id
from hub.measures.division import quotient

MOMENT = "as_of"
ENTERED = "entered stay at"
_ROW, _SINCE, _UNTIL, _BEEN, _PLACED, _NEXT = (
    f"{name} of stay" for name in ("row", "since", "until", "been", "placed", "next")
)
"""Columns for the time being; with spaces in their names they are no measures'."""

_CHANGED_SEGMENT = -1


@dataclass(slots=True)
class _Past:
    """What was found of one account so far; `rows` are those on which each of its stays began."""

    stays: list[Staying] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    been: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class History:
    """The stays of each account in the order of time, the last of which goes on, and the rows of the table on which
    each was looked at: from the one on which it began to the one on which it was left, both included."""

    stays: Mapping[str, Sequence[Staying]]
    rows: Mapping[UUID, tuple[int, int]]

    def __iter__(self) -> Iterator[Staying]:
        return (stay for stays in self.stays.values() for stay in stays)

    @property
    def current(self) -> dict[str, Staying]:
        """The stay that each account is in at the end."""
        return {account_id: stays[-1] for account_id, stays in self.stays.items()}


def replay(frame: pl.DataFrame, world: ReadyMap, first_seen: Mapping[str, datetime]) -> History:
    """Every stay of the accounts of `frame`; those that no segment ever takes are left out."""
    days = frame.with_row_index(_ROW).with_columns(segment_of(frame, world.segments).alias(_PLACED))
    ends = dict(days.group_by("account_id").agg(pl.col(_ROW).max()).iter_rows())
    past: dict[str, _Past] = {}
    entries = days.drop_nulls(_PLACED).unique("account_id", keep="first", maintain_order=True)
    for row in entries.select("account_id", _ROW, _PLACED, MOMENT).iter_rows(named=True):
        stay = _first(row, world, first_seen[row["account_id"]])
        past[stay.account_id] = _Past([stay], [row[_ROW]])
    moved = list(past)
    while moved:
        found = _next_moves(days, {account_id: past[account_id] for account_id in moved}, world)
        for row in found.iter_rows(named=True):
            _take(past[row["account_id"]], row, world)
        moved = found["account_id"].to_list()
    return History(
        {account_id: one.stays for account_id, one in past.items()},
        {
            stay.id: (since, until)
            for account_id, one in past.items()
            for stay, since, until in zip(one.stays, one.rows, [*one.rows[1:], ends[account_id]], strict=True)
        },
    )


def _first(row: Mapping[str, Any], world: ReadyMap, first_seen: datetime) -> Staying:
    segment = row[_PLACED]
    stage = world.journeys[segment].definition.first
    entered_at = min(first_seen, row[MOMENT])
    return Staying(new_id(), row["account_id"], segment, stage, entered_at, None, True, {"reason": "first_seen"})


def _next_moves(days: pl.DataFrame, past: Mapping[str, _Past], world: ReadyMap) -> pl.DataFrame:
    """For each account the first row, not before its present stay began, on which it moves; with what makes it move."""
    present = pl.DataFrame(
        [
            (id_, one.rows[-1], one.stays[-1].entered_at, one.stays[-1].segment, one.stays[-1].stage, one.been)
            for id_, one in past.items()
        ],
        schema={
            "account_id": pl.String,
            _SINCE: days.schema[_ROW],
            ENTERED: pl.Datetime("us", "UTC"),
            "segment": pl.String,
            "stage": pl.String,
            _BEEN: pl.List(pl.String),
        },
        orient="row",
    )
    here = days.join(present, on="account_id", how="inner", maintain_order="left").filter(
        pl.col(_ROW) >= pl.col(_SINCE)
    )
    here = here.with_columns(days_since(ENTERED).alias("days_in_stage"))
    move: Any = pl.when(pl.col(_PLACED) != pl.col("segment")).then(pl.lit(_CHANGED_SEGMENT))
    for segment, journey in world.journeys.items():
        for number, (transition, rule) in enumerate(journey.transitions):
            is_fresh = (pl.col(_ROW) > pl.col(_SINCE)) | ~pl.col(_BEEN).list.contains(_place(segment, transition.to))
            comes_from = pl.lit(True) if transition.from_ == ANY else pl.col("stage") == transition.from_
            leads_on = (pl.col("segment") == segment) & comes_from & (pl.col("stage") != transition.to) & is_fresh
            move = move.when(leads_on & rule.expression.fill_null(False).cast(pl.Boolean)).then(pl.lit(number))
    moves = here.with_columns(move.otherwise(None).alias(_NEXT)).drop_nulls(_NEXT)
    return moves.unique("account_id", keep="first", maintain_order=True)


def days_since(column: str) -> pl.Expr:
    """Days with their fraction from the moment of a column until that of the look, as `progress.days_between` counts
    them."""
    seconds = quotient((pl.col(MOMENT) - pl.col(column)).dt.total_microseconds(), 1_000_000.0)
    return quotient(seconds.clip(lower_bound=0.0), float(DAY_SECONDS))


def _take(past: _Past, row: Mapping[str, Any], world: ReadyMap) -> None:
    """End the present stay on that row and begin the next one."""
    stay, at, segment = past.stays[-1], row[MOMENT], row[_PLACED]
    because: dict[str, Any]
    if row[_NEXT] == _CHANGED_SEGMENT:
        journey = world.journeys[segment].definition
        stage = stay.stage if stay.stage in journey.stages else journey.first
        because = {"reason": "segment", "from": stay.segment, "values": {}}
    else:
        segment = stay.segment
        transition, rule = world.journeys[segment].transitions[row[_NEXT]]
        stage = transition.to
        because = {"reason": "transition", "from": stay.stage, "rule": transition.when, "values": rule.values(row)}
    past.been = [*(past.been if row[_ROW] == past.rows[-1] else ()), _place(stay.segment, stay.stage)]
    past.stays[-1] = replace(stay, left_at=max(at, stay.entered_at))
    past.stays.append(Staying(new_id(), stay.account_id, segment, stage, at, None, False, because))
    past.rows.append(row[_ROW])


def _place(segment: str, stage: str) -> str:
    return f"{segment} {stage}"


def held_first(frame: pl.DataFrame, world: ReadyMap, history: History) -> dict[tuple[UUID, str], Reached]:
    """Each milestone with a rule, at the first look of its stay at which the rule held."""
    days = frame.with_row_index(_ROW)
    stays = _table(history, days)
    found: dict[tuple[UUID, str], Reached] = {}
    for segment, journey in world.journeys.items():
        for stage in journey.milestones:
            mine = stays.filter(pl.col("segment") == segment, pl.col("stage") == stage)
            if not mine.is_empty():
                found |= _held_in(days, mine, journey, stage)
    return found


def _held_in(
    days: pl.DataFrame, stays: pl.DataFrame, journey: ReadyJourney, stage: str
) -> dict[tuple[UUID, str], Reached]:
    here = days.join(stays, on="account_id", how="inner", maintain_order="left")
    here = here.filter(pl.col(_ROW).is_between(pl.col(_SINCE), pl.col(_UNTIL)))
    here = here.with_columns(days_since(ENTERED).alias("days_in_stage"))
    found = {}
    for milestone in journey.milestones[stage]:
        if milestone.rule is not None:
            held = here.filter(milestone.rule.holds(here)).unique(STAY_ID, keep="first", maintain_order=True)
            for row in held.iter_rows(named=True):
                evidence = {"rule": milestone.rule.text, "values": milestone.rule.values(row)}
                found[UUID(row[STAY_ID]), milestone.name] = Reached(row[MOMENT], evidence)
    return found


def _table(history: History, days: pl.DataFrame) -> pl.DataFrame:
    row = days.schema[_ROW]
    return pl.DataFrame(
        [(str(s.id), s.account_id, s.segment, s.stage, s.entered_at, *history.rows[s.id]) for s in history],
        schema={
            STAY_ID: pl.String,
            "account_id": pl.String,
            "segment": pl.String,
            "stage": pl.String,
            ENTERED: pl.Datetime("us", "UTC"),
            _SINCE: row,
            _UNTIL: row,
        },
        orient="row",
    )


def milestones_then(
    world: ReadyMap, history: History, reached: Mapping[tuple[UUID, str], Reached], until: datetime
) -> list[Progress]:
    """What is to be kept of the milestones of all stays: overdue from the very moment at which their time was over."""
    found = []
    for stay in history:
        for milestone in world.journeys[stay.segment].milestones.get(stay.stage, ()):
            one = Progress(stay.id, milestone.name, stay.account_id, expected(stay, milestone))
            proof = reached.get((stay.id, milestone.name))
            if proof is not None:
                one = replace(one, reached_at=proof.at, evidence=proof.evidence)
            passed = one.expected_at is not None and one.expected_at <= (stay.left_at or until)
            if passed and one.expected_at is not None and (proof is None or proof.at > one.expected_at):
                one = replace(one, overdue_at=one.expected_at)
            found.append(one)
    return found
