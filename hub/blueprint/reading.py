"""Reading a document from YAML, so that a stranger's file can do no harm and an honest mistake is found by
its line.

Only the plain part of YAML is read: mappings, lists, text, numbers, true, false and null, as YAML 1.2 reads
them (`on` and `no` are text, a date is text). Tags, anchors and aliases are refused: tags make objects, and a
page of aliases to aliases unfolds to gigabytes. A key that stands twice in one mapping is an error, never
silently the last one.

A blueprint is one file, or a folder whose `*.yaml` files are parts of it: a section may be spread over
several files, each entry of it once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Final

import yaml

from hub.blueprint.problems import BlueprintInvalid, Document, Path, Place, Problem
from hub.kit.errors import NotFound

MAX_BYTES: Final = 1_000_000
MAX_FILES: Final = 200
MAX_DEPTH: Final = 32

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")

_VALUES: Final = (yaml.ScalarEvent, yaml.SequenceStartEvent, yaml.MappingStartEvent)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_document(path: FilePath | str) -> Document:
    """Read a blueprint file, or a folder of them.

    Raises `NotFound` when there is none, `BlueprintInvalid` with every line that cannot be read. Whether the
    values make sense is not asked here (see `checking`).
    """
    parts = []
    left = MAX_BYTES
    for file in _files(FilePath(path)):
        with file.open("rb") as stream:
            parts.append((str(file), stream.read(left + 1)))
        left -= len(parts[-1][1])
        if left < 0:
            break
    return _assemble(parts)


def read_text(text: str, *, file: str = "blueprint.yaml") -> Document:
    """Read a document that is at hand as text; `file` names it in problems. Raises `BlueprintInvalid`."""
    return _assemble([(file, text.encode("utf-8", "surrogatepass"))])


def read_texts(files: Mapping[str, str]) -> Document:
    """The same of several files that are one document; names and texts. Raises `BlueprintInvalid`."""
    return _assemble([(name, text.encode("utf-8", "surrogatepass")) for name, text in files.items()])


def _assemble(parts: Sequence[tuple[str, bytes]]) -> Document:
    if sum(len(content) for _, content in parts) > MAX_BYTES:
        too_big = f"is too big: a blueprint has at most {MAX_BYTES:,} bytes"
        raise BlueprintInvalid([Problem((), too_big, Place(parts[-1][0], 1))])
    values: dict[str, Any] = {}
    places: dict[Path, Place] = {}
    problems: list[Problem] = []
    whole = True
    for file, content in parts:
        reader = _Reader(content, file)
        _add(values, places, reader.read(), reader, problems)
        whole = whole and reader.to_the_end
    if problems:
        raise BlueprintInvalid(problems, Document(values, places) if whole else None)
    return Document(values, places)


def _files(path: FilePath) -> list[FilePath]:
    if path.is_file():
        return [path]
    found = sorted(file for file in path.glob("*") if file.suffix in {".yaml", ".yml"} and file.is_file())
    if not found:
        raise NotFound(f"There is no blueprint at {path}.", remedy="Name a YAML file, or a folder that holds some.")
    if len(found) > MAX_FILES:
        raise BlueprintInvalid([Problem((), f"{path} holds more than {MAX_FILES} files", Place(str(path), 1))])
    return found


def _add(
    values: dict[str, Any], places: dict[Path, Place], part: Any, reader: _Reader, problems: list[Problem]
) -> None:
    """Add one file to the document: new sections as they are, further entries to a section that is there
    already.
    """
    problems += reader.problems
    if part is None and not reader.problems:
        return
    if not isinstance(part, dict):
        if not reader.problems:
            problems.append(Problem((), "must be a mapping of sections", Place(reader.file, 1)))
        return
    for section, content in part.items():
        present = values.get(section)
        if section not in values:
            values[section] = content
        elif not (isinstance(present, dict) and isinstance(content, dict)):
            problems.append(_twice((section,), places, reader))
        else:
            problems += [_twice((section, entry), places, reader) for entry in content if entry in present]
            present.update(content)
    for at, place in reader.places.items():
        places.setdefault(at, place)


def _twice(path: Path, places: dict[Path, Place], reader: _Reader) -> Problem:
    return Problem(path, f"stands already at {places.get(path)}", reader.places.get(path))


def plain_value(text: str) -> str | int | float | bool | None:
    """What a text means that stands in a document without quotes."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


class _Unreadable(Exception):
    """The rest of a file cannot be understood."""


class _Reader:
    """One file's values, the lines they stand on, and what is wrong with it."""

    def __init__(self, content: bytes, file: str) -> None:
        self.content = content
        self.file = file
        self.places: dict[Path, Place] = {}
        self.problems: list[Problem] = []
        self.to_the_end = False

    def read(self) -> Any:
        """The file's value; None when it is empty or when `problems` say why it cannot be read."""
        try:
            events = self._events(self.content.decode("utf-8-sig"))
            first = next(events)
            if isinstance(first, yaml.StreamEndEvent):
                self.to_the_end = True
                return None
            value = self._value(next(events), events, ())
            next(events)
            if isinstance(following := next(events), yaml.DocumentStartEvent):
                self._problem((), "a second document begins here; one file holds one", following)
            self.to_the_end = True
            return value
        except UnicodeDecodeError as error:
            line = self.content.count(b"\n", 0, error.start) + 1
            self.problems.append(Problem((), "is not UTF-8 text", Place(self.file, line)))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file, 1)
            message = ", ".join(part for part in (error.context, error.problem) if part)
            self.problems.append(Problem((), f"is not YAML: {message}", place))
        except yaml.reader.ReaderError as error:
            line = self.content.decode("utf-8-sig")[: error.position].count("\n") + 1
            self.problems.append(Problem((), "holds a control character", Place(self.file, line)))
        except _Unreadable:
            pass
        return None

    def _events(self, text: str) -> Iterator[yaml.Event]:
        events = iter(yaml.parse(text, Loader=_Loader))
        next(events)  # the beginning of the stream
        return events

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Any:
        if not isinstance(event, _VALUES):
            self._problem(path, "is an alias (*name); write the value out", event)
            raise _Unreadable
        if event.anchor is not None:
            self._problem(path, "has an anchor (&name); aliases are not read, so take it away", event)
        if event.tag is not None and event.tag != "!":
            self._problem(path, f"has the tag {event.tag}; only plain values are read", event)
        if len(path) > MAX_DEPTH:
            self._problem(path[:3], f"is nested more than {MAX_DEPTH} deep", event)
            raise _Unreadable
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return self._mapping(events, path)

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._problem(path, "has a key that is not text", event)
                raise _Unreadable
            key = self._text(event, path)
            here = (*path, key)
            if key in found:
                self._problem(here, f"stands already on line {self.places[here].line}", event)
            else:
                self.places[here] = self._place(event)
            found[key] = self._value(next(events), events, here)
        return found

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            here = (*path, len(found))
            self.places[here] = self._place(event)
            found.append(self._value(event, events, here))
        return found

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Any:
        text = self._text(event, path)
        if event.style:  # quoted, or a block: text, whatever it looks like
            return text
        return plain_value(text)

    def _text(self, event: yaml.ScalarEvent, path: Path) -> str:
        text: str = event.value
        if _UNSTORABLE.search(text):
            self._problem(path, "holds a NUL or half of a character, which the database cannot keep", event)
        return text

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file, 1)

    def _problem(self, path: Path, message: str, event: yaml.Event) -> None:
        self.problems.append(Problem(path, message, self._place(event)))
