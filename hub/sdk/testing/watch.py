"""Watching a connector: does it sleep, open files, or talk to anybody but its vendor?

The interpreter's audit hooks tell of files and sockets, whichever library is used. They cannot be taken out again, so
one is put in on first use and looks at nothing while nobody watches. No hook tells of sleeping: there the function is
replaced.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from types import FrameType
from typing import Any

TALKS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"})
STARTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"})


@dataclass
class Seen:
    """What was seen, each with its place in the code: `sleeps (connector.py:41)`."""

    sleeps: list[str] = field(default_factory=list)
    talks: list[str] = field(default_factory=list)
    opens: list[str] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)


_watching: Seen | None = None
_installed = False


@contextmanager
def watched(package: str) -> Iterator[Seen]:
    """Watch while the block runs; `package` is the connector's, whose frames are named and whose sleeps are caught."""
    global _watching
    _install()
    seen = Seen()
    before, _watching = _watching, seen
    with _sleep_replaced(package, seen):
        try:
            yield seen
        finally:
            _watching = before


def _install() -> None:
    global _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching is None:
        return
    if event in TALKS:
        address = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        _watching.talks.append(_address(address))
    elif event == "open" and isinstance(arguments[0], str | bytes):
        _watching.opens.append(str(arguments[0]))
    elif event in STARTS:
        _watching.starts.append(event)


def _address(address: Any) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)


@contextmanager
def _sleep_replaced(package: str, seen: Seen) -> Iterator[None]:
    """`time.sleep`, also where a module of the package imported it by name."""
    real = time.sleep

    def noted(seconds: float) -> None:
        seen.sleeps.append(place(sys._getframe(1)))

    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == package.split(".")[0]]
    found = [(module, name) for module in modules for name, value in list(vars(module).items()) if value is real]
    for module, name in [(time, "sleep"), *found]:
        setattr(module, name, noted)
    try:
        yield
    finally:
        for module, name in [(time, "sleep"), *found]:
            setattr(module, name, real)


def place(frame: FrameType) -> str:
    """`connector.py:41`."""
    return f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"
