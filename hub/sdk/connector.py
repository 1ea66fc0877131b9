"""The shape of a connector: a class with a typed configuration, streams, webhooks, endpoints, actions and outlets.

The decorators only describe; nothing runs at import. `read` and actions do I/O through what the host gives
(`self.http`, `self.mailbox`, `self.clock`); `normalize` and `receive` are pure, so that polling, webhooks, backfill
and re-mapping can share them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Literal, TypeVar

import httpx
from pydantic import BaseModel

from hub.kit.clock import Clock
from hub.sdk.errors import ConnectorError
from hub.sdk.events import Event
from hub.sdk.mailbox import Mailbox
from hub.sdk.webhooks import Delivery, Reply, Signature

C = TypeVar("C", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)

Idempotency = Literal["native", "upsert", "lookup", "none"]
Tier = Literal["bronze", "silver", "gold"]
TIERS: tuple[Tier, ...] = ("bronze", "silver", "gold")
"""How much of the contract a connector proves; see `hub.sdk.testing`."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The vendor deleted a record. `at` is when, where the vendor says so."""

    stream: str
    id: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refetch:
    """A delivery only said that a record changed: read it again."""

    stream: str
    id: str


@dataclass(frozen=True, slots=True)
class Received:
    """A record that came by webhook, for the stream that owns its kind."""

    stream: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a stream and the cursor that says "all up to here has been yielded"."""

    rows: Sequence[Mapping[str, Any] | Tombstone]
    cursor: BaseModel | None
    """None, or a cursor whose fields are all None, keeps the stored one: vendors do answer null past the end."""
    complete: bool = False
    """True on the last page of a full refresh: what was not yielded since the first page is gone."""


@dataclass(slots=True)
class Stream(Generic[R]):
    """A declared stream. Made by `@stream`; `normalize` is attached by its decorator of the same name."""

    name: str
    record: type[R]
    cursor: type[BaseModel]
    key: Callable[[R], str]
    version: Callable[[R], str]
    emits: frozenset[str]
    interval: timedelta | None
    """How often to poll; None for a stream that only webhooks feed."""
    read: Callable[[Any, Any], AsyncIterator[Page]]
    full_refresh: bool = False
    normalizer: Callable[[Any, R], Iterable[Event]] | None = None
    migrate_cursor: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    fetch: Callable[[Any, str], Awaitable[Mapping[str, Any] | Tombstone]] | None = None
    follow_up: Callable[[Any, R], Awaitable[None]] | None = None

    def normalize(self, function: Callable[[Any, R], Iterable[Event]]) -> Callable[[Any, R], Iterable[Event]]:
        """Attach the pure function from one record to events."""
        self.normalizer = function
        return function

    def refetch(
        self, function: Callable[[Any, str], Awaitable[Mapping[str, Any] | Tombstone]]
    ) -> Callable[[Any, str], Awaitable[Mapping[str, Any] | Tombstone]]:
        """Attach the function that reads one record by its id, for webhooks that only name it."""
        self.fetch = function
        return function

    def on_received(self, function: Callable[[Any, R], Awaitable[None]]) -> Callable[[Any, R], Awaitable[None]]:
        """Attach what the connector does when a record came by webhook, e.g. close a message that was answered.

        Called at least once for each new record, before its events are recorded; it must bear being repeated.
        """
        self.follow_up = function
        return function


@dataclass(frozen=True, slots=True)
class Webhook:
    """A declared webhook: POST `/in/<connection>/<path>`; a `{part}` of the path matches one segment."""

    name: str
    path: str
    signature: Signature
    secrets: Callable[[Any], Sequence[str]]
    delivery_id: Callable[[Delivery], str | None]
    handles: frozenset[str]
    receive: Callable[[Any, Delivery], Iterable[Received | Tombstone | Refetch]]
    accept: Callable[[Delivery], Reply | None]
    reply: Reply
    max_bytes: int
    kept: Callable[[bytes], bytes] | None = None
    """What of a verified body is stored; None: all of it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A declared endpoint: a request of the connector's own end users, answered at once."""

    name: str
    path: str
    method: str
    signature: Signature
    secrets: Callable[[Any], Sequence[str]]
    answer: Callable[[Any, Delivery], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Action:
    """A declared action: something the hub can have the vendor do."""

    name: str
    input: type[BaseModel]
    output: type[BaseModel]
    idempotency: Idempotency
    run: Callable[[Any, Any, str], Awaitable[BaseModel]]
    emits: str | None = None
    touch: bool = False
    destructive: bool = False
    scopes: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that the hub decided, on its way out. `id` is the same however often it is delivered.

    `topic` is `object.action` (`band.changed`), `key` the id of what it is about, `position` its place among all facts.
    """

    id: str
    topic: str
    key: str
    payload: Mapping[str, Any]
    position: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Outlet:
    """A declared outlet: the hub's facts leave through it, one after another, each until it is delivered.

    `topics(config)` are names or patterns with one `*` in place of the action (`alert.*`).
    """

    name: str
    topics: Callable[[Any], Sequence[str]]
    deliver: Callable[[Any, Fact], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Host:
    """What the hub gives a connector for one run."""

    http: httpx.AsyncClient
    mailbox: Mailbox
    clock: Clock


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast the vendor may be asked; a backfill takes `backfill_share` of it."""

    per_second: float = 10.0
    backfill_share: float = 0.5


class Connector(Generic[C]):
    """The base of every connector. Subclasses declare; the host constructs them with a validated configuration."""

    id: ClassVar[str]
    name: ClassVar[str]
    api: ClassVar[int] = 1
    tier: ClassVar[Tier | None] = None
    """What its own tests prove with the conformance kit; None: nothing is claimed."""
    Config: ClassVar[type[BaseModel]]
    rate: ClassVar[Rate] = Rate()
    streams: ClassVar[Mapping[str, Stream[Any]]] = {}
    webhooks: ClassVar[Mapping[str, Webhook]] = {}
    endpoints: ClassVar[Mapping[str, Endpoint]] = {}
    actions: ClassVar[Mapping[str, Action]] = {}
    outlets: ClassVar[Mapping[str, Outlet]] = {}

    def __init__(self, config: C, host: Host | None = None) -> None:
        self.config = config
        self._host = host

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.streams = _declared(cls, Stream)
        for name, declared in cls.streams.items():
            declared.name = name
        cls.webhooks = _declared(cls, Webhook)
        cls.endpoints = _declared(cls, Endpoint)
        cls.actions = _declared(cls, Action)
        cls.outlets = _declared(cls, Outlet)

    @classmethod
    def hosts(cls, config: C) -> Sequence[str]:
        """Base URLs that this connection may talk to, the first one being the base of `self.http`."""
        return ()

    def authenticate(self, request: httpx.Request) -> httpx.Request:
        """Put the credentials on an outgoing request; called for each one."""
        return request

    def judge(self, answer: httpx.Response) -> ConnectorError | None:
        """What an error answer means where it is not what its status says, e.g. a 403 that is a spent limit.

        None leaves it to the host. Called for each answer of 400 and above, its body read.
        """
        return None

    async def check(self) -> str:
        """Ask the vendor who we are; returns the tenant's id there. Raises the errors of `hub.sdk.errors`."""
        raise NotImplementedError(f"{type(self).__name__} needs check()")

    @property
    def http(self) -> httpx.AsyncClient:
        """The host's client: base URL, auth, allowed hosts, retries, rate limit and time-outs are set."""
        return self._given().http

    @property
    def mailbox(self) -> Mailbox:
        """Messages that wait here for the connector's end users."""
        return self._given().mailbox

    @property
    def clock(self) -> Clock:
        """The hub's clock."""
        return self._given().clock

    def _given(self) -> Host:
        if self._host is None:
            raise RuntimeError("normalize, receive and accept are pure: they have no http, mailbox or clock")
        return self._host


D = TypeVar("D")


def _declared(cls: type, kind: type[D]) -> dict[str, D]:
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    return {name: member for name in names if isinstance(member := getattr(cls, name, None), kind)}
