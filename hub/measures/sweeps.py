"""One statement for many measures on many days: what changes, and on which day.

A day's measure differs from the day before's only where an event enters or leaves its window, so that is all that is
asked for: for each account, lists of days and of what happens on them. `days` adds them up. The words of the statement
are those of `sql`, so a day of a series and the same moment asked for alone have the same meaning, and the same bits:

- *counts*: how many events each day; they enter on one day and leave on another;
- *people*: a visit counts until it leaves the window or the same person's next one takes its place, so that at any time
  one visit of each person counts;
- *sums*: decimal sums that run from change to change, with the number of currencies that are there;
- *newest*: the newest event of each day;
- *things*: the newest event of each thing and day, which holds until the next one.

Days are numbered from the first moment of the series; something belongs to the first day whose moment is not before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from hub.measures.definitions import Attribute, By, Count, DaysSince, Last, Meaning, People, ReadMeasure, Sum, Things
from hub.measures.definitions import Days as DifferentDays
from hub.measures.fragments import NEWEST_OF_THING, Fragments, Question
from hub.measures.parts import DAY, Column, Days, Part, Parts, Sweep, shift_of
from hub.measures.sql import (
    MIXED,
    Newest,
    OfThings,
    Windowed,
    columns_looked_at,
    currency_of,
    is_money,
    newest_answer,
    since,
)


def compile_sweep(measures: Mapping[str, ReadMeasure], question: Question, days: Days) -> Sweep:
    """The statement that answers all measures on all days; `question.as_of` is the last of them."""
    fragments = Fragments(question)
    parts = Parts(fragments, days, {"places": fragments.places(), "asked": fragments.asked()})
    windowed = {name: found for name, found in measures.items() if isinstance(found, Windowed)}
    if windowed:
        parts.queries["seen"] = _seen(parts, list(windowed.values()))
    _add_counts(parts, {name: found for name, found in windowed.items() if isinstance(found, Count)})
    _add_people(parts, {name: found for name, found in windowed.items() if isinstance(found, People)})
    _add_different_days(parts, {name: found for name, found in windowed.items() if isinstance(found, DifferentDays)})
    _add_sums(parts, {name: found for name, found in windowed.items() if isinstance(found, Sum)})
    of_things: dict[timedelta, dict[str, OfThings]] = {}
    for name, measure in measures.items():
        if isinstance(measure, Things) or (isinstance(measure, Attribute) and measure.type is not None):
            of_things.setdefault(shift_of(measure), {})[name] = measure
        elif isinstance(measure, Newest):
            _add_newest(parts, name, measure)
    for found in of_things.values():
        _add_things(parts, found)
    return parts.statement(measures)


def leaves_after(measure: Windowed) -> timedelta | None:
    """How old an event is when it leaves the window."""
    return None if measure.window is None else shift_of(measure) + measure.window


def _seen(parts: Parts, measures: list[Windowed]) -> str:
    """The events that any of the windows holds on any of the days."""
    fragments, days = parts.fragments, parts.days
    newest = fragments.bind(days.last - min(map(shift_of, measures)), "timestamptz")
    return (
        f"SELECT p.account_id, {', '.join(['e.kind', 'e.occurred_at', *columns_looked_at(measures)])} "
        f"FROM places p JOIN event e ON e.source_account_id = p.place "
        f"WHERE e.occurred_at <= {newest} AND {since(fragments, measures, days.first)} AND {fragments.visible()}"
    )


def _add_counts(parts: Parts, measures: Mapping[str, Count]) -> None:
    """One grouping by day for all, and another one for each odd number of hours that an age has."""
    tables: dict[timedelta, dict[str, str]] = {}
    for number, (name, measure) in enumerate(measures.items()):
        column = f"c{number}"
        until = leaves_after(measure)
        rests = [span % DAY for span in (shift_of(measure), until) if span is not None]
        for rest in rests:
            tables.setdefault(rest, {})[column] = _of_whom(parts.fragments, measure)
        entering, leaving = (f"counts_{list(tables).index(rest)}" for rest in (rests[0], rests[-1]))
        parts.columns[name] = Column(entering, column, leaving)
    for number, (rest, columns) in enumerate(tables.items()):
        counts = ", ".join(f"count(*) FILTER (WHERE {chosen})::int AS {column}" for column, chosen in columns.items())
        rows = (
            f"SELECT e.account_id, {parts.day(rest)} AS day, {counts} FROM seen e "
            f"WHERE {' OR '.join(f'({chosen})' for chosen in dict.fromkeys(columns.values()))} GROUP BY 1, 2"
        )
        parts.gather(f"counts_{number}", ("day", *columns), rows)


def _of_whom(fragments: Fragments, measure: Count | DifferentDays | Last | DaysSince) -> str:
    """Events that the measure means, of those people whom it asks for."""
    chosen = fragments.chosen(measure.of)
    return f"{chosen} AND {fragments.by(measure.by)}" if measure.by else chosen


def _add_people(parts: Parts, measures: Mapping[str, People]) -> None:
    """The visits of each person at each account; measures that differ in whole days only share a part."""
    fragments = parts.fragments
    shared: dict[tuple[str, str, timedelta, timedelta | None], Part] = {}
    for name, measure in measures.items():
        until = leaves_after(measure)
        known = _only_of(fragments, measure.by)
        key = (fragments.chosen(measure.of), known, shift_of(measure) % DAY, None if until is None else until % DAY)
        if key not in shared:
            shared[key] = part = f"people_{len(shared)}"
            visits = f"visits_{part}"
            source = "seen e CROSS JOIN LATERAL unnest(e.people) AS v(id)"
            parts.queries[visits] = _visits(parts, "v.id", source, key[0], measure)
            persons = (
                "SELECT v.account_id, COALESCE(s.person_id, v.id) AS id, v.day, max(v.last) AS last "
                f"FROM {visits} v LEFT JOIN {fragments.persons(visits)} s ON s.id = v.id {known} GROUP BY 1, 2, 3"
            )
            parts.gather(part, ("day", "last", "next"), _each_with_the_next(persons))
        parts.columns[name] = Column(shared[key], "day")


def _add_different_days(parts: Parts, measures: Mapping[str, DifferentDays]) -> None:
    """A date of the calendar is there as a person is: until its last event leaves the window."""
    for name, measure in measures.items():
        part = f"dates_{len(parts.columns)}"
        date = "(e.occurred_at AT TIME ZONE 'UTC')::date"
        visits = _visits(parts, date, "seen e", _of_whom(parts.fragments, measure), measure)
        parts.gather(part, ("day", "last", "next"), _each_with_the_next(visits))
        parts.columns[name] = Column(part, "day")


def _visits(parts: Parts, who: str, source: str, chosen: str, measure: People | DifferentDays) -> str:
    """Who was there on which day; `last` is the day on which the latest of the day's visits is a window old."""
    until = leaves_after(measure)
    last = "NULL::int" if until is None else f"max({parts.day(until % DAY)})"
    entering = parts.day(shift_of(measure) % DAY)
    return (
        f"SELECT e.account_id, {who} AS id, {entering} AS day, {last} AS last "
        f"FROM {source} WHERE {chosen} GROUP BY 1, 2, 3"
    )


