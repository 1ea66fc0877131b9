"""`hub sandbox`: doubles that a connection can be made to, and a clear word about what there is not."""

from __future__ import annotations

import asyncio
import signal
import sys

import httpx
import orjson
import pytest

from .conftest import Hub


async def test_the_doubles_answer_with_the_printed_credentials_until_they_are_interrupted() -> None:
    """One JSON document with all of them; Ctrl-C ends it without an error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "sandbox", "--accounts", "9", "--faults", "stripe.rate_limited=1", "--json"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    document = b""
    while not document.endswith(b"\n}\n"):
        document += await process.stdout.readline()
    told = orjson.loads(document)
    assert told["accounts"] == 9
    assert {"stripe", "salesforce", "zendesk", "intercom", "segment", "inapp"} == told["doubles"].keys()
    config, chat = (told["doubles"][name]["config"] for name in ("stripe", "intercom"))
    async with httpx.AsyncClient(base_url=config["base_url"], trust_env=False) as client:
        refused = await client.get("/v1/account")
        limited = await client.get("/v1/account", headers={"Authorization": f"Bearer {config['api_key']}"})
        headers = {"Authorization": f"Bearer {chat['access_token']}"}
        undisturbed = await client.get(f"{chat['base_url']}/me", headers=headers)
    assert (refused.status_code, limited.status_code, undisturbed.status_code) == (401, 429, 200)
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 20) == 0


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("nobody",), "stripe, salesforce"),
        (("--faults", "rain=0.1"), "rate_limited"),
        (("--faults", "nobody.cut=0.1"), "stripe."),
        (("--faults", "all=0.9"), "smaller"),
    ],
)
async def test_what_there_is_not_is_one_line_with_its_remedy(hub: Hub, arguments: tuple[str, ...], hint: str) -> None:
    """No traceback, exit code 1."""
    ended = await hub("sandbox", *arguments)
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert hint in ended.err
