"""A mapping guessed from a header and the first rows: a beginning that a person looks over. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from zoneinfo import ZoneInfo

from hub.cli.importing.cells import Unconverted, moment, number, whole
from hub.cli.importing.document import ALL_OTHERS, Document
from hub.cli.importing.fields import FieldOf, Sort
from hub.kit.errors import Invalid

DATES = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%y", "%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y", "%d %b %Y", "%b %d, %Y")


def guess(
    header: Sequence[str],
    sample: Sequence[Sequence[str]],
    streams: Mapping[str, Mapping[str, FieldOf]],
    only: str | None,
) -> Document:
    """The stream whose needs the header meets best, its columns, and how numbers and dates are written.

    Raises `Invalid` when no stream's needs are met.
    """
    candidates = {name: columns(header, known) for name, known in streams.items() if only in (None, name)}
    met = {name: found for name, found in candidates.items() if not _missing(streams[name], found)}
    if not met:
        best = max(candidates, key=lambda name: len(candidates[name]))
        missing = " and ".join(_missing(streams[best], candidates[best]))
        raise Invalid(
            f"The header tells no stream; for {best} it lacks {missing}.",
            remedy="Write the mapping by hand: see plugins/csv/README.md.",
        )
    stream = max(met, key=lambda name: (len(met[name]) / len(streams[name]), len(met[name])))
    found = met[stream]
    cells = {
        name: [row[header.index(title)] for row in sample if len(row) == len(header)] for name, title in found.items()
    }
    constants: dict[str, str | int | float] = {}
    if "currency" in streams[stream] and streams[stream]["currency"].required and "currency" not in found:
        constants["currency"] = "EUR"
    return Document(
        stream=stream,
        columns=found,
        attributes=[ALL_OTHERS],
        constants=constants,
        decimal=_decimal((streams[stream][name].sort, cells[name]) for name in found),
        dates=_dates(cells[name] for name in found if streams[stream][name].sort is Sort.MOMENT),
    )


def columns(header: Sequence[str], known: Mapping[str, FieldOf]) -> dict[str, str]:
    """Which column is which field: by the field's name, then by what its columns are usually called."""
    plain = {_plain(title): title for title in reversed(header) if title}
    found: dict[str, str] = {}
    ranked = sorted(
        (rank, order, name, wanted)
        for order, (name, field) in enumerate(known.items())
        for rank, wanted in enumerate((name, *field.called))
    )
    for _, _, name, wanted in ranked:
        title = plain.get(_plain(wanted))
        if title is not None and name not in found and title not in found.values():
            found[name] = title
    return {name: found[name] for name in known if name in found}


def _missing(known: Mapping[str, FieldOf], found: Mapping[str, str]) -> list[str]:
    return [name for name, field in known.items() if field.required and name not in found and name != "currency"]


def _plain(title: str) -> str:
    return re.sub(r"[\W_]+", "", title.lower())


def _decimal(columns: Iterable[tuple[Sort, Sequence[str]]]) -> str:
    """The mark with which more of the numbers can be read; a point where it makes no difference."""
    readers = {Sort.NUMBER: number, Sort.WHOLE: whole}
    cells = [(readers[sort], cell) for sort, column in columns if sort in readers for cell in column if cell.strip()]

    def readable(mark: str) -> int:
        return sum(_is(partial(read, decimal=mark), cell) for read, cell in cells)

    return "," if readable(",") > readable(".") else "."


def _dates(columns: Iterable[Sequence[str]]) -> str | None:
    """The one form that all dates have, None for ISO 8601. Raises `Invalid` where two forms fit: nobody can tell."""
    utc = ZoneInfo("UTC")
    cells = [cell for column in columns for cell in column if cell.strip()]
    if all(_is(partial(moment, format_=None, zone=utc), cell) for cell in cells):
        return None
    fitting = [form for form in DATES if all(_is(partial(moment, format_=form, zone=utc), cell) for cell in cells)]
    if len(fitting) > 1:
        raise Invalid(
            f"Dates such as {cells[0]!r} fit {' and '.join(fitting)}.", remedy="Write the mapping by hand, with dates."
        )
    return fitting[0] if fitting else None


def _is(read: Callable[[str], str], cell: str) -> bool:
    try:
        read(cell)
    except Unconverted:
        return False
    return True
