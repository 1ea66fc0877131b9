"""The command `hub`."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "demo": "hub.cli.demo:demo",
    "up": "hub.cli.serving:up",
    "serve": "hub.cli.serving:serve",
    "worker": "hub.cli.serving:worker",
    "db": "hub.cli.database:app",
    "connect": "hub.cli.connect:app",
    "import": "hub.cli.importing:import_file",
    "sync": "hub.cli.sync:sync",
    "quarantine": "hub.cli.quarantine:app",
    "replay": "hub.cli.replay:replay",
    "erase": "hub.cli.erase:app",
    "token": "hub.cli.token:app",
    "sandbox": "hub.cli.sandbox:sandbox",
    "health": "hub.cli.health:app",
    "alerts": "hub.cli.alerts:app",
    "watch": "hub.cli.watch:app",
    "play": "hub.cli.plays:app",
    "plugin": "hub.cli.plugin:app",
    "blueprint": "hub.cli.blueprint:app",
    "schema": "hub.cli.schema:app",
    "doctor": "hub.cli.doctor:doctor",
}
"""Every command, and where it stands: a function, or an app with commands of its own."""


class OnDemand(TyperGroup):
    """Loads a command's module when the command is asked for: `hub token` need not wait for GraphQL and polars.

    Typer carries a click of its own, whose types it does not export.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(cmd_name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(cls=OnDemand, name="hub", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def hub() -> None:
    """The customer-success hub: one account timeline, explained health, plays that prove they worked."""


def main() -> None:
    """Run the command line; an expected failure is one line with its remedy and exit code 1."""
    from hub.kit.errors import HubError
    from hub.sdk.errors import ConnectorError

    try:
        app()
    except HubError as error:
        _fail(error.message, error.remedy)
    except ConnectorError as error:
        _fail(error.message, "")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe went away (`hub token list | head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _fail(message: str, remedy: str) -> None:
    from hub.cli.console import complain, print_json

    if "--json" in sys.argv:
        print_json({"error": message, "remedy": remedy})
    else:
        complain(message, remedy)
    sys.exit(1)
