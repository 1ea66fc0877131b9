"""When the measures of an account change by time alone: the next event that comes into a window or leaves it, or the
next answer that has been valid for long enough.

What moves all the time (the days since something, the days until a date) is not looked for here: it moves every day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from hub.measures.definitions import Attribute, Count, Days, DaysSince, Last, Meaning, People, ReadMeasure, Things
from hub.measures.fragments import NOW, Fragments, Question
from hub.measures.sql import Statement, Windowed

HOUR: Final = timedelta(hours=1)


def moves_daily(measure: ReadMeasure) -> bool:
    """Whether the measure, where it has a value, has another one the day after."""
    return isinstance(measure, DaysSince) or (isinstance(measure, Attribute) and measure.meaning is not Meaning.NUMBER)


def compile_next_change(measures: Mapping[str, ReadMeasure], question: Question) -> Statement:
    """The statement that gives for each account (text) the next moment at which a measure may change; NULL: none will.

    It looks at the events of the windows, at those that are still to come where a measure is shifted, and at all that
    lie in the future, whatever they are: a vendor's clock may be ahead.
    """
    fragments = Fragments(question)
    future = f"e.occurred_at > {fragments.ago(NOW)}"
    moments = [f"min(e.occurred_at) FILTER (WHERE {future})"]
    moments += [moment for measure in measures.values() for moment in _moments(fragments, measure)]
    spans = [_oldest(measure) for measure in measures.values()]
    kinds = sorted({selection.event for measure in measures.values() for selection in getattr(measure, "of", ())})
    types = sorted(
        {one.type for one in measures.values() if isinstance(one, Things | Attribute) and one.type is not None}
    )
    text = (
        f"WITH places AS ({fragments.places()}), asked AS ({fragments.asked()}), near AS (SELECT p.account_id, e.kind, "
        "e.occurred_at, e.people, e.subject_type, e.value, e.amount_minor, e.attributes FROM places p "
        "JOIN event e ON e.source_account_id = p.place "
        f"WHERE e.occurred_at > {fragments.ago(max(spans, default=NOW))} AND {fragments.visible()} "
        f"AND (e.kind = ANY({fragments.bind(kinds, 'text[]')}) "
        f"OR e.subject_type = ANY({fragments.bind(types, 'text[]')}) OR {future})), "
        f"moments AS (SELECT e.account_id, least({', '.join(moments)}) AS moment FROM near e GROUP BY e.account_id) "
        "SELECT asked.account_id::text, m.moment FROM asked LEFT JOIN moments m ON m.account_id = asked.account_id"
    )
    return Statement(text, tuple(fragments.parameters))


def _moments(fragments: Fragments, measure: ReadMeasure) -> Iterator[str]:
    """The next time that an event comes to count, and the next time that one ceases to."""
    shift = measure.shift or NOW
    mine = _mine(fragments, measure)
    comes = f"e.occurred_at > {fragments.ago(shift)}"
    yield f"min(e.occurred_at) FILTER (WHERE {mine} AND {comes}) + {_hours(fragments, shift)}"
    span = _lasts(measure)
    if span is None:
        return
    counts = fragments.within(shift, span)
    # The oldest event of a window leaves it first; of answers only the newest one counts.
    first = "max" if isinstance(measure, Last) else "min"
    if isinstance(measure, Last):
        mine = f"{mine} AND {_has(fragments, measure)}"
    yield f"{first}(e.occurred_at) FILTER (WHERE {mine} AND {counts}) + {_hours(fragments, shift + span)}"


def _mine(fragments: Fragments, measure: ReadMeasure) -> str:
    if isinstance(measure, Things) or (isinstance(measure, Attribute) and measure.type is not None):
        return f"e.subject_type = {fragments.bind(measure.type, 'text')}"
    if isinstance(measure, Count | Days | People | Last | DaysSince) and measure.by:
        return f"{fragments.chosen(measure.of)} AND {fragments.by(measure.by)}"
    return fragments.chosen(measure.of)


def _has(fragments: Fragments, measure: Last) -> str:
    is_field = measure.field in ("value", "amount")
    return f"{fragments.field(measure.field) if is_field else fragments.attribute(measure.field)} IS NOT NULL"


def _lasts(measure: ReadMeasure) -> timedelta | None:
    """For how long an event counts; None: for ever."""
    if isinstance(measure, Windowed):
        return measure.window
    return measure.valid_for if isinstance(measure, Last) else None


def _oldest(measure: ReadMeasure) -> timedelta:
    return (measure.shift or NOW) + (_lasts(measure) or NOW)


def _hours(fragments: Fragments, span: timedelta) -> str:
    """A span of the blueprint, which are whole hours: the days of a time zone have other lengths than 24 of them."""
    return f"{fragments.bind(span // HOUR, 'int')} * interval '1 hour'"
