"""Relay connections over keysets: arguments in, pages out. Plain types: a connection costs no more than its nodes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import orjson

from hub.graphql.declare import about, argument, output
from hub.kit.errors import Invalid
from hub.kit.paging import Key, Order, Page, Slice

T = TypeVar("T")
R = TypeVar("R")

USUAL = 50
MOST = 200

First = Annotated[
    int | None, argument("How many from the head: 0 to 200; 50 when neither `first` nor `last` is given.")
]
Last = Annotated[int | None, argument("How many from the end: 0 to 200. Not together with `first`.")]
After = Annotated[str | None, argument("A cursor: only what comes after it.")]
Before = Annotated[str | None, argument("A cursor: only what comes before it.")]


@output
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool = about("Whether there is more behind this page.")
    has_previous_page: bool = about("Whether there is more before this page.")
    start_cursor: str | None = about("The cursor of the first edge; null when the page is empty.")
    end_cursor: str | None = about("The cursor of the last edge; null when the page is empty.")


@output
class Edge(Generic[T]):
    """One entry of a page."""

    node: T = about("The entry itself.")
    cursor: str = about("Where the entry stands, for `after` and `before`. Opaque; valid for the order it came with.")


@output
class Connection(Generic[T]):
    """A page of a list. The next one begins with `after: pageInfo.endCursor`."""

    edges: list[Edge[T]] = about("The entries with their cursors.")
    nodes: list[T] = about("The entries alone.")
    page_info: PageInfo = about("Where the page lies in its list.")


def asked_page(order: Order, first: int | None, after: str | None, last: int | None, before: str | None) -> Page:
    """The page that the arguments ask for. Raises `Invalid`."""
    if first is not None and last is not None:
        raise Invalid("Give `first` or `last`, not both.", path=("last",))
    name, limit = ("last", last) if last is not None else ("first", USUAL if first is None else first)
    if not 0 <= limit <= MOST:
        raise Invalid(f"`{name}` is a number from 0 to {MOST}.", path=(name,))
    return Page(
        limit=limit,
        after=read_cursor(order, after, "after"),
        before=read_cursor(order, before, "before"),
        backwards=last is not None,
    )


def connected(found: Slice[R], order: Order, make: Callable[[R], T]) -> dict[str, Any]:
    """The arguments of a connection over the rows of a page."""
    nodes = [make(row) for row in found.rows]
    edges = [Edge(node=node, cursor=cursor(order, key)) for node, key in zip(nodes, found.keys, strict=True)]
    return {
        "edges": edges,
        "nodes": nodes,
        "page_info": PageInfo(
            has_next_page=found.has_next,
            has_previous_page=found.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
    }


def connection(found: Slice[R] | None, order: Order, make: Callable[[R], T]) -> Connection[T]:
    """A page of rows as the API shows it; empty when nothing was found."""
    return Connection(**connected(found or Slice(), order, make))


def cursor(order: Order, key: Key) -> str:
    """A row's place in a list, with the name of the order that it is a place in."""
    value, id_ = key
    return base64.urlsafe_b64encode(orjson.dumps((order.name, value, id_.hex))).rstrip(b"=").decode()


def read_cursor(order: Order, text: str | None, name: str) -> Key | None:
    """The reverse of `cursor`. Raises `Invalid` for anything that is not a cursor of this order."""
    if text is None:
        return None
    try:
        made_for, value, id_ = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if made_for != order.name:
            raise Invalid(f"The cursor in `{name}` belongs to another list or order.", path=(name,))
        return _sort_value(order, value), UUID(hex=id_)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise Invalid(f"`{name}` is not a cursor of this list.", path=(name,)) from None


def _sort_value(order: Order, value: Any) -> Any:
    if value is None and order.nullable:
        return None
    expected = order.column.type.python_type
    if expected is datetime:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise ValueError("a cursor's time is aware")
        return found.astimezone(UTC)
    if expected is UUID:
        return UUID(value)
    if not isinstance(value, expected) or isinstance(value, bool) or value is None:
        raise TypeError("the cursor holds a value of another type")
    if (expected is int and abs(value) >= 2**63) or (expected is str and "\x00" in value):
        raise ValueError("the cursor holds a value that no row can have")
    return value
