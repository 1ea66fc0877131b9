"""The command line as a person uses it: a process, its output, its exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from hub.cli.children import SUPERVISED, environment
from hub.kit.settings import Settings


@dataclass(frozen=True)
class Ended:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


Hub = Callable[..., Awaitable[Ended]]


async def run(variables: dict[str, str], *arguments: str, stdin: str = "") -> Ended:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hub",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=variables,
    )
    out, err = await process.communicate(stdin.encode())
    return Ended(process.returncode or 0, out.decode(), err.decode())


def command_on(settings: Settings) -> Hub:
    variables = environment(settings)
    variables.pop(SUPERVISED)
    variables["COLUMNS"] = "200"

    async def command(*arguments: str, stdin: str = "", **extra: str) -> Ended:
        return await run(variables | extra, *arguments, stdin=stdin)

    return command


@pytest.fixture
def hub(settings: Settings) -> Hub:
    """`await hub("token", "list")` on a migrated, empty database."""
    return command_on(settings)


@pytest.fixture
def new_hub(unmigrated: Settings) -> Hub:
    """The same on a database without tables."""
    return command_on(unmigrated)
