"""What the guides say is so: the tutorial works as it stands, tables list what there is, links and settings exist."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import typer.main
from sqlalchemy import text

from hub import sdk, sections
from hub.cli import app
from hub.connections import registry
from hub.connections import service as connections
from hub.connections.jobs import drain_deliveries
from hub.connections.model import Connection
from hub.connections.registry import Registry
from hub.connections.webhooks import Intake
from hub.kit.runtime import Kit
from hub.kit.settings import Settings
from hub.sandbox.loopback import serve
from hub.sdk.manifest import manifest_of
from hub.timeline.jobs import drain_raw_records

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "plugins" / "README.md").read_text()
READMES = sorted(
    path
    for path in (ROOT / name for name in os.listdir(ROOT) if not name.startswith("."))
    for path in ([path] if path.is_file() else path.rglob("*"))
    if path.name == "README.md" and not {".venv", "node_modules"} & set(path.parts)
)

STEP = re.compile(r"^`(acme/[^`]+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A file of the tutorial: its path in backticks on a line of its own, and its text in the block right below."""

SECRET = base64.b64encode(b"a secret of twenty-four bytes").decode()


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


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tutorial's files, written in their order, and importable."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name, content in STEP.findall(GUIDE):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    added = [str(folder / "acme" / "src"), str(folder / "acme" / "tests")]
    before = set(sys.modules)
    sys.path[:0] = added
    yield folder / "acme"
    sys.path[:] = [entry for entry in sys.path if entry not in added]
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"hub_acme", "double"}:
            del sys.modules[name]


@pytest.fixture
def installed(acme: Path) -> Iterator[Registry]:
    """The registry as it is when the tutorial's distribution is installed: loaded by its entry point."""
    declared = tomllib.loads((acme / "pyproject.toml").read_text())["project"]["entry-points"][registry.GROUP]
    points = [EntryPoint(name, value, registry.GROUP) for name, value in declared.items()]
    with registry.using(registry.load(points, strict=True)) as found:
        yield found


async def connect(kit: Kit, found: Registry, url: str) -> Connection:
    config = {"api_key": "acme-key", "webhook_secret": f"whsec_{SECRET}", "base_url": url}
    async with kit.transaction() as session:
        return await connections.add(session, kit.vault, found, "acme", "acme", config, now=kit.clock.now())


async def told(kit: Kit) -> list[tuple[Any, ...]]:
    """The timeline as far as it came from a vendor: kind, value, account, and the thing with its state."""
    while await drain_raw_records(kit):
        pass
    async with kit.reading() as session:
        rows = await session.execute(
            text(
                "SELECT e.kind, e.value, a.name, e.subject_id, e.subject_state FROM event e "
                "JOIN source_account s ON s.id = e.source_account_id JOIN account a ON a.id = s.account_id "
                "WHERE e.connection_id IS NOT NULL ORDER BY e.occurred_at"
            )
        )
        return [tuple(row) for row in rows]


async def test_the_tutorials_connector_reads_its_vendor(kit: Kit, acme: Path, installed: Registry) -> None:
    """From the double over a socket to an event on the account's timeline; reading again changes nothing."""
    async with serve(importlib.import_module("double").app) as url:
        connection = await connect(kit, installed, url)
        assert connection.tenant == "northern-office"
        for backfill in (True, False):
            outcome = await connections.sync_stream(kit, connection.id, "answers", backfill=backfill)
            assert outcome.ended is connections.Ended.DONE, outcome
            assert await told(kit) == [("survey.answered", 9.0, "Northwind", "ans_1", "given")]


async def test_the_tutorials_webhook_brings_and_takes_back(kit: Kit, acme: Path, installed: Registry) -> None:
    """A signed delivery is stored and read; an unsigned one is refused; what was deleted says so."""
    async with serve(importlib.import_module("double").app) as url:
        await connect(kit, installed, url)
    answer = orjson.loads((acme / "tests" / "fixtures" / "answers.promoter.json").read_bytes())
    intake = Intake(kit)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=intake, root_path="/in"), base_url="http://hub"
    ) as sender:
        assert (await deliver(kit, sender, "msg_0", b"{}", signature="v1,forged")).status_code == 401
        given = ("survey.answered", 3.0, "Northwind", "ans_1", "given")
        created = orjson.dumps({"type": "answer.created", "data": answer | {"score": 3}})
        assert (await deliver(kit, sender, "msg_1", created)).status_code == 200
        await drain_deliveries(kit)
        assert await told(kit) == [given]
        deleted = orjson.dumps({"type": "answer.deleted", "data": {"id": answer["id"]}})
        assert (await deliver(kit, sender, "msg_2", deleted)).status_code == 200
        await drain_deliveries(kit)
        assert await told(kit) == [given, ("thing.deleted", None, "Northwind", "ans_1", "deleted")]
    await intake.close()


async def deliver(
    kit: Kit, sender: httpx.AsyncClient, name: str, body: bytes, signature: str | None = None
) -> httpx.Response:
    at = str(int(kit.clock.now().timestamp()))
    signed = hmac.new(base64.b64decode(SECRET), f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": signature or f"v1,{base64.b64encode(signed).decode()}",
    }
    return await sender.post("/in/acme/webhook", content=body, headers=headers)


async def test_the_tutorials_action_happens_once(kit: Kit, acme: Path, installed: Registry) -> None:
    """The same key twice leaves one note with the vendor."""
    double = importlib.import_module("double")
    double.NOTES.clear()
    async with serve(double.app) as url:
        connection = await connect(kit, installed, url)
        thanks = {"person": "pe_3", "text": "Thank you."}
        for _ in range(2):
            done = await connections.perform(kit, connection.name, "acme.thank", thanks, key=f"{UUID(int=1)}:thank")
            assert (done.problem, dict(done.output)) == (None, {"note": "note_1"})
    assert len(double.NOTES) == 1


def test_the_tutorials_own_tests_pass(acme: Path) -> None:
    """Run as its author would run them, in a folder of their own."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(acme),
        str(acme / "tests"),
    ]
    variables = os.environ | {"PYTHONPATH": str(acme / "src")}
    ended = subprocess.run(command, env=variables, cwd=acme, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout


def test_the_tutorial_imports_the_sdk_alone(acme: Path) -> None:
    """As every plugin must."""
    for path in (acme / "src").rglob("*.py"):
        for module in re.findall(r"^\s*(?:from|import) (hub\b[\w.]*)", path.read_text(), re.MULTILINE):
            assert module == "hub" or module.startswith("hub.sdk"), f"{path.name} imports {module}"


def test_the_manifest_of_the_tutorial_is_what_the_text_says(installed: Registry) -> None:
    """Fifteen minutes, one stream, the address of the webhook, the name of the action."""
    manifest = manifest_of(installed.connector("acme"))
    assert [(stream.name, stream.interval_seconds) for stream in manifest.streams] == [("answers", 900)]
    assert [webhook.path for webhook in manifest.webhooks] == ["webhook"]
    assert [action.name for action in manifest.actions] == ["thank"]
    for said in ("every fifteen minutes", "https://HUB/in/acme/webhook", "acme.thank"):
        assert said in section("5. Install and connect it")


def test_the_reference_lists_every_name_of_the_sdk() -> None:
    """No name is missing, none is invented."""
    assert sorted(named(table(GUIDE, "name of `hub.sdk`"))) == sorted(sdk.__all__)


@pytest.mark.parametrize("declaration", ["stream", "pushed", "webhook", "endpoint", "action"])
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
    suite = "".join(path.read_text() for path in (ROOT / "tests").rglob("conftest.py"))
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
