"""Unmodified vendor clients, over a socket: what they send is on the right account's timeline, exactly once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from segment.analytics.client import Client

from .conftest import WRITE_KEY, RunningHub

TOLD = datetime(2026, 3, 1, 9, tzinfo=UTC)


def send_everything(url: str, *, compressed: bool) -> None:
    """What a product's server does with the real client: every call once, in batches, flushed."""
    failures: list[object] = []
    client = Client(
        WRITE_KEY, host=f"{url}/in/segment", gzip=compressed, on_error=lambda error, batch: failures.append(error)
    )
    client.identify("u-1", {"email": "ada@northwind.example", "name": "Ada"}, timestamp=TOLD, message_id="m-identify")
    client.group(
        "u-1", "g-1", {"name": "Northwind", "domain": "northwind.example"}, timestamp=TOLD, message_id="m-group"
    )
    client.alias("anonymous-1", "u-1", timestamp=TOLD, message_id="m-alias")
    client.page("u-1", "docs", "Pricing", timestamp=TOLD, message_id="m-page")
    client.screen("u-1", "app", "Home", timestamp=TOLD, message_id="m-screen")
    for number in range(120):
        client.track(
            "u-1",
            "Report Viewed",
            {"number": number},
            context={"groupId": "g-1"},
            timestamp=TOLD + timedelta(minutes=number),
            message_id=f"m-track-{number}",
        )
    client.track("u-1", "Signed In", timestamp=TOLD, message_id="m-without-group")
    client.flush()
    client.join()
    assert failures == []


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
async def test_the_real_segment_client_sent_twice_is_recorded_once(hub: RunningHub, compressed: bool) -> None:
    """identify, group, alias, page, screen and batches of track, at their own times; the client repeats all of it."""
    for _ in range(2):
        await asyncio.to_thread(send_everything, hub.url, compressed=compressed)
    await hub.quiet()
    timeline = await hub.rows(
        "SELECT e.record_id, e.kind, a.name FROM event e JOIN source_account s ON s.id = e.source_account_id "
        "JOIN account a ON a.id = s.account_id WHERE e.stream = 'messages' AND e.retracted_at IS NULL"
    )
    assert {name for _, _, name in timeline} == {"Northwind"}
    ids = sorted(record for record, kind, _ in timeline if not (record == "m-group" and kind == "person.identified"))
    expected = ["m-identify", "m-group", "m-alias", "m-page", "m-screen", "m-without-group"]
    assert ids == sorted([*expected, *(f"m-track-{number}" for number in range(120))])
    [(waiting,)] = await hub.rows("SELECT count(*) FROM source_account WHERE account_id IS NULL")
    assert waiting == 0
    [(people,)] = await hub.rows("SELECT count(*) FROM person WHERE merged_into IS NULL")
    assert people == 1
    [(first, last)] = await hub.rows(
        "SELECT min(occurred_at), max(occurred_at) FROM event WHERE kind = 'report.viewed' AND record_id <> 'm-page'"
    )
    assert abs(first - TOLD) < timedelta(seconds=5)
    assert abs(last - TOLD - timedelta(minutes=119)) < timedelta(seconds=5)
