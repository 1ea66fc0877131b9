"""A cell's text in the one form that every record model reads: decimal point, ISO 8601. Pure and exact."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from hub.cli.importing.document import Document
from hub.cli.importing.fields import Sort

THOUSANDS: Final = {".": ",", ",": "."}
SIGNS: Final = "€$£¥%"
BLANKS: Final = dict.fromkeys(map(ord, " \u00a0\u202f\u2009'’"))
PLAIN: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


class Unconverted(ValueError):
    """A cell that does not say what its field needs; the message ends with the remedy."""


def converted(cell: str, sort: Sort, document: Document) -> str:
    """The cell in canonical form. Raises `Unconverted`."""
    match sort:
        case Sort.TEXT:
            return cell
        case Sort.NUMBER:
            return number(cell, document.decimal)
        case Sort.WHOLE:
            return whole(cell, document.decimal)
        case Sort.MOMENT:
            return moment(cell, document.dates, document.zone)


def number(cell: str, decimal: str) -> str:
    """`1.234,50` with the decimal mark `,` is `1234.50`. A thousands mark has to stand before three digits."""
    bare = cell.translate(BLANKS).strip(SIGNS)
    if bare.startswith("(") and bare.endswith(")"):
        bare = f"-{bare[1:-1].strip(SIGNS)}"
    digits, mark, fraction = bare.partition(decimal)
    thousands = re.escape(THOUSANDS[decimal])
    if thousands_used := THOUSANDS[decimal] in digits:
        if not re.fullmatch(rf"[+-]?\d{{1,3}}({thousands}\d{{3}})+", digits):
            raise Unconverted(f"is no number with the decimal mark {decimal!r}: set decimal in the mapping")
        digits = digits.replace(THOUSANDS[decimal], "")
    plain = f"{digits}.{fraction}" if mark else digits
    if not PLAIN.fullmatch(plain):
        also = ", and where thousands are marked" if thousands_used else ""
        raise Unconverted(f"is no number{also}: correct the cell, or set decimal in the mapping")
    return plain


def whole(cell: str, decimal: str) -> str:
    """The same without decimal places, other than zeros."""
    digits, _, fraction = number(cell, decimal).partition(".")
    if fraction.strip("0"):
        raise Unconverted("is no whole number: correct the cell, or set decimal in the mapping")
    return digits


def moment(cell: str, format_: str | None, zone: ZoneInfo) -> str:
    """ISO 8601 with an offset; a day is its first moment, and a time without an offset is the zone's."""
    text = cell.strip()
    found = _parsed(text, format_)
    if found is None:
        hint = f"neither ISO 8601 nor of the form {format_}" if format_ else "not ISO 8601"
        raise Unconverted(f'is no date ({hint}): set dates in the mapping, for example "%d.%m.%Y"')
    return (found if found.tzinfo else found.replace(tzinfo=zone)).isoformat()


def _parsed(text: str, format_: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if format_ is None:
        return None
    try:
        return datetime.strptime(text, format_)  # noqa: DTZ007  # the caller gives it its zone
    except ValueError:
        return None
