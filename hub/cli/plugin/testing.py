"""`hub plugin test`: the sixteen checks of the conformance kit, as a table, and the tier that they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub.cli.console import AsJson, err, out, print_json, say
from hub.cli.plugin.manifest import Folder
from hub.kit.errors import HubError

if TYPE_CHECKING:
    from hub.sdk.testing import Plugin, Verdict

STYLES = {"passed": "green", "failed": "bold red", "not applicable": "dim"}


def run_kit(path: Folder, as_json: AsJson = False) -> None:
    """Run the conformance kit on a plugin's folder, installed or not; exit code 1 when a check fails."""
    from hub.sdk.testing import CHECKS, State, judge

    told = []
    failed = False
    for plugin in plugins_in(path):
        verdicts = []
        with err.status(f"{plugin.kind.id}") as status:
            for check in CHECKS:
                status.update(f"{plugin.kind.id}: {check.number} {check.title}")
                verdicts.append(judge(check, plugin))
        failed = failed or any(verdict.state is State.FAILED for verdict in verdicts)
        told.append(_document(plugin, verdicts))
        if not as_json:
            _show(plugin, verdicts)
    if as_json:
        print_json(told[0] if len(told) == 1 else told)
    if failed:
        raise typer.Exit(1)


def plugins_in(path: Path) -> list[Plugin]:
    """The plugins of a folder. Raises `HubError` for one that holds none, or whose code cannot be loaded."""
    from hub.sdk.testing import NotAPlugin
    from hub.sdk.testing.plugin import at

    try:
        return at(path)
    except NotAPlugin as error:
        raise HubError(str(error)) from None
    except Exception as error:  # the plugin's own code may fail in any way
        raise HubError(
            f"The plugin cannot be loaded: {type(error).__name__}: {error}", remedy="Mend that line, and try again."
        ) from error


def _document(plugin: Plugin, verdicts: list[Verdict]) -> dict[str, Any]:
    from hub.sdk.testing import tier_reached

    return {
        "connector": plugin.kind.id,
        "tier": tier_reached(verdicts),
        "claimed": plugin.kind.tier,
        "checks": [
            {
                "number": verdict.check.number,
                "check": verdict.check.name,
                "tier": verdict.check.tier,
                "state": verdict.state,
                "findings": [finding._asdict() for finding in verdict.findings],
                "exempt": dict(verdict.exempt),
                "reason": verdict.reason or None,
            }
            for verdict in verdicts
        ],
    }


def _show(plugin: Plugin, verdicts: list[Verdict]) -> None:
    from rich.table import Table
    from rich.text import Text

    from hub.sdk.testing import tier_reached

    table = Table(title=plugin.kind.name, title_justify="left", header_style="bold")
    for column in ("", "check", "tier", "state"):
        table.add_column(column)
    for verdict in verdicts:
        state = Text(verdict.state, style=STYLES[verdict.state])
        if verdict.reason:
            state.append(f": {verdict.reason}")
        for aspect, reason in verdict.exempt:
            state.append(f"\nexempt from {aspect}: {reason}", style="yellow")
        table.add_row(str(verdict.check.number), verdict.check.title, verdict.check.tier, state)
    out.print(table)
    for verdict in verdicts:
        if verdict.findings:
            out.print(f"\n{verdict.check.number} {verdict.check.title}", style="bold red", markup=False)
            out.print(verdict.text, markup=False, highlight=False)
    say(f"{plugin.kind.id}: {tier_reached(verdicts) or 'no tier yet'}")
