"""Reading streams: resuming, live beside backfill, what is drifted, expired, refused or slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from sqlalchemy import text
from starlette.responses import JSONResponse, Response

from hub import sdk
from hub.connections import registry
from hub.connections import service as connections
from hub.connections.jobs import drain_streams_to_sync
from hub.connections.model import Checkpoint, Connection, ConnectionStatus
from hub.connections.registry import Registry
from hub.connections.service import Ended, Progress, SyncOutcome, sync_stream
from hub.kit.runtime import Kit
from hub.sdk.errors import CursorExpired
from tests.connections.vendor import After, Answer, Surveys, Vendor, answer, raw_records, scalar


async def checkpoint(kit: Kit, connection: Connection, stream: str = "answers", backfill: bool = False) -> Checkpoint:
    async with kit.reading() as session:
        return await session.get_one(Checkpoint, (connection.id, stream, backfill))


async def status(kit: Kit, connection: Connection) -> tuple[str, str | None]:
    async with kit.reading() as session:
        row = await session.get_one(Connection, connection.id)
        return row.status, row.problem


async def test_a_first_sync_reads_everything_as_a_backfill_and_hands_its_cursor_over(
    kit: Kit, vendor: Vendor, connection: Connection
) -> None:
    """Without a cursor a stream is read as a backfill, whose last cursor live reading goes on from."""
    vendor.answers = [answer(number) for number in range(250)]
    seen: list[Progress] = []
    outcome = await sync_stream(kit, connection.id, "answers", progress=seen.append)
    assert outcome.ended is Ended.DONE
    assert (outcome.backfill, outcome.pages, outcome.records, outcome.new) == (True, 3, 250, 250)
    assert [progress.records for progress in seen] == [100, 200, 250]
    assert (await checkpoint(kit, connection)).cursor == {"after": 250}
    vendor.answers.append(answer(250))
    outcome = await sync_stream(kit, connection.id, "answers")
    assert (outcome.backfill, outcome.new) == (False, 1)
    assert len(await raw_records(kit)) == 251
    assert await scalar(kit, "SELECT count(*) FROM raw_pending") == 251


async def test_a_page_and_its_cursor_are_one(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """After a slice of time the cursor stands exactly behind the records that were kept."""
    vendor.answers = [answer(number) for number in range(250)]
    outcome = await sync_stream(kit, connection.id, "answers", seconds=0)
    assert (outcome.ended, outcome.pages) == (Ended.MORE, 1)
    kept = await checkpoint(kit, connection, backfill=True)
    assert kept.cursor == {"after": 100}
    assert kept.records == len(await raw_records(kit)) == 100


async def test_a_backfill_that_goes_on_says_where_it_is(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """What it has read, what earlier runs had, and the cursor that is kept."""
    vendor.answers = [answer(number) for number in range(250)]
    await sync_stream(kit, connection.id, "answers", seconds=0)
    seen: list[Progress] = []
    await sync_stream(kit, connection.id, "answers", progress=seen.append)
    assert [(one.earlier, one.records, one.cursor) for one in seen] == [
        (100, 100, {"after": 200}),
        (100, 150, {"after": 250}),
    ]


async def test_a_backfill_goes_on_beside_live_reading(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A backfill in the middle neither moves the live cursor nor is moved by it, and repeats nothing."""
    vendor.answers = [answer(number) for number in range(200)]
    await sync_stream(kit, connection.id, "answers")
    await sync_stream(kit, connection.id, "answers", backfill=True, seconds=0)
    vendor.answers.append(answer(200))
    live = await sync_stream(kit, connection.id, "answers")
    rest = await sync_stream(kit, connection.id, "answers", backfill=True)
    assert (live.new, rest.records, rest.new) == (1, 101, 0)
    assert (await checkpoint(kit, connection)).cursor == {"after": 201}
    assert len(await raw_records(kit)) == 201


