"""How many records a second each plugin in the box turns into events, on one core.

The records of the plugin's own fixtures, each validated by its model and normalised, over and over. The goal is for
each plugin; the yardstick is reading the same records' JSON, which nothing can be faster than. Run it by hand:

    uv run python -m tests.bench.bench_normalise [plugin …]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from hub.connections import registry
from hub.sdk.connector import Connector, Stream
from hub.sdk.testing import golden_pairs

GOAL = 10_000
SECONDS = 2.0
FIXTURES = "plugins/{}/tests/fixtures"
CONFIGS: dict[str, dict[str, Any]] = {
    "inapp": {"secret": "a-secret-of-the-benchmark-with-thirty-two-and-more"},
    "salesforce": {
        "base_url": "https://acme.my.salesforce.com",
        "client_id": "3MVG9.consumer.key",
        "client_secret": "consumer-secret",
        "multi_currency": True,
        "account_group_field": "Hub_Account_Id__c",
    },
    "segment": {"write_key": "a-write-key-of-the-benchmark"},
    "stripe": {"api_key": "rk_test_benchmark"},
    "zendesk": {"base_url": "https://acme.zendesk.com", "oauth_token": "a-token-of-the-benchmark"},
}


def rate(work: Callable[[], int]) -> float:
    """Units a second of processor time, over a few seconds."""
    done, began = 0, time.process_time()
    while time.process_time() - began < SECONDS:
        done += work()
    return done / (time.process_time() - began)


def measure(plugin: str) -> tuple[float, float]:
    """Records a second: normalised, and only read as JSON."""
    kind = registry.current().connector(plugin)
    connector: Connector[Any] = kind(kind.Config.model_validate(CONFIGS[plugin]))
    files = golden_pairs(Path(FIXTURES.format(plugin)))
    bodies = [path.read_bytes() for path in files]
    records: list[tuple[Stream[Any], Any]] = [
        (connector.streams[path.name.partition(".")[0]], orjson.loads(body))
        for path, body in zip(files, bodies, strict=True)
    ]

    def normalised() -> int:
        for stream, row in records:
            assert stream.normalizer is not None
            for _ in stream.normalizer(connector, stream.record.model_validate(row)):
                pass
        return len(records)

    def parsed() -> int:
        for body in bodies:
            orjson.loads(body)
        return len(bodies)

    return rate(normalised), rate(parsed)


def main() -> None:
    for plugin in sys.argv[1:] or sorted(CONFIGS):
        normalised, parsed = measure(plugin)
        verdict = "reached" if normalised >= GOAL else "missed"
        print(
            f"{plugin:<12}{normalised:>9,.0f} records/s and core (goal {GOAL:,}: {verdict}), "
            f"{parsed / normalised:.0f} times as long as reading their JSON"
        )


if __name__ == "__main__":
    main()
