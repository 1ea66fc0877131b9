"""A worker as a process of its own, to be killed: `python -m tests.plays.worker_process DATABASE_URL REDIS_URL KEY`.

Its leases are short, so that a test need not wait for them, and its batches small, so that a kill always hits some.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from hub import worker
from hub.connections import actions, registry
from hub.kit.settings import Settings
from hub.plays import jobs

from .vendor import REGISTRY

jobs.LEASE = actions.LEASE = timedelta(seconds=2)
jobs.BATCH, jobs.AT_ONCE = 8, 4
worker.SWEEP_SECONDS = 0.5


def main(database_url: str, redis_url: str, secret_key: str) -> None:
    """Work until the process is killed or told to stop."""
    settings = Settings(
        database_url=database_url,
        redis_url=redis_url,
        secret_key=secret_key,  # type: ignore[arg-type]  # pydantic makes a secret of it
        _env_file=None,  # type: ignore[call-arg]  # known to pydantic-settings
    )
    with registry.using(REGISTRY):
        asyncio.run(worker.run_worker(settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
