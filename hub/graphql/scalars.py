"""Scalars: aware times, whole numbers beyond 32 bits, and money."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from hub.graphql.declare import about, output
from hub.sdk.currencies import exponent_of

BigInt = NewType("BigInt", int)
LARGEST_EXACT = 2**53 - 1


def _read_time(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise GraphQLError("A DateTime is an ISO 8601 text with an offset, for example 2026-01-31T09:00:00Z.")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise GraphQLError("This DateTime is out of range.") from None


def _read_big(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_EXACT:
        raise GraphQLError("A BigInt is a whole number of at most 53 bits.")
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment: ISO 8601 with an offset, for example `2026-01-31T09:00:00+00:00`. Answers are in UTC.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=datetime.isoformat,
        parse_value=_read_time,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 53 bits, which JSON readers keep exact.",
        serialize=int,
        parse_value=_read_big,
    ),
}


@output
class Money:
    """An amount of money, exact: whole minor units of a currency."""

    amount_minor: BigInt = about("The amount in minor units, e.g. cents.")
    currency: str = about("ISO 4217 code in capitals, e.g. `EUR`.")
    exponent: int = about("How many decimals the minor unit stands for: 2 for EUR, 0 for JPY.")
    formatted: str = about("The amount as text for people, independent of their language, e.g. `EUR 1,234.50`.")


def money(amount_minor: int | None, currency: str | None) -> Money | None:
    """An amount as the API shows it; None when either part is missing."""
    if amount_minor is None or currency is None:
        return None
    exponent = exponent_of(currency)
    whole, fraction = divmod(abs(amount_minor), 10**exponent)
    decimals = f".{fraction:0{exponent}d}" if exponent else ""
    sign = "-" if amount_minor < 0 else ""
    return Money(
        amount_minor=BigInt(amount_minor),
        currency=currency,
        exponent=exponent,
        formatted=f"{currency} {sign}{whole:,}{decimals}",
    )
