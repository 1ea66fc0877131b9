"""The Stripe double: a local server that speaks Stripe's API over the books of an invented (or synthetic) account.

It is as strict as Stripe where a connector can be wrong (keys, cursors, unknown parameters, idempotency keys)
and knows only what a hub reads and writes. Events are listed for thirty days and each is rendered in its own
API version; other objects are rendered in the version that the request pins.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.kit.loopback import serve
from hub.sandbox import paging
from hub.sandbox.billing import KEPT
from hub.sandbox.books import Books, Customer, Event, Fact, Resource
from hub.sandbox.chance import seeded
from hub.sandbox.clerk import Clerk
from hub.sandbox.faults import Fault, Faults, spoil, wire_date
from hub.sandbox.refusals import Refusal
from hub.sandbox.shapes import Json, render
from hub.sandbox.webhooks import Delivery, WebhookEndpoint

_LONGEST_IDEMPOTENCY_KEY: Final = 255
_VERSION: Final = re.compile(r"\d{4}-\d\d-\d\d(\.[a-z]+)?")
_METADATA: Final = re.compile(r"metadata\[([^\]]{1,40})\]")


class StripeDouble:
    """One Stripe account behind one secret key.

    clock gives the present time (it decides which events are older than thirty days). requests_per_second:
    Stripe allows 25 in test mode and 100 live; None allows any number. `endpoints` receive what `announce`
    tells and what writes cause.
    """

    def __init__(
        self,
        books: Books,
        *,
        key: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: Faults | None = None,
        requests_per_second: int | None = None,
    ) -> None:
        self.books = books
        self.key = key
        self.clock = clock
        self.faults = faults or Faults()
        self.requests_per_second = requests_per_second
        self.endpoints: list[WebhookEndpoint] = []
        self.expired_keys: set[str] = set()
        self.requests = 0
        self._outcomes: dict[str, _Outcome] = {}
        self._second = (0, 0)
        self._announcing: set[asyncio.Task[list[Delivery]]] = set()
        self.app = Starlette(routes=[Route("/{path:path}", self._serve, methods=["GET", "POST", "DELETE", "PUT"])])

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[str]:
        """Serves the API on a loopback port until the block is left; yields its base URL."""
        self.faults.begin()
        async with serve(self.app, port, dated=False) as url:
            try:
                yield url
            finally:
                self.faults.end()
                await asyncio.gather(*self._announcing)

    async def announce(self, events: list[Event]) -> list[Delivery]:
        """Delivers events that are in the books already to every endpoint."""
        rounds = await asyncio.gather(*(endpoint.deliver_all(events) for endpoint in self.endpoints))
        return [delivery for deliveries in rounds for delivery in deliveries]

    async def _serve(self, request: Request) -> Response:
        fault = self.faults.draw(request.url.path)
        self.requests += 1
        request_id = f"req_{self.requests:014}"
        try:
            answer = await self._answer(request, request_id, fault)
        except Refusal as refusal:
            answer = _json(refusal.status, refusal.body, refusal.headers)
        answer.headers["Request-Id"] = request_id
        answer.headers["Date"] = wire_date(self.clock())
        return await spoil(answer, fault, self.faults)

    async def _answer(self, request: Request, request_id: str, fault: Fault | None) -> Response:
        self._authenticate(request, expired=fault is Fault.EXPIRED)
        self._admit(fault)
        version = request.headers.get("stripe-version", self.books.version)
        if not _VERSION.fullmatch(version):
            raise Refusal(400, f"Invalid Stripe API version: {version}")
        headers = {"Stripe-Version": version}
        if request.method == "POST":
            return await self._write(request, request_id, version, headers, fault)
        if request.method != "GET":
            raise Refusal.no_such_url(request.method, request.url.path)
        if fault is Fault.SERVER_ERROR:
            raise Refusal.broken()
        return _json(200, self._read(request, version, fault), headers)

    def _authenticate(self, request: Request, *, expired: bool) -> None:
        key = _bearer(request.headers.get("authorization", ""))
        if not key:
            raise Refusal.no_key()
        if expired or key in self.expired_keys:
            raise Refusal.expired_key(key)
        if key != self.key:
            raise Refusal.wrong_key(key)

    def _admit(self, fault: Fault | None) -> None:
        now = int(self.clock().timestamp())
        second, count = self._second
        self._second = (now, count + 1 if second == now else 1)
        too_many = self.requests_per_second is not None and self._second[1] > self.requests_per_second
        if too_many or fault is Fault.RATE_LIMITED:
            raise Refusal.too_fast()

    def _read(self, request: Request, version: str, fault: Fault | None) -> Json:
        match request.url.path.strip("/").split("/"):
            case ["v1", "account"]:
                return self._account()
            case ["v1", name] if name in set(Resource):
                return self._list(Resource(name), request, version, fault)
            case ["v1", name, object_id] if name in set(Resource):
                return render(self._find(Resource(name), object_id), version)
            case _:
                raise Refusal.no_such_url(request.method, request.url.path)

    def _list(self, resource: Resource, request: Request, version: str, fault: Fault | None) -> Json:
        query = paging.parse(resource, request.query_params.multi_items())
        if fault is Fault.EXPIRED_CURSOR and (cursor := query.starting_after or query.ending_before):
            raise Refusal.missing(resource.removesuffix("s"), cursor, param="starting_after")
        if resource is Resource.EVENTS:
            query.since = max(query.since, self._oldest_event())
        facts, has_more = paging.take(self.books.shelves[resource], query)
        data = [render(fact, version) for fact in facts]
        return {"object": "list", "url": f"/v1/{resource}", "has_more": has_more, "data": data}

    def _find(self, resource: Resource, object_id: str) -> Fact:
        fact = self.books.get(resource, object_id)
        if fact is None or (isinstance(fact, Event) and fact.created < self._oldest_event()):
            raise Refusal.missing(resource.removesuffix("s"), object_id)
        return fact

    def _oldest_event(self) -> int:
        return int(self.clock().timestamp()) - KEPT

    def _account(self) -> Json:
        return {
            "id": self.books.account,
            "object": "account",
            "business_profile": {"name": "Sandbox Ltd", "url": "https://sandbox.example"},
            "charges_enabled": True,
            "country": "IE",
            "default_currency": "usd",
            "email": "accounts@sandbox.example",
            "settings": {"dashboard": {"display_name": "Sandbox Ltd", "timezone": "Etc/UTC"}},
            "type": "standard",
        }

    async def _write(
        self, request: Request, request_id: str, version: str, headers: dict[str, str], fault: Fault | None
    ) -> Response:
        """Answers once per idempotency key: a repetition gets the first answer again, even if that was a 500."""
        params = tuple(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        key = request.headers.get("idempotency-key")
        write = _Write(request.url.path, tuple(sorted(params)), key, request_id)
        if key is None:
            outcome = self._perform(write, version, fault)
            return _json(outcome.status, outcome.body, headers)
        if len(key) > _LONGEST_IDEMPOTENCY_KEY:
            raise Refusal.invalid("Idempotency keys must be 255 characters or less.", "idempotency_key")
        earlier = self._outcomes.get(key)
        if earlier is not None and not earlier.write.asks_the_same(write):
            raise Refusal.key_reused(key)
        if earlier is not None:
            headers["Idempotent-Replayed"] = "true"
        outcome = earlier or self._outcomes.setdefault(key, self._perform(write, version, fault))
        headers |= {"Idempotency-Key": key, "Original-Request": outcome.write.request_id}
        return _json(outcome.status, outcome.body, headers)

    def _perform(self, write: "_Write", version: str, fault: Fault | None) -> "_Outcome":
        """Does what is asked. What is refused before it begins is not kept under the key, what breaks is."""
        match write.path.strip("/").split("/"):
            case ["v1", Resource.CUSTOMERS.value, object_id]:
                customer = self._find(Resource.CUSTOMERS, object_id)
            case _:
                raise Refusal.no_such_url("POST", write.path)
        if not isinstance(customer, Customer) or customer.deleted:
            raise Refusal.missing("customer", object_id)
        changed = _customer_changes(customer, write.params)
        if fault is Fault.SERVER_ERROR:
            return _Outcome(write, 500, Refusal.broken().body)
        if changed:
            rng = seeded(self.books.account, write.request_id)
            clerk = Clerk(self.books, rng, request=write.request_id, idempotency_key=write.key)
            customer = clerk.amend_customer(customer, int(self.clock().timestamp()), **changed)
            self._announce_soon(clerk.told)
        return _Outcome(write, 200, render(customer, version))

    def _announce_soon(self, events: list[Event]) -> None:
        task = asyncio.create_task(self.announce(events))
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)


@dataclass(frozen=True, slots=True)
class _Write:
    """A write as it was asked for."""

    path: str
    params: tuple[tuple[str, str], ...]
    key: str | None
    request_id: str

    def asks_the_same(self, other: "_Write") -> bool:
        return (self.path, self.params) == (other.path, other.params)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a write answered, kept under its idempotency key."""

    write: _Write
    status: int
    body: Json


def _customer_changes(customer: Customer, params: tuple[tuple[str, str], ...]) -> dict[str, object]:
    """The attributes that these parameters make another. An empty metadata value removes its key, as Stripe has it."""
    changed: dict[str, object] = {}
    metadata = dict(customer.metadata)
    for name, value in params:
        if entry := _METADATA.fullmatch(name):
            metadata[entry[1]] = value
        elif name in ("name", "email"):
            changed[name] = value
        else:
            raise Refusal.unknown_param(name)
    changed["metadata"] = {name: value for name, value in metadata.items() if value}
    return {name: value for name, value in changed.items() if getattr(customer, name) != value}


def _bearer(header: str) -> str:
    """The key in an Authorization header: as a bearer token, or as the user name of Basic."""
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _json(status: int, body: Json, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")
