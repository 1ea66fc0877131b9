"""Workers as processes of their own, to be killed: `python -m tests.plays.worker_process DATABASE_URL REDIS_URL KEY`.

This process reads commands, one a line: `start SECONDS` answers with the process id of a new worker whose clock is that
much ahead, `end PID SIGNAL` with the exit code of one that was sent the signal. Workers are forked from here, so that a
new one need not import everything anew and a test can kill often. Their leases are short, so that it need not wait for
them either.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from datetime import UTC, datetime, timedelta

from hub import worker
from hub.connections import actions, registry
from hub.kit.log import configure_logging
from hub.kit.settings import Settings
from hub.plays import jobs, steps

from .vendor import REGISTRY

jobs.LEASE = actions.LEASE = timedelta(seconds=2)
if "HUB_KILLED_RUNS" not in os.environ:
    jobs.BATCH, steps.AT_ONCE = 8, 4  # so that a few runs are many batches
worker.SWEEP_SECONDS = 0.5


class Ahead:
    """A clock that goes wrong by so much."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


def work(ahead: float, database_url: str, redis_url: str, secret_key: str) -> None:
    """Be a worker until killed or told to stop; never returns."""
    code = 1
    try:
        settings = Settings(
            database_url=database_url,
            redis_url=redis_url,
            secret_key=secret_key,  # type: ignore[arg-type]  # pydantic makes a secret of it
            _env_file=None,  # type: ignore[call-arg]  # known to pydantic-settings
        )
        with registry.using(REGISTRY):
            asyncio.run(worker.run_worker(settings, clock=Ahead(ahead)))
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def main(*settings: str) -> None:
    """Obey until the input ends; then no worker is left."""
    configure_logging("warning")
    children: set[int] = set()
    for line in sys.stdin:
        match line.split():
            case ["start", ahead]:
                child = os.fork()
                if child == 0:
                    work(float(ahead), *settings)
                children.add(child)
                print(child, flush=True)
            case ["end", child_id, number]:
                os.kill(int(child_id), int(number))
                _, status = os.waitpid(int(child_id), 0)
                children.discard(int(child_id))
                print(os.waitstatus_to_exitcode(status), flush=True)
    for child in children:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
