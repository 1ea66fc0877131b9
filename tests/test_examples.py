"""The example of a connector does what it is shown for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson

EXAMPLE = Path(__file__).parents[1] / "examples" / "custom_connector"
MOST_LINES = 150


def test_the_example_keeps_the_whole_contract() -> None:
    """Gold, with everything in it: a stream, a refetch, a webhook and an action."""
    ended = subprocess.run(
        [sys.executable, "-m", "hub", "plugin", "test", str(EXAMPLE), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = orjson.loads(ended.stdout)
    assert ended.returncode == 0, found
    assert found["tier"] == "gold"
    assert {check["state"] for check in found["checks"]} == {"passed"}


def test_the_example_is_small() -> None:
    """A whole connector is under 150 lines, blank ones aside."""
    lines = [line for path in (EXAMPLE / "src").rglob("*.py") for line in path.read_text().splitlines() if line.strip()]
    assert 0 < len(lines) < MOST_LINES
