"""The intake: what is taken is durable before it is answered, what is refused is told why, and no secret is kept."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import orjson
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Mount
from structlog.testing import capture_logs

from hub import sdk
from hub.connections import registry
from hub.connections import service as connections
from hub.connections.compression import pack
from hub.connections.deliveries import GroupCommit, Incoming, Unstorable
from hub.connections.jobs import drain_deliveries, drain_records_to_follow_up
from hub.connections.mailbox import SqlMailbox
from hub.connections.model import Connection
from hub.connections.registry import Registry
from hub.connections.webhooks import Intake
from hub.kit.ids import new_id
from hub.kit.loopback import serve
from hub.kit.runtime import Kit
from tests.connections.vendor import (
    API_KEY,
    SIGNING_SECRET,
    After,
    Answer,
    Surveys,
    answer,
    raw_records,
    scalar,
    signed,
)

HOOK = "/in/panel/hook"
STORED = "SELECT count(*) FROM webhook_delivery"


@pytest.fixture
async def intake(kit: Kit) -> AsyncIterator[Intake]:
    """The intake of one process."""
    opened = Intake(kit)
    yield opened
    await opened.close()


@pytest.fixture
async def client(intake: Intake) -> AsyncIterator[httpx.AsyncClient]:
    """A vendor's HTTP client; the intake is mounted as in the server."""
    app = Starlette(routes=[Mount("/in", app=intake)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as found:
        yield found


def body_of(*numbers: int) -> bytes:
    return orjson.dumps({"answers": [answer(number) for number in numbers]})


async def post(client: httpx.AsyncClient, body: bytes, path: str = HOOK, **headers: str) -> httpx.Response:
    return await client.post(path, content=body, headers={**signed(body), **headers})


def code(response: httpx.Response) -> tuple[int, str]:
    found: str = response.json()["error"]["code"]
    assert response.headers["content-type"] == "application/json"
    return response.status_code, found


async def test_a_delivery_is_stored_before_it_is_answered_and_becomes_records(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """What the vendor gets a 2xx for is in the table, and a job turns it into records."""
    response = await post(client, body_of(1, 2))
    assert (response.status_code, response.json()) == (202, {"taken": True})
    assert await scalar(kit, STORED) == 1
    assert await drain_deliveries(kit) == 1
    assert await drain_deliveries(kit) == 0
    assert [record for _, record, _ in await raw_records(kit)] == ["answer-1", "answer-2"]
    assert await scalar(kit, "SELECT count(*) FROM webhook_delivery WHERE processed_at IS NOT NULL") == 1


async def test_storing_wakes_the_readers(
    kit: Kit, client: httpx.AsyncClient, intake: Intake, connection: Connection
) -> None:
    """A stored delivery nudges the list of deliveries."""
    await post(client, body_of(1))
    await intake.close()
    assert await kit.queue.redis.exists("hub:nudge:deliveries")


async def test_parallel_duplicates_are_one_delivery(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """The same delivery twenty times at once is answered twenty times and stored once."""
    posts = (post(client, body_of(1), **{"x-delivery": "d-1"}) for _ in range(20))
    responses = await asyncio.gather(*posts)
    assert {response.status_code for response in responses} == {202}
    assert await scalar(kit, STORED) == 1


async def test_the_same_records_in_other_deliveries_cause_no_work(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """Records that come again, in parallel and in another order, are one each and put before the timeline once."""
    numbers = [list(range(40)), list(range(39, -1, -1)), list(range(20, 60))]
    await asyncio.gather(*(post(client, body_of(*some)) for some in numbers))
    await asyncio.gather(*(drain_deliveries(kit) for _ in range(3)))
    assert len(await raw_records(kit)) == 60
    assert await scalar(kit, "SELECT count(*) FROM raw_pending") == 60


async def test_many_at_once_share_commits(kit: Kit, client: httpx.AsyncClient, connection: Connection) -> None:
    """Sixty deliveries at once are stored by far fewer transactions, each of them durable when it is answered."""
    before = REGISTRY.get_sample_value("hub_delivery_batch_rows_count") or 0
    await asyncio.gather(*(post(client, body_of(number)) for number in range(60)))
    commits = (REGISTRY.get_sample_value("hub_delivery_batch_rows_count") or 0) - before
    assert await scalar(kit, STORED) == 60
    assert commits <= 20


async def test_a_wrong_signature_is_refused_and_counted(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """A delivery from somebody else is answered 401, counted, and not looked at."""
    labels = {"connector": "surveys", "outcome": "bad_signature"}
    before = REGISTRY.get_sample_value("hub_deliveries_total", labels) or 0
    forged: list[dict[str, Any]] = [{}, {"X-Signature": "sha256=00"}, {"X-Signature": "sha256=ä".encode("latin-1")}]
    for headers in forged:
        response = await client.post(HOOK, content=body_of(1), headers=headers)
        assert code(response) == (401, "bad_signature")
    assert REGISTRY.get_sample_value("hub_deliveries_total", labels) == before + 3
    assert await scalar(kit, STORED) == 0


async def test_one_changed_byte_is_refused(client: httpx.AsyncClient, connection: Connection) -> None:
    """The signature covers the raw bytes."""
    body = body_of(1)
    response = await client.post(HOOK, content=body.replace(b"answer-1", b"answer-7"), headers=signed(body))
    assert code(response) == (401, "bad_signature")


async def test_two_secrets_are_active_while_one_is_rotated(
    kit: Kit, client: httpx.AsyncClient, intake: Intake, connection: Connection, vendor: Any, surveys: Any
) -> None:
    """After a rotation both secrets verify, and a secret that is gone does not."""
    assert (await post(client, body_of(1))).status_code == 202
    config = {
        "api_key": API_KEY,
        "base_url": vendor.url,
        "signing_secret": "the new secret",
        "previous_signing_secret": SIGNING_SECRET,
    }
    for given, expected in ((config, [202, 202]), ({**config, "previous_signing_secret": None}, [401, 202])):
        async with kit.transaction() as session:
            await connections.reconnect(session, kit.vault, surveys, "panel", given, now=kit.clock.now())
        intake.forget("panel")
        codes = [
            (await client.post(HOOK, content=b"{}", headers=signed(b"{}", secret))).status_code
            for secret in (SIGNING_SECRET, "the new secret")
        ]
        assert codes == expected


async def test_a_connection_without_a_secret_takes_nothing(
    kit: Kit, client: httpx.AsyncClient, vendor: Any, surveys: Any
) -> None:
    """Where no secret is set nobody can sign, also not with an empty one."""
    config = {"api_key": API_KEY, "base_url": vendor.url, "signing_secret": ""}
    async with kit.transaction() as session:
        await connections.add(session, kit.vault, surveys, "surveys", "panel", config, now=kit.clock.now())
    response = await client.post(HOOK, content=b"{}", headers=signed(b"{}", ""))
    assert code(response) == (401, "bad_signature")


async def test_what_is_not_there_is_said_to_be_not_there(client: httpx.AsyncClient, connection: Connection) -> None:
    """Unknown connections, paths and methods have answers of their own."""
    assert code(await post(client, b"{}", "/in/nobody/hook")) == (404, "unknown_connection")
    assert code(await post(client, b"{}", "/in/panel/hook/more")) == (404, "unknown_path")
    assert code(await post(client, b"{}", "/in/panel/waiting/%00")) == (404, "unknown_path")
    response = await client.get(HOOK)
    assert code(response) == (405, "wrong_method")
    assert response.headers["allow"] == "POST"


async def test_a_paused_connection_goes_on_taking_and_a_removed_one_does_not(
    kit: Kit, client: httpx.AsyncClient, intake: Intake, connection: Connection
) -> None:
    """Pausing stops what the hub asks, not what the vendor says; a removed connection answers 410."""
    async with kit.transaction() as session:
        await connections.pause(session, connection.id, "mend it")
    intake.forget("panel")
    assert (await post(client, body_of(1))).status_code == 202
    assert await drain_deliveries(kit) == 1
    async with kit.transaction() as session:
        await connections.remove(session, kit.vault, "panel", now=kit.clock.now())
    intake.forget("panel")
    assert code(await post(client, body_of(2))) == (410, "removed")


async def test_what_came_before_a_removal_is_still_read(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """Deliveries that wait when their connection is removed become records all the same."""
    await post(client, body_of(1))
    async with kit.transaction() as session:
        await connections.remove(session, kit.vault, "panel", now=kit.clock.now())
    assert await drain_deliveries(kit) == 1
    assert len(await raw_records(kit)) == 1


async def test_an_oversized_body_is_refused_by_its_length(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """A body that says it is too large is answered 413 without being read."""
    response = await client.post(HOOK, content=b"x", headers={"content-length": "3000000"})
    assert code(response) == (413, "too_large")
    assert response.headers["connection"] == "close"


async def test_an_oversized_body_of_unknown_length_is_not_read_to_its_end(
    kit: Kit, intake: Intake, connection: Connection
) -> None:
    """A stream that never ends is cut off when it passes the cap."""
    async with serve(Starlette(routes=[Mount("/in", app=intake)])) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST /in/panel/hook HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent, answered = 0, asyncio.create_task(reader.readuntil(b"}}"))
        while not answered.done() and sent < 50_000_000:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            sent += 65_536
            await asyncio.sleep(0)
            await writer.drain()
        head, _, body = (await answered).partition(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 413")
    assert orjson.loads(body)["error"]["code"] == "too_large"
    assert sent < 20_000_000


async def test_compressed_bodies_are_taken(kit: Kit, client: httpx.AsyncClient, connection: Connection) -> None:
    """A body may come as gzip or deflate; the signature is that of the plain bytes."""
    body = body_of(1)
    for encoding, compressed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body)), ("identity", body)):
        response = await client.post(HOOK, content=compressed, headers={**signed(body), "content-encoding": encoding})
        assert response.status_code == 202
    assert await drain_deliveries(kit) == 3
    assert len(await raw_records(kit)) == 1


async def test_a_compressed_bomb_is_refused(client: httpx.AsyncClient, connection: Connection) -> None:
    """A small body that would become a huge one is answered 413."""
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < 100_000
    response = await client.post(HOOK, content=bomb, headers={"content-encoding": "gzip"})
    assert code(response) == (413, "too_large")


async def test_a_body_that_cannot_be_decoded_is_refused(client: httpx.AsyncClient, connection: Connection) -> None:
    """A broken, truncated or unknown encoding gets a clear answer."""
    for encoding, content, expected in (
        ("gzip", b"this is no gzip", (400, "bad_encoding")),
        ("gzip", gzip.compress(b"{}" * 500)[:-12], (400, "bad_encoding")),
        ("br", b"{}", (415, "unknown_encoding")),
    ):
        response = await client.post(HOOK, content=content, headers={"content-encoding": encoding})
        assert code(response) == expected


async def test_a_connector_may_refuse_at_once(kit: Kit, client: httpx.AsyncClient, connection: Connection) -> None:
    """What `accept` answers reaches the vendor as it is, and nothing is stored."""
    response = await post(client, b"refuse me")
    assert (response.status_code, response.json()) == (400, {"why": "no answers"})
    assert await scalar(kit, STORED) == 0


UNREADABLE = {
    "invalid JSON": b'{"answers": [',
    "not an object": b"[1, 2]",
    "a lone surrogate": b'{"answers": [{"id": "\\ud800"}]}',
    "not UTF-8": b'{"answers": ["\xff\xfe"]}',
    "deep nesting": b'{"answers": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "empty": b"",
}


async def test_what_cannot_be_read_is_kept_shown_and_replayed(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """A genuine delivery that `receive` fails over is in quarantine, hinders no other, and can be read again."""
    for body in (*UNREADABLE.values(), body_of(1)):
        assert (await post(client, body)).status_code == 202
    assert await drain_deliveries(kit) == len(UNREADABLE) + 1
    assert await drain_deliveries(kit) == 0
    assert len(await raw_records(kit)) == 1
    entries = "SELECT count(*) FROM quarantine WHERE stage = 'delivery' AND resolved_at IS NULL AND attempts = "
    assert await scalar(kit, f"{entries} 1") == len(UNREADABLE)
    async with kit.transaction() as session:
        replayed = await connections.replay_quarantine(session, connection.id, now=kit.clock.now())
    assert replayed.resolved == len(UNREADABLE)
    assert await drain_deliveries(kit) == len(UNREADABLE)
    assert await scalar(kit, f"{entries} 2") == len(UNREADABLE)


async def test_a_replayed_delivery_that_can_be_read_now_is_resolved(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """After the connector was mended a replay turns the kept delivery into records and closes the entry."""
    await post(client, b'{"answers": 7}')
    await drain_deliveries(kit)
    async with kit.transaction() as session:
        await session.execute(text("UPDATE webhook_delivery SET body = :body"), {"body": pack(body_of(1))})
        await connections.replay_quarantine(session, now=kit.clock.now())
    assert await drain_deliveries(kit) == 1
    assert len(await raw_records(kit)) == 1
    assert await scalar(kit, "SELECT count(*) FROM quarantine WHERE resolved_at IS NULL") == 0


async def test_odd_rows_spoil_only_themselves(kit: Kit, client: httpx.AsyncClient, connection: Connection) -> None:
    """In one delivery NULs and unknown fields pass, and rows of the wrong type are set aside with their JSON."""
    rows = [
        answer(1, remark="a NUL \x00 inside"),
        answer(2, score="many"),
        answer(3, unknown={"deep": [1, {"er": None}]}),
        "no object at all",
        answer(4, id="\x00"),
        answer(5),
    ]
    body = orjson.dumps({"answers": rows})
    assert (await post(client, body)).status_code == 202
    assert await drain_deliveries(kit) == 1
    assert [record for _, record, _ in await raw_records(kit)] == ["answer-1", "answer-3", "answer-5"]
    assert await scalar(kit, "SELECT count(*) FROM quarantine WHERE stage = 'record'") == 3
    async with kit.transaction() as session:
        pending = await connections.claim_pending(session, 10)
    payloads = {record.record_id: record.payload for record in pending}
    assert payloads["answer-1"] == rows[0]
    assert payloads["answer-3"] == rows[2]


async def test_ten_thousand_in_one_batch(kit: Kit, client: httpx.AsyncClient, connection: Connection) -> None:
    """A batch of 10,000 elements is taken whole."""
    body = orjson.dumps({"answers": [answer(number) for number in range(10_000)]})
    assert len(body) < 2_000_000
    assert (await post(client, body)).status_code == 202
    assert await drain_deliveries(kit) == 1
    assert await scalar(kit, "SELECT count(*) FROM raw_record") == 10_000


async def test_a_connector_follows_records_up_that_came_by_webhook(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """What `on_received` does happens after the record is kept, and only for records that a webhook brought."""

    class Closing(Surveys):
        @sdk.stream(
            record=Answer,
            cursor=After,
            key=lambda record: record.id,
            version=lambda record: "1",
            emits={"survey.answered"},
        )
        async def answers(self, cursor: After | None) -> AsyncIterator[sdk.Page]:
            yield sdk.Page([answer(9)], After(after=1))

        @answers.normalize
        def _(self, record: Answer) -> Iterable[sdk.Event]:
            return ()

        @answers.on_received
        async def _(self, record: Answer) -> None:
            await self.mailbox.put(record.id, {}, key=record.id)

    with registry.using(Registry.of(Closing)):
        await connections.sync_stream(kit, connection.id, "answers")
        await post(client, body_of(1, 2))
        await drain_deliveries(kit)
        assert await drain_records_to_follow_up(kit) == 2
        assert await drain_records_to_follow_up(kit) == 0
    followed = "SELECT string_agg(recipient, ' ' ORDER BY recipient) FROM mailbox_message"
    assert await scalar(kit, followed) == "answer-1 answer-2"


async def test_deletions_and_changes_by_webhook(kit: Kit, client: httpx.AsyncClient, connection: Connection) -> None:
    """A webhook may bury records, and name records to be fetched."""
    body = orjson.dumps({"deleted": ["answer-1"], "changed": ["answer-2", "answer-3"]})
    await post(client, body)
    await drain_deliveries(kit)
    deleted = "SELECT record_id FROM raw_record WHERE payload IS NULL AND deleted_at IS NOT NULL"
    assert await scalar(kit, deleted) == "answer-1"
    marked = (
        "SELECT string_agg(split_part(key, '/', 3), ' ' ORDER BY key) FROM work_item WHERE list = 'records_to_refetch'"
    )
    assert await scalar(kit, marked) == "answer-2 answer-3"


async def test_no_secret_is_logged_or_stored(kit: Kit, client: httpx.AsyncClient, connection: Connection) -> None:
    """Neither the log nor the table holds a credential that came with a request, or a secret of the connection."""
    body = body_of(1)
    with capture_logs() as logs:
        for extra in ({}, {"X-Signature": "sha256=forged-signature"}):
            headers = {
                **signed(body),
                "authorization": "Bearer very-private",
                "cookie": "session=very-private",
                **extra,
            }
            await client.post(HOOK, content=body, headers=headers)
        await post(client, b"{nonsense")
        await drain_deliveries(kit)
        await client.get("/in/panel/waiting/broken", headers=signed(b"", API_KEY, ""))
    said = json.dumps(logs, default=str)
    stored = str(await scalar(kit, "SELECT string_agg(headers::text, ' ') FROM webhook_delivery"))
    assert "connector_failed" in said
    for secret in ("very-private", SIGNING_SECRET, API_KEY, signed(body)["X-Signature"]):
        assert secret not in said
        assert secret not in stored


async def test_end_users_are_answered_by_the_connector(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """A declared endpoint verifies its own signature and answers from the mailbox; its bugs show nothing."""
    mailbox = SqlMailbox(kit.transaction, connection.id, kit.clock)
    await mailbox.put("ann", {"text": "hello"}, key="run:1")
    response = await client.get("/in/panel/waiting/ann", headers=signed(b"", API_KEY, ""))
    assert (response.status_code, response.json()) == (200, [{"text": "hello"}])
    assert code(await client.get("/in/panel/waiting/ann", headers=signed(b""))) == (401, "bad_signature")
    broken = await client.get("/in/panel/waiting/broken", headers=signed(b"", API_KEY, ""))
    assert code(broken) == (500, "connector_failed")
    assert API_KEY not in broken.text


async def test_without_its_plugin_a_connection_asks_to_come_again(
    kit: Kit, client: httpx.AsyncClient, connection: Connection, intake: Intake
) -> None:
    """A delivery for a connector that is not installed now is neither taken nor lost: 503."""
    await post(client, body_of(1))
    with registry.using(Registry()):
        intake.forget("panel")
        response = await post(client, body_of(2))
        assert code(response) == (503, "cannot_open")
        assert response.headers["retry-after"]
        assert await drain_deliveries(kit) == 0
    assert await drain_deliveries(kit) == 1


async def test_when_nothing_can_be_stored_nothing_is_promised(
    kit: Kit, client: httpx.AsyncClient, connection: Connection
) -> None:
    """While the database refuses, the vendor is asked to come again."""
    assert (await post(client, body_of(1))).status_code == 202
    async with kit.transaction() as session:
        await session.execute(text("ALTER TABLE webhook_delivery RENAME TO elsewhere"))
    responses = await asyncio.gather(*(post(client, body_of(number)) for number in range(5)))
    assert {code(response) for response in responses} == {(503, "unavailable")}
    async with kit.transaction() as session:
        await session.execute(text("ALTER TABLE elsewhere RENAME TO webhook_delivery"))
    assert (await post(client, body_of(2))).status_code == 202
    assert await scalar(kit, STORED) == 2


async def test_when_too_much_waits_vendors_are_asked_to_come_again(
    kit: Kit, client: httpx.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for the database is bounded: beyond it a delivery is refused, and taken when there is room again."""
    monkeypatch.setattr("hub.connections.deliveries.WAITING_BYTES", 1_000)
    responses = await asyncio.gather(*(post(client, body_of(number)) for number in range(30)))
    codes = [response.status_code for response in responses]
    assert set(codes) == {202, 503}
    assert await scalar(kit, STORED) == codes.count(202)
    assert (await post(client, body_of(1))).status_code == 202


async def test_one_that_cannot_be_stored_fails_alone(kit: Kit, connection: Connection) -> None:
    """Of deliveries that share a commit the one whose values PostgreSQL refuses is refused, the others are stored."""
    commits = GroupCommit(kit.database, lambda: None)

    def incoming(path: str) -> Incoming:
        return Incoming(new_id(), connection.id, "hook", None, path, "{}", pack(b"{}"), kit.clock.now())

    results = await asyncio.gather(
        *(commits.store(incoming(path)) for path in ("a", "b\x00", "c", "d")), return_exceptions=True
    )
    await commits.close()
    assert [result if isinstance(result, bool) else type(result) for result in results] == [
        True,
        Unstorable,
        True,
        True,
    ]
    assert await scalar(kit, STORED) == 3


async def test_a_delivery_whose_records_cannot_be_stored_is_set_aside(
    kit: Kit, client: httpx.AsyncClient, connection: Connection, settings: Any
) -> None:
    """When PostgreSQL refuses a batch for its values, the others of the batch are read and the one to blame is kept."""
    await post(client, body_of(1))
    await post(client, body_of(2))
    async with kit.transaction() as session:
        await session.execute(
            text("ALTER TABLE raw_record ADD CHECK (record_id <> 'answer-1' OR 1 / (length(version) - 9) = 0)")
        )
    assert await drain_deliveries(kit) == 2
    assert await drain_deliveries(kit) == 0
    assert [record for _, record, _ in await raw_records(kit)] == ["answer-2"]
    assert await scalar(kit, "SELECT stage FROM quarantine") == "delivery"
