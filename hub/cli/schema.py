"""`hub schema`: what the hub promises the outside, written to `schema/` and compared in CI."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from hub.cli.console import AsJson, print_json, say
from hub.graphql.export import schema_sdl
from hub.kit.errors import HubError
from hub.sdk.kinds import KINDS
from hub.sdk.manifest import Manifest
from hub.sections import json_schema

app = typer.Typer(no_args_is_help=True, help="The promised schemas.")


@app.callback()
def schemas() -> None:
    """The promised schemas."""


@app.command()
def export(
    folder: Annotated[Path, typer.Option(help="Where the files are.")] = Path("schema"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a file differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the GraphQL schema, the event kinds and the JSON Schemas of blueprint and manifest."""
    files = promises()
    stale = [name for name, text in files.items() if _read(folder / name) != text]
    if check and stale:
        raise HubError(f"These files of {folder}/ are stale: {', '.join(stale)}.", remedy="Run: hub schema export")
    if not check:
        folder.mkdir(parents=True, exist_ok=True)
        for name in stale:
            (folder / name).write_text(files[name])
    if as_json:
        print_json({"files": sorted(files), "written": [] if check else sorted(stale)})
    else:
        say(f"{len(files)} files, all up to date." if not stale else f"Written: {', '.join(sorted(stale))}.")


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def promises() -> dict[str, str]:
    """The files by name: the GraphQL schema, the event kinds, the JSON Schemas of blueprint and manifest."""
    return {
        "schema.graphql": schema_sdl(),
        "event-kinds.json": _json([asdict(kind) for kind in KINDS.values()]),
        "blueprint.schema.json": _json(json_schema()),
        "manifest.schema.json": _json(Manifest.model_json_schema()),
    }


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"
