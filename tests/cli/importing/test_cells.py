"""Numbers and dates as spreadsheets write them, read exactly or not at all."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.cli.importing.cells import Unconverted, moment, number

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("cell", "decimal", "expected"),
    [
        ("1234.5", ".", "1234.5"),
        ("1,234.50", ".", "1234.50"),
        ("1.234,50", ",", "1234.50"),
        ("€ 1 234,50", ",", "1234.50"),
        ("1’234.50", ".", "1234.50"),
        ("(12.00)", ".", "-12.00"),
        ("-7", ",", "-7"),
        ("12.5%", ".", "12.5"),
    ],
)
def test_a_number_is_read_as_it_is_written(cell: str, decimal: str, expected: str) -> None:
    """Marks of thousands, blanks and signs of currencies go, digits stay."""
    assert number(cell, decimal) == expected


@pytest.mark.parametrize(
    ("cell", "decimal"), [("1.5", ","), ("1,50", "."), ("1.2.3", "."), ("twelve", "."), ("1e5", "."), ("٣", ".")]
)
def test_a_doubtful_number_is_refused(cell: str, decimal: str) -> None:
    """A mark of thousands that stands before other than three digits is the wrong decimal mark."""
    with pytest.raises(Unconverted):
        number(cell, decimal)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12))
def test_no_digit_is_lost(value: Decimal) -> None:
    """Written with either mark, every number comes back."""
    for mark, thousands in ((".", ","), (",", ".")):
        written = f"{value:,.3f}".replace(",", "_").replace(".", mark).replace("_", thousands)
        assert Decimal(number(written, mark)) == value


@pytest.mark.parametrize(
    ("cell", "form", "expected"),
    [
        ("2026-07-01", None, "2026-07-01T00:00:00+02:00"),
        ("2026-01-01 09:30", None, "2026-01-01T09:30:00+01:00"),
        ("2026-07-01T09:30:00Z", "%d.%m.%Y", "2026-07-01T09:30:00+00:00"),
        ("31.12.2026", "%d.%m.%Y", "2026-12-31T00:00:00+01:00"),
    ],
)
def test_a_time_gets_the_zone_that_it_lacks(cell: str, form: str | None, expected: str) -> None:
    """ISO 8601 is always read; other forms when the mapping names them."""
    assert moment(cell, form, BERLIN) == expected


def test_a_date_that_nobody_named_is_refused() -> None:
    """It says which setting would help."""
    with pytest.raises(Unconverted, match="set dates"):
        moment("03/04/2026", None, BERLIN)