def _each_with_the_next(visits: str) -> str:
    """Visits, each with the day of the next one of the same visitor."""
    return (
        "SELECT w.account_id, w.day, w.last, lead(w.day) OVER (PARTITION BY w.account_id, w.id ORDER BY w.day) AS next "
        f"FROM ({visits}) w"
    )


def _only_of(fragments: Fragments, by: By | None) -> str:
    return f"JOIN {fragments.role()} AND {fragments.of_role('r.role', by)}" if by else ""


def _add_sums(parts: Parts, measures: Mapping[str, Sum]) -> None:
    for number, (name, measure) in enumerate(measures.items()):
        fragments, until = parts.fragments, leaves_after(measure)
        value = fragments.field(measure.field)
        currency = currency_of(fragments, measure.field) if is_money(measure.field) else "NULL::text"
        entering = parts.clipped(parts.day(shift_of(measure)))
        leaving = str(parts.days.count) if until is None else parts.clipped(parts.day(until))
        rows = (
            f"SELECT e.account_id, {entering} AS day, {leaving} AS last, {value} AS number, {currency} AS currency "
            f"FROM seen e WHERE {fragments.chosen(measure.of)} AND {parts.until(measure)} AND {value} IS NOT NULL"
        )
        _add_running_sum(parts, f"sum_{number}", rows)
        parts.columns[name] = Column(f"sum_{number}", "total")


