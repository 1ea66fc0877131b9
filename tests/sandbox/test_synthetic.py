"""Synthetic books: any number of records from no memory, in pages like any other, also from a process of their own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tracemalloc
from datetime import UTC, datetime
from itertools import pairwise

import httpx
import pytest

from hub.sandbox import StripeDouble, synthetic_books
from hub.sandbox.books import Event, Resource
from hub.sandbox.paging import ListQuery, take

UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


async def test_a_large_list_is_walked_once() -> None:
    """Three thousand customers, several to a second, come once each over the socket, the newest first."""
    double = StripeDouble(synthetic_books(3_003, 7, until=UNTIL), key="sk", clock=lambda: UNTIL)
    found: list[str] = []
    created: list[int] = []
    headers = {"Authorization": "Bearer sk"}
    async with (
        double.running() as url,
        httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False) as api,
    ):
        while True:
            cursor = {"starting_after": found[-1]} if found else {}
            page = (await api.get("/v1/customers", params={"limit": 100, **cursor})).json()
            found += [one["id"] for one in page["data"]]
            created += [one["created"] for one in page["data"]]
            if not page["has_more"]:
                break
        invoice = (await api.get("/v1/invoices")).json()["data"][0]
        assert (await api.get(f"/v1/customers/{invoice['customer']}")).json()["id"] == invoice["customer"]
        assert (await api.get("/v1/customers/cus_000000009999")).status_code == 404
        assert (await api.get("/v1/events")).json()["data"] == []
    assert len(found) == len(set(found)) == 3_003
    assert created == sorted(created, reverse=True)
    assert max(map(created.count, set(created[:500]))) == 5


def test_four_hundred_thousand_records_take_no_memory() -> None:
    """Pages from all over such a list leave nothing behind."""
    tracemalloc.start()
    try:
        books = synthetic_books(400_000, 400_000, until=UNTIL)
        shelf = books.shelves[Resource.INVOICES]
        for place in range(400_000 - 1, 0, -8_001):
            query = ListQuery(Resource.INVOICES, limit=100, starting_after=shelf.at(place).id)
            page, _ = take(shelf, query)
            assert len(page) == min(100, place)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(shelf) == 400_000
    assert peak < 1_000_000


def test_time_bounds_agree_with_the_facts() -> None:
    """The place that a second leads to is the first one made then or later."""
    shelf = synthetic_books(53, until=UNTIL).shelves[Resource.CUSTOMERS]
    facts = [shelf.at(place) for place in range(len(shelf))]
    assert all(one.created <= other.created for one, other in pairwise(facts))
    for second in range(facts[0].created - 2, facts[-1].created + 3):
        expected = next((place for place, fact in enumerate(facts) if fact.created >= second), len(facts))
        assert shelf.first_since(second) == expected


async def test_a_synthetic_customer_can_be_written() -> None:
    """A change is kept over the computed record and told by an event; a lazy list does not grow."""
    books = synthetic_books(10, until=UNTIL)
    double = StripeDouble(books, key="sk", clock=lambda: UNTIL)
    headers = {"Authorization": "Bearer sk"}
    async with (
        double.running() as url,
        httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False) as api,
    ):
        await api.post("/v1/customers/cus_000000000003", data={"metadata[health]": "red"})
        changed = (await api.get("/v1/customers/cus_000000000003")).json()
    assert changed["metadata"] == {"group_id": "org_3", "health": "red"}
    assert [event.type for event in books.newest(Event)] == ["customer.updated"]
    other = synthetic_books(11, until=UNTIL).shelves[Resource.CUSTOMERS].at(10)
    with pytest.raises(KeyError):
        books.put(other)


async def test_the_double_runs_as_a_process_of_its_own() -> None:
    """It tells where it is and how to get in, serves, and leaves quietly when interrupted."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub.sandbox", "--customers", "250", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    told = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        answer = await client.get(
            f"{told['stripe_url']}/v1/customers?limit=100", headers={"Authorization": f"Bearer {told['stripe_key']}"}
        )
    assert len(answer.json()["data"]) == 100
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 10) == 0
