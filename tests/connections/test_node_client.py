"""The unmodified Segment client for Node, over a socket: what it sends is on the timeline, exactly once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Mount

from hub.connections import registry
from hub.connections import service as connections
from hub.connections.jobs import drain_deliveries
from hub.connections.webhooks import Intake
from hub.kit.loopback import serve
from hub.kit.runtime import Kit
from hub.timeline.jobs import drain_raw_records

SCRIPT = Path(__file__).parent / "node"
WRITE_KEY = "write-key-of-the-tests"
TOLD = datetime(2026, 3, 1, 9, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="Node is not installed")


async def run(*command: str, cwd: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.fixture
async def client(tmp_path: Path) -> Path:
    """The client, installed as its lock file says."""
    folder = tmp_path / "node"
    shutil.copytree(SCRIPT, folder)
    await run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder)
    return folder


@pytest.fixture
async def hub(kit: Kit) -> AsyncIterator[str]:
    """The intake on a socket, with a connection to Segment."""
    async with kit.transaction() as session:
        found = registry.current()
        config = {"write_key": WRITE_KEY}
        await connections.add(session, kit.vault, found, "segment", "segment", config, now=kit.clock.now())
    intake = Intake(kit)
    async with serve(Starlette(routes=[Mount("/in", intake)])) as url:
        yield url
    await intake.close()


async def test_the_real_node_client_sent_twice_is_recorded_once(kit: Kit, hub: str, client: Path) -> None:
    """identify, group, alias, page, screen and batches of track, at their own times; the client repeats all of it."""
    for _ in range(2):
        await run("node", "send.mjs", f"{hub}/in/segment", WRITE_KEY, cwd=client)
    while await drain_deliveries(kit) + await drain_raw_records(kit):
        pass
    async with kit.reading() as session:
        found = await session.execute(
            text(
                "SELECT e.record_id, e.kind, e.occurred_at, a.name FROM event e "
                "JOIN source_account s ON s.id = e.source_account_id JOIN account a ON a.id = s.account_id"
            )
        )
        timeline = found.all()
    assert {row.name for row in timeline} == {"Northwind"}
    ids = [row.record_id for row in timeline if (row.record_id, row.kind) != ("m-group", "person.identified")]
    single = ["m-identify", "m-group", "m-alias", "m-page", "m-screen"]
    assert sorted(ids) == sorted([*single, *(f"m-track-{number}" for number in range(40))])
    tracked = sorted(row.occurred_at for row in timeline if row.record_id.startswith("m-track"))
    assert abs(tracked[0] - TOLD) < timedelta(seconds=5)
    assert abs(tracked[-1] - TOLD - timedelta(minutes=39)) < timedelta(seconds=5)


async def test_the_real_node_client_is_told_that_its_key_is_wrong(hub: str, client: Path) -> None:
    """It reports the failure instead of losing messages in silence."""
    with pytest.raises(AssertionError, match="401"):
        await run("node", "send.mjs", f"{hub}/in/segment", "wrong-key-of-the-tests", cwd=client)
