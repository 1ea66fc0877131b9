"""Times and money as clients see them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from graphql import GraphQLError

from hub.graphql.scalars import LARGEST_EXACT, SCALARS, BigInt, money

read_time = SCALARS[datetime].parse_value
read_big = SCALARS[BigInt].parse_value


@pytest.mark.parametrize(
    ("minor", "currency", "formatted", "exponent"),
    [
        (123_450, "EUR", "EUR 1,234.50", 2),
        (-5, "USD", "USD -0.05", 2),
        (1_234, "JPY", "JPY 1,234", 0),
        (1_234_567, "KWD", "KWD 1,234.567", 3),
        (12_345, "CLF", "CLF 1.2345", 4),
        (0, "EUR", "EUR 0.00", 2),
    ],
)
def test_money_is_exact_and_readable(minor: int, currency: str, formatted: str, exponent: int) -> None:
    """The exponent is the currency's own."""
    found = money(minor, currency)
    assert found is not None
    assert (found.amount_minor, found.formatted, found.exponent) == (minor, formatted, exponent)


def test_half_an_amount_is_none() -> None:
    """Without a currency, or without a number, there is no money."""
    assert money(5, None) is None
    assert money(None, "EUR") is None


def test_times_are_read_with_their_offset() -> None:
    """A time with an offset becomes UTC."""
    assert read_time is not None
    assert read_time("2026-01-31T09:00:00+02:00") == datetime(2026, 1, 31, 7, tzinfo=UTC)
    assert read_time("2026-01-31T09:00:00Z").tzinfo == UTC
    assert SCALARS[datetime].serialize(datetime(2026, 1, 31, tzinfo=UTC)) == "2026-01-31T00:00:00+00:00"


@pytest.mark.parametrize(
    "value", ["2026-01-31T09:00:00", "2026-01-31", "soon", 5, None, True, "0001-01-01T00:00:00+14:00"]
)
def test_a_time_without_an_offset_is_refused(value: object) -> None:
    """Nothing is guessed."""
    assert read_time is not None
    with pytest.raises(GraphQLError):
        read_time(value)


@pytest.mark.parametrize("value", [LARGEST_EXACT + 1, -LARGEST_EXACT - 1, 1.0, "1", True, None])
def test_whole_numbers_that_json_readers_would_round_are_refused(value: object) -> None:
    """53 bits, and not one more."""
    assert read_big is not None
    with pytest.raises(GraphQLError):
        read_big(value)
    assert read_big(LARGEST_EXACT) == LARGEST_EXACT