async def test_two_readers_of_one_stream_double_nothing(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """Of two that read the same stream at once one is overtaken, and every record is there once."""
    vendor.answers = [answer(number) for number in range(500)]
    vendor.delay = 0.005
    outcomes = await asyncio.gather(*(sync_stream(kit, connection.id, "answers") for _ in range(3)))
    ended = [outcome.ended for outcome in outcomes]
    assert ended.count(Ended.DONE) == 1
    assert ended.count(Ended.OVERTAKEN) == 2
    assert len(await raw_records(kit)) == 500
    assert (await checkpoint(kit, connection, backfill=True)).records == 500


async def test_a_new_version_is_a_record_of_its_own(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A changed record is kept beside its older version, and an unchanged one causes no work."""
    vendor.answers = [answer(1), answer(2)]
    await sync_stream(kit, connection.id, "answers")
    vendor.answers = [answer(1), answer(2, updated=2)]
    outcome = await sync_stream(kit, connection.id, "answers", backfill=True)
    assert (outcome.records, outcome.new) == (2, 1)
    versions = [(record, version) for _, record, version in await raw_records(kit)]
    assert versions == [("answer-1", "000000001"), ("answer-2", "000000001"), ("answer-2", "000000002")]


async def test_an_expired_cursor_starts_over(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """When the vendor no longer knows the cursor, the stream is read again from the beginning."""
    vendor.answers = [answer(number) for number in range(150)]
    await sync_stream(kit, connection.id, "answers")
    vendor.oldest_cursor = 10_000
    outcome = await sync_stream(kit, connection.id, "answers")
    assert (outcome.ended, outcome.backfill) == (Ended.MORE, False)
    vendor.oldest_cursor = 0
    vendor.answers.append(answer(150))
    outcome = await sync_stream(kit, connection.id, "answers")
    assert (outcome.ended, outcome.backfill, outcome.records, outcome.new) == (Ended.DONE, True, 151, 1)
    assert (await checkpoint(kit, connection)).cursor == {"after": 151}


async def test_a_null_cursor_never_replaces_one(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A page past the end that brings a null cursor leaves the stored one alone."""
    vendor.answers = [answer(1)]
    await sync_stream(kit, connection.id, "answers")

    class PastTheEnd(Surveys):
        @sdk.stream(
            record=Answer,
            cursor=After,
            key=lambda record: record.id,
            version=lambda record: str(record.updated),
            emits={"survey.answered"},
        )
        async def answers(self, cursor: After | None) -> AsyncIterator[sdk.Page]:
            yield sdk.Page([], After(after=None))

        @answers.normalize
        def _(self, record: Answer) -> Iterable[sdk.Event]:
            return ()

    with registry.using(Registry.of(PastTheEnd)):
        outcome = await sync_stream(kit, connection.id, "answers")
    assert outcome.ended is Ended.DONE
    assert (await checkpoint(kit, connection)).cursor == {"after": 1}


def surveys_yielding(*pages: sdk.Page, expires: bool = False) -> type[Surveys]:
    """The connector with a stream `answers` that yields just these pages."""

    class Yielding(Surveys):
        @sdk.stream(
            record=Answer,
            cursor=After,
            key=lambda record: record.id,
            version=lambda record: str(record.updated),
            emits={"survey.answered"},
        )
        async def answers(self, cursor: After | None) -> AsyncIterator[sdk.Page]:
            for page in pages:
                yield page
            if expires:
                raise CursorExpired("gone")

        @answers.normalize
        def _(self, record: Answer) -> Iterable[sdk.Event]:
            return ()

    return Yielding


async def run(kit: Kit, connection: Connection, kind: type[Surveys]) -> SyncOutcome:
    with registry.using(Registry.of(kind)):
        return await sync_stream(kit, connection.id, "answers")


async def test_a_repeated_cursor_fails(kit: Kit, connection: Connection) -> None:
    """A stream that yields a cursor again would be read for ever: the run fails and says so."""
    pages = [sdk.Page([answer(n)], After(after=after)) for n, after in enumerate((1, 2, 1))]
    outcome = await run(kit, connection, surveys_yielding(*pages))
    assert outcome.ended is Ended.FAILED
    assert outcome.problem is not None
    assert "passed before" in outcome.problem
    assert len(await raw_records(kit)) == 2


async def test_an_empty_page_in_the_middle_goes_on(kit: Kit, connection: Connection) -> None:
    """A page without rows is no end."""
    pages = [sdk.Page(rows, After(after=n)) for n, rows in enumerate(([answer(1)], [], [answer(2)]), 1)]
    outcome = await run(kit, connection, surveys_yielding(*pages))
    assert (outcome.ended, outcome.pages, outcome.new) == (Ended.DONE, 3, 2)


async def test_a_bad_row_is_quarantined_and_the_page_goes_on(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A row that does not fit is kept aside with a reason that shows no values; the others are read."""
    vendor.answers = [answer(1), answer(2, score="a private remark"), answer(3)]
    outcome = await sync_stream(kit, connection.id, "answers")
    assert (outcome.ended, outcome.new, outcome.bad) == (Ended.DONE, 2, 1)
    async with kit.reading() as session:
        rows = (await session.execute(text("SELECT stage, stream, reason, attempts FROM quarantine"))).all()
    assert [(row.stage, row.stream, row.attempts) for row in rows] == [("record", "answers", 1)]
    assert "score" in rows[0].reason
    assert "private" not in rows[0].reason


async def test_too_many_bad_rows_pause_the_stream_and_lose_nothing(
    kit: Kit, vendor: Vendor, connection: Connection
) -> None:
    """Above a share of bad rows the model is to blame: the page is not kept, the stream waits for a person."""
    vendor.answers = [answer(n, **({"score": None} if n % 3 == 0 else {})) for n in range(60)]
    outcome = await sync_stream(kit, connection.id, "answers")
    assert outcome.ended is Ended.PAUSED
    assert outcome.problem is not None
    assert "score" in outcome.problem
    kept = await checkpoint(kit, connection, backfill=True)
    assert (kept.paused, kept.cursor, kept.problem) == (True, None, outcome.problem)
    assert await raw_records(kit) == []
    assert (await sync_stream(kit, connection.id, "answers")).ended is Ended.PAUSED
    vendor.answers = [answer(n) for n in range(60)]
    async with kit.transaction() as session:
        await connections.schedule_sync(session, connection.id, now=kit.clock.now())
    assert (await sync_stream(kit, connection.id, "answers")).new == 60
    assert await status(kit, connection) == (ConnectionStatus.ACTIVE, None)


@pytest.mark.parametrize(("code", "advice"), [(401, "connect again"), (403, "permissions")])
async def test_refused_credentials_pause_the_connection(
    kit: Kit, vendor: Vendor, connection: Connection, code: int, advice: str
) -> None:
    """When the vendor refuses us the connection pauses and shows what to do, once, without further requests."""
    vendor.faults = [Response(status_code=code)]
    outcome = await sync_stream(kit, connection.id, "answers")
    assert outcome.ended is Ended.PAUSED
    assert (await status(kit, connection))[0] == ConnectionStatus.PAUSED
    assert advice in str((await status(kit, connection))[1])
    asked = len(vendor.requests)
    assert (await sync_stream(kit, connection.id, "answers")).ended is Ended.PAUSED
    assert len(vendor.requests) == asked


async def test_a_long_pause_that_the_vendor_asks_for_is_kept(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A 429 with a long Retry-After ends the stretch at once and says when to come again."""
    vendor.answers = [answer(n) for n in range(150)]
    await sync_stream(kit, connection.id, "answers", seconds=0)
    vendor.faults = [Response(status_code=429, headers={"retry-after": "90"})]
    outcome = await sync_stream(kit, connection.id, "answers")
    assert outcome.ended is Ended.RETRY
    assert outcome.retry_after is not None
    assert outcome.retry_after.total_seconds() == 90
    assert (await checkpoint(kit, connection, backfill=True)).cursor == {"after": 100}


async def test_a_bug_in_a_connector_fails_its_run_alone(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """What is no error of the contract is a bug: shown on the checkpoint without secrets, the connection goes on."""
    vendor.faults = [JSONResponse({"nothing": "useful"})]
    outcome = await sync_stream(kit, connection.id, "answers")
    assert outcome.ended is Ended.FAILED
    assert outcome.problem == "The connector failed: KeyError: 'answers'"
    assert (await checkpoint(kit, connection, backfill=True)).problem == outcome.problem
    assert await status(kit, connection) == (ConnectionStatus.ACTIVE, None)
    vendor.answers = [answer(1)]
    assert (await sync_stream(kit, connection.id, "answers")).ended is Ended.DONE
    assert (await checkpoint(kit, connection, backfill=True)).problem is None


async def test_what_a_full_refresh_no_longer_lists_is_gone(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A member that was there and is not listed any more gets a tombstone, once."""
    vendor.members = [{"id": f"member-{n}", "company": "acme"} for n in range(5)]
    await sync_stream(kit, connection.id, "members")
    vendor.members.pop(1)
    for gone in (1, 0):
        outcome = await sync_stream(kit, connection.id, "members")
        assert (outcome.ended, outcome.new) == (Ended.DONE, gone)
    deleted = "SELECT string_agg(record_id, ',') FROM raw_record WHERE deleted_at IS NOT NULL AND payload IS NULL"
    assert await scalar(kit, deleted) == "member-1"
    assert await scalar(kit, "SELECT count(*) FROM listed_record") == 0


async def test_an_interrupted_full_refresh_buries_nobody(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A refresh that is cut into stretches knows at its end what its first stretch had listed."""
    vendor.members = [{"id": f"member-{n}", "company": "acme"} for n in range(6)]
    for _ in range(5):
        await sync_stream(kit, connection.id, "members", seconds=0)
    assert await scalar(kit, "SELECT count(*) FROM raw_record") == 6
    assert await scalar(kit, "SELECT count(*) FROM raw_record WHERE deleted_at IS NOT NULL") == 0


async def test_a_stream_that_lists_everything_must_say_so(kit: Kit, connection: Connection) -> None:
    """`complete=True` of a stream that is not declared as a full refresh is refused: nothing would be noticed gone."""
    outcome = await run(kit, connection, surveys_yielding(sdk.Page([], After(after=1), complete=True)))
    assert outcome.ended is Ended.FAILED
    assert "full_refresh=True" in str(outcome.problem)


async def test_keys_that_cannot_be_stored_are_quarantined(kit: Kit, connection: Connection) -> None:
    """A key with a NUL, a lone surrogate, of excessive length or none at all spoils its own row only."""
    ids = ["\x00", "\ud800", "x" * 501, "", "good"]
    pages = sdk.Page([answer(n, id=record_id) for n, record_id in enumerate(ids)], After(after=1))
    outcome = await run(kit, connection, surveys_yielding(pages))
    assert (outcome.ended, outcome.new, outcome.bad) == (Ended.DONE, 1, 4)
    assert [record for _, record, _ in await raw_records(kit)] == ["good"]


async def test_the_list_keeps_a_stream_going(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A new connection is read by the work list, and each stream is due again after its interval."""
    vendor.answers = [answer(n) for n in range(120)]
    vendor.members = [{"id": "member-1", "company": "acme"}]
    assert await drain_streams_to_sync(kit) == 2
    assert await drain_streams_to_sync(kit) == 0
    assert await scalar(kit, "SELECT count(*) FROM raw_record") == 121
    due = "SELECT count(*) FROM work_item WHERE list = 'streams_to_sync' AND due_at > now() AND attempts = 0"
    assert await scalar(kit, due) == 2


async def test_a_failing_stream_is_postponed_and_others_go_on(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A stream that fails keeps its error on its entry and comes later; the other one is read."""
    vendor.members = [{"id": "member-1", "company": "acme"}]
    vendor.answers = [{"unlike": "anything"} for _ in range(30)]
    assert await drain_streams_to_sync(kit) == 2
    assert [record for _, record, _ in await raw_records(kit)] == ["member-1"]
    assert (await checkpoint(kit, connection, backfill=True)).paused


async def test_a_paused_connection_leaves_the_list_until_it_works_again(
    kit: Kit, vendor: Vendor, connection: Connection
) -> None:
    """Refused credentials end the polling; a check that succeeds resumes it."""
    vendor.keys.clear()
    await drain_streams_to_sync(kit)
    assert await scalar(kit, "SELECT count(*) FROM work_item WHERE list = 'streams_to_sync'") == 0
    vendor.keys.add("key-of-the-surveys-connection")
    async with kit.transaction() as session:
        await connections.check(session, kit.vault, "panel", now=kit.clock.now())
    assert await status(kit, connection) == (ConnectionStatus.ACTIVE, None)
    assert await drain_streams_to_sync(kit) == 2


async def test_a_changed_cursor_is_migrated_or_read_anew(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """An old cursor goes through `migrate_cursor`; without one the stream starts over and doubles nothing."""
    vendor.answers = [answer(n) for n in range(30)]
    await sync_stream(kit, connection.id, "answers")

    class Offset(After):
        offset: int

    def kind(migrate: Any) -> type[Surveys]:
        class Moved(Surveys):
            @sdk.stream(
                record=Answer,
                cursor=Offset,
                key=lambda record: record.id,
                version=lambda record: f"{record.updated:09}",
                emits={"survey.answered"},
                migrate_cursor=migrate,
            )
            async def answers(self, cursor: Offset | None) -> AsyncIterator[sdk.Page]:
                start = cursor.offset if cursor else 0
                yield sdk.Page(vendor.answers[start:], Offset(offset=len(vendor.answers)))

            @answers.normalize
            def _(self, record: Answer) -> Iterable[sdk.Event]:
                return ()

        return Moved

    vendor.answers.append(answer(30))
    outcome = await run(kit, connection, kind(lambda old: {"offset": old["after"]}))
    assert (outcome.backfill, outcome.records, outcome.new) == (False, 1, 1)
    async with kit.transaction() as session:
        kept = await session.get_one(Checkpoint, (connection.id, "answers", False))
        kept.cursor = {"after": 5}
    assert (await run(kit, connection, kind(None))).ended is Ended.MORE
    outcome = await run(kit, connection, kind(None))
    assert (outcome.backfill, outcome.records, outcome.new) == (True, 31, 0)
