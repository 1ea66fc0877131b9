"""Which keys a file has had so far, on disk: memory stays the same for a file of any length."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from types import TracebackType


class KeysSeen:
    """Keys with the line where each was first met, in a temporary database that goes with the process."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")

    def __enter__(self) -> KeysSeen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def first(self, keys: Iterable[tuple[str, int]]) -> dict[int, int]:
        """Of (key, line) pairs: for each line whose key came before, the line that it was first in."""
        earlier: dict[int, int] = {}
        for key, line in keys:
            if not self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, line)).rowcount:
                earlier[line] = self._database.execute("SELECT line FROM seen WHERE key = ?", (key,)).fetchone()[0]
        return earlier
