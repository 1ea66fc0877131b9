"""From what changes on which day to the measures of every day: sums along the days, for all accounts at once.

All accounts lie one behind the other in one long column, each with a slot for every day and one more behind the last,
where everything that is still there leaves. So an account's changes add up to nothing, and one running sum over the
whole column gives the level of every account on every day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import chain, groupby, repeat
from typing import Any, Final

import polars as pl

from hub.measures.definitions import Attribute, Count, DaysSince, Last, Meaning, People, Pick, ReadMeasure, Sum, Things
from hub.measures.definitions import Days as DifferentDays
from hub.measures.fragments import NOW
from hub.measures.frames import moment_of
from hub.measures.parts import DAY, Column, Days, Part, Sweep
from hub.measures.sweeps import leaves_after

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
DAY_MICROSECONDS: Final = DAY // MICROSECOND

ACCOUNT, MOMENT, DAY_NUMBER = "account_id", "as_of", "day number"


class _Board:
    """The slots of all accounts, and the lists of one statement to fill them from."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], days: Days) -> None:
        self.rows = rows
        self.days = days
        self.width = days.count + 1
        self.slots = len(rows) * self.width
        self._places: dict[Part, pl.Series] = {}

    def list(self, part: Part, name: str, kind: Any) -> pl.Series:
        """One of the lists of a part, those of all accounts one behind the other."""
        column = f"{part}_{name}"
        values = chain.from_iterable(row[column] or () for row in self.rows)
        return pl.Series(name, list(values), dtype=kind)

    def account(self, part: Part) -> pl.Series:
        """For each entry of a part's lists the first slot of its account."""
        if part not in self._places:
            column = f"{part}_day"
            numbers = (repeat(number * self.width, len(row[column] or ())) for number, row in enumerate(self.rows))
            self._places[part] = pl.Series("account", list(chain.from_iterable(numbers)), dtype=pl.Int64)
        return self._places[part]

    def changes(self, part: Part, *names: str) -> pl.DataFrame:
        """A part with its accounts; `names` are whole numbers."""
        lists = (self.list(part, name, pl.Int64) for name in names)
        return pl.DataFrame([self.account(part), *lists])

    def slot(self, day: pl.Expr) -> pl.Expr:
        """The slot of a day of the account: the first one for what was before, the last one for what comes after."""
        return (pl.col("account") + day.clip(0, self.days.count)).alias("slot")

    def levels(self, changes: pl.DataFrame) -> pl.Series:
        """The running sums of the changes (`slot`, `by`) of every account; null where nothing is there."""
        summed = changes.group_by("slot").agg(pl.col("by").sum())
        found = self._filled(0).scatter(summed["slot"], summed["by"]).cum_sum()
        return pl.select(pl.when(found != 0).then(found)).to_series()

    def steps(self, slots: pl.Series) -> pl.Series:
        """For every slot the number of the newest entry up to its day (null: none yet); one entry for a slot."""
        beginnings = pl.int_range(0, self.slots, self.width, dtype=pl.Int64, eager=True)
        entries = self._filled(None).scatter(beginnings, -1)
        entries = entries.scatter(slots, pl.int_range(0, slots.len(), dtype=pl.Int64, eager=True)).forward_fill()
        return pl.select(pl.when(entries >= 0).then(entries)).to_series()

    def number(self) -> pl.Series:
        """The number of the day of every slot."""
        return pl.select(pl.int_range(0, self.slots, dtype=pl.Int64) % self.width).to_series()

    def moments(self, shift: timedelta = NOW) -> pl.Series:
        """The moment of the day of every slot, or so long before it, in microseconds since 1970."""
        first = (self.days.first - shift - EPOCH) // MICROSECOND
        return self.number() * DAY_MICROSECONDS + first

    def _filled(self, value: int | None) -> pl.Series:
        return pl.select(pl.repeat(value, self.slots, dtype=pl.Int64)).to_series()


