"""`hub blueprint` as a person uses it: mistakes with their lines, versions, and nothing done without being asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hub.blueprint.service import digest_of, read_document, read_text, shipped_path

from .conftest import Hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped blueprint that can be changed."""
    copy = tmp_path / "mine"
    copy.mkdir()
    for file in shipped_path().glob("*.yaml"):
        (copy / file.name).write_text(file.read_text())
    return copy


async def test_a_document_is_checked_applied_shown_and_compared(hub: Hub, folder: Path) -> None:
    """From the shipped one to a changed one and back, with every version kept."""
    checked = await hub("blueprint", "check", "--json")
    assert checked.json["problems"] == []
    assert checked.json["entries"]["segments"] == 2
    first = (await hub("blueprint", "apply", "--yes", "--json", "-m", "the beginning")).json
    assert (first["changed"], first["previous"]) == (True, None)
    assert (await hub("blueprint", "apply", "--yes")).out.startswith("Nothing to do")
    (folder / "mine.yaml").write_text('alerts:\n  gone_quiet: {when: "days_since_use > 21", severity: high}\n')
    plan = await hub("blueprint", "plan", str(folder))
    assert "+ alerts.gone_quiet: added" in plan.out
    assert "0 of 0 accounts would change" in plan.out
    second = (await hub("blueprint", "apply", str(folder), "--yes", "--json")).json
    diff = await hub("blueprint", "diff", str(first["version"]), "--json")
    assert diff.json["changes"] == [{"kind": "added", "section": "alerts", "entry": "gone_quiet", "parts": []}]
    history = (await hub("blueprint", "history", "--json")).json
    assert [(row["version"], row["comment"]) for row in history] == [
        (second["version"], None),
        (first["version"], "the beginning"),
    ]
    shown = await hub("blueprint", "show", str(first["version"]))
    assert digest_of(read_text(shown.out)) == digest_of(read_document(shipped_path()))
    assert yaml.safe_load(shown.out)["name"] == "saas"


async def test_a_broken_document_changes_nothing(hub: Hub, folder: Path) -> None:
    """Every mistake is a line on standard output, the end is one line, and the version stays."""
    await hub("blueprint", "apply", "--yes")
    (folder / "mine.yaml").write_text('alerts:\n  a: {when: "day_since_use > 1"}\n  b: {wen: "score < 1"}\n')
    for command in (("check",), ("apply", "--yes"), ("plan",)):
        ended = await hub("blueprint", command[0], str(folder), *command[1:])
        assert ended.code == 1
        assert f"{folder}/mine.yaml:2: alerts.a.when: names 'day_since_use'" in ended.out
        assert "did you mean 'days_since_use'?" in ended.out
        assert ended.err.strip() == "hub: The blueprint has 2 problems. Correct the document; nothing has been changed."
    found = (await hub("blueprint", "check", str(folder), "--json")).json["problems"]
    assert [(problem["line"], problem["column"], problem["path"]) for problem in found] == [
        (2, 7, ["alerts", "a", "when"]),
        (3, 7, ["alerts", "b", "wen"]),
    ]
    assert len((await hub("blueprint", "history", "--json")).json) == 1


async def test_applying_asks(hub: Hub) -> None:
    """Without a yes nothing happens; scripts have to say it."""
    asked = await hub("blueprint", "apply", stdin="n\n")
    assert asked.code == 1
    assert "+ segments.smb: added" in asked.out
    refused = await hub("blueprint", "apply", "--json")
    assert refused.code == 1
    assert refused.json["remedy"] == "Add --yes."
    assert (await hub("blueprint", "history", "--json")).json == []
    assert (await hub("blueprint", "apply", stdin="y\n")).out.endswith("scored anew by the workers.\n")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("show",), "No blueprint is in force"),
        (("show", "99"), "hub blueprint history"),
        (("diff", "1", "99"), "hub blueprint history"),
        (("check", "nowhere.yaml"), "Name a YAML file"),
    ],
)
async def test_an_error_is_one_line_with_its_remedy(hub: Hub, arguments: tuple[str, ...], hint: str) -> None:
    """No traceback, nothing on standard output, exit code 1."""
    ended = await hub("blueprint", *arguments)
    assert ended.code == 1, ended
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert hint in ended.err
