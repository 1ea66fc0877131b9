"""`hub plugin manifest`: what a plugin promises, derived from its code, written at a release, compared afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.console import AsJson, out, print_json, say
from hub.kit.errors import HubError

if TYPE_CHECKING:
    from hub.sdk.manifest import Manifest

Folder = Annotated[Path, typer.Argument(help="The plugin's folder, with its pyproject.toml.", exists=True)]


def manifest(
    path: Folder,
    check: Annotated[bool, typer.Option("--check", help="Fail when something of the last release is gone.")] = False,
    writes: Annotated[bool, typer.Option("--write", help="Write it to manifest.json: a release.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a plugin promises; with `--check` compare it with the last released manifest."""
    from hub.sdk.manifest import Manifest
    from hub.sdk.releases import dropped

    for found in manifests(path):
        if check:
            released = path / "manifest.json"
            if not released.exists():
                raise HubError("There is no released manifest.", remedy=f"Write it: hub plugin manifest {path} --write")
            gone = dropped(Manifest.model_validate_json(released.read_bytes()), found)
            if gone:
                raise HubError(
                    f"Since the last release {'; '.join(gone)}.",
                    remedy=f"Put it back, or release a new major version: hub plugin manifest {path} --write",
                )
            print_json({"dropped": []}) if as_json else say(f"{found.id}: nothing was dropped.")
        elif writes:
            write(path, found)
            print_json({"written": "manifest.json"}) if as_json else say(f"Written: {path / 'manifest.json'}")
        else:
            out.print(found.model_dump_json(indent=2), markup=False, highlight=False, emoji=False)


def manifests(path: Path) -> list[Manifest]:
    """The manifests of the connectors in a plugin's folder. Raises `HubError`."""
    from hub.cli.plugin.testing import plugins_in
    from hub.sdk.manifest import manifest_of

    return [manifest_of(plugin.kind) for plugin in plugins_in(path)]


def write(path: Path, found: Manifest) -> None:
    """Make it the released one."""
    (path / "manifest.json").write_text(found.model_dump_json(indent=2) + "\n")
