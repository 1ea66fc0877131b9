"""Checks 1, 2 and 16: the distribution as somebody finds it, before anything runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from hub.sdk.declarations import complaints
from hub.sdk.manifest import Manifest, manifest_of
from hub.sdk.releases import dropped
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.verdicts import Finding

MANIFEST = "manifest.json"
IMPORT_SECONDS = 60
SECTIONS = {
    "set-up": r"set-?up|install(ation)?|getting started|connect",
    "scopes": r"scopes?|permissions?",
    "limits": r"(rate )?limits?",
    "removal": r"remov(al|e|ing)|uninstall",
    "quirks": r"quirks?|known issues|oddities",
}


def importing(plugin: Plugin) -> Iterator[Finding]:
    """1: imports without network or files; its entry point loads; no unknown hook; a valid manifest."""
    told = _imported(plugin)
    for what in dict.fromkeys(told["touched"]):
        yield Finding("import.touches", f"Importing the plugin {what}: do that in check(), read or an action.")
    if told["error"]:
        yield Finding("import.loads", f"The entry point does not load: {told['error']}")
    elif plugin.kind.id not in told["connectors"]:
        yield Finding(
            "import.loads",
            f"The entry point registers {told['connectors']} and not {plugin.kind.id!r}: add register("
            f"{plugin.kind.__name__}) to hub_register_connectors.",
        )
    for complaint in complaints(plugin.kind):
        yield Finding("import.manifest", complaint)
    try:
        Manifest.model_validate_json(manifest_of(plugin.kind).model_dump_json())
    except Exception as error:  # whatever a declaration may hold that is no JSON
        yield Finding("import.manifest", f"The manifest cannot be derived: {type(error).__name__}: {error}")


def _imported(plugin: Plugin) -> dict[str, Any]:
    plugin.entry_points()
    command = [sys.executable, "-m", "hub.sdk.testing.importing", str(plugin.root)]
    paths = os.pathsep.join(path for path in sys.path if path)
    ended = subprocess.run(  # noqa: S603  # our own module, and a folder that the caller named
        command,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=IMPORT_SECONDS,
    )
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["no message"]
        return {"connectors": [], "touched": [], "error": f"the interpreter ended with {ended.returncode}: {last[0]}"}
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def releasing(plugin: Plugin) -> Iterator[Finding]:
    """2: nothing was dropped since the last released manifest."""
    path = plugin.root / MANIFEST
    if not path.exists():
        yield Finding(
            "release.manifest",
            f"There is no released manifest. Write it: hub plugin manifest {plugin.root.name} --write",
        )
        return
    try:
        before = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        yield Finding(
            "release.manifest", f"{MANIFEST} is no manifest: {error.error_count()} problems, the first: {error}"
        )
        return
    for promise in dropped(before, manifest_of(plugin.kind)):
        yield Finding(
            "release.dropped",
            f"Since the last release {promise}. Put it back; or, for a new major version, release the new manifest: "
            f"hub plugin manifest {plugin.root.name} --write",
        )


def documented(plugin: Plugin) -> Iterator[Finding]:
    """16: the README has set-up, scopes, limits, removal and quirks, each with something said."""
    path = plugin.root / "README.md"
    if not path.exists():
        yield Finding("readme.sections", "Write README.md: what it takes to connect the vendor, and what to know.")
        return
    sections = re.split(r"^#{2,} +", path.read_text(), flags=re.MULTILINE)[1:]
    titled = {title.strip().lower(): body.strip() for title, _, body in (part.partition("\n") for part in sections)}
    for name, pattern in SECTIONS.items():
        bodies = [body for title, body in titled.items() if re.search(rf"\b({pattern})\b", title)]
        if not bodies:
            yield Finding("readme.sections", f"README.md says nothing on {name}: add a section ## {name.capitalize()}.")
        elif not any(bodies):
            yield Finding("readme.sections", f"README.md has a heading for {name} and nothing below it.")
