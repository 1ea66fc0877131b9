"""What the guides say is so: tables list what there is, links and settings exist."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from hub import sdk, sections
from hub.cli import app
from hub.kit.settings import Settings
from hub.sdk.testing import CHECKS

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "plugins" / "README.md").read_text()
READMES = sorted(
    path
    for path in (ROOT / name for name in os.listdir(ROOT) if not name.startswith("."))
    for path in ([path] if path.is_file() else path.rglob("*"))
    if path.name == "README.md" and not {".venv", "node_modules"} & set(path.parts)
)


def section(title: str) -> str:
    """The text below a heading of the guide, up to the next one."""
    found = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^##|\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, f"the guide has no heading {title!r}"
    return found[1]


def table(body: str, head: str) -> list[list[str]]:
    """The rows of the table whose head begins so; a row is its cells."""
    found = re.search(rf"^\| {re.escape(head)} \|.*\n\|[-|]+\|\n((?:\|.*\n?)+)", body, re.MULTILINE)
    assert found, f"there is no table with the head {head!r}"
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in found[1].splitlines()]


def named(rows: list[list[str]], column: int = 0) -> list[str]:
    """The names in a column: what stands in backticks, without arguments."""
    return [name.partition("(")[0] for row in rows for name in re.findall(r"`([^`]+)`", row[column])]


def test_the_reference_lists_every_name_of_the_sdk() -> None:
    """No name is missing, none is invented."""
    assert sorted(named(table(GUIDE, "name of `hub.sdk`"))) == sorted(sdk.__all__)


@pytest.mark.parametrize("declaration", ["stream", "pushed", "webhook", "endpoint", "action", "outlet"])
def test_the_reference_lists_every_parameter(declaration: str) -> None:
    """Of each decorator, as its signature has them."""
    listed = named(table(section("Declarations"), f"`{declaration}`"))
    assert sorted(listed) == sorted(inspect.signature(getattr(sdk, declaration)).parameters)


def test_the_reference_lists_what_a_connector_has() -> None:
    """Its attributes and methods, those that only name a type included."""
    public = {name for name in {*vars(sdk.Connector), *sdk.Connector.__annotations__} if not name.startswith("_")}
    assert set(named(table(section("Connector"), "attribute or method"))) >= public | {"config"}
    listed = {name for name in named(table(section("Connector"), "attribute or method")) if name.isidentifier()}
    assert listed - {"acme", "Rate", "SecretStr", "normalize", "receive", "accept"} == public | {"config"}


def test_the_reference_lists_every_error() -> None:
    """Each error of the tree, and no other."""
    errors = [
        name
        for name, value in vars(sdk.errors).items()
        if inspect.isclass(value) and value.__module__ == sdk.errors.__name__
    ]
    assert sorted(named(table(section("Errors"), "`sdk.errors`"))) == sorted(errors)


def test_the_reference_lists_every_key() -> None:
    """Each function of `hub.sdk.keys`."""
    makers = [name for name, value in vars(sdk.keys).items() if inspect.isfunction(value)]
    assert sorted(named(table(section("Keys"), "`sdk.keys`"))) == sorted(makers)


@pytest.mark.parametrize("value", [sdk.Page, sdk.Tombstone, sdk.Received, sdk.Refetch])
def test_the_reference_gives_the_fields_of_what_is_given_back(value: type) -> None:
    """In the order of the constructor, with the defaults."""
    written = re.search(rf"`{value.__name__}\(([^)]*)\)`", section("What streams and webhooks give"))
    assert written
    fields = [
        name if parameter.default is inspect.Parameter.empty else f"{name}={parameter.default}"
        for name, parameter in inspect.signature(value).parameters.items()
    ]
    assert written[1] == ", ".join(fields)


def commands() -> set[str]:
    """Every command of the command line, as it is typed."""
    root: Any = typer.main.get_group(app)
    found = {name: root.get_command(None, name) for name in root.list_commands(None)}
    return {
        typed
        for name, command in found.items()
        for typed in ([f"{name} {inner}" for inner in getattr(command, "commands", ())] or [name])
    }


def test_the_readme_lists_every_command() -> None:
    """Each command of `hub` stands in the table, and each command of the table is one of `hub`."""
    listed: set[str] = set()
    for cell, _ in table((ROOT / "README.md").read_text(), "command"):
        group = ""
        for name in re.findall(r"`([^`]+)`", cell):
            words = [word for word in name.split() if re.fullmatch(r"[a-z]+", word)]
            if words[0] == "hub":
                group, words = " ".join(words[1:-1]), words[1:]
            else:
                words = [*group.split(), *words]
            listed.add(" ".join(words))
    assert listed == commands()


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(readme: Path) -> None:
    """Files exist, headings too."""
    for target in re.findall(r"\]\(([^)\s]+)\)", readme.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        path = (readme.parent / name).resolve() if name else readme
        assert path.exists(), f"{readme.relative_to(ROOT)}: {target}"
        if heading:
            assert heading in headings(path), f"{readme.relative_to(ROOT)}: {target}"


def headings(path: Path) -> set[str]:
    """A page's headings as links name them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_setting_in_the_guides_exists() -> None:
    """A `HUB_…` name is a setting, or one of the test suite's own."""
    settings = {f"HUB_{name.upper()}" for name in Settings.model_fields}
    suite = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    for readme in READMES:
        for name in re.findall(r"\bHUB_[A-Z][A-Z_]*\b", readme.read_text()):
            known = name in settings or (name.startswith("HUB_TEST_") and name in suite)
            assert known, f"{readme.relative_to(ROOT)}: {name}"


