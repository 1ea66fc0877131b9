"""The Segment double puts on the wire what Segment's own client puts there, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import segment.analytics.request as real_request
from segment.analytics.client import Client as RealClient
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from hub.kit.loopback import serve
from hub.sandbox import Fault, Faults, Progress, Sender, SendingFailed, WebhookDestination, history, invent
from hub.sandbox.messages import Message
from hub.sandbox.segment import BATCH_ENDS_AT

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


@dataclass
class Source:
    """A source endpoint that keeps what it gets; `answers` are the statuses it gives first."""

    url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    broken_off: int = 0
    answers: list[int] = field(default_factory=list)
    key: str = "key"

    async def take(self, request: Request) -> Response:
        try:
            raw = await request.body()
        except ClientDisconnect:
            self.broken_off += 1
            return Response()
        self.requests.append((dict(request.headers), raw))
        if request.headers.get("authorization") != f"Basic {base64.b64encode(f'{self.key}:'.encode()).decode()}":
            return Response(status_code=401)
        return Response(b'{"success": true}', self.answers.pop(0) if self.answers else 200)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [
            json.loads(gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw)
            for headers, raw in self.requests
        ]

    @property
    def messages(self) -> list[Message]:
        return [message for body in self.bodies for message in body["batch"]]


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    found = Source()
    routes = [Route("/in/segment/v1/batch", found.take, methods=["POST"]), Route("/", found.take, methods=["POST"])]
    async with serve(Starlette(routes=routes)) as url:
        found.url = f"{url}/in/segment"
        yield found


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        yield client


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    """A thousand messages of a small base."""
    found = list(history(invent(accounts=9, until=NOW)))
    assert len(found) > 1_000
    return found[:1_000]


async def test_it_looks_like_the_real_client(source: Source, http: httpx.AsyncClient, messages: list[Message]) -> None:
    """Path, authentication and the keys of body and message are those of the unmodified Python client."""
    mine = next(message for message in messages if message["type"] == "track")

    def send_with_the_real_client() -> None:
        client = RealClient("key", host=source.url, sync_mode=True)
        client.track(
            mine["userId"],
            mine["event"],
            mine["properties"],
            {"groupId": mine["context"].get("groupId")},
            datetime.fromisoformat(mine["timestamp"]),
            message_id=mine["messageId"],
        )

    await asyncio.to_thread(send_with_the_real_client)
    real_request._session.close()
    await Sender(source.url, "key", http).send([mine])

    (real_headers, _), (headers, _) = source.requests
    real, body = source.bodies
    for name in ("authorization", "content-type"):
        assert headers[name] == real_headers[name]
    assert body.keys() == real.keys() == {"batch", "sentAt", "writeKey"}
    assert body["writeKey"] == real["writeKey"]
    theirs, ours = real["batch"][0], body["batch"][0]
    assert ours.keys() == theirs.keys()
    assert ours["context"].keys() == theirs["context"].keys()
    assert {name: ours[name] for name in ours if name not in ("context", "timestamp")} == {
        name: theirs[name] for name in theirs if name not in ("context", "timestamp")
    }
    assert datetime.fromisoformat(ours["timestamp"]) == datetime.fromisoformat(theirs["timestamp"])


async def test_everything_arrives_once_in_order(
    source: Source, http: httpx.AsyncClient, messages: list[Message]
) -> None:
    """A thousand messages come in batches of the size asked for, and progress tells of each."""
    told: list[Progress] = []
    done = await Sender(source.url, "key", http, upload_size=300).send(messages, progress=told.append)
    assert source.messages == messages
    assert [len(body["batch"]) for body in source.bodies] == [300, 300, 300, 100]
    assert done == Progress(1_000, 4)
    assert [one.sent for one in told] == [300, 600, 900, 1_000]


async def test_gzip_is_for_the_asking(source: Source, http: httpx.AsyncClient, messages: list[Message]) -> None:
    """Compressed batches hold the same messages."""
    await Sender(source.url, "key", http, gzip=True).send(messages[:200])
    assert {headers["content-encoding"] for headers, _ in source.requests} == {"gzip"}
    assert source.messages == messages[:200]


async def test_batches_stay_below_half_a_megabyte(source: Source, http: httpx.AsyncClient) -> None:
    """Large messages end a batch early; one that is too large is refused before it is sent."""
    large = [
        {"messageId": str(number), "timestamp": "2026-01-01T00:00:00.000Z", "x": "y" * 30_000} for number in range(40)
    ]
    await Sender(source.url, "key", http, upload_size=2_500).send(large)
    assert len(source.messages) == 40
    assert len(source.requests) > 1
    assert max(len(raw) for _, raw in source.requests) < 500_000
    assert min(len(raw) for _, raw in source.requests[:-1]) > BATCH_ENDS_AT - 32_768
    with pytest.raises(ValueError, match="32 KB"):
        await Sender(source.url, "key", http).send([large[0] | {"x": "y" * 33_000}])


async def test_history_keeps_its_times_whatever_the_clock_says(
    source: Source, http: httpx.AsyncClient, messages: list[Message]
) -> None:
    """Received − (sent − told) is the right time, also from a machine that is three hours ahead."""
    for ahead in (timedelta(), timedelta(hours=3)):
        source.requests.clear()
        await Sender(source.url, "key", http, clock=lambda: NOW, ahead=ahead).send(messages[:50])
        (body,) = source.bodies
        sent = datetime.fromisoformat(body["sentAt"])
        assert sent == NOW + ahead
        for got, message in zip(body["batch"], messages, strict=False):
            happened = NOW - (sent - datetime.fromisoformat(got["timestamp"]))
            assert happened == datetime.fromisoformat(message["timestamp"])


async def test_a_failure_says_where_to_go_on(source: Source, http: httpx.AsyncClient, messages: list[Message]) -> None:
    """A refused batch ends the sending; with its progress a second one sends the rest and nothing twice."""
    source.answers = [200, 200, 400]
    sender = Sender(source.url, "key", http, pause=0)
    with pytest.raises(SendingFailed, match="HTTP 400") as failed:
        await sender.send(messages[:500])
    assert failed.value.progress == Progress(200, 2)
    source.requests.pop()
    await sender.send(messages[:500], after=failed.value.progress.sent)
    assert source.messages == messages[:500]


async def test_errors_of_the_server_are_tried_again(
    source: Source, http: httpx.AsyncClient, messages: list[Message]
) -> None:
    """As the real client does: the same batch again, counted in a header, until the retries are used up."""
    source.answers = [503, 502, 200]
    await Sender(source.url, "key", http, pause=0).send(messages[:10])
    assert [headers.get("x-retry-count") for headers, _ in source.requests] == [None, "1", "2"]
    assert all(body["batch"] == messages[:10] for body in source.bodies)
    source.answers = [500] * 9
    with pytest.raises(SendingFailed, match="HTTP 500"):
        await Sender(source.url, "key", http, pause=0, retries=2).send(messages[:10])


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.SERVER_ERROR])
async def test_a_lost_answer_sends_the_batch_twice(
    source: Source, http: httpx.AsyncClient, messages: list[Message], fault: Fault
) -> None:
    """The first attempt has arrived all the same, with the same message ids."""
    await Sender(source.url, "key", http, pause=0, faults=Faults([fault])).send(messages[:100])
    assert [body["batch"] for body in source.bodies] == [messages[:100]] * 2


async def test_a_cut_connection_delivers_nothing(
    source: Source, http: httpx.AsyncClient, messages: list[Message]
) -> None:
    """Half a body is no batch; the whole one follows."""
    await Sender(source.url, "key", http, pause=0, faults=Faults([Fault.CUT])).send(messages[:100])
    assert source.messages == messages[:100]
    assert source.broken_off == 1


async def test_an_expired_key_ends_the_sending(
    source: Source, http: httpx.AsyncClient, messages: list[Message]
) -> None:
    """It is sent in both places, refused, and not tried again."""
    sender = Sender(source.url, "key", http, faults=Faults([None, Fault.EXPIRED]))
    with pytest.raises(SendingFailed, match="HTTP 401") as failed:
        await sender.send(messages[:300])
    assert failed.value.progress.sent == 100
    assert source.bodies[-1]["writeKey"] == "expired"


async def test_the_destination_signs_its_first_element_only(
    source: Source, http: httpx.AsyncClient, messages: list[Message]
) -> None:
    """The signature is over the raw bytes of element 0, which Python's own serialiser does not give again."""
    url = source.url.removesuffix("/in/segment") + "/"
    source.key = ""
    destination = WebhookDestination(url, "secret", http, clock=lambda: NOW)
    odd = messages[0] | {"traits": {"name": "Zoë"}}
    assert await destination.deliver([odd, *messages[1:4]]) == [401]
    headers, raw = source.requests[0]
    elements = json.loads(raw)
    _, end = json.JSONDecoder().raw_decode(raw.decode(), 1)
    first = raw.decode()[1:end].encode()
    assert headers["x-signature"] == hmac.new(b"secret", first, hashlib.sha1).hexdigest()
    assert json.dumps(elements[0]).encode() != first
    assert [one["messageId"] for one in elements] == [one["messageId"] for one in messages[:4]]
    assert elements[1]["originalTimestamp"] == messages[1]["timestamp"]


async def test_the_destination_forwards_erasures_and_single_calls(
    source: Source, http: httpx.AsyncClient, messages: list[Message]
) -> None:
    """One call is signed as a whole, and so is the request to forget somebody."""
    url = source.url.removesuffix("/in/segment") + "/"
    destination = WebhookDestination(url, "secret", http)
    await destination.deliver(messages[:2], batched=False)
    await destination.erase("usr_1")
    assert len(source.requests) == 3
    for headers, raw in source.requests:
        assert headers["x-signature"] == hmac.new(b"secret", raw, hashlib.sha1).hexdigest()
    erasure = json.loads(source.requests[-1][1])
    assert (erasure["type"], erasure["userId"]) == ("delete", "usr_1")
