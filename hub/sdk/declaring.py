"""The decorators that declare what a connector has: streams, webhooks, endpoints, actions, outlets. No more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from hub.sdk.connector import (
    Action,
    Endpoint,
    Fact,
    Idempotency,
    Outlet,
    Page,
    Received,
    Refetch,
    Stream,
    Tombstone,
    Webhook,
)
from hub.sdk.webhooks import Delivery, Reply, Signature

R = TypeVar("R", bound=BaseModel)


def stream(
    *,
    record: type[R],
    cursor: type[BaseModel],
    key: Callable[[R], str],
    version: Callable[[R], str],
    emits: Iterable[str],
    interval: timedelta = timedelta(minutes=5),
    full_refresh: bool = False,
    migrate_cursor: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Callable[[Callable[[Any, Any], AsyncIterator[Page]]], Stream[R]]:
    """Declare a stream on its async generator `read(self, cursor)`; `cursor` is None for a backfill.

    `interval` is how often to poll. `key` and `version` identify a record: the same pair is the same record for ever.
    Versions of one record sort as text in the order in which they became true. `full_refresh` says that every read
    lists all there is and ends with `Page(…, complete=True)`, so that the host can find what is gone.
    """

    def declare(read: Callable[[Any, Any], AsyncIterator[Page]]) -> Stream[R]:
        return Stream(
            name=_name_of(read),
            record=record,
            cursor=cursor,
            key=key,
            version=version,
            emits=frozenset(emits),
            interval=interval,
            read=read,
            full_refresh=full_refresh,
            migrate_cursor=migrate_cursor,
        )

    return declare


class NoCursor(BaseModel):
    """The cursor of a stream that is never read."""


async def _nothing(connector: Any, cursor: Any) -> AsyncIterator[Page]:
    return
    yield


def pushed(*, record: type[R], key: Callable[[R], str], version: Callable[[R], str], emits: Iterable[str]) -> Stream[R]:
    """Declare a stream that only webhooks feed: `messages = sdk.pushed(…)`, then `@messages.normalize`."""
    return Stream(
        name="",
        record=record,
        cursor=NoCursor,
        key=key,
        version=version,
        emits=frozenset(emits),
        interval=None,
        read=_nothing,
    )


def webhook(
    *,
    path: str,
    signature: Signature,
    secrets: Callable[[Any], Sequence[str]],
    handles: Iterable[str],
    delivery_id: Callable[[Delivery], str | None] = lambda delivery: None,
    accept: Callable[[Delivery], Reply | None] = lambda delivery: None,
    reply: Reply | None = None,
    max_bytes: int = 1_000_000,
    kept: Callable[[bytes], bytes] | None = None,
) -> Callable[[Callable[[Any, Delivery], Iterable[Received | Tombstone | Refetch]]], Webhook]:
    """Declare a webhook on its pure function `receive(self, delivery)`.

    `secrets(config)` gives the active secrets; `handles` names the streams whose records it may return. `accept` may
    refuse a genuine delivery at once (a `Reply` with a 4xx status), for vendors whose clients expect that; `reply` is
    what an accepted one is answered with. `delivery_id` names the delivery for the duplicate check. `kept`
    takes out of a verified body what must not be stored, e.g. a signature that goes on being valid.
    """

    def declare(receive: Callable[[Any, Delivery], Iterable[Received | Tombstone | Refetch]]) -> Webhook:
        return Webhook(
            name=_name_of(receive),
            path=path,
            signature=signature,
            secrets=secrets,
            delivery_id=delivery_id,
            handles=frozenset(handles),
            receive=receive,
            accept=accept,
            reply=reply or Reply(),
            max_bytes=max_bytes,
            kept=kept,
        )

    return declare


def endpoint(
    *, path: str, signature: Signature, secrets: Callable[[Any], Sequence[str]], method: str = "GET"
) -> Callable[[Callable[[Any, Delivery], Awaitable[Reply]]], Endpoint]:
    """Declare a request of end users that the connector answers itself, e.g. "which messages wait for me?"."""

    def declare(answer: Callable[[Any, Delivery], Awaitable[Reply]]) -> Endpoint:
        return Endpoint(
            name=_name_of(answer), path=path, method=method, signature=signature, secrets=secrets, answer=answer
        )

    return declare


def action(
    *,
    input: type[BaseModel],  # noqa: A002  # the word that the contract uses
    output: type[BaseModel],
    idempotency: Idempotency,
    emits: str | None = None,
    touch: bool = False,
    destructive: bool = False,
    scopes: Sequence[str] = (),
) -> Callable[[Callable[[Any, Any, str], Awaitable[BaseModel]]], Action]:
    """Declare an action on its coroutine `run(self, input, key)`.

    `key` is the hub's idempotency key (`run:step`). `emits` is the event kind that an executed action leaves on the
    timeline; `touch` says that a person is contacted, which counts against the contact budget.
    """

    def declare(run: Callable[[Any, Any, str], Awaitable[BaseModel]]) -> Action:
        return Action(
            name=_name_of(run),
            input=input,
            output=output,
            idempotency=idempotency,
            run=run,
            emits=emits,
            touch=touch,
            destructive=destructive,
            scopes=tuple(scopes),
            description=(run.__doc__ or "").strip().partition("\n")[0],
        )

    return declare


def outlet(*, topics: Callable[[Any], Sequence[str]]) -> Callable[[Callable[[Any, Fact], Awaitable[None]]], Outlet]:
    """Declare that the hub's facts leave through the coroutine `deliver(self, fact)`; a connector has one outlet.

    `topics(config)` says which, e.g. `["band.changed", "alert.*"]`. Facts come one at a time, in their order; the next
    one when this returns. Whatever it raises, the same fact comes again, ever later; after days the connection pauses.
    `Misconfigured` pauses it at once.
    """

    def declare(deliver: Callable[[Any, Fact], Awaitable[None]]) -> Outlet:
        return Outlet(name=_name_of(deliver), topics=topics, deliver=deliver)

    return declare


def _name_of(function: Callable[..., Any]) -> str:
    return function.__name__
