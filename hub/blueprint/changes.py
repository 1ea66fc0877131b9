"""What differs between two documents, entry by entry: a pure comparison of values.

An entry is what stands right under a section, since that is what people give a name to: a measure, a play, the journey
of a segment. Of a changed entry the parts that differ are named as well. Order counts: the first segment whose rule
holds takes an account, so moving one is a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.blueprint.problems import Path


class ChangeKind(StrEnum):
    """What became of an entry."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an entry that differs: its way inside the entry, and what it was and is (None: not there)."""

    path: Path
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """An entry that differs. `parts` are there for a changed one."""

    kind: ChangeKind
    section: str
    entry: str
    parts: tuple[Part, ...] = ()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """All entries that differ, in the order of the newer document; removed ones at the end of their section."""
    found: list[Change] = []
    for section in dict.fromkeys((*after, *before)):
        found += _in_section(section, before.get(section), after.get(section))
    return tuple(found)


def _in_section(section: str, before: Any, after: Any) -> Iterator[Change]:
    old, new = (value if isinstance(value, Mapping) else _alone(value) for value in (before, after))
    for entry, content in new.items():
        if entry not in old:
            yield Change(ChangeKind.ADDED, section, entry)
        elif parts := tuple(_parts((), old[entry], content)):
            yield Change(ChangeKind.CHANGED, section, entry, parts)
    yield from (Change(ChangeKind.REMOVED, section, entry) for entry in old if entry not in new)
    yield from (Change(ChangeKind.MOVED, section, entry) for entry in _moved(list(old), list(new)))


def _alone(value: Any) -> Mapping[str, Any]:
    """A section that is one value, such as the document's name, as an entry without a name."""
    return {} if value is None else {"": value}


def _moved(before: list[str], after: list[str]) -> list[str]:
    """Entries that stand behind another one than before, both orders without what was added or removed."""
    old = [entry for entry in before if entry in after]
    new = [entry for entry in after if entry in before]
    return [entry for was, entry in zip(old, new, strict=True) if was != entry]


def _parts(path: Path, before: Any, after: Any) -> Iterator[Part]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*after, *before)):
            if (key in before) is (key in after):
                yield from _parts((*path, key), before[key], after[key])
            else:
                yield Part((*path, key), before.get(key), after.get(key))
        if before.keys() == after.keys() and list(before) != list(after):
            yield Part(path, list(before), list(after))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for nth, (was, now) in enumerate(zip(before, after, strict=True)):
            yield from _parts((*path, nth), was, now)
    elif before != after or type(before) is not type(after):
        yield Part(path, before, after)