def _add_running_sum(parts: Parts, part: Part, rows: str) -> None:
    """Sums of numbers that are there from `day` until `last`: from each day on which something changes, the total.

    Money in two currencies has none: for each currency it is known when it comes and when its last number goes.
    """
    parts.queries[f"{part}_changes"] = (
        "SELECT c.account_id, c.day, c.currency, sum(c.number) AS number, sum(c.there) AS there FROM ("
        f"SELECT i.account_id, unnest(ARRAY[i.day, i.last]) AS day, i.currency, unnest(ARRAY[i.number, -i.number]) "
        f"AS number, unnest(ARRAY[1, -1]) AS there FROM ({rows}) i WHERE i.day < i.last) c GROUP BY 1, 2, 3"
    )
    parts.queries[f"{part}_days"] = (
        "SELECT c.account_id, c.day, sum(c.number) AS number, sum(c.there) AS there, sum(CASE WHEN c.currency IS NULL "
        "THEN 0 ELSE (c.after > 0)::int - (c.after > c.there)::int END) AS currencies FROM (SELECT d.*, "
        f"sum(d.there) OVER (PARTITION BY d.account_id, d.currency ORDER BY d.day) AS after FROM {part}_changes d) c "
        "GROUP BY 1, 2"
    )
    total = f"CASE WHEN sum(d.currencies) OVER w > 1 THEN {MIXED} WHEN sum(d.there) OVER w > 0 "
    rows = (
        f"SELECT d.account_id, d.day, {total} THEN (sum(d.number) OVER w)::float8 END AS total FROM {part}_days d "
        "WINDOW w AS (PARTITION BY d.account_id ORDER BY d.day)"
    )
    parts.gather(part, ("day", "total"), rows)


def _add_newest(parts: Parts, name: str, measure: Newest) -> None:
    """The newest event of each day, by the rules of `sql`; `answer` is a number, a text that may be a date, or (for
    the days since) the event's moment in microseconds since 1970."""
    fragments, part = parts.fragments, f"newest_{len(parts.columns)}"
    answer, is_there = newest_answer(fragments, measure)
    kinds = fragments.bind(sorted({selection.event for selection in measure.of}), "text[]")
    chosen = fragments.chosen(measure.of) if isinstance(measure, Attribute) else _of_whom(fragments, measure)
    conditions = [f"e.kind = ANY({kinds})", chosen, parts.until(measure), fragments.visible()]
    day = parts.clipped(parts.day(shift_of(measure)))
    source = "FROM places p JOIN event e ON e.source_account_id = p.place WHERE"
    parts.columns[name] = Column(part, "answer")
    if isinstance(measure, DaysSince):
        moment = "(extract(epoch FROM max(e.occurred_at)) * 1000000)::bigint"
        columns = f"p.account_id, {day} AS day, {moment} AS answer"
        parts.gather(part, ("day", "answer"), f"SELECT {columns} {source} {' AND '.join(conditions)} GROUP BY 1, 2")
        return
    if isinstance(measure, Attribute) and measure.meaning is not Meaning.NUMBER:
        answer = fragments.attribute(measure.attribute)
    last = "NULL::int"
    if isinstance(measure, Last) and measure.valid_for is not None:
        span = shift_of(measure) + measure.valid_for
        last = parts.clipped(parts.day(span))
        conditions.append(f"e.occurred_at > {fragments.bind(parts.days.first - span, 'timestamptz')}")
    columns = f"DISTINCT ON (p.account_id, day) p.account_id, {day} AS day, {last} AS last, {answer} AS answer"
    query = (
        f"SELECT {columns} {source} {' AND '.join([*conditions, *is_there])} "
        "ORDER BY p.account_id, day, e.occurred_at DESC, e.id DESC"
    )
    parts.gather(part, ("day", "last", "answer"), query)


