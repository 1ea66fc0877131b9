"""Connectors that are broken in one thing each: what `hub plugin new acme --webhook --action` writes, and one change.

A module for each check names the changes that break it; the kit has to fail on exactly that check.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONNECTOR = "src/hub_acme/connector.py"
MODELS = "src/hub_acme/models.py"
VENDOR = "tests/vendor.py"
FIXTURES = "tests/fixtures"
READS = 'page = sdk.expect(await self.http.get("/v1/answers", params={"after": sequence}), AnswerPage)'
YIELDS = "yield sdk.Page(page.answers, Since(sequence=sequence))"
CHECKS = 'return sdk.expect(await self.http.get("/v1/me"), Me).workspace'


@dataclass(frozen=True)
class Broken:
    """`aspects` are what the kit finds; `changes` are (file, before, after); without `before` the file is taken out."""

    name: str
    aspects: str
    changes: tuple[tuple[str, str, str], ...]

    def spoil(self, root: Path) -> None:
        """Make the changes in a plugin's folder."""
        for name, before, after in self.changes:
            path = root / name
            if not before:
                path.unlink()
                continue
            text = path.read_text()
            assert text.count(before) == 1, f"{self.name}: {name} has not exactly one {before!r}"
            path.write_text(text.replace(before, after))


def broken(name: str, aspects: str, *changes: tuple[str, str, str]) -> Broken:
    """One broken connector."""
    return Broken(name, aspects, changes)


def guarded(statement: str, error: str, otherwise: str, *, indent: int = 8) -> str:
    """A statement in a `try` that does the wrong thing about an error."""
    space = " " * indent
    return f"try:\n{space}    {statement}\n{space}except {error}:\n{space}    {otherwise}"
