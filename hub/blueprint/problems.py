"""What is wrong with a document, and where: every problem at once, each as `file:line: path: what`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

from hub.kit.errors import HubError

Path: TypeAlias = tuple[str | int, ...]
"""The way from the top of a document to a part of it, e.g. `("measures", "nps", "of", 0)`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong at `path`. `place` is None for a document that was not read from a file."""

    path: Path
    message: str
    place: Place | None = None

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.path)
        return ": ".join(part for part in (str(self.place or ""), where, self.message) if part)


class BlueprintInvalid(HubError):
    """A document cannot be used; `problems` are all that was found, in the order of the document.

    `document` is there where every file could be read to its end in spite of them, so that it can be checked as well.
    """

    def __init__(self, problems: Iterable[Problem], document: Document | None = None) -> None:
        self.problems = tuple(problems)
        self.document = document
        count = len(self.problems)
        listed = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(
            f"The blueprint has {count} {'problem' if count == 1 else 'problems'}:{listed}",
            remedy="Correct the document and apply it again.",
        )

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}"


class Document(dict[str, Any]):
    """A document as plain values (a dict like any other) that still knows the lines they stood on."""

    def __init__(self, values: Mapping[str, Any], places: Mapping[Path, Place] | None = None) -> None:
        super().__init__(values)
        self.places: Mapping[Path, Place] = places or {}


def place_of(document: Mapping[str, Any], path: Path) -> Place | None:
    """The line of a part of the document, or of the nearest part around it."""
    places = document.places if isinstance(document, Document) else {}
    return next((places[path[:end]] for end in range(len(path), 0, -1) if path[:end] in places), None)


def in_reading_order(problem: Problem) -> tuple[str, int, int]:
    """Sorts problems as somebody meets them who reads the files from above."""
    return (problem.place.file, problem.place.line, problem.place.column) if problem.place else ("", 0, 0)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, else the few there are, else
    nothing.
    """
    choices = sorted(set(known))
    text = str(name)
    close = get_close_matches(text, choices, n=1, cutoff=0.75)
    # The beginning of a word is nearer to it than its length tells: `admin` means `administrator`.
    close = close or [choice for choice in choices if len(text) > 2 and choice.startswith(text)]
    close = close or get_close_matches(text, choices, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are {', '.join(choices)}" if 0 < len(choices) <= 12 else ""
