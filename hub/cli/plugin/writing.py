"""`hub plugin new`: a plugin that keeps the whole contract from its first minute, to be changed into the real one."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.console import AsJson, print_json, say
from hub.kit.errors import Invalid

TEMPLATE = Path(__file__).parent / "template"
NAME = re.compile(r"^[a-z][a-z0-9_]{0,39}$")


def new(
    name: Annotated[str, typer.Argument(help="The connector's id: lower case letters, digits, underscores.")],
    webhook: Annotated[bool, typer.Option("--webhook", help="It takes webhooks.")] = False,
    action: Annotated[bool, typer.Option("--action", help="It can have the vendor do something.")] = False,
    folder: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a plugin for an invented vendor, its double included; it passes `hub plugin test` at once."""
    if not NAME.match(name):
        raise Invalid(
            f"{name!r} cannot be a connector's id.", remedy="Use lower case letters, digits and underscores, e.g. acme."
        )
    root = folder / name
    if root.exists():
        raise Invalid(f"{root} is there already.", remedy="Choose another name, or another --folder.")
    written = write_plugin(root, name, webhook=webhook, action=action)
    if as_json:
        print_json({"folder": str(root), "files": written})
    else:
        say(f"{len(written)} files in {root}. Try it: hub plugin test {root}")


def write_plugin(root: Path, name: str, *, webhook: bool, action: bool) -> list[str]:
    """Write the files and the first manifest; returns the files' names."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Python and Markdown, no HTML
    )
    values = _values(name, webhook, action)
    written = []
    for path in sorted(TEMPLATE.rglob("*.jinja")):
        source = path.relative_to(TEMPLATE)
        if not _wanted(source, webhook, action):
            continue
        target = root / str(source.with_suffix("")).replace("src/package", f"src/hub_{name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(environment.get_template(source.as_posix()).render(values))
        written.append(str(target.relative_to(root)))
    _write_manifest(root)
    return [*written, "manifest.json"]


def _wanted(source: Path, webhook: bool, action: bool) -> bool:
    return (webhook or "webhooks" not in source.parts) and (action or "actions" not in source.parts)


def _values(name: str, webhook: bool, action: bool) -> dict[str, Any]:
    words = name.split("_")
    secrets = [base64.b64encode(hashlib.sha256(f"{name} {number}".encode()).digest()).decode() for number in range(2)]
    return {
        "name": name,
        "title": " ".join(word.capitalize() for word in words),
        "kind": "".join(word.capitalize() for word in words),
        "webhook": webhook,
        "action": action,
        "secret": secrets[0],
        "previous_secret": secrets[1],
    }


def _write_manifest(root: Path) -> None:
    from hub.cli.plugin.manifest import manifests, write

    for manifest in manifests(root):
        write(root, manifest)
