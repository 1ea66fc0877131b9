"""The Segment double: sends messages to a hub as Segment's clients do, and as its webhook destination does.

A client posts batches to `{host}/v1/batch` with the write key twice (Basic auth and body), `sentAt` and, if
asked, gzip; it keeps to 32 KB a message, and ends a batch at 475 KB, which leaves room below Segment's 500.
History is sent as history: `timestamp` is when something happened and `sentAt` is now, so `receivedAt −
(sentAt − timestamp)` gives the right time whatever the sender's clock says. Modelled on analytics-python 2.3.
"""

import asyncio
import base64
import gzip
import hmac
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

import httpx
import orjson

from hub.sandbox import faults as network
from hub.sandbox.faults import SKEW, Fault, Faults
from hub.sandbox.messages import Message, wire_time

LARGEST_MESSAGE: Final = 32 << 10
BATCH_ENDS_AT: Final = 475_000
MOST_IN_A_BATCH: Final = 2_500

_LONGEST_WAIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sending has come. Give `sent` back as `after`, and it goes on behind the last accepted message."""

    sent: int
    batches: int


class SendingFailed(Exception):
    """The hub refused a batch, or could not be reached for all the attempts. `progress` says what it has accepted."""

    def __init__(self, reason: str, progress: Progress) -> None:
        super().__init__(f"{reason} (after {progress.sent} accepted messages)")
        self.progress = progress


@dataclass(slots=True)
class Sender:
    """A Segment client. `host` is the source endpoint's base URL, without `/v1/batch`.

    upload_size: messages a batch, at most 2,500. ahead: how far the clock of the sender's machine is ahead of
    the right time. retries: attempts after the first one. pause: seconds before the second retry; it doubles
    with each.
    """

    host: str
    write_key: str
    http: httpx.AsyncClient
    gzip: bool = False
    upload_size: int = 100
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    ahead: timedelta = timedelta()
    faults: Faults = field(default_factory=Faults)
    retries: int = 10
    pause: float = 0.5

    async def send(
        self,
        messages: Iterable[Message],
        *,
        after: int = 0,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> Progress:
        """Sends all messages but the first `after`, batch by batch, telling `progress` after each.

        Raises SendingFailed, whose progress says where to go on, and ValueError for a message over 32 KB.
        """
        state = Progress(after, 0)
        for batch in self._batches(islice(messages, after, None)):
            await self._post(batch, state)
            state = Progress(state.sent + len(batch), state.batches + 1)
            progress(state)
        return state

    def _batches(self, messages: Iterable[Message]) -> Iterator[list[bytes]]:
        batch: list[bytes] = []
        size = 0
        for message in messages:
            raw = orjson.dumps(self._stamped(message))
            if len(raw) > LARGEST_MESSAGE:
                raise ValueError(f"message {message.get('messageId')} exceeds 32 KB")
            batch.append(raw)
            size += len(raw)
            if len(batch) >= min(self.upload_size, MOST_IN_A_BATCH) or size >= BATCH_ENDS_AT:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _stamped(self, message: Message) -> Message:
        """The message as a machine with this clock has it."""
        if not self.ahead:
            return message
        return message | {"timestamp": wire_time(datetime.fromisoformat(message["timestamp"]) + self.ahead)}

    async def _post(self, batch: list[bytes], state: Progress) -> None:
        """Posts until the hub accepts the batch: at once after a first failure, then with growing pauses."""
        reason = ""
        for attempt in range(self.retries + 1):
            if attempt > 1:
                await asyncio.sleep(min(self.pause * 2 ** (attempt - 2), _LONGEST_WAIT))
            fault = self.faults.draw("/v1/batch")
            try:
                response = await network.send(self.http, self._request(batch, attempt, fault), fault)
            except httpx.TransportError as lost:
                reason = str(lost) or type(lost).__name__
                continue
            if response.is_success:
                return
            reason = f"HTTP {response.status_code}: {response.text[:200]}"
            if not _may_retry(response.status_code):
                break
            await asyncio.sleep(_retry_after(response))
        raise SendingFailed(reason, state)

    def _request(self, batch: list[bytes], attempt: int, fault: Fault | None) -> httpx.Request:
        key = "expired" if fault is Fault.EXPIRED else self.write_key
        sent_at = wire_time(self.clock() + self.ahead)
        if fault is Fault.CLOCK_SKEW:
            batch = [orjson.dumps(_later(orjson.loads(raw))) for raw in batch]
            sent_at = wire_time(self.clock() + self.ahead + SKEW)
        tail = orjson.dumps({"sentAt": sent_at, "writeKey": key})
        body = b'{"batch":[' + b",".join(batch) + b"]," + tail[1:]
        headers = {
            "Authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}",
            "Content-Type": "application/json",
            "User-Agent": "analytics-python/2.3.4",
        }
        if attempt:
            headers["X-Retry-Count"] = str(attempt)
        if self.gzip:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, compresslevel=6)
        url = f"{self.host.removesuffix('/')}/v1/batch"
        return self.http.build_request("POST", url, content=body, headers=headers)


def _later(message: Message) -> Message:
    """The message as a machine has it whose clock is ahead."""
    return message | {"timestamp": wire_time(datetime.fromisoformat(message["timestamp"]) + SKEW)}


def _may_retry(status: int) -> bool:
    """Which refusals the real client tries again after. A wrong write key is not among them."""
    return status in (408, 410, 429, 460) or (status >= 500 and status not in (501, 505, 511))


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return min(float(value), _LONGEST_WAIT) if value.isdecimal() else 0.0


@dataclass(slots=True)
class WebhookDestination:
    """Segment's webhook destination: forwards what it has received to a URL, signed with a shared secret.

    `X-Signature` is the hex HMAC-SHA1 of the body. Of a batch, which is a JSON array, only the first
    element's bytes are signed, so the later ones are covered by nothing.
    """

    url: str
    secret: str
    http: httpx.AsyncClient
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    faults: Faults = field(default_factory=Faults)

    async def deliver(self, messages: Sequence[Message], *, batched: bool = True) -> list[int | None]:
        """Forwards them, as one array or each by itself; the status of every request, None where no answer came."""
        raw = [orjson.dumps(forwarded(message, self.clock())) for message in messages]
        if batched:
            return [await self._post(b"[" + b",".join(raw) + b"]", signed=raw[0])]
        return [await self._post(one, signed=one) for one in raw]

    async def erase(self, user_id: str) -> int | None:
        """Forwards the request to forget a person."""
        raw = orjson.dumps({"type": "delete", "userId": user_id, "receivedAt": wire_time(self.clock())})
        return await self._post(raw, signed=raw)

    async def _post(self, body: bytes, *, signed: bytes) -> int | None:
        fault = self.faults.draw(httpx.URL(self.url).path)
        secret = "expired" if fault is Fault.EXPIRED else self.secret
        headers = {"Content-Type": "application/json", "X-Signature": signature(secret, signed)}
        request = self.http.build_request("POST", self.url, content=body, headers=headers)
        try:
            response = await network.send(self.http, request, fault)
        except httpx.TransportError:
            return None
        return response.status_code


def signature(secret: str, signed: bytes) -> str:
    """The value of `X-Signature`."""
    return hmac.new(secret.encode(), signed, "sha1").hexdigest()


def forwarded(message: Message, received_at: datetime) -> Message:
    """The message as Segment passes it on: with its own times, the client's kept as `originalTimestamp`."""
    return message | {
        "originalTimestamp": message["timestamp"],
        "receivedAt": wire_time(received_at),
        "sentAt": wire_time(received_at),
        "channel": "server",
        "version": 2,
    }
