"""One statement for many measures: each measure is a fragment, and all of them are answered together.

The statement looks at events in four ways, and reads for each way once, however many measures need it:

- *tally*: what lies in windows, counted and summed with FILTER in one pass that the widest window bounds; what counts
  for ever is a pass of its own, so that the many windows need not go so far back;
- *people*: the same events, by who was there; two source persons may be the same person;
- *newest*: the newest event of some kinds, one short search of an index for each place and kind;
- *things*: the newest event of each thing, which tells the thing's state.

Only events with `occurred_at <= as_of` are looked at: no measure sees ahead. With `known_at` it is also only what was
recorded and not yet retracted then, at the accounts that the places were held to belong to then. Sums are decimal, so
that no order of rows changes a bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from hub.measures.definitions import (
    Attribute,
    By,
    Count,
    Days,
    DaysSince,
    Last,
    Meaning,
    People,
    Pick,
    ReadMeasure,
    Sum,
    Things,
)
from hub.measures.fragments import NEWEST_OF_THING, NOW, Fragments, Question

Windowed: TypeAlias = Count | Days | Sum | People
Newest: TypeAlias = Last | DaysSince | Attribute
OfThings: TypeAlias = Things | Attribute

MIXED: Final = "'NaN'::float8"
"""Money in two currencies: a sum that does not exist, told apart from the sum of nothing (NULL)."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its parameters. It gives a row for each account, by id: `account_id` (text), then the measures
    in order, NULL where there was nothing to measure. Dates come as they stand in the attributes, as a list of texts.
    """

    text: str
    parameters: tuple[Any, ...]


@dataclass(slots=True)
class _Parts:
    """The statement while it is put together: its sub-queries, and where each column is answered."""

    fragments: Fragments
    queries: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)

    def answer(self, columns: Iterable[str], name: str, query: str) -> None:
        """Add a sub-query that has these columns, with at most one row for an account."""
        self.queries[name] = query
        self.answers |= dict.fromkeys(columns, name)

    def statement(self) -> Statement:
        subqueries = ", ".join(f"{name} AS ({query})" for name, query in self.queries.items())
        columns = "".join(f", {self.answers[column]}.{column}" for column in sorted(self.answers, key=_number))
        joins = " ".join(
            f"LEFT JOIN {name} ON {name}.account_id = asked.account_id" for name in dict.fromkeys(self.answers.values())
        )
        text = f"WITH {subqueries} SELECT asked.account_id::text{columns} FROM asked {joins} ORDER BY asked.account_id"
        return Statement(text, tuple(self.fragments.parameters))


def compile_measures(measures: Mapping[str, ReadMeasure], question: Question) -> Statement:
    """The statement that answers all measures at once for the accounts in question."""
    fragments = Fragments(question)
    parts = _Parts(fragments, {"places": fragments.places(), "asked": fragments.asked()})
    columns = {f"m{number}": measure for number, measure in enumerate(measures.values())}
    _add_windowed(parts, {column: found for column, found in columns.items() if isinstance(found, Windowed)})
    of_things: dict[timedelta, dict[str, OfThings]] = {}
    for column, measure in columns.items():
        if isinstance(measure, Things) or (isinstance(measure, Attribute) and measure.type is not None):
            of_things.setdefault(measure.shift or NOW, {})[column] = measure
        elif isinstance(measure, Newest):
            _add_newest(parts, column, measure)
    for shift, found in of_things.items():
        _add_things(parts, shift, found)
    return parts.statement()


def _number(column: str) -> int:
    return int(column[1:])


def _add_windowed(parts: _Parts, measures: Mapping[str, Windowed]) -> None:
    lasting = {column: measure for column, measure in measures.items() if measure.window is None}
    for read, found in (("seen", {k: v for k, v in measures.items() if k not in lasting}), ("ever", lasting)):
        if not found:
            continue
        parts.queries[read] = _read(parts.fragments, list(found.values()))
        tallied = {column: measure for column, measure in found.items() if not isinstance(measure, People)}
        if tallied:
            answers = ", ".join(f"{_tally(parts.fragments, one)} AS {column}" for column, one in tallied.items())
            parts.answer(
                tallied, f"tally_{read}", f"SELECT e.account_id, {answers} FROM {read} e GROUP BY e.account_id"
            )
        if people := {column: measure for column, measure in found.items() if isinstance(measure, People)}:
            _add_people(parts, read, people)


def _read(fragments: Fragments, measures: list[Windowed]) -> str:
    """The events that any of the windows holds, with what the measures look at."""
    latest = min(measure.shift or NOW for measure in measures)
    looked_at = ["e.kind", "e.occurred_at", *columns_looked_at(measures)]
    return (
        f"SELECT p.account_id, {', '.join(looked_at)} FROM places p JOIN event e ON e.source_account_id = p.place "
        f"WHERE {fragments.within(latest, None)} AND {since(fragments, measures, fragments.question.as_of)} "
        f"AND {fragments.visible()}"
    )


def since(fragments: Fragments, measures: Sequence[Windowed], first: datetime) -> str:
    """Events of the kinds that the measures look at, no older than the oldest that any of them holds at `first`."""
    kinds = sorted({selection.event for measure in measures for selection in measure.of})
    spans = [measure.window and (measure.shift or NOW) + measure.window for measure in measures]
    known = [span for span in spans if span is not None]
    is_bounded = len(known) == len(spans)
    bound = f" AND e.occurred_at > {fragments.bind(first - max(known), 'timestamptz')}" if is_bounded else ""
    return f"e.kind = ANY({fragments.bind(kinds, 'text[]')}){bound}"


def columns_looked_at(measures: list[Windowed]) -> list[str]:
    """The columns that the measures need; a wide row that nobody looks at would only be carried about."""
    fields = {measure.field for measure in measures if isinstance(measure, Sum)}
    filtered = any(selection.where for measure in measures for selection in measure.of)
    needed = {
        "e.people": any(
            isinstance(measure, People) or (isinstance(measure, Count | Days) and measure.by) for measure in measures
        ),
        "e.value": "value" in fields,
        "e.amount_minor": "amount" in fields,
        "e.currency": any(is_money(name) for name in fields),
        "e.attributes": filtered or bool(fields - {"value", "amount"}),
    }
    return [column for column, is_needed in needed.items() if is_needed]


def _tally(fragments: Fragments, measure: Count | Days | Sum) -> str:
    here = [fragments.chosen(measure.of), fragments.within(measure.shift, measure.window)]
    if not isinstance(measure, Sum):
        here += [fragments.by(measure.by)] if measure.by else []
        what = "*" if isinstance(measure, Count) else "DISTINCT (e.occurred_at AT TIME ZONE 'UTC')::date"
        return f"NULLIF(count({what}) FILTER (WHERE {' AND '.join(here)}), 0)::float8"
    return _sum(fragments, measure.field, fragments.field(measure.field), here)


def _sum(fragments: Fragments, name: str, number: str, here: list[str]) -> str:
    counted = f"FILTER (WHERE {' AND '.join([*here, f'{number} IS NOT NULL'])})"
    total = f"(sum({number}) {counted})::float8"
    if not is_money(name):
        return total
    currency = currency_of(fragments, name)
    return f"CASE WHEN min({currency}) {counted} <> max({currency}) {counted} THEN {MIXED} ELSE {total} END"


def is_money(name: str) -> bool:
    """Whether a field is money, which has no sum over currencies."""
    return name == "amount" or name.endswith("_minor")


def currency_of(fragments: Fragments, name: str) -> str:
    """The currency of a field that is money."""
    return "e.currency" if name == "amount" else f"COALESCE(upper({fragments.attribute('currency')}), e.currency)"


def _add_people(parts: _Parts, read: str, measures: Mapping[str, People]) -> None:
    """First who was there as a vendor knows them, then who they are: fewer rows meet the table of source persons."""
    fragments = parts.fragments
    present = ", ".join(
        f"bool_or({fragments.chosen(measure.of)} AND {fragments.within(measure.shift, measure.window)}) AS {column}"
        for column, measure in measures.items()
    )
    roles = {column: measure.by for column, measure in measures.items()}
    known = f"LEFT JOIN {fragments.role()}" if any(roles.values()) else ""
    visitors, persons = f"visitors_{read}", f"persons_{read}"
    parts.queries[visitors] = (
        f"SELECT e.account_id, v.id, {present} FROM {read} e CROSS JOIN LATERAL unnest(e.people) AS v(id) "
        "GROUP BY e.account_id, v.id"
    )
    there = ", ".join(f"{_there(fragments, column, by)} AS {column}" for column, by in roles.items())
    parts.queries[persons] = (
        f"SELECT v.account_id, {there} "
        f"FROM {visitors} v LEFT JOIN {fragments.persons(visitors)} s ON s.id = v.id {known} "
        "GROUP BY v.account_id, COALESCE(s.person_id, v.id)"
    )
    counts = ", ".join(f"NULLIF(count(*) FILTER (WHERE p.{column}), 0)::float8 AS {column}" for column in measures)
    parts.answer(measures, f"people_{read}", f"SELECT p.account_id, {counts} FROM {persons} p GROUP BY p.account_id")


def _there(fragments: Fragments, column: str, by: By | None) -> str:
    """Whether one of the source persons of a person was there, and the person is who is asked for."""
    return f"bool_or(v.{column} AND {fragments.of_role('r.role', by)})" if by else f"bool_or(v.{column})"


def _add_newest(parts: _Parts, column: str, measure: Newest) -> None:
    """A search from the newest event backwards at each place, then the newest of these. Equal times are told apart by
    the id, so that the answer does not hang on the order of rows."""
    fragments = parts.fragments
    kinds = fragments.bind(sorted({selection.event for selection in measure.of}), "text[]")
    conditions = ["e.source_account_id = p.place", "e.kind = k.kind"]
    if any(selection.where for selection in measure.of):
        conditions.append(fragments.chosen(measure.of))
    conditions.append(fragments.within(measure.shift, measure.valid_for if isinstance(measure, Last) else None))
    conditions.append(fragments.visible())
    if not isinstance(measure, Attribute) and measure.by:
        conditions.append(fragments.by(measure.by))
    answer, is_there = newest_answer(fragments, measure)
    parts.answer(
        [column],
        f"newest_{column}",
        f"SELECT DISTINCT ON (p.account_id) p.account_id, n.answer AS {column} "
        f"FROM places p CROSS JOIN unnest({kinds}) AS k(kind) CROSS JOIN LATERAL ("
        f"SELECT e.occurred_at, e.id, {answer} AS answer FROM event e "
        f"WHERE {' AND '.join([*conditions, *is_there])} ORDER BY e.occurred_at DESC, e.id DESC LIMIT 1) n "
        "ORDER BY p.account_id, n.occurred_at DESC, n.id DESC",
    )


def newest_answer(fragments: Fragments, measure: Newest) -> tuple[str, list[str]]:
    """What the newest event answers, and what it must have to be asked."""
    match measure:
        case DaysSince():
            elapsed = f"extract(epoch FROM {fragments.ago(measure.shift or NOW)} - e.occurred_at)"
            return f"floor({elapsed} / 86400)::float8", []
        case Last(field="value" | "amount" as name):
            return f"{fragments.field(name)}::float8", [f"{fragments.field(name)} IS NOT NULL"]
        case Last():
            return f"{fragments.number(measure.field)}::float8", [f"{fragments.attribute(measure.field)} IS NOT NULL"]
        case Attribute():
            text = fragments.attribute(measure.attribute)
            number = f"{fragments.number(measure.attribute)}::float8"
            return number if measure.meaning is Meaning.NUMBER else f"ARRAY[{text}]", [f"{text} IS NOT NULL"]


def _add_things(parts: _Parts, shift: timedelta, measures: Mapping[str, OfThings]) -> None:
    fragments = parts.fragments
    types = sorted({measure.type for measure in measures.values() if measure.type is not None})
    things = f"things_{len(parts.queries)}"
    one = "p.account_id, e.connection_id, e.subject_type, e.subject_id"
    parts.queries[things] = (
        f"SELECT DISTINCT ON ({one}) p.account_id, e.kind, e.subject_type, e.subject_state, e.attributes, e.currency "
        "FROM places p JOIN event e ON e.source_account_id = p.place "
        f"WHERE e.subject_type = ANY({fragments.bind(types, 'text[]')}) AND {fragments.within(shift, None)} "
        f"AND {fragments.visible()} ORDER BY {one}, {NEWEST_OF_THING}"
    )
    answers = ", ".join(f"{_held(fragments, measure)} AS {column}" for column, measure in measures.items())
    parts.answer(
        measures,
        f"held_{len(parts.queries)}",
        f"SELECT e.account_id, {answers} FROM {things} e WHERE e.kind <> 'thing.deleted' GROUP BY e.account_id",
    )


def _held(fragments: Fragments, measure: OfThings) -> str:
    of_type = f"e.subject_type = {fragments.bind(measure.type, 'text')}"
    conditions = [of_type, fragments.where(measure.where)]
    if measure.state is not None:
        conditions.append(f"e.subject_state = ANY({fragments.bind(list(measure.state), 'text[]')})")
    if isinstance(measure, Attribute):
        return _attribute_of_things(fragments, measure, conditions)
    if measure.sum is None:
        total = f"(count(*) FILTER (WHERE {' AND '.join(conditions)}))::float8"
    else:
        total = f"COALESCE({_sum(fragments, measure.sum, fragments.number(measure.sum), conditions)}, 0)"
    return f"CASE WHEN bool_or({of_type}) THEN {total} END"


def _attribute_of_things(fragments: Fragments, measure: Attribute, conditions: list[str]) -> str:
    text = fragments.attribute(measure.attribute)
    here = f"FILTER (WHERE {' AND '.join([*conditions, f'{text} IS NOT NULL'])})"
    if measure.meaning is not Meaning.NUMBER:
        return f"array_agg({text}) {here}"
    pick = "max" if measure.pick is Pick.HIGHEST else "min"
    return f"({pick}({fragments.number(measure.attribute)}) {here})::float8"
