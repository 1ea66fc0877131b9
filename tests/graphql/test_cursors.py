"""Cursors and the arguments of pages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.accounts.queries import PEOPLE
from hub.graphql.paging import MOST, USUAL, asked_page, cursor, read_cursor
from hub.health.queries import BY_NAME, BY_SCORE
from hub.kit.errors import Invalid
from hub.kit.paging import Order

ID = UUID(int=7)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=90_000)).map(lambda past: datetime(1970, 1, 1, tzinfo=UTC) + past)


@given(st.uuids(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_a_cursor_over_texts_leads_back(id_: UUID, name: str) -> None:
    """A name and an id come back as they went in."""
    assert read_cursor(BY_NAME, cursor(BY_NAME, (name, id_)), "after") == (name, id_)


@given(st.uuids(), MOMENTS)
def test_a_cursor_over_times_leads_back(id_: UUID, moment: datetime) -> None:
    """A time comes back to the microsecond."""
    assert read_cursor(PEOPLE, cursor(PEOPLE, (moment, id_)), "after") == (moment, id_)


@given(st.uuids(), st.one_of(st.none(), st.integers(0, 100_000_000)))
def test_a_cursor_over_scores_leads_back(id_: UUID, score: int | None) -> None:
    """A score, or none, comes back."""
    assert read_cursor(BY_SCORE, cursor(BY_SCORE, (score, id_)), "after") == (score, id_)


@given(st.text(max_size=200))
def test_no_text_breaks_reading_a_cursor(text: str) -> None:
    """Whatever a client sends, the answer is a refusal."""
    with pytest.raises(Invalid):
        read_cursor(PEOPLE, text, "after")


def made(*parts: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (BY_NAME, cursor(BY_SCORE, (1, ID))),
        (BY_NAME, cursor(BY_NAME.reversed(), ("a", ID))),
        (BY_NAME, made("name", 7, ID.hex)),
        (BY_NAME, made("name", "a\x00b", ID.hex)),
        (BY_NAME, made("name", None, ID.hex)),
        (BY_SCORE, made("score", True, ID.hex)),
        (BY_SCORE, made("score", 2**63, ID.hex)),
        (PEOPLE, made("people", "2026-01-01T00:00:00", ID.hex)),
        (PEOPLE, made("people", "0001-01-01T00:00:00+14:00", ID.hex)),
        (PEOPLE, made("people", "2026-01-01T00:00:00Z", "no id")),
        (PEOPLE, made("people", "2026-01-01T00:00:00Z")),
    ],
)
def test_a_cursor_of_another_list_or_with_other_values_is_refused(order: Order, text: str) -> None:
    """A cursor fits its own order alone, and holds only what a row can hold."""
    with pytest.raises(Invalid):
        read_cursor(order, text, "after")


def test_a_page_without_arguments_has_the_usual_length() -> None:
    """Nothing asked for: the first fifty."""
    page = asked_page(BY_NAME, None, None, None, None)
    assert (page.limit, page.backwards, page.after, page.before) == (USUAL, False, None, None)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (-1, None), (MOST + 1, None), (None, MOST + 1), (None, -5)])
def test_pages_have_at_most_200_entries(first: int | None, last: int | None) -> None:
    """More is refused, not cut, so that nobody takes a part for the whole."""
    with pytest.raises(Invalid):
        asked_page(BY_NAME, first, None, last, None)
