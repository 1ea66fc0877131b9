"""Imports a plugin as a hub would, in a process of its own, and tells what that touched.

`python -m hub.sdk.testing.importing FOLDER` prints `{"connectors": […], "touched": […], "error": …}`. The sdk and what
it needs are imported before the audit hook is put in, so all that is told is the plugin's own doing.
"""

from __future__ import annotations

import importlib
import json
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import Any

from hub.sdk.declarations import complaints
from hub.sdk.plugins import registered
from hub.sdk.testing.plugin import entry_points_of
from hub.sdk.testing.watch import STARTS, TALKS, place

CODE = {".py", ".pyc", ".pyi", ".so", ".pyd", ".pth", ".egg-link"}
LIBRARIES = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def touching(root: Path) -> dict[str, Any]:
    """Import every entry point of the distribution in `root`, and tell what happened."""
    sys.dont_write_bytecode = True
    names = entry_points_of(root)
    sys.path[:0] = [str(folder) for folder in (root / "src", root) if folder.is_dir()]
    touched: list[str] = []
    watching = [True]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching[0] and (what := _judge(event, arguments, root)):
            touched.append(f"{what} ({_place(root)})")

    sys.addaudithook(hook)
    told: dict[str, Any] = {"connectors": [], "touched": touched, "error": None}
    try:
        for name, module in names.items():
            for kind in registered(importlib.import_module(module), name):
                told["connectors"].append(kind.id)
                told["error"] = told["error"] or "; ".join(complaints(kind)) or None
    except Exception as error:  # a plugin may fail in any way
        told["error"] = f"{type(error).__name__}: {error}"
    watching[0] = False
    return told


def _judge(event: str, arguments: tuple[Any, ...], root: Path) -> str | None:
    if event in TALKS:
        return "talks over the network"
    if event in STARTS:
        return "starts a process"
    if event != "open" or not isinstance(arguments[0], str):
        return None
    path, mode = Path(arguments[0]), arguments[1] or "r"
    if set(str(mode)) & set("wax+"):
        return f"writes the file {path.name}"
    if path.suffix in CODE:
        return None
    own = path.is_relative_to(root / "src")
    is_library = any(path.is_relative_to(folder) for folder in LIBRARIES)
    return None if is_library and not own else f"reads the file {path.name}"


def _place(root: Path) -> str:
    """The innermost line of the plugin on the stack."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if Path(frame.f_code.co_filename).is_relative_to(root):
            return place(frame)
        frame = frame.f_back
    return "a module that it imports"


if __name__ == "__main__":
    print(json.dumps(touching(Path(sys.argv[1]).resolve())))  # noqa: T201  # the parent process reads it
