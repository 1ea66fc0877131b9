"""What a statement for many days is put together from: days by number, lists side by side, and where each measure
stands in them (see `sweeps`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from hub.measures.definitions import ReadMeasure
from hub.measures.fragments import NOW, Fragments

DAY: Final = timedelta(days=1)
MICROSECOND: Final = timedelta(microseconds=1)

Part: TypeAlias = str
"""The name of a sub-query that has one row for an account, with lists side by side."""


@dataclass(frozen=True, slots=True)
class Days:
    """The moments of a series: `count` of them, each a day after the one before it."""

    first: datetime
    count: int

    @property
    def last(self) -> datetime:
        return self.first + (self.count - 1) * DAY


@dataclass(frozen=True, slots=True)
class Column:
    """Where a measure is answered: a list of one of the parts (or, for windows of odd hours, of two)."""

    part: Part
    name: str
    leaving_part: Part = ""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A statement with its parameters, and where each measure stands in it, in the order of the measures.

    It gives a row for each account, by id: `account_id` (text), and a column of lists called `<part>_<name>` for each
    of the names of each part (NULL: nothing ever happened).
    """

    text: str
    parameters: tuple[Any, ...]
    columns: tuple[Column, ...]


@dataclass(slots=True)
class Parts:
    """The statement while it is put together."""

    fragments: Fragments
    days: Days
    queries: dict[str, str] = field(default_factory=dict)
    lists: dict[Part, tuple[str, ...]] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)

    def gather(self, part: Part, names: Iterable[str], rows: str) -> None:
        """Add a part: the rows of a query (an `account_id`, and the names) as lists."""
        self.lists[part] = tuple(names)
        lists = ", ".join(f"array_agg(r.{name}) AS {name}" for name in self.lists[part])
        self.queries[part] = f"SELECT r.account_id, {lists} FROM ({rows}) r GROUP BY r.account_id"

    def day(self, span: timedelta) -> str:
        """The number of the day on which an event is so old."""
        return f"({self._day(span % DAY)} + {span // DAY})"

    def _day(self, rest: timedelta) -> str:
        """The first day on which an event is at least `rest` (less than a day) old; cheap: whole numbers only."""
        midnight = self.days.first.replace(hour=0, minute=0, second=0, microsecond=0)
        back = (self.days.first - midnight + MICROSECOND - rest) // MICROSECOND
        moment = f"e.occurred_at - {self.fragments.bind(back, 'bigint')} * interval '1 microsecond'"
        return f"(({moment}) AT TIME ZONE 'UTC')::date - {self.fragments.bind(midnight.date(), 'date')} + 1"

    def clipped(self, day: str) -> str:
        """What was before the series is there on its first day, what comes after it on the day behind its last."""
        return f"least(greatest({day}, 0), {self.days.count})"

    def until(self, measure: ReadMeasure) -> str:
        """Events that happened on one of the days, or before."""
        return f"e.occurred_at <= {self.fragments.bind(self.days.last - shift_of(measure), 'timestamptz')}"

    def statement(self, measures: Iterable[str]) -> Sweep:
        subqueries = ", ".join(f"{name} AS ({query})" for name, query in self.queries.items())
        columns = "".join(f", {part}.{name} AS {part}_{name}" for part, names in self.lists.items() for name in names)
        joins = " ".join(f"LEFT JOIN {part} ON {part}.account_id = asked.account_id" for part in self.lists)
        text = f"WITH {subqueries} SELECT asked.account_id::text{columns} FROM asked {joins} ORDER BY asked.account_id"
        return Sweep(text, tuple(self.fragments.parameters), tuple(self.columns[name] for name in measures))


def shift_of(measure: ReadMeasure) -> timedelta:
    """By how much the moments of a measure lie before those asked for."""
    return measure.shift or NOW
