"""The events behind a value: for every measure the statement that finds them, so that a score can be believed.

A count is proved by what it counted, a state by the newest event of the thing, a newest event by itself. The words are
those of `fragments`, so evidence and value cannot mean different events.
"""

from __future__ import annotations

from typing import assert_never

from hub.measures.definitions import Attribute, Count, Days, DaysSince, Last, People, ReadMeasure, Sum, Things
from hub.measures.fragments import NEWEST_OF_THING, NOW, Fragments, Question
from hub.measures.frames import measures_read
from hub.measures.section import Catalogue
from hub.measures.sql import Statement


def compile_evidence(catalogue: Catalogue, name: str, question: Question, limit: int) -> Statement:
    """The statement that gives `id` and `occurred_at` of the events behind a measure, the newest first."""
    fragments = Fragments(question)
    places = fragments.places()
    parts = [_behind(fragments, measure) for measure in _made_of(catalogue, name)]
    found = " UNION ".join(f"({part})" for part in parts)
    text = (
        f"WITH places AS ({places}) SELECT id, occurred_at FROM ({found}) AS found "
        f"ORDER BY occurred_at DESC, id DESC LIMIT {fragments.bind(limit, 'bigint')}"
    )
    return Statement(text, tuple(fragments.parameters))


def _made_of(catalogue: Catalogue, name: str) -> list[ReadMeasure]:
    """All that has to be read from events to know a measure."""
    needed, left = {name}, [name]
    while left:
        inputs = {used for _, used in catalogue.inputs(left.pop())} - needed
        needed |= inputs
        left += inputs
    wanted = catalogue.only(needed)
    return list(measures_read(wanted).values())


def _behind(fragments: Fragments, measure: ReadMeasure) -> str:
    match measure:
        case Sum():
            return _events(fragments, fragments.chosen(measure.of), fragments.within(measure.shift, measure.window))
        case Count() | Days() | People():
            conditions = fragments.chosen(measure.of), fragments.within(measure.shift, measure.window)
            return _events(fragments, *conditions, fragments.by(measure.by))
        case DaysSince():
            return _newest(
                fragments, measure, f"{fragments.within(measure.shift, None)} AND {fragments.by(measure.by)}"
            )
        case Last():
            has_it = f"{_raw(fragments, measure.field)} IS NOT NULL"
            within = fragments.within(measure.shift, measure.valid_for)
            return _newest(fragments, measure, f"{has_it} AND {within} AND {fragments.by(measure.by)}")
        case Attribute(type=None):
            has_it = f"{fragments.attribute(measure.attribute)} IS NOT NULL"
            return _newest(fragments, measure, f"{has_it} AND {fragments.within(measure.shift, None)}")
        case Things() | Attribute():
            return _things(fragments, measure)
        case _:
            assert_never(measure)


def _raw(fragments: Fragments, field: str) -> str:
    return fragments.field(field) if field in {"value", "amount"} else fragments.attribute(field)


def _events(fragments: Fragments, *conditions: str) -> str:
    return (
        "SELECT e.id, e.occurred_at FROM places p JOIN event e ON e.source_account_id = p.place "
        f"WHERE {' AND '.join(conditions)} AND {fragments.visible()}"
    )


def _newest(fragments: Fragments, measure: Last | DaysSince | Attribute, condition: str) -> str:
    found = _events(fragments, fragments.chosen(measure.of), condition)
    return f"{found} ORDER BY e.occurred_at DESC, e.id DESC LIMIT 1"


def _things(fragments: Fragments, measure: Things | Attribute) -> str:
    one = "e.connection_id, e.subject_id"
    of_type = f"e.subject_type = {fragments.bind(measure.type, 'text')}"
    conditions = ["e.kind <> 'thing.deleted'", fragments.where(measure.where)]
    if measure.state is not None:
        conditions.append(f"e.subject_state = ANY({fragments.bind(list(measure.state), 'text[]')})")
    if isinstance(measure, Attribute):
        conditions.append(f"{fragments.attribute(measure.attribute)} IS NOT NULL")
    return (
        f"SELECT e.id, e.occurred_at FROM (SELECT DISTINCT ON ({one}) e.* "
        "FROM places p JOIN event e ON e.source_account_id = p.place "
        f"WHERE {of_type} AND {fragments.within(measure.shift or NOW, None)} AND {fragments.visible()} "
        f"ORDER BY {one}, {NEWEST_OF_THING}) e WHERE {' AND '.join(conditions)}"
    )
