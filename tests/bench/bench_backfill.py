"""How much memory a backfill takes as the number of records grows: it has to stay flat.

The synthetic Stripe double serves invoices from a process of its own; each size is read by a fresh process into a fresh
database, and that process's peak resident memory is compared. Run it by hand:

    uv run python -m tests.bench.bench_backfill [small] [large]
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hub_stripe import Stripe

from hub import sdk
from hub.connections import registry
from hub.connections import service as connections
from hub.connections.sync import Progress, sync_stream
from hub.kit.runtime import open_kit
from tests.bench.servers import fresh_settings

GOAL = 1.25
SMALL, LARGE = 40_000, 400_000


class UnhurriedStripe(Stripe):
    """Without the pace that Stripe asks for: the double has none."""

    rate = sdk.Rate(per_second=1_000_000, backfill_share=1.0)


async def read(number: int) -> dict[str, Any]:
    """Backfill so many invoices in this process."""
    server = subprocess.Popen(  # noqa: ASYNC220  # nothing else runs on this loop yet
        [sys.executable, "-m", "hub.sandbox", "--invoices", str(number), "--customers", "100"],
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        with tempfile.TemporaryDirectory() as folder, registry.using(registry.Registry.of(UnhurriedStripe)):
            async with fresh_settings(Path(folder)) as settings, open_kit(settings) as kit:
                return await _read(kit, told, number)
    finally:
        server.terminate()
        server.wait()


async def _read(kit: Any, told: dict[str, str], number: int) -> dict[str, Any]:
    config = {"api_key": told["stripe_key"], "base_url": told["stripe_url"]}
    async with kit.transaction() as session:
        added = await connections.add(
            session, kit.vault, registry.current(), "stripe", "billing", config, now=kit.clock.now()
        )
    early: list[int] = []

    def note(progress: Progress) -> None:
        if progress.records <= SMALL // 4:
            early[:] = [_peak()]

    began = time.perf_counter()
    await sync_stream(kit, added.id, "invoices", backfill=True, progress=note)
    return {"records": number, "peak": _peak(), "early": early[0], "seconds": time.perf_counter() - began}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(number: int) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.bench_backfill", "--read", str(number)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def main() -> None:
    if sys.argv[1:2] == ["--read"]:
        print(json.dumps(asyncio.run(read(int(sys.argv[2])))))
        return
    small, large = (int(number) for number in (sys.argv[1:] or (SMALL, LARGE)))
    results = [measure(small), measure(large)]
    for result in results:
        rate = result["records"] / result["seconds"]
        print(f"{result['records']:>9,} records: peak {result['peak'] / 2**20:.0f} MiB, {rate:,.0f} records/s")
    ratio = results[1]["peak"] / results[0]["peak"]
    print(f"memory of {large:,} records over that of {small:,}: {ratio:.2f} (goal: at most {GOAL})")


if __name__ == "__main__":
    main()