def test_the_shipped_blueprint_can_be_read() -> None:
    """The folder that the examples' guide says to copy passes the whole check."""
    assert sections.read(ROOT / "examples" / "blueprints" / "saas")["name"] == "saas"


def test_the_picture_of_the_demo_stands_alone() -> None:
    """It asks no host for anything, and shows no key that works."""
    picture = (ROOT / "examples" / "demo.svg").read_text()
    assert not re.search(r"(href|src)=|url\((?!#)|@font-face|@import", picture)
    assert not re.search(r"hub_[\w-]{43}", picture)
    assert "referenceable" in picture


def test_the_guide_lists_the_checks_of_the_kit() -> None:
    """Each with its title, its tier and what may be exempt."""
    found = re.search(r"^\| \| check \| tier \|.*\n\|[-|]+\|\n((?:\|.*\n?)+)", GUIDE, re.MULTILINE)
    assert found
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]
    assert rows == [
        [str(check.number), check.title, check.tier, ", ".join(f"`{aspect}`" for aspect in check.aspects)]
        for check in CHECKS
    ]


def test_the_guide_lists_the_tools() -> None:
    """Each command of `hub plugin`."""
    listed = [name.split()[2] for name, _ in table(section("Tools"), "command") for name in [name.strip("`")]]
    assert sorted(f"plugin {name}" for name in listed) == sorted(
        name for name in commands() if name.startswith("plugin ")
    )


def test_the_guide_lists_the_signature_schemes() -> None:
    """Each ready one, with the fields that it takes."""
    schemes = {
        name: list(inspect.signature(value).parameters)
        for name, value in vars(sdk).items()
        if inspect.isclass(value) and hasattr(value, "sign") and value is not sdk.Signing
    }
    listed = {
        name.partition("(")[0]: re.findall(r"(\w+)(?==|,|\))", name.partition("(")[2])
        for row in table(section("Signature schemes"), "scheme")
        for name in re.findall(r"`([^`]+)`", row[0])
    }
    assert listed.keys() == schemes.keys()
    for name, fields in schemes.items():
        assert set(fields) <= set(listed[name])


def test_every_trap_has_its_test() -> None:
    """The table names tests that there are."""
    rows = table((ROOT / "tests" / "README.md").read_text(), "vendor")
    tests = named(rows, 2)
    assert len(rows) >= 8
    for one in tests:
        path, _, name = one.partition("::")
        assert re.search(rf"^((async )?def {name}\(|{name} = )", (ROOT / path).read_text(), re.MULTILINE), one