def _add_things(parts: Parts, measures: Mapping[str, OfThings]) -> None:
    """What was true of each thing from a day on: a flag for each type, for a count whether the thing counts, for an
    attribute its value. A deleted thing is nothing."""
    fragments, first = parts.fragments, next(iter(measures.values()))
    part = f"things_{len(parts.columns)}"
    states = f"states_{part}"
    types = sorted({measure.type for measure in measures.values() if measure.type is not None})
    one = "n.account_id, n.connection_id, n.subject_type, n.subject_id"
    mine = "p.account_id, e.connection_id, e.subject_type, e.subject_id"
    parts.queries[f"newest_{part}"] = (
        f"SELECT DISTINCT ON ({mine}, day) {mine}, {parts.clipped(parts.day(shift_of(first)))} AS day, e.kind, "
        "e.subject_state, e.attributes, e.currency FROM places p JOIN event e ON e.source_account_id = p.place "
        f"WHERE e.subject_type = ANY({fragments.bind(types, 'text[]')}) AND {parts.until(first)} "
        f"AND {fragments.visible()} ORDER BY {mine}, day, {NEWEST_OF_THING}"
    )
    parts.queries[states] = (
        f"SELECT * FROM (SELECT n.*, coalesce(lead(n.day) OVER (PARTITION BY {one} ORDER BY n.day), "
        f"{parts.days.count}) AS last FROM newest_{part} n) e WHERE e.kind <> 'thing.deleted'"
    )
    lists = {f"t{number}": f"e.subject_type = {fragments.bind(type_, 'text')}" for number, type_ in enumerate(types)}
    for number, (name, measure) in enumerate(measures.items()):
        here = " AND ".join(_of_thing(fragments, measure))
        if isinstance(measure, Things) and measure.sum is not None:
            parts.columns[name] = Column(f"sum_{part}_{number}", "total", f"{part}_t{types.index(measure.type)}")
            _add_running_sum(parts, f"sum_{part}_{number}", _sum_of_things(fragments, measure.sum, here, states))
            continue
        lists[f"m{number}"] = here if isinstance(measure, Things) else _value_of_thing(fragments, measure, here)
        parts.columns[name] = Column(part, f"m{number}", f"{part}_t{types.index(str(measure.type))}")
    columns = ", ".join(f"{expression} AS {name}" for name, expression in lists.items())
    rows = f"SELECT e.account_id, e.day, e.last, {columns} FROM {states} e"
    parts.gather(part, ("day", "last", *lists), rows)


def _of_thing(fragments: Fragments, measure: OfThings) -> list[str]:
    conditions = [f"e.subject_type = {fragments.bind(measure.type, 'text')}", fragments.where(measure.where)]
    if measure.state is not None:
        conditions.append(f"e.subject_state = ANY({fragments.bind(list(measure.state), 'text[]')})")
    return conditions


def _sum_of_things(fragments: Fragments, name: str, here: str, states: str) -> str:
    value = fragments.number(name)
    currency = currency_of(fragments, name) if is_money(name) else "NULL::text"
    return (
        f"SELECT e.account_id, e.day, e.last, {value} AS number, {currency} AS currency FROM {states} e "
        f"WHERE {here} AND {value} IS NOT NULL"
    )


def _value_of_thing(fragments: Fragments, measure: Attribute, here: str) -> str:
    is_number = measure.meaning is Meaning.NUMBER
    name = measure.attribute
    value = f"{fragments.number(name)}::float8" if is_number else fragments.attribute(name)
    return f"CASE WHEN {here} THEN {value} END"
