"""Paging: which part of a shelf a list request asks for.

Stripe lists the newest first. A cursor is an object's id; `starting_after` goes to older ones,
`ending_before` to the newer ones next to the cursor. Facts of one second keep one order, so a walk along the
cursors meets each exactly once. Source: https://docs.stripe.com/api/pagination
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from hub.sandbox.books import Event, Fact, Resource, Shelf, Subscription
from hub.sandbox.refusals import Refusal

MOST: Final = 100

# What a list can be narrowed by, beside its time: parameter → the fact's attribute.
_FILTERS: Final[Mapping[Resource, Mapping[str, str]]] = {
    Resource.CUSTOMERS: {"email": "email"},
    Resource.SUBSCRIPTIONS: {"customer": "customer", "status": "status"},
    Resource.INVOICES: {"customer": "customer", "status": "status", "subscription": "subscription"},
    Resource.CHARGES: {"customer": "customer", "payment_intent": "payment_intent"},
    Resource.REFUNDS: {"charge": "charge", "payment_intent": "payment_intent"},
    Resource.DISPUTES: {"charge": "charge", "payment_intent": "payment_intent"},
    Resource.CREDIT_NOTES: {"customer": "customer", "invoice": "invoice"},
    Resource.EVENTS: {"type": "type"},
}

_CREATED: Final = re.compile(r"created(?:\[(gte|gt|lte|lt)\])?")
_EXPAND: Final = re.compile(r"expand\[\d*\]")
_EXPANDABLE: Final[Mapping[Resource, tuple[str, ...]]] = {Resource.SUBSCRIPTIONS: ("data.discounts",)}
_TYPES: Final = re.compile(r"types\[\d*\]")


@dataclass(slots=True)
class ListQuery:
    """A list request. `since` and `until` are unix seconds, both included; `types` empty means every type."""

    resource: Resource
    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None
    since: int = 0
    until: int = 2**40
    types: set[str] = field(default_factory=set)
    filters: dict[str, str] = field(default_factory=dict)


def parse(resource: Resource, params: Iterable[tuple[str, str]]) -> ListQuery:
    """The request behind these parameters. Raises Refusal as Stripe does for what it does not know."""
    query = ListQuery(resource)
    for name, value in params:
        if name == "limit":
            query.limit = _number(name, value)
            if not 1 <= query.limit <= MOST:
                raise Refusal.invalid(f"This value must be between 1 and {MOST}.", name)
        elif name == "starting_after":
            query.starting_after = value
        elif name == "ending_before":
            query.ending_before = value
        elif bound := _CREATED.fullmatch(name):
            _narrow(query, bound[1], _number(name, value))
        elif resource is Resource.EVENTS and _TYPES.fullmatch(name):
            query.types.add(value)
        elif _EXPAND.fullmatch(name) and value.startswith(_EXPANDABLE.get(resource, ("?",))):
            pass  # nobody here has a discount: there is nothing to expand
        elif name in _FILTERS[resource]:
            query.filters[_FILTERS[resource][name]] = value
        else:
            raise Refusal.unknown_param(name)
    if query.starting_after and query.ending_before:
        raise Refusal.invalid("You cannot use both starting_after and ending_before.", "ending_before")
    return query


def take(shelf: Shelf, query: ListQuery) -> tuple[list[Fact], bool]:
    """The page, newest first, and whether there is more in its direction. Raises Refusal for an unknown cursor."""
    low, high = shelf.first_since(query.since), shelf.first_since(query.until + 1)
    if query.ending_before is not None:
        low = max(low, _place(shelf, query, "ending_before", query.ending_before) + 1)
        page = _first(shelf, range(low, high), query)
        return page[: query.limit][::-1], len(page) > query.limit
    if query.starting_after is not None:
        high = min(high, _place(shelf, query, "starting_after", query.starting_after))
    page = _first(shelf, range(high - 1, low - 1, -1), query)
    return page[: query.limit], len(page) > query.limit


def _first(shelf: Shelf, places: Iterable[int], query: ListQuery) -> list[Fact]:
    """One fact more than the page holds, so that the page knows whether it is the last."""
    is_wanted = _chooser(query)
    return list(islice(filter(is_wanted, map(shelf.at, places)), query.limit + 1))


def _chooser(query: ListQuery) -> Callable[[Fact], bool]:
    status = query.filters.get("status")

    def is_wanted(fact: Fact) -> bool:
        if isinstance(fact, Event) and query.types and fact.type not in query.types:
            return False
        if isinstance(fact, Subscription) and status in (None, "all"):
            # Without being asked Stripe does not list what was cancelled.
            if status is None and fact.status == "canceled":
                return False
            return all(getattr(fact, name) == value for name, value in query.filters.items() if name != "status")
        if getattr(fact, "deleted", False):
            return False
        return all(getattr(fact, name) == value for name, value in query.filters.items())

    return is_wanted


def _narrow(query: ListQuery, bound: str | None, second: int) -> None:
    if bound in (None, "gte", "gt"):
        query.since = max(query.since, second + (bound == "gt"))
    if bound in (None, "lte", "lt"):
        query.until = min(query.until, second - (bound == "lt"))


def _place(shelf: Shelf, query: ListQuery, param: str, cursor: str) -> int:
    place = shelf.place_of(cursor)
    if place is None:
        raise Refusal.missing(query.resource.removesuffix("s"), cursor, param=param)
    return place


def _number(name: str, value: str) -> int:
    if not value.isdecimal():
        raise Refusal.invalid(f"Invalid integer: {value}", name)
    return int(value)
