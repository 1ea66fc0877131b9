"""The tools of plugins' authors that need a hub or a vendor: deliveries sent, records recorded."""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson

from hub.connections.webhooks import Intake
from hub.kit.loopback import serve
from hub.kit.runtime import Kit
from hub.sandbox import StripeDouble, invent, invent_books

from .conftest import Hub

PLUGINS = Path(__file__).parents[2] / "plugins"
NOW = datetime(2026, 3, 2, tzinfo=UTC)


async def test_a_fixture_is_sent_as_its_vendor_would(hub: Hub, kit: Kit) -> None:
    """Signed with the connection's own secret: the hub takes it; without a hub, one line says so."""
    fixture = str(PLUGINS / "inapp" / "tests" / "fixtures" / "webhooks" / "events.shown.json")
    secret = hashlib.sha256(b"any").hexdigest()
    assert (await hub("connect", "add", "inapp", "--name", "inapp", "--set", f"secret={secret}")).code == 0
    intake = Intake(kit)
    async with serve(intake) as url:
        sent = await hub("plugin", "send", fixture, "--connection", "inapp", "--to", url, "--json")
        assert (sent.code, sent.json["status"]) == (0, 200), sent
        unknown = await hub("plugin", "send", fixture, "--connection", "nobody", "--to", url)
        assert (unknown.code, len(unknown.err.splitlines())) == (1, 1)
    await intake.close()
    alone = await hub("plugin", "send", fixture, "--connection", "inapp", "--to", url)
    assert alone.code == 1
    assert "No hub answers" in alone.err
    assert secret not in sent.out + sent.err + alone.err


async def test_fixtures_are_recorded_without_what_is_personal(hub: Hub, tmp_path: Path) -> None:
    """A few of each stream, each with what it becomes; nobody's name, address or key."""
    base = invent(until=NOW)
    double = StripeDouble(invent_books(base), key="sk_test_invented_key", clock=lambda: NOW)
    async with double.running() as url:
        added = await hub(
            "connect",
            "add",
            "stripe",
            "--name",
            "billing",
            "--set",
            f"api_key={double.key}",
            "--set",
            f"base_url={url}",
        )
        assert added.code == 0, added
        ended = await hub(
            "plugin", "record", "billing", "--to", str(tmp_path), "--stream", "customers", "--limit", "2", "--json"
        )
    assert ended.code == 0, ended
    records = ["customers.recorded_1.json", "customers.recorded_2.json"]
    assert [name for name in ended.json["files"] if not name.endswith(".events.json")] == records
    for name in records:
        record = orjson.loads((tmp_path / name).read_bytes())
        assert record["object"] == "customer"
        [event] = orjson.loads((tmp_path / name).with_suffix(".events.json").read_bytes())
        assert event["kind"] == "customer.created"
    written = "".join((tmp_path / name).read_text() for name in ended.json["files"])
    assert double.key not in written
    for company in base.companies:
        assert company.name not in written
        assert company.domain not in written


async def test_a_hub_is_connected_to_a_double(hub: Hub, tmp_path: Path) -> None:
    """What the tutorial ends with: the double on a port, a connection to it, its records on the timeline."""
    assert (await hub("plugin", "new", "acme", "--folder", str(tmp_path))).code == 0
    root = str(tmp_path / "acme")
    folders = orjson.dumps([root]).decode()
    serving = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "plugin", "double", root, "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert serving.stdout is not None
        url = re.search(r"http://\S+", (await serving.stdout.readline()).decode())
        assert url is not None
        options = ("--set", "api_key=acme-key", "--set", f"base_url={url[0]}")
        added = await hub("connect", "add", "acme", *options, HUB_PLUGIN_FOLDERS=folders)
        assert added.code == 0, added
        synced = await hub("sync", "acme", "--backfill", "--json", HUB_PLUGIN_FOLDERS=folders)
        assert synced.code == 0, synced
        assert "answers" in synced.out
        [listed] = (await hub("connect", "list", "--json", HUB_PLUGIN_FOLDERS=folders)).json
        assert (listed["name"], listed["records"]) == ("acme", 5)
    finally:
        serving.terminate()
        await serving.communicate()
