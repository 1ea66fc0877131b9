"""`hub plugin`: what is installed, and the tools of those who write one."""

from __future__ import annotations

import typer

from hub.cli.console import AsJson, print_json, print_table
from hub.cli.plugin.developing import dev
from hub.cli.plugin.doubling import double
from hub.cli.plugin.manifest import manifest
from hub.cli.plugin.recording import record
from hub.cli.plugin.sending import send
from hub.cli.plugin.testing import run_kit
from hub.cli.plugin.writing import new

app = typer.Typer(no_args_is_help=True, help="Installed plugins, and the tools to write one.")
app.command("new")(new)
app.command("test")(run_kit)
app.command("manifest")(manifest)
app.command("dev")(dev)
app.command("double")(double)
app.command("record")(record)
app.command("send")(send)


@app.callback()
def plugins() -> None:
    """Installed plugins, and the tools to write one."""


@app.command("list")
def list_plugins(as_json: AsJson = False) -> None:
    """Show every plugin: what it brought, or why it could not be loaded."""
    from hub.connections import registry

    rows = [
        {
            "plugin": plugin.name,
            "connectors": ", ".join(plugin.connectors),
            "state": "broken" if plugin.error else "ready",
            "problem": plugin.error,
        }
        for plugin in registry.current().plugins
    ]
    if as_json:
        print_json(rows)
    else:
        columns = ["plugin", "connectors", "state", "problem"]
        print_table("Plugins", columns, rows, empty="No plugin is installed. For example: pip install hub-segment")
