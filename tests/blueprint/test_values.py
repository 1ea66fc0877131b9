"""Spans of time as a blueprint writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.blueprint.values import format_duration, parse_duration


@pytest.mark.parametrize("text", ["36h", "28d", "1d", "90d", "13h"])
def test_a_span_is_read_and_written_alike(text: str) -> None:
    """What is read is written back in its shortest form."""
    assert format_duration(parse_duration(text)) == text


def test_weeks_are_seven_days() -> None:
    """Two weeks are fourteen days, however long a day is in some zone."""
    assert parse_duration("2w") == timedelta(days=14) == parse_duration("14d") == parse_duration("336h")


@pytest.mark.parametrize("text", ["", "d", "28", "28 d", "1m", "3mo", "-1d", "1.5d", "999999d", 28, None, True])
def test_anything_else_is_refused(text: object) -> None:
    """Months have no fixed length; a number alone has no unit."""
    with pytest.raises(ValueError, match="write a span of time"):
        parse_duration(text)
