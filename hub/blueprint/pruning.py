"""A document without its broken parts, so that one mistake does not hide the others.

A section with a fault is no section, and whatever looks at several sections could say nothing about the rest of it. So
what is broken is left out, as little of it as possible, and what is left is held together. A name that was left out is
not missing: nobody who refers to it is blamed for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hub.blueprint.problems import Path, Problem

_LEFT_OUT: Final = object()
"""Stands in a list where an element was left out, so that the others keep their numbers."""


class Remainder:
    """What is left of a document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._left: Any = dict(document)
        self._gone: set[Path] = set()
        self._names: set[str] = set()

    @property
    def document(self) -> dict[str, Any]:
        """The document as it would stand if nobody had written what is broken."""
        left = _plain(self._left)
        return left if isinstance(left, dict) else {}

    @property
    def lacks_a_section(self) -> bool:
        """Whether a section is gone as a whole: then nothing can be said of what refers to it."""
        return any(len(path) == 1 for path in self._gone)

    def leave_out(self, broken: Iterable[Path]) -> None:
        """Leave out what stands at these ways of the document as it is now; where nothing stands, because something is
        missing there, what it is missing from.
        """
        for path in sorted({self._part(path) for path in broken}, key=len, reverse=True):
            if not path:
                self._left = {}
                return
            self._gone.add(path)
            self._names |= {str(path[1]) if len(path) > 1 else "", str(path[-1]), *_names_in(_at(self._left, path))}
            self._left = _cut(self._left, path)

    def own(self, problems: Iterable[Problem]) -> list[Problem]:
        """Of the problems of the remaining document those that are not only there because something was left out, as
        problems of the whole document: lists were longer there."""
        whole = (Problem(self._original(problem.path), problem.message) for problem in problems)
        return [problem for problem in whole if not self._explains(problem)]

    def _explains(self, problem: Problem) -> bool:
        """Whether a problem would not be there without what was left out."""
        path, blamed = problem.path, problem.message.partition("; ")[0]
        entry = str(path[-1]).split(".") if len(path) == 2 else []
        return (
            any(path[: len(gone)] == gone or (len(path) > 1 and gone[: len(path)] == path) for gone in self._gone)
            or any(f"'{name}'" in blamed for name in self._names)
            or not self._names.isdisjoint(entry)
        )

    def _part(self, path: Path) -> Path:
        path = self._original(path)
        while path and _at(self._left, path) is _LEFT_OUT:
            path = path[:-1]
        return path

    def _original(self, path: Path) -> Path:
        found, way = self._left, list(path)
        for nth, step in enumerate(way):
            if isinstance(found, list) and isinstance(step, int):
                kept = [index for index, value in enumerate(found) if value is not _LEFT_OUT]
                way[nth] = step = kept[step] if step < len(kept) else step
            found = _at(found, (step,))
        return tuple(way)


def _at(value: Any, path: Path) -> Any:
    for step in path:
        in_list = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if not in_list and not (isinstance(value, dict) and step in value):
            return _LEFT_OUT
        value = value[step]
    return value


def _cut(value: Any, path: Path) -> Any:
    first, rest = path[0], path[1:]
    if isinstance(value, list):
        return [(_cut(part, rest) if rest else _LEFT_OUT) if nth == first else part for nth, part in enumerate(value)]
    kept = {key: part for key, part in value.items() if rest or key != first}
    return kept | {first: _cut(value[first], rest)} if rest else kept


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value if part is not _LEFT_OUT] if isinstance(value, list) else value


def _names_in(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, below in part.items():
            yield key
            yield from _names_in(below)
    elif isinstance(part, list):
        for below in part:
            yield from _names_in(below)
