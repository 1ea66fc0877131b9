"""Faults: what the network and the vendors do on a bad day, on demand.

A double asks its `Faults` once for every request that it serves or sends. They come from a script (the third
request is cut), at random by a seed (one in ten), or are put in by a test while it runs. What each of them
means:

| fault | of a request that a double serves | of a request that a double sends |
|---|---|---|
| `RATE_LIMITED` | 429, nothing done | arrives and takes effect; a proxy answers 429 in its place |
| `SERVER_ERROR` | 500, nothing done | arrives and takes effect; a proxy answers 500 in its place |
| `TIMEOUT` | done, and then no answer until the client gives up | arrives and takes effect; no answer comes back |
| `CUT` | done, and the connection ends in the middle of the body | the connection ends in the middle of the body |
| `EXPIRED` | 401 for a key that was good until now | is sent with credentials that are no longer good |
| `EXPIRED_CURSOR` | refused as an unknown cursor, if it has one | arrives |
| `CHANGED_SCHEMA` | done; `id` is called `identifier` in the answer | arrives |
| `CLOCK_SKEW` | done; `Date` is an hour ahead | is stamped and signed an hour ahead |

So a time-out and a cut answer leave a client in doubt over something that did happen: the case that costs
most.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from enum import StrEnum
from random import Random
from typing import Final

import httpx
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hub.sandbox.chance import seeded


class Fault(StrEnum):
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CUT = "cut"
    EXPIRED = "expired"
    EXPIRED_CURSOR = "expired_cursor"
    CHANGED_SCHEMA = "changed_schema"
    CLOCK_SKEW = "clock_skew"


SKEW: Final = timedelta(hours=1)
"""How far ahead a clock is."""

_ID: Final = re.compile(rb'"([iI])d"(?=\s*:)')
_COLUMN: Final = re.compile(rb'"([iI])d"')


@dataclass(slots=True)
class Faults:
    """Decides which request goes wrong, and how.

    script: what happens to the first, second, … request (None: nothing). share: how often each fault falls on
    a request that the script does not speak of, 0–1, drawn with `seed`. only: faults fall on paths that
    contain this. hold: seconds for which an answer is withheld by `TIMEOUT`. `seen` and `fallen` tell what
    happened so far.
    """

    script: Iterable[Fault | None] = ()
    share: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    only: str = ""
    hold: float = 30.0
    seen: int = field(default=0, init=False)
    fallen: list[tuple[str, Fault]] = field(default_factory=list, init=False)
    _due: deque[Fault | None] = field(init=False)
    _rng: Random = field(init=False)
    _over: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self._due = deque(self.script)
        self._rng = seeded(self.seed, "faults")

    def strike(self, *faults: Fault | None) -> None:
        """Lets these fall on the next requests, one each, before anything else that is due."""
        self._due.extendleft(reversed(faults))

    def draw(self, path: str) -> Fault | None:
        """The fault that falls on this request, which is counted."""
        if self.only not in path:
            return None
        self.seen += 1
        fault = self._due.popleft() if self._due else self._chance()
        if fault is not None:
            self.fallen.append((path, fault))
        return fault

    async def withhold(self) -> None:
        """Waits for as long as an answer is withheld; the end of the double ends it earlier."""
        try:
            await asyncio.wait_for(self._over.wait(), self.hold)
        except TimeoutError:
            return

    def begin(self) -> None:
        """Lets answers be withheld again, for a double that is started once more."""
        self._over.clear()

    def end(self) -> None:
        """Lets go of every answer that is withheld."""
        self._over.set()

    def _chance(self) -> Fault | None:
        drawn = self._rng.random() if self.share else 1.0
        for fault, share in self.share.items():
            if drawn < share:
                return fault
            drawn -= share
        return None


class CutResponse(Response):
    """Announces its whole body and ends the connection after half of it."""

    def __init__(self, whole: Response) -> None:
        super().__init__(bytes(whole.body), whole.status_code, dict(whole.headers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        # To return before the body is complete makes the server close the connection.


async def spoil(answer: Response, fault: Fault | None, faults: Faults) -> Response:
    """A double's answer as the network delivers it. The other faults are the vendor's own and are answered by it."""
    match fault:
        case Fault.TIMEOUT:
            await faults.withhold()
            return CutResponse(answer)
        case Fault.CUT:
            return CutResponse(answer)
        case Fault.CHANGED_SCHEMA if answer.status_code == 200:
            return _renamed(answer)
        case Fault.CLOCK_SKEW:
            answer.headers["Date"] = wire_date(parsedate_to_datetime(answer.headers["Date"]) + SKEW)
            return answer
        case _:
            return answer


def wire_date(at: datetime) -> str:
    """The value of an answer's `Date`."""
    return format_datetime(at.astimezone(UTC), usegmt=True)


def _renamed(answer: Response) -> Response:
    """The same answer, whose records name their id otherwise: in JSON each of them, in CSV the column."""
    if answer.headers.get("Content-Type", "").startswith("text/csv"):
        body = _COLUMN.sub(rb'"\1dentifier"', bytes(answer.body), count=1)
    else:
        body = _ID.sub(rb'"\1dentifier"', bytes(answer.body))
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return Response(body, answer.status_code, headers)


async def send(client: httpx.AsyncClient, request: httpx.Request, fault: Fault | None) -> httpx.Response:
    """Sends a double's request through a network with this fault. Raises httpx's errors, as a real one would.

    `EXPIRED` and `CLOCK_SKEW` are the sender's own: it signs with something else, or at another time.
    """
    match fault:
        case Fault.CUT:
            return await client.send(_cut(request))
        case Fault.TIMEOUT:
            await client.send(request)
            raise httpx.ReadTimeout("the answer did not come back", request=request)
        case Fault.RATE_LIMITED:
            await client.send(request)
            return httpx.Response(429, headers={"Retry-After": "1"}, request=request)
        case Fault.SERVER_ERROR:
            await client.send(request)
            return httpx.Response(500, request=request)
        case _:
            return await client.send(request)


def _cut(request: httpx.Request) -> httpx.Request:
    """The same request, whose connection breaks after half of the body."""
    body = request.content

    async def half() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        raise httpx.WriteError("the connection broke", request=request)

    return httpx.Request(request.method, request.url, headers=request.headers, content=half())
