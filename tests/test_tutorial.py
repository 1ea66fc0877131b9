"""The tutorial works as it stands: gone through step by step in an empty folder, and then used in a real hub."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
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
from sqlalchemy import text

from hub.connections import registry
from hub.connections import service as connections
from hub.connections.jobs import drain_deliveries
from hub.connections.model import Connection
from hub.connections.registry import Registry
from hub.connections.webhooks import Intake
from hub.kit.loopback import serve
from hub.kit.runtime import Kit
from hub.sdk.manifest import manifest_of
from hub.timeline.jobs import drain_raw_records

GUIDE = (Path(__file__).parents[1] / "plugins" / "README.md").read_text()
TUTORIAL = GUIDE[GUIDE.index("## Write one in an afternoon") : GUIDE.index("## Reference")]
STEP = re.compile(r"^(?:`(?P<file>acme/[^`]+)`\n)?```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
"""A step: a block, below the name of the file that it shows, or with what is to be done with it."""

SECRET = base64.b64encode(b"a secret of twenty-four bytes").decode()


def go(folder: Path, command: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
    """A command as the reader types it, in an environment with the hub."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, input=given, capture_output=True, text=True, check=False
    )


def take(folder: Path, step: re.Match[str]) -> None:
    """Do what a block says; a block that is neither a file, a change nor a command is for reading alone."""
    file, info, body = step["file"], step["info"], step["body"]
    if file:
        assert (folder / file).read_text() == body, f"{file} is not what the guide shows"
    elif info == "diff":
        changed = go(folder, ["git", "apply", "--unidiff-zero", "-"], body)
        assert changed.returncode == 0, changed.stderr
    elif info.startswith("sh"):
        for line in body.splitlines():
            ended = go(folder, ["sh", "-c", line])
            assert (ended.returncode != 0) == (info == "sh fails"), f"{line}\n{ended.stdout}{ended.stderr}"


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder after all steps of the tutorial, importable."""
    folder = tmp_path_factory.mktemp("tutorial")
    steps = list(STEP.finditer(TUTORIAL))
    assert {step["info"] for step in steps} >= {"sh", "sh fails", "diff", "python"}
    for step in steps:
        take(folder, step)
    added = [str(folder / "acme" / "src"), str(folder / "acme" / "tests")]
    before = set(sys.modules)
    sys.path[:0] = added
    yield folder / "acme"
    sys.path[:] = [entry for entry in sys.path if entry not in added]
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"hub_acme", "vendor"}:
            del sys.modules[name]


def double() -> Any:
    """The vendor's double, holding the one answer of the fixtures."""
    module = importlib.import_module("vendor")
    vendor = module.Double()
    vendor.held["answers"].append(module.ANSWER)
    return vendor


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
    async with serve(double().app()) as url:
        connection = await connect(kit, installed, url)
        assert connection.tenant == "northern-office"
        for backfill in (True, False):
            outcome = await connections.sync_stream(kit, connection.id, "answers", backfill=backfill)
            assert outcome.ended is connections.Ended.DONE, outcome
            assert await told(kit) == [("survey.answered", 9.0, "Northwind", "ans_1", "given")]


async def test_the_tutorials_webhook_brings_and_takes_back(kit: Kit, acme: Path, installed: Registry) -> None:
    """A signed delivery is stored and read; an unsigned one is refused; what was deleted says so."""
    async with serve(double().app()) as url:
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
    vendor = double()
    async with serve(vendor.app()) as url:
        connection = await connect(kit, installed, url)
        thanks = {"person": "pe_3", "text": "Thank you."}
        for _ in range(2):
            done = await connections.perform(kit, connection.name, "acme.thank", thanks, key=f"{UUID(int=1)}:thank")
            assert (done.problem, dict(done.output)) == (None, {"note": "note_1"})
    assert len(vendor.effects) == 1


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
        assert said in TUTORIAL
