"""Raw records on their way: claimed once, put into quarantine, read again, fetched one by one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from hub import sdk
from hub.connections import registry
from hub.connections import service as connections
from hub.connections.jobs import drain_records_to_refetch
from hub.connections.lists import RECORDS_TO_REFETCH
from hub.connections.model import Connection
from hub.connections.records import COPY_FROM, store
from hub.connections.registry import Registry
from hub.connections.service import Replayed, Stage, Unreadable, sync_stream
from hub.kit import work
from hub.kit.runtime import Kit
from hub.sdk import payloads
from hub.sdk.rows import BadRow, RawRow, read_row
from tests.connections.vendor import Surveys, Vendor, answer, raw_records, scalar

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
ANSWERS = Surveys.streams["answers"]


def rows(numbers: range) -> list[RawRow]:
    judged = [read_row(ANSWERS, answer(number), NOW) for number in numbers]
    return [row for row in judged if isinstance(row, RawRow)]


async def keep(kit: Kit, connection: Connection, given: list[RawRow]) -> int:
    async with kit.transaction() as session:
        return await store(session, connection.id, given, now=NOW)


async def test_few_and_many_rows_are_kept_alike(kit: Kit, connection: Connection) -> None:
    """Below and above the size that goes by COPY, new rows are counted, repeated ones are not."""
    assert await keep(kit, connection, rows(range(10)) * 2) == 10
    assert await keep(kit, connection, rows(range(5, COPY_FROM + 5)) * 2) == COPY_FROM - 5
    assert await keep(kit, connection, rows(range(COPY_FROM + 5))) == 0
    assert await scalar(kit, "SELECT count(*) FROM raw_pending") == COPY_FROM + 5


async def test_writers_of_the_same_rows_do_not_wait_in_a_circle(kit: Kit, connection: Connection) -> None:
    """Several writers with the same rows in different orders all end, and each row is new to one of them."""
    given = rows(range(300))
    counts = await asyncio.gather(
        *(keep(kit, connection, given[shift:] + given[:shift]) for shift in range(0, 300, 50))
    )
    assert sum(counts) == 300


async def test_pending_records_are_claimed_once(kit: Kit, connection: Connection) -> None:
    """Claimers that work at the same time get different records, and a claim that is rolled back is free again."""
    await keep(kit, connection, rows(range(100)))
    async with kit.reading() as one, kit.transaction() as two:
        first = await connections.claim_pending(one, 60)
        second = await connections.claim_pending(two, 60)
        assert (len(first), len(second)) == (60, 40)
        assert not {record.record_id for record in first} & {record.record_id for record in second}
        assert first[0].connector_id == "surveys"
    assert await scalar(kit, "SELECT count(*) FROM raw_pending") == 60


async def test_records_of_a_plugin_that_is_not_there_wait(kit: Kit, connection: Connection) -> None:
    """Without the connector nobody can say what a record means: it stays on the list."""
    await keep(kit, connection, rows(range(3)))
    with registry.using(Registry()):
        async with kit.transaction() as session:
            assert await connections.claim_pending(session, 10) == []
    async with kit.transaction() as session:
        assert len(await connections.claim_pending(session, 10)) == 3


async def test_the_same_trouble_twice_is_one_entry(kit: Kit, connection: Connection) -> None:
    """An entry counts its attempts, and is open again when what was resolved fails once more."""
    trouble = Unreadable(connection.id, Stage.NORMALIZE, "why", "answers", "answer-1", "000000001")
    await keep(kit, connection, rows(range(1, 2)))
    async with kit.transaction() as session:
        await connections.claim_pending(session, 10)
        await connections.quarantine(session, [trouble, trouble], now=NOW)
    async with kit.transaction() as session:
        assert await connections.replay_quarantine(session, ids=[trouble.id], now=NOW) == Replayed(1, 0)
        assert len(await connections.claim_pending(session, 10)) == 1
        assert await connections.replay_quarantine(session, ids=[trouble.id], now=NOW) == Replayed(0, 0)
        await connections.quarantine(session, [trouble], now=NOW)
    shown = "SELECT count(*) || ' ' || sum(attempts) || ' ' || bool_and(resolved_at IS NULL) FROM quarantine"
    assert await scalar(kit, shown) == "1 2 true"


async def test_a_record_that_fits_now_leaves_the_quarantine(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A replay after the model was mended keeps the record; one that still does not fit counts an attempt."""
    vendor.answers = [answer(1, score="eleven"), answer(2, score="twelve"), answer(3)]
    await sync_stream(kit, connection.id, "answers")

    class Mended(Surveys):
        pass

    class Model(ANSWERS.record):  # type: ignore[name-defined, misc]
        score: object

    Mended.streams = {**Surveys.streams, "answers": sdk.Stream(**{**_fields(ANSWERS), "record": Model})}
    for kind, expected in ((Surveys, Replayed(0, 2)), (Mended, Replayed(2, 0)), (Mended, Replayed(0, 0))):
        with registry.using(Registry.of(kind)):
            async with kit.transaction() as session:
                assert await connections.replay_quarantine(session, connection.id, now=NOW) == expected
    assert len(await raw_records(kit)) == 3
    assert await scalar(kit, "SELECT max(attempts) FROM quarantine") == 2