def days_frame(
    read: Mapping[str, ReadMeasure], sweep: Sweep, rows: Sequence[Mapping[str, Any]], days: Days
) -> pl.DataFrame:
    """The measures that are read from events, for every account and day: `account_id` (String), `as_of` (UTC), `day
    number`, and a Float64 for each, null where there was nothing to measure and NaN where there is no value."""
    board = _Board(rows, days)
    accounts = pl.Series(ACCOUNT, [row["account_id"] for row in rows], dtype=pl.String)
    owner = pl.select(pl.int_range(0, board.slots, dtype=pl.Int64) // board.width).to_series()
    series = [
        accounts.gather(owner).alias(ACCOUNT),
        board.moments().cast(pl.Datetime("us", "UTC")).alias(MOMENT),
        board.number().alias(DAY_NUMBER),
    ]
    for (name, measure), column in zip(read.items(), sweep.columns, strict=True):
        series.append(_values(board, measure, column).cast(pl.Float64).alias(name))
    return pl.DataFrame(series).filter(pl.col(DAY_NUMBER) < days.count)


def _values(board: _Board, measure: ReadMeasure, column: Column) -> pl.Series:
    match measure:
        case Count():
            return _count(board, measure, column)
        case People() | DifferentDays():
            return _people(board, measure, column)
        case Sum():
            return _total(board, column)
        case Things(sum=None):
            return _where_known(board, column, _held(board, column, pl.col(column.name)).fill_null(0))
        case Things():
            return _where_known(board, column, _total(board, column).fill_null(0.0))
        case Attribute() if measure.type is not None:
            return _attribute_of_things(board, measure, column)
        case Last() | DaysSince() | Attribute():
            return _newest(board, measure, column)


def _whole(span: timedelta) -> int:
    return span // DAY


def _count(board: _Board, measure: Count, column: Column) -> pl.Series:
    until = leaves_after(measure)
    entering = board.changes(column.part, "day", column.name)
    shift = _whole(measure.shift or NOW)
    parts = [entering.select(board.slot(pl.col("day") + shift), pl.col(column.name).alias("by"))]
    # What never leaves the window leaves behind the last day; what a window of odd hours let go is counted by its own.
    leaving = entering if until is None else board.changes(column.leaving_part, "day", column.name)
    gone = pl.lit(board.days.count) if until is None else pl.col("day") + _whole(until)
    parts.append(leaving.select(board.slot(gone), -pl.col(column.name).alias("by")))
    return board.levels(pl.concat(parts))


def _people(board: _Board, measure: People | DifferentDays, column: Column) -> pl.Series:
    visits = board.changes(column.part, "day", "last", "next")
    shift, until = _whole(measure.shift or NOW), leaves_after(measure)
    gone = pl.lit(board.days.count) if until is None else pl.col("last") + _whole(until)
    replaced = (pl.col("next") + shift).fill_null(board.days.count)
    entering = visits.select(board.slot(pl.col("day") + shift), by=1)
    leaving = visits.select(board.slot(pl.min_horizontal(gone, replaced)), by=-1)
    return board.levels(pl.concat([entering, leaving]))


def _total(board: _Board, column: Column) -> pl.Series:
    return _stepped(board, column.part, board.list(column.part, column.name, pl.Float64))


def _stepped(board: _Board, part: Part, values: pl.Series) -> pl.Series:
    """The value of the newest entry of the part up to each day."""
    slots = board.changes(part, "day").select(board.slot(pl.col("day"))).to_series()
    return values.gather(board.steps(slots))


def _held(board: _Board, column: Column, is_held: pl.Expr, name: str | None = None) -> pl.Series:
    """How many things are as asked, each day."""
    flags = board.list(column.part, name or column.name, pl.Boolean)
    states = board.changes(column.part, "day", "last").with_columns(flags).filter(is_held)
    entering = states.select(board.slot(pl.col("day")), by=1)
    return board.levels(pl.concat([entering, states.select(board.slot(pl.col("last")), by=-1)]))


def _where_known(board: _Board, column: Column, values: pl.Series) -> pl.Series:
    """Of an account's things something is known on the days on which it has one of the type."""
    part, _, type_ = column.leaving_part.rpartition("_")
    known = _held(board, Column(part, type_), pl.col(type_)).is_not_null()
    return pl.select(pl.when(known).then(values)).to_series()


def _newest(board: _Board, measure: Last | DaysSince | Attribute, column: Column) -> pl.Series:
    if isinstance(measure, DaysSince):
        happened = _stepped(board, column.part, board.list(column.part, "answer", pl.Int64))
        return (board.moments(measure.shift or NOW) - happened) // DAY_MICROSECONDS
    if isinstance(measure, Attribute) and measure.meaning is not Meaning.NUMBER:
        texts = board.list(column.part, "answer", pl.String)
        return _days(board, measure, _stepped(board, column.part, _moments(texts)))
    found = _stepped(board, column.part, board.list(column.part, "answer", pl.Float64))
    if isinstance(measure, Last) and measure.valid_for is not None:
        last = _stepped(board, column.part, board.list(column.part, "last", pl.Int64))
        return pl.select(pl.when(board.number() < last).then(found)).to_series()
    return found


def _days(board: _Board, measure: Attribute, moments: pl.Series) -> pl.Series:
    passed = (board.moments(measure.shift or NOW) - moments) // DAY_MICROSECONDS
    return passed if measure.meaning is Meaning.DAYS_SINCE else -passed


def _moments(texts: pl.Series) -> pl.Series:
    """The moments that texts mean, in microseconds since 1970; each text is read once."""
    known = {text: _microseconds(text) for text in texts.unique() if text is not None}
    return pl.Series([None if text is None else known[text] for text in texts], dtype=pl.Int64)


def _microseconds(text: str) -> int | None:
    moment = moment_of(text)
    return None if moment is None else (moment - EPOCH) // MICROSECOND


def _attribute_of_things(board: _Board, measure: Attribute, column: Column) -> pl.Series:
    """The highest or lowest value among the things of each day. The most days until a moment are those until the latest
    one; the most days since a moment, those since the earliest."""
    if measure.meaning is Meaning.NUMBER:
        found = board.list(column.part, column.name, pl.Float64)
    else:
        found = _moments(board.list(column.part, column.name, pl.String))
    highest = (measure.pick is Pick.HIGHEST) is (measure.meaning is not Meaning.DAYS_SINCE)
    states = board.changes(column.part, "day", "last").with_columns(found.alias("value")).drop_nulls("value")
    slots, values = _extremes(states.sort("account").rows(), partial(_signed, highest))
    picked = pl.Series(values, dtype=found.dtype).gather(board.steps(pl.Series(slots, dtype=pl.Int64)))
    return picked if measure.meaning is Meaning.NUMBER else _days(board, measure, picked)


def _signed(highest: bool, value: float) -> float:
    return -value if highest else value


def _extremes(states: Sequence[tuple[int, int, int, Any]], key: Callable[[Any], Any]) -> tuple[list[int], list[Any]]:
    """The smallest value by `key` that is there, from each day on which that may have changed: slots and values.

    `states` are (account, day, last, value), sorted by account; a value is there from `day` until `last`.
    """
    slots: list[int] = []
    values: list[Any] = []
    for account, mine in groupby(states, key=lambda state: state[0]):
        coming = sorted((day, last, key(value), value) for _, day, last, value in mine if day < last)
        there: list[tuple[Any, int, Any]] = []
        days = sorted({day for state in coming for day in state[:2]})
        arrived = 0
        for day in days:
            while arrived < len(coming) and coming[arrived][0] <= day:
                _, last, rank, value = coming[arrived]
                heappush(there, (rank, last, value))
                arrived += 1
            while there and there[0][1] <= day:
                heappop(there)
            slots.append(account + day)
            values.append(there[0][2] if there else None)
    return slots, values
