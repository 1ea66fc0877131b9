"""A whole hub over sockets: a server and a worker as processes, on the test's own database."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from hub import sections
from hub.access import service as access
from hub.cli.children import environment
from hub.cli.serving import prepare
from hub.connections import registry
from hub.connections import service as connections
from hub.kit.runtime import Kit
from hub.sections import applying

WRITE_KEY = "write-key-of-the-tests"
INAPP_SECRET = "0123456789abcdef0123456789abcdef"
START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class RunningHub:
    """The processes of one hub, and how a test talks to them."""

    kit: Kit
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def _log(self) -> Path:
        return self.kit.settings.data_dir / "processes.log"

    def logged(self) -> str:
        """What the processes have said so far."""
        return self._log.read_text()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str) -> None:
        """Start `serve` or `worker`; a second worker is `worker-2`."""
        command = [sys.executable, "-m", "hub", name.partition("-")[0]]
        if name == "serve":
            command += ["--port", str(self.port)]
        variables = environment(self.kit.settings)
        variables.pop("HUB_SUPERVISED")
        with self._log.open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        """SIGKILL: no chance to clean up."""
        self.processes[name].kill()
        self.processes[name].wait()

    async def ready(self) -> None:
        """Wait until the server answers."""
        until = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient() as client:
            while time.monotonic() < until:
                try:
                    if (await client.get(f"{self.url}/readyz")).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
        pytest.fail(f"the server did not start within {START_SECONDS} s:\n{self.logged()}")

    async def graphql(self, query: str, variables: dict[str, Any] | None = None, *, role: str = "admin") -> Any:
        """The data of a query; fails the test on errors."""
        async with httpx.AsyncClient(timeout=20) as client:
            answer = await client.post(
                f"{self.url}/graphql",
                json={"query": query, "variables": variables or {}},
                headers={"Authorization": f"Bearer {self.keys[role]}"},
            )
        body = answer.json()
        assert "errors" not in body, body
        return body["data"]

    async def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """What stands in the database."""
        async with self.kit.reading() as session:
            return [tuple(row) for row in await session.execute(text(statement), parameters)]

    async def eventually(
        self, check: Callable[[], Awaitable[bool]], *, seconds: float = 30.0, what: str = "it"
    ) -> None:
        """Wait until a check holds; fails with what the worker still has to do."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not await check():
            if loop.time() > until:
                waiting = await self.rows("SELECT list, key, attempts, last_error FROM work_item LIMIT 20")
                pytest.fail(f"{what} did not happen within {seconds} s; work lists: {waiting}")
            await asyncio.sleep(0.05)

    async def quiet(self, *, seconds: float = 60.0) -> None:
        """Wait until nothing is left to do."""

        async def nothing_left() -> bool:
            [(count,)] = await self.rows(
                "SELECT (SELECT count(*) FROM webhook_delivery WHERE processed_at IS NULL AND problem IS NULL)"
                " + (SELECT count(*) FROM raw_pending) + (SELECT count(*) FROM outbox WHERE position IS NULL)"
                " + (SELECT count(*) FROM work_item WHERE due_at <= now() OR settling_since IS NOT NULL)"
            )
            return bool(count == 0)

        await self.eventually(nothing_left, seconds=seconds, what="quiet")

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def add_connection(kit: Kit, connector: str, name: str, config: dict[str, Any]) -> None:
    async with kit.transaction() as session:
        await connections.add(session, kit.vault, registry.current(), connector, name, config, now=kit.clock.now())


@pytest.fixture
async def prepared(kit: Kit) -> Kit:
    """A database with a small blueprint (one alert, one play) and the connections that need no vendor."""
    await prepare(kit)
    async with kit.transaction() as session:
        document = sections.read(Path(__file__).with_name("blueprint.yaml"))
        await applying.apply(session, access.SYSTEM, document, comment=None, now=kit.clock.now())
    await add_connection(kit, "segment", "segment", {"write_key": WRITE_KEY, "shared_secret": "shared"})
    await add_connection(kit, "inapp", "inapp", {"secret": INAPP_SECRET})
    return kit


@pytest.fixture
async def hub(prepared: Kit) -> AsyncIterator[RunningHub]:
    """A server and a worker, running."""
    running = RunningHub(prepared)
    async with prepared.transaction() as session:
        for role in access.Role:
            key = await access.create_key(
                session, access.SYSTEM, f"tests-{role}", role, expires_in=None, now=prepared.clock.now()
            )
            running.keys[role] = key.secret
    running.start("serve")
    running.start("worker")
    try:
        await running.ready()
        yield running
    finally:
        running.stop()
