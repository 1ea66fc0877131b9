"""From a line of the file to a row of a stream, and what is wrong with it, told so that somebody can mend the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from hub.cli.importing.cells import Unconverted, converted
from hub.cli.importing.document import Columns, Document
from hub.cli.importing.fields import FieldOf
from hub.cli.importing.reading import Line


@dataclass(frozen=True, slots=True)
class Problem:
    """What cannot be read: where, why, and what to do. `column` is None where it is the whole line."""

    line: int
    column: str | None
    reason: str
    remedy: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", column {self.column!r}" if self.column else "")
        return f"{where}: {self.reason}{': ' if self.remedy else ''}{self.remedy}"


@dataclass(frozen=True, slots=True)
class RowOf:
    """A line as the stream's row, and its problems."""

    line: int
    row: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class Maker:
    """Makes rows of lines. The same line always makes the same row."""

    document: Document
    record: type[BaseModel]
    known: Mapping[str, FieldOf]
    columns: Columns
    as_of: str
    _constants: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        given = self.document.constants.items()
        self._constants = {name: converted(str(value), self.known[name].sort, self.document) for name, value in given}

    def make(self, line: Line) -> RowOf:
        """The row, with every problem that it has."""
        if line.problem:
            told = f"{line.problem} ({(self.document.delimiter or ',').join(line.cells)})"
            row: dict[str, Any] = {"as_of": self.as_of, "unread": {"line": told}}
            return RowOf(line.number, row, (_problem(line.number, None, line.problem),))
        row, unread, problems = dict(self._constants), {}, []
        for known, position in self.columns.fields:
            cell = line.cells[position]
            if not cell.strip():
                continue
            try:
                row[known.name] = converted(cell, known.sort, self.document)
            except Unconverted as error:
                unread[known.name] = f"{cell!r} {error}"
                problems.append(_problem(line.number, self._column(known.name), unread[known.name]))
        whole: dict[str, Any] = {**row, "as_of": self.as_of}
        if unread:
            whole["unread"] = unread
        for name, pairs in (("attributes", self.columns.attributes), ("identities", self.columns.identities)):
            if given := {title: line.cells[at] for title, at in pairs if line.cells[at].strip()}:
                whole[name] = given
        return RowOf(line.number, whole, (*problems, *self._misfits(line.number, whole, unread)))

    def _misfits(self, number: int, row: Mapping[str, Any], unread: Mapping[str, str]) -> list[Problem]:
        try:
            self.record.model_validate(row)
        except ValidationError as error:
            return [
                self._misfit(number, str(problem["loc"][0]), problem["msg"], problem["type"] == "missing")
                for problem in error.errors(include_url=False, include_input=False, include_context=False)
                if problem["loc"] and problem["loc"][0] not in ("unread", *unread)
            ]
        return []

    def _misfit(self, number: int, name: str, message: str, missing: bool) -> Problem:
        if missing:
            return Problem(number, self._column(name), f"{name} is missing", "fill the cell, or give a constant")
        return Problem(number, self._column(name), f"{name}: {message}", "correct the cell")

    def _column(self, name: str) -> str | None:
        return self.document.columns.get(name)


def _problem(line: int, column: str | None, text: str) -> Problem:
    reason, _, remedy = text.rpartition(": ")
    return Problem(line, column, reason or remedy, remedy if reason else "")
