"""How fast records become events, in one process: a plugin's model and `normalize`, and then the timeline's rows.

The yardstick is `orjson.loads` of the same bytes in the same run, as nothing that reads JSON can be faster. Rounds
alternate, and the best of each counts: whatever else the machine does only makes them slower. Processor time is
measured, so other work on the machine does not count. Run it by hand:

    uv run python -m tests.bench.bench_normalise [records] [rounds]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any
from uuid import UUID

import orjson
from hub_segment import Segment
from hub_stripe import Stripe
from pydantic import SecretStr

from hub.sandbox import invent
from hub.sandbox.billing import invent_books
from hub.sandbox.books import Resource
from hub.sandbox.shapes import render
from hub.sandbox.usage import history
from hub.sdk import payloads
from hub.sdk.connector import Connector
from hub.timeline.reading import Read, read

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
CONNECTION = UUID(int=2**100)


@dataclass(frozen=True)
class Raw:
    """A raw record as the intake claims it."""

    stream: str
    record_id: str
    payload: Any
    connection_id: UUID = CONNECTION
    version: str = "1"
    received_at: datetime = UNTIL
    deleted_at: datetime | None = None


@dataclass(frozen=True)
class Subject:
    """A plugin, its records as they are stored, and how many a second there have to be."""

    name: str
    connector: Connector[Any]
    goal: int
    records: Callable[[], Iterator[tuple[str, bytes]]]


def messages() -> Iterator[tuple[str, bytes]]:
    """Two years of twenty companies' use."""
    for message in history(invent(accounts=20, until=UNTIL)):
        sent = {"sentAt": message["timestamp"], "receivedAt": (UNTIL + timedelta(seconds=1)).isoformat()}
        yield "messages", payloads.dumps({**message, **sent})


def billing() -> Iterator[tuple[str, bytes]]:
    """Everything in the books of sixty companies, in both shapes."""
    books = invent_books(invent(accounts=60, until=UNTIL))
    for resource in Resource:
        shelf = books.shelves[resource]
        for version in (books.version, books.older_version):
            facts = (shelf.at(place) for place in range(len(shelf)))
            for fact in facts:
                if not getattr(fact, "deleted", False):  # no list has it
                    yield resource.value, payloads.dumps(render(fact, version))


SUBJECTS = (
    Subject("segment", Segment(Segment.Config(write_key=SecretStr("k" * 16))), 20_000, messages),
    Subject("stripe", Stripe(Stripe.Config(api_key=SecretStr("rk_test_1"))), 10_000, billing),
)


def normalise(connector: Connector[Any], stored: Sequence[tuple[str, bytes]]) -> int:
    """From bytes to the plugin's events."""
    told = 0
    for name, payload in stored:
        stream = connector.streams[name]
        assert stream.normalizer
        told += len(list(stream.normalizer(connector, stream.record.model_validate(payloads.loads(payload)))))
    return told


def to_rows(connector: Connector[Any], stored: Sequence[tuple[str, bytes]]) -> int:
    """From bytes to the timeline's rows."""
    told = 0
    for number, (name, payload) in enumerate(stored):
        found = read(connector, Raw(name, str(number), payloads.loads(payload)))
        assert isinstance(found, Read), found
        told += len(found.events) + len(found.shared)
    return told


def yardstick(stored: Sequence[tuple[str, bytes]]) -> int:
    """Parsing alone."""
    for _, payload in stored:
        orjson.loads(payload)
    return len(stored)


def seconds(work: Callable[[], int]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    number, rounds = (int(given) for given in (sys.argv[1:] or ("20000", "3")))
    for subject in SUBJECTS:
        stored = list(islice(cycle(list(subject.records())), number))
        ways: dict[str, Callable[[], int]] = {
            "orjson.loads": lambda stored=stored: yardstick(stored),  # type: ignore[misc]
            "events": lambda subject=subject, stored=stored: normalise(subject.connector, stored),  # type: ignore[misc]
            "rows": lambda subject=subject, stored=stored: to_rows(subject.connector, stored),  # type: ignore[misc]
        }
        best = {name: min(seconds(way) for _ in range(rounds)) for name, way in ways.items()}
        rates = {name: number / took for name, took in best.items()}
        print(
            f"{subject.name}: {rates['events']:,.0f} records/s become events (goal: {subject.goal:,}), "
            f"{rates['rows']:,.0f} rows of the timeline; {best['events'] / best['orjson.loads']:.1f} times orjson.loads"
        )


if __name__ == "__main__":
    main()
