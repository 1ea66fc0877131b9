"""The portfolio: all accounts, with filters that nest and orders."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import strawberry

from hub.graphql.context import Info
from hub.graphql.declare import about, given, maybe, output, resolved, vocabulary
from hub.graphql.paging import Connection
from hub.graphql.types.accounts import Account
from hub.graphql.types.bands import Band
from hub.graphql.types.node import several, text, texts
from hub.health import queries as health
from hub.kit.errors import Invalid
from hub.kit.paging import Order

MOST_PARTS = 50
"""How many parts a filter may have, all levels together."""


@output
class AccountConnection(Connection[Account]):
    """A page of the accounts. The next one begins with `after: pageInfo.endCursor`."""

    wanted: strawberry.Private[health.AccountFilter]

    @resolved
    async def total_count(self, info: Info) -> int:
        """How many accounts the filter leaves, on all pages together."""
        return await info.context.read(health.portfolio_count, self.wanted)


@given
class AccountFilter:
    """Which accounts. All that is given has to hold; an empty list restricts nothing; the unknown matches nothing."""

    segment: list[str] | None = maybe("In one of these segments.")
    stage: list[str] | None = maybe("In one of these stages.")
    band: list[Band] | None = maybe("With one of these bands; UNKNOWN also means: never scored.")
    owner: list[str] | None = maybe("Looked after by one of these.")
    has_owner: bool | None = maybe("Whether somebody looks after it.")
    search: str | None = maybe("Whose name or domain contains this text, in any case.")
    on_watch_list: bool | None = maybe("Whether it is on the watch list.")
    all_of: list[AccountFilter] | None = strawberry.field(
        name="and", default=None, description="All of these have to hold as well."
    )
    any_of: list[AccountFilter] | None = strawberry.field(
        name="or", default=None, description="At least one of these has to hold as well."
    )
    none_of: AccountFilter | None = strawberry.field(
        name="not", default=None, description="This must not hold. What is unknown does not."
    )


class AccountOrderField(StrEnum):
    """What accounts may be sorted by."""

    NAME = "name"
    SCORE = "score"
    CHANGE = "change"


class Direction(StrEnum):
    """Which end of an order comes first."""

    ASC = "asc"
    DESC = "desc"


vocabulary(
    AccountOrderField,
    NAME="The name.",
    SCORE="The score; accounts without one come last either way.",
    CHANGE="When the score last changed; accounts without one come last either way.",
)
vocabulary(Direction, ASC="The smallest or earliest first.", DESC="The largest or latest first.")


@given
class AccountOrder:
    """How accounts are sorted. Equal ones keep the order of their ids."""

    field: AccountOrderField = about("What they are sorted by.")
    direction: Direction = strawberry.field(default=Direction.ASC, description="Which end comes first.")


ORDERS: dict[tuple[AccountOrderField, Direction], Order] = {
    (AccountOrderField.NAME, Direction.ASC): health.BY_NAME,
    (AccountOrderField.NAME, Direction.DESC): health.BY_NAME.reversed(),
    (AccountOrderField.SCORE, Direction.ASC): health.BY_SCORE,
    (AccountOrderField.SCORE, Direction.DESC): health.BY_SCORE.reversed(),
    (AccountOrderField.CHANGE, Direction.ASC): health.BY_CHANGE,
    (AccountOrderField.CHANGE, Direction.DESC): health.BY_CHANGE.reversed(),
}

WantedAccounts = Annotated[AccountFilter | None, strawberry.argument(description="Which accounts; all when left out.")]
AccountsBy = Annotated[
    AccountOrder | None, strawberry.argument(description="How they are sorted; by name when left out.")
]


def accounts_order(by: AccountOrder | None) -> Order:
    """The order that is asked for."""
    return ORDERS[by.field, by.direction] if by else health.BY_NAME


def wanted_accounts(wanted: AccountFilter | None) -> health.AccountFilter:
    """The filter as health reads it. Raises `Invalid`."""
    if wanted is None:
        return health.AccountFilter()
    if _parts(wanted) > MOST_PARTS:
        raise Invalid(f"A filter has at most {MOST_PARTS} parts.", path=("filter",))
    return _read(wanted)


def _parts(wanted: AccountFilter) -> int:
    below = [*(wanted.all_of or ()), *(wanted.any_of or ()), *([wanted.none_of] if wanted.none_of else ())]
    return 1 + sum(_parts(part) for part in below)


def _read(wanted: AccountFilter) -> health.AccountFilter:
    return health.AccountFilter(
        segments=texts(wanted.segment, "filter", "segment"),
        stages=texts(wanted.stage, "filter", "stage"),
        bands=several(wanted.band, "filter", "band"),
        owners=texts(wanted.owner, "filter", "owner"),
        has_owner=wanted.has_owner,
        search=text(wanted.search, "filter", "search"),
        watched=wanted.on_watch_list,
        all_of=tuple(_read(part) for part in wanted.all_of or ()),
        any_of=None if wanted.any_of is None else tuple(_read(part) for part in wanted.any_of),
        none_of=(_read(wanted.none_of),) if wanted.none_of else (),
    )
