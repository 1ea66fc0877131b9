"""What `/metrics` shows of the API. Label values are few: outcomes and error codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram
from strawberry.types import ExecutionResult

operations = Counter(
    "hub_graphql_operations", "Queries and mutations, by outcome: ok, or the first error's code.", ["outcome"]
)
seconds = Histogram(
    "hub_graphql_seconds",
    "How long queries and mutations took.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15),
)
subscriptions = Gauge("hub_graphql_subscriptions", "Open streams, by how they are carried.", ["transport"])


@dataclass(slots=True)
class Outcome:
    """How an operation ended."""

    name: str = "failed"

    def of(self, result: ExecutionResult) -> None:
        """Take it from the result."""
        self.name = str((result.errors[0].extensions or {}).get("code")) if result.errors else "ok"


@contextmanager
def observed() -> Iterator[Outcome]:
    """Count and time the operation of the block."""
    outcome = Outcome()
    try:
        with seconds.time():
            yield outcome
    finally:
        operations.labels(outcome.name).inc()
