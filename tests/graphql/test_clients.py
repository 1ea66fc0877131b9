"""What others wrote to try GraphQL servers finds nothing here: run by Node against a hub behind a socket."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from hub.access.service import Role
from tests.graphql.conftest import Client, serving

PACKAGES = Path(__file__).parent / "clients"

AUDITS = 61
"""How many audits the suite of graphql-http has."""


@pytest.fixture
async def node_folder(tmp_path: Path) -> Path:
    """The packages, installed as the lock file says."""
    if shutil.which("npm") is None:
        pytest.skip("needs Node and npm")
    for file in PACKAGES.iterdir():
        shutil.copy(file, tmp_path)
    await run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", folder=tmp_path)
    return tmp_path


async def run(*command: str, folder: Path) -> str:
    """What a program prints. Fails with what it complains about."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(120):
        said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return said.decode()


async def test_the_audits_of_graphql_http_pass_whole(client: Client, node_folder: Path) -> None:
    """Not only what servers MUST do, but all that they SHOULD and MAY."""
    async with serving(client.app) as where:
        url = f"http://{where}/graphql"
        said = json.loads(await run("node", "audit.mjs", url, client.keys[Role.CSM], folder=node_folder))
    assert [one for one in said if one["status"] != "ok"] == []
    assert len(said) == AUDITS