def _fields(stream: sdk.Stream[Any]) -> dict[str, Any]:
    return {name: getattr(stream, name) for name in stream.__dataclass_fields__}


async def refetch(kit: Kit, connection: Connection, *ids: str) -> int:
    async with kit.transaction() as session:
        keys = [f"{connection.id}/answers/{record_id}" for record_id in ids]
        await work.mark(session, RECORDS_TO_REFETCH, keys, due_at=kit.clock.now())
    return await drain_records_to_refetch(kit)


async def test_named_records_are_fetched(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A record is read by its id; one that is gone gets a tombstone; ids may hold slashes."""
    vendor.answers = [answer(1)]
    assert await refetch(kit, connection, "answer-1", "answer/2") == 2
    found = await raw_records(kit)
    assert [(record, version) for _, record, version in found] == [("answer-1", "000000001"), ("answer/2", "deleted")]
    assert await scalar(kit, "SELECT count(*) FROM work_item WHERE list = 'records_to_refetch'") == 0


async def test_a_record_that_cannot_be_fetched_now_waits(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """The vendor's pause is kept, and the error stands on the entry; another record is fetched meanwhile."""
    vendor.answers = [answer(1)]
    vendor.faults = [Response(status_code=429, headers={"retry-after": "300"})]
    assert await refetch(kit, connection, "answer-1") == 1
    of_list = "FROM work_item WHERE list = 'records_to_refetch'"
    assert await scalar(kit, f"SELECT last_error {of_list}") == "The vendor asks for a pause."
    assert await scalar(kit, f"SELECT due_at > now() + interval '4 minutes' {of_list}")
    assert await refetch(kit, connection, "answer-7") == 1
    assert len(await raw_records(kit)) == 1


def test_a_row_is_kept_as_it_was_sent() -> None:
    """The payload holds unknown fields, NULs and lone surrogates, and reads back as it was."""
    row = answer(1, remark="\ud800 and \x00", unknown=[1.5, None, {"a": 10**30}])
    judged = read_row(ANSWERS, row, NOW)
    assert isinstance(judged, RawRow)
    assert judged.payload is not None
    assert payloads.loads(judged.payload) == row


def test_a_tombstone_is_named_by_its_time() -> None:
    """The same deletion told twice is one tombstone; a later one is another."""
    told = [read_row(ANSWERS, sdk.Tombstone("answers", "a", at), NOW) for at in (NOW, NOW, None)]
    versions = [row.version for row in told if isinstance(row, RawRow)]
    assert versions == [f"deleted:{NOW.isoformat()}", f"deleted:{NOW.isoformat()}", "deleted"]
    assert isinstance(read_row(ANSWERS, sdk.Tombstone("answers", "\x00"), NOW), BadRow)


def test_json_for_a_column_holds_nothing_that_postgresql_refuses() -> None:
    """NULs and lone surrogates are replaced wherever they stand; everything else stays."""
    cleaned = payloads.storable({"a\x00": ["\ud800", {"b": ("ä", 1, None)}]})
    assert cleaned == {"a�": ["?", {"b": ["ä", 1, None]}]}
