"""The command `hub`."""

from __future__ import annotations

import os
import sys

import typer

from hub.cli import connect, database, demo, doctor, health, plugin, schema, serving, sync, token
from hub.cli.console import complain, print_json
from hub.kit.errors import HubError
from hub.sdk.errors import ConnectorError

app = typer.Typer(
    name="hub",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The customer-success hub: one account timeline, explained health, plays that prove they worked.",
)
app.command("demo")(demo.demo)
app.command("up")(serving.up)
app.command("serve")(serving.serve)
app.command("worker")(serving.worker)
app.add_typer(database.app, name="db")
app.add_typer(connect.app, name="connect")
app.command("sync")(sync.sync)
app.add_typer(token.app, name="token")
app.add_typer(health.app, name="health")
app.add_typer(plugin.app, name="plugin")
app.add_typer(schema.app, name="schema")
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line; an expected failure is one line with its remedy and exit code 1."""
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
    if "--json" in sys.argv:
        print_json({"error": message, "remedy": remedy})
    else:
        complain(message, remedy)
    sys.exit(1)
