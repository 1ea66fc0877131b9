"""Rows of spreadsheets: what each means, and money that is exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hub_csv import Csv
from hub_csv.models import AccountRow, EventRow, event_key
from hub_csv.money import minor, monthly_minor
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
connector = Csv(Csv.Config())


@given(st.integers(0, 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_money_is_exact(units: int, currency: str) -> None:
    """Whatever the currency's decimal places, minor units come back as they went in."""
    places = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    assert minor(Decimal(units).scaleb(-places), currency) == units
    with pytest.raises(ValueError, match="decimal places"):
        minor(Decimal(units * 10 + 1).scaleb(-places - 1), currency)


def test_a_term_is_counted_in_months_of_a_year_of_365_days() -> None:
    """Half a year's 600.00 is a little over 100.00 a month; half a cent goes to the even side."""
    half = JANUARY + timedelta(days=365) / 2
    assert monthly_minor(Decimal("600"), "EUR", "term", JANUARY, half) == 100_00
    assert monthly_minor(Decimal("0.06"), "EUR", "year", JANUARY, None) == 0
    assert monthly_minor(Decimal("0.18"), "EUR", "year", JANUARY, None) == 2
    with pytest.raises(ValueError, match="ends_at"):
        monthly_minor(Decimal("600"), "EUR", "term", JANUARY, None)


def test_the_same_content_is_the_same_version() -> None:
    """When the file was saved makes no difference, a changed cell does."""
    one = AccountRow.model_validate({"as_of": JANUARY, "key": "1", "name": "A"})
    later = AccountRow.model_validate({"as_of": JANUARY + timedelta(days=1), "key": "1", "name": "A"})
    other = AccountRow.model_validate({"as_of": JANUARY, "key": "1", "name": "B"})
    assert one.digest() == later.digest() != other.digest()


def test_an_event_without_a_key_is_known_by_its_content() -> None:
    """So the same file twice tells it once."""
    row: dict[str, Any] = {"as_of": JANUARY, "account": "1", "at": JANUARY, "feature": "Export"}
    assert event_key(EventRow.model_validate(row)) == event_key(EventRow.model_validate(row))
    assert event_key(EventRow.model_validate({**row, "key": "7"})) == "7"


@pytest.mark.parametrize(
    ("stream", "row", "reason"),
    [
        ("events", {"at": "2026-01-01T00:00:00Z"}, "names no account"),
        ("events", {"at": "2026-01-01T00:00:00Z", "account": "1", "amount": "1"}, "needs a currency"),
        (
            "contracts",
            {"key": "1", "starts_at": "2026-01-01T00:00:00Z", "amount": "1", "currency": "EUR"},
            "no account",
        ),
    ],
)
def test_a_row_that_says_too_little_is_told_what_is_missing(stream: str, row: dict[str, str], reason: str) -> None:
    """The reason names the column to map."""
    declared = connector.streams[stream]
    record = declared.record.model_validate({"as_of": JANUARY, **row})
    assert declared.normalizer
    with pytest.raises(ValueError, match=reason):
        list(declared.normalizer(connector, record))


def test_what_could_not_be_converted_is_refused() -> None:
    """Also when a row is read again from quarantine: nobody has said yet what it means."""
    with pytest.raises(ValidationError, match="unread"):
        AccountRow.model_validate({"as_of": JANUARY, "key": "1", "unread": {"licences": "1.5"}})
