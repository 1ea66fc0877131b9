"""A delimited file as rows of text: encoding and delimiter detected, read as a stream, however long it is."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from hub.kit.errors import Invalid

SAMPLE_BYTES = 256 * 1024
LONGEST_CELL = 1024 * 1024
DELIMITERS = ",;\t|"
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks; that of UTF-32 begins with that of UTF-16, so it stands before it."""

FALLBACK = "cp1252"
"""What spreadsheets write that do not write Unicode."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written."""

    encoding: str
    delimiter: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file: the number of its last line, its cells, or why it has none."""

    number: int
    cells: Sequence[str]
    problem: str | None = None


@dataclass(slots=True)
class Table:
    """An open file: its form, its header, and how many of its bytes were read."""

    form: Form
    header: Sequence[str]
    size: int
    _raw: BinaryIO
    _reader: Iterator[list[str]]
    _text: TextIO

    @property
    def read(self) -> int:
        """Bytes read so far (a few kilobytes ahead of the rows)."""
        return self._raw.tell()

    def lines(self) -> Iterator[Line]:
        """The rows below the header; blank lines are passed over."""
        reader = self._reader
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(_line(reader), (), f"{error}: is there a quotation mark that is not closed?")
                continue
            except UnicodeError:
                raise Invalid(
                    f"Behind line {_line(reader)} the file is not {self.form.encoding}.",
                    remedy="Set encoding in the mapping, for example cp1252.",
                ) from None
            if any(cell.strip() for cell in cells):
                yield Line(_line(reader), cells, self._wrong(cells))

    def _wrong(self, cells: Sequence[str]) -> str | None:
        if len(cells) != len(self.header):
            return (
                f"it has {len(cells)} cells, the header {len(self.header)}: "
                f"is there a {self.form.delimiter!r} in a cell without quotation marks?"
            )
        if any("\udc80" <= character <= "\udcff" for cell in cells for character in cell if not cell.isascii()):
            return f"it is not {self.form.encoding}: set encoding in the mapping"
        return None


@contextmanager
def opened(path: Path, encoding: str | None, delimiter: str | None) -> Iterator[Table]:
    """Open a file. Raises `Invalid` when it cannot be read, is empty, or its header is of no use."""
    csv.field_size_limit(LONGEST_CELL)
    try:
        raw = path.open("rb")
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}.", remedy="Check the name and the permissions."
        ) from None
    with raw:
        form = _form(raw.read(SAMPLE_BYTES), encoding, delimiter, path)
        raw.seek(0)
        with open(raw.fileno(), encoding=form.encoding, errors="surrogateescape", newline="", closefd=False) as text:
            reader = csv.reader(text, delimiter=form.delimiter)
            try:
                header = [title.strip() for title in next(reader)]
            except (StopIteration, csv.Error, UnicodeError) as error:
                raise Invalid(
                    f"{path} has no header: {error or 'it is empty'}.", remedy="The first line names the columns."
                ) from None
            _check(header, path)
            yield Table(form, header, path.stat().st_size, raw, reader, text)


def _form(sample: bytes, encoding: str | None, delimiter: str | None, path: Path) -> Form:
    if encoding is None:
        encoding = next((name for mark, name in MARKS.items() if sample.startswith(mark)), None) or _guess(sample)
    try:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    except LookupError:
        raise Invalid(f"There is no encoding {encoding!r}.", remedy="For example: utf-8, cp1252, utf-16.") from None
    if "\x00" in text:
        raise Invalid(f"{path} is no text file.", remedy="Save the spreadsheet as CSV.")
    return Form(encoding, delimiter or _delimiter(text))


def _guess(sample: bytes) -> str:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return FALLBACK
    return "utf-8"


def _delimiter(sample: str) -> str:
    """The one that cuts most of the first rows into the same number of cells, above one; a comma where none does."""

    def agreeing(delimiter: str) -> tuple[int, int]:
        widths = [
            len(cells)
            for cells, _ in zip(csv.reader(sample.splitlines(), delimiter=delimiter), range(50), strict=False)
            if cells
        ]
        return (widths.count(widths[0]), widths[0]) if widths and widths[0] > 1 else (0, 0)

    return max(DELIMITERS, key=agreeing)


def _check(header: Sequence[str], path: Path) -> None:
    twice = sorted({title for title in header if title and header.count(title) > 1}) if len(header) < 10_000 else []
    if twice:
        raise Invalid(f"{path} has more than one column {twice[0]!r}.", remedy="Give each column a name of its own.")
    if not any(header):
        raise Invalid(f"{path} has no header.", remedy="The first line names the columns.")


def _line(reader: Iterator[list[str]]) -> int:
    return int(getattr(reader, "line_num", 0))
