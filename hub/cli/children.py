"""The processes under `hub up` and `hub demo`: a server and a worker, restarted when they die, stopped together.

A child's standard input is a pipe that its parent holds open: when the parent is killed, the child reads the end of it
and stops too, so that nothing is left behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from hub.kit.settings import Settings

log = structlog.get_logger()

STOP_SECONDS = 15.0
LONGEST_REST_SECONDS = 10.0
SUPERVISED = "HUB_SUPERVISED"


@dataclass(slots=True)
class Child:
    """One `hub …` process that is kept running."""

    arguments: Sequence[str]
    environment: dict[str, str]
    output: Path | None
    process: asyncio.subprocess.Process | None = None
    stopping: bool = False
    restarts: int = field(default=0)

    async def keep_running(self) -> None:
        """Start the process, and start it again whenever it ends, with growing pauses."""
        rest = 0.5
        while not self.stopping:
            began = asyncio.get_running_loop().time()
            code = await self._run_once()
            if self.stopping:
                return
            rest = 0.5 if asyncio.get_running_loop().time() - began > 30 else min(rest * 2, LONGEST_REST_SECONDS)
            self.restarts += 1
            log.warning("child.ended", command=" ".join(self.arguments), code=code, again_in_seconds=rest)
            await asyncio.sleep(rest)

    async def _run_once(self) -> int:
        sink = self.output.open("ab") if self.output else None
        try:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hub",
                *self.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                env=self.environment,
                start_new_session=True,
            )
        finally:
            if sink:
                sink.close()
        return await self.process.wait()

    async def stop(self) -> None:
        """Ask the process to end, and end it when it takes too long."""
        self.stopping = True
        process = self.process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def children(
    settings: Settings, *commands: Sequence[str], logs: Path | None = None
) -> AsyncIterator[list[Child]]:
    """Run `hub <command>` for each command while the block runs; with `logs`, their output goes to that folder, which
    has to be there."""
    running = [
        Child(command, environment(settings), logs / f"{command[0]}.log" if logs else None) for command in commands
    ]
    tasks = [asyncio.create_task(child.keep_running(), name=" ".join(child.arguments)) for child in running]
    try:
        yield running
    finally:
        await asyncio.gather(*(child.stop() for child in running))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment, with the servers that were found."""
    assert settings.database_url  # noqa: S101  # the caller has filled both in
    assert settings.redis_url  # noqa: S101
    secret = {"HUB_SECRET_KEY": settings.secret_key.get_secret_value()} if settings.secret_key else {}
    return {
        **os.environ,
        **secret,
        "HUB_DATABASE_URL": settings.database_url,
        "HUB_REDIS_URL": settings.redis_url,
        "HUB_DATA_DIR": str(settings.data_dir),
        "HUB_LOG_LEVEL": settings.log_level,
        SUPERVISED: "1",
    }


def follow_parent() -> None:
    """In a child: stop, as if asked to, when the parent is gone. Does nothing in any other process."""
    if os.environ.pop(SUPERVISED, None):
        loop = asyncio.get_running_loop()
        reader = sys.stdin.fileno()

        def parent_is_gone() -> None:
            if not os.read(reader, 1024):
                loop.remove_reader(reader)
                os.kill(os.getpid(), signal.SIGTERM)

        loop.add_reader(reader, parent_is_gone)
