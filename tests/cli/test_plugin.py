"""The tools of those who write plugins: what is generated keeps the contract, and what is wrong is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest


def hub(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command as its user runs it, without any server."""
    return subprocess.run(
        [sys.executable, "-m", "hub", "plugin", *arguments],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def told(ended: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command printed."""
    return orjson.loads(ended.stdout)


@pytest.mark.parametrize("options", [(), ("--webhook",), ("--action",), ("--webhook", "--action")], ids=" ".join)
def test_what_is_generated_keeps_the_whole_contract(tmp_path: Path, options: tuple[str, ...]) -> None:
    """All four kinds of plugin reach gold at once; what they do not have does not apply."""
    assert hub("new", "acme_desk", *options, cwd=tmp_path).returncode == 0
    ended = hub("test", "acme_desk", "--json", cwd=tmp_path)
    found = told(ended)
    assert ended.returncode == 0, found
    assert (found["connector"], found["tier"], found["claimed"]) == ("acme_desk", "gold", "gold")
    idle = {check["number"] for check in found["checks"] if check["state"] == "not applicable"}
    assert idle == (set() if "--webhook" in options else {13, 14}) | (set() if "--action" in options else {15})
    assert hub("manifest", "acme_desk", "--check", cwd=tmp_path).returncode == 0


def test_what_is_generated_is_clean(tmp_path: Path) -> None:
    """Formatted, without a complaint of the linter, strictly typed."""
    assert hub("new", "acme", "--webhook", "--action", cwd=tmp_path).returncode == 0
    root = Path(__file__).parents[2]
    for tool in (
        ("ruff", "format", "--check", "--config", str(root / "pyproject.toml")),
        ("ruff", "check", "--config", str(root / "pyproject.toml"), "--ignore", "S"),
    ):
        ended = subprocess.run(
            [sys.executable, "-m", *tool, str(tmp_path / "acme")], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_its_own_tests_run_the_kit(tmp_path: Path) -> None:
    """One line in a test file is sixteen tests."""
    assert hub("new", "acme", "--webhook", "--action", cwd=tmp_path).returncode == 0
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "tests"],
        cwd=tmp_path / "acme",
        env=os.environ | {"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "16 passed" in ended.stdout, ended.stdout


def test_what_is_wrong_is_told_with_the_line_to_write(tmp_path: Path) -> None:
    """A table for people, findings for scripts, exit code 1, and the tier that is left."""
    assert hub("new", "acme", cwd=tmp_path).returncode == 0
    readme = tmp_path / "acme" / "README.md"
    readme.write_text(readme.read_text().replace("## Quirks", "## Notes"))
    ended = hub("test", "acme", cwd=tmp_path)
    assert ended.returncode == 1
    assert "add a section ## Quirks" in ended.stdout
    assert "acme: silver" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("new", "Acme!"), "lower case letters"),
        (("new", "there"), "another name"),
        (("test", "there"), "hub plugin new"),
        (("manifest", "there"), "hub plugin new"),
    ],
)
def test_an_error_is_one_line_with_its_remedy(tmp_path: Path, arguments: tuple[str, ...], hint: str) -> None:
    """No traceback, nothing on standard output."""
    (tmp_path / "there").mkdir()
    ended = hub(*arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert hint in ended.stderr


def test_a_release_that_drops_something_is_told(tmp_path: Path) -> None:
    """`manifest` shows, `--write` releases, `--check` compares."""
    assert hub("new", "acme", "--action", cwd=tmp_path).returncode == 0
    shown = told(hub("manifest", "acme", cwd=tmp_path))
    assert shown == orjson.loads((tmp_path / "acme" / "manifest.json").read_bytes())
    models = tmp_path / "acme" / "src" / "hub_acme" / "models.py"
    models.write_text(models.read_text().replace("    text: str = Field(max_length=500)", "    words: str"))
    ended = hub("manifest", "acme", "--check", cwd=tmp_path)
    assert ended.returncode == 1
    assert "no longer takes text" in ended.stderr
    assert "now requires words" in ended.stderr
    assert hub("manifest", "acme", "--write", cwd=tmp_path).returncode == 0
    assert hub("manifest", "acme", "--check", cwd=tmp_path).returncode == 0


def test_what_fixtures_become_is_shown(tmp_path: Path) -> None:
    """Records and deliveries, each with its events, or with what it fails with."""
    assert hub("new", "acme", "--webhook", cwd=tmp_path).returncode == 0
    shown = {entry["fixture"]: entry for entry in told(hub("dev", "acme", "--once", "--json", cwd=tmp_path))}
    for name in ("answers.promoter.json", "deliveries.created.json"):
        assert [event["kind"] for event in shown[name]["events"]] == ["survey.answered"]
    (tmp_path / "acme/tests/fixtures/answers.promoter.json").write_text("{}")
    shown = {entry["fixture"]: entry for entry in told(hub("dev", "acme", "--once", "--json", cwd=tmp_path))}
    assert "ValidationError" in shown["answers.promoter.json"]["problem"]


def test_each_save_shows_it_anew(tmp_path: Path) -> None:
    """Until it is stopped."""
    assert hub("new", "acme", cwd=tmp_path).returncode == 0
    connector = tmp_path / "acme/src/hub_acme/connector.py"
    watching = subprocess.Popen(
        [sys.executable, "-m", "hub", "plugin", "dev", "acme"],
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout is not None
        for place in ("company:co_7", "firm:co_7", "house:co_7"):
            seen = next((line for line in watching.stdout if "co_7" in line), "")
            assert place in seen
            before, after = (
                place.split(":")[0],
                {"company": "firm", "firm": "house", "house": "end"}[place.split(":")[0]],
            )
            connector.write_text(connector.read_text().replace(f'f"{before}:', f'f"{after}:'))
    finally:
        watching.terminate()
        watching.communicate(timeout=30)


def test_a_folder_can_be_loaded_without_being_installed(tmp_path: Path) -> None:
    """Named in HUB_PLUGIN_FOLDERS; one that is none is told."""
    assert hub("new", "acme", cwd=tmp_path).returncode == 0
    command = [sys.executable, "-m", "hub", "plugin", "list", "--json"]
    for folders, found in (('["acme"]', True), ('["."]', False)):
        ended = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"HUB_PLUGIN_FOLDERS": folders},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode == 0) is found
        assert ("acme" in ended.stdout) is found
    assert "HUB_PLUGIN_FOLDERS" in orjson.loads(ended.stdout)["remedy"]
