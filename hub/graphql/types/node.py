"""What has an id of its own, what belongs to an account, and the values that filters take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import strawberry

from hub.accounts import queries as accounts
from hub.graphql.context import Info
from hub.graphql.declare import about, interface, resolved
from hub.kit.errors import Invalid

if TYPE_CHECKING:
    from hub.graphql.types.accounts import Account

V = TypeVar("V")

MOST_VALUES = 100

AnAccount = Annotated["Account", strawberry.lazy("hub.graphql.types.accounts")]
"""The account's type, by name: accounts show what belongs to them, and that shows its account."""


@interface
class Node:
    """Anything with an id of its own; `node(id:)` finds it again."""

    id: strawberry.ID = about("Opaque and lasting; the letters before `_` name the type.")


@interface
class Owned(Node):
    """Anything that belongs to one account."""

    account_key: strawberry.Private[UUID]

    @resolved
    def account(self, info: Info) -> AnAccount:
        """The account that it belongs to."""
        return promised_account(info, self.account_key)


def promised_account(info: Info, account_id: UUID) -> Account:
    """The future of an account, read together with all others that are asked for in the same step."""
    from hub.graphql.types.accounts import Account  # the two modules know each other

    return info.context.promise(Account.of, accounts.accounts, account_id)


def several(values: Sequence[V] | None, *path: str) -> tuple[V, ...]:
    """The values that a filter lists; none when it was left out. Raises `Invalid` when they are too many."""
    if values is None:
        return ()
    if len(values) > MOST_VALUES:
        raise Invalid(f"At most {MOST_VALUES} values are taken here.", path=path)
    return tuple(values)


def text(value: str | None, *path: str) -> str | None:
    """A text that a filter compares with. Raises `Invalid` for one that no row can hold."""
    if value is not None and "\x00" in value:
        raise Invalid("A text cannot contain NUL characters.", path=path)
    return value


def texts(values: Sequence[str] | None, *path: str) -> tuple[str, ...]:
    """Several texts that a filter compares with. Raises `Invalid`."""
    return tuple(value for value in several(values, *path) if text(value, *path) is not None)
