"""The page that a list's arguments ask for."""

from __future__ import annotations

from hub.graphql.compiled.forms import Arguments
from hub.graphql.paging import asked_page
from hub.kit.paging import Order, Page


def page_of(order: Order, given: Arguments) -> Page:
    """As `asked_page` says. Raises `Invalid`."""
    return asked_page(order, given.get("first"), given.get("after"), given.get("last"), given.get("before"))


def few(count: int) -> Page:
    """So many rows and none more, for a list that is no page: a page is read with one row more."""
    return Page(count - 1)
