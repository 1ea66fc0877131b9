"""From the statement's rows to a frame of measures: dates become days, nothing becomes nought or stays unknown, and
the measures that are made of other measures are worked out. Pure functions; the order of rows is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from hub.measures.definitions import Attribute, Change, Expression, Meaning, Missing, Pick, Ratio, ReadMeasure
from hub.measures.section import Catalogue, change_over

DAY: Final = timedelta(days=1)


def measures_read(catalogue: Catalogue) -> dict[str, ReadMeasure]:
    """What has to be read from events: the catalogue's own measures, and as they were before, where a change asks."""
    found: dict[str, ReadMeasure] = {}
    for name in catalogue:
        measure = catalogue[name]
        if isinstance(measure, Change):
            before = catalogue.read(measure.measure)
            span = change_over(measure, before) or timedelta(0)
            shift = (before.shift or timedelta(0)) + span
            found[_before(name)] = before.model_copy(update={"shift": shift})
        elif not isinstance(measure, Ratio | Expression):
            found[name] = measure
    return found


def _before(change: str) -> str:
    """The hidden column that a change compares with; no measure can be called so."""
    return f"before {change}"


def frame_of(
    catalogue: Catalogue, read: Mapping[str, ReadMeasure], rows: Sequence[Sequence[Any]], as_of: datetime
) -> pl.DataFrame:
    """The frame: `account_id` (String) and one Float64 for each measure of the catalogue, null where it is unknown."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * (len(read) + 1)
    series = [pl.Series("account_id", columns[0], dtype=pl.String)]
    for (name, measure), values in zip(read.items(), columns[1:], strict=True):
        series.append(pl.Series(name, _numbers(measure, values, as_of), dtype=pl.Float64))
    return finished(catalogue, read, pl.DataFrame(series), ["account_id"])


def finished(
    catalogue: Catalogue, read: Mapping[str, ReadMeasure], found: pl.DataFrame, keys: Sequence[str]
) -> pl.DataFrame:
    """The measures of the catalogue behind the columns `keys`. `found` has those that were read as they were found."""
    frame = found.with_columns(_known(measure, name) for name, measure in read.items())
    for name in catalogue.in_order():
        if name not in read:
            frame = frame.with_columns(_missing(catalogue[name].missing, _derived(catalogue, name)).alias(name))
    return frame.select(*keys, *catalogue)


def _known(measure: ReadMeasure, name: str) -> pl.Expr:
    found = pl.col(name)
    # What a statement marks as NaN has no value at all: nought would be a lie.
    return (found.fill_null(0.0) if measure.missing is Missing.ZERO else found).fill_nan(None)


def _numbers(measure: ReadMeasure, values: Sequence[Any], as_of: datetime) -> Sequence[float | None]:
    if not isinstance(measure, Attribute) or measure.meaning is Meaning.NUMBER:
        return values
    at = as_of - (measure.shift or timedelta(0))
    return [None if texts is None else _picked(measure, texts, at) for texts in values]


def _picked(measure: Attribute, texts: Sequence[str], at: datetime) -> float | None:
    moments = [moment for text in texts if (moment := moment_of(text)) is not None]
    days = [float(_days(measure.meaning, moment, at)) for moment in moments]
    pick = max if measure.pick is Pick.HIGHEST else min
    return pick(days, default=None)


def _days(meaning: Meaning, moment: datetime, at: datetime) -> int:
    """Whole days: those passed since the moment are rounded down, those left until it up."""
    return -((at - moment) // DAY) if meaning is Meaning.DAYS_UNTIL else (at - moment) // DAY


def moment_of(text: str) -> datetime | None:
    """The moment that an attribute's text means: ISO 8601, or seconds (or milliseconds) since 1970; None for anything
    else. Without a zone it is UTC; a date is its first moment."""
    try:
        if text.isdecimal() and len(text) > 8:
            return datetime.fromtimestamp(int(text) / (1000 if len(text) > 11 else 1), UTC)
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _derived(catalogue: Catalogue, name: str) -> pl.Expr:
    match catalogue[name]:
        case Ratio() as ratio:
            return _finite(pl.col(ratio.numerator) / pl.col(ratio.denominator))
        case Change() as change:
            now, before = pl.col(change.measure), pl.col(_before(name))
            return _finite(100.0 * (now - before) / before.abs())
        case Expression() as expression:
            return _finite(catalogue.formula(expression).expression)
        case _:
            raise ValueError(f"{name} is read from events")


def _finite(expression: pl.Expr) -> pl.Expr:
    return pl.when(expression.is_finite()).then(expression)


def _missing(missing: Missing, expression: pl.Expr) -> pl.Expr:
    return expression.fill_null(0.0) if missing is Missing.ZERO else expression
