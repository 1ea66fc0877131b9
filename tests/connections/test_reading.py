"""Decisions about reading: cursors that move, shares that are too large, pauses that grow."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.connections.reading import drifted, retry_in, summary
from hub.sdk import Page
from hub.sdk.cursors import CursorTrail, RepeatedCursor, as_stored
from tests.connections.vendor import After


def test_a_first_page_may_keep_the_cursor_and_later_ones_may_not() -> None:
    """Nothing new leaves the cursor where it was; a second page at the same place would come for ever."""
    trail = CursorTrail({"after": 5})
    assert trail.move(Page([], After(after=5))) == {"after": 5}
    with pytest.raises(RepeatedCursor):
        trail.move(Page([], After(after=5)))


def test_pages_without_a_cursor_do_not_move() -> None:
    """A null keeps the stored cursor, and two of them in a row are a repetition."""
    trail = CursorTrail({"after": 5})
    assert trail.move(Page([], None)) == {"after": 5}
    with pytest.raises(RepeatedCursor):
        trail.move(Page([], After(after=None)))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_a_trail_ends_exactly_at_the_first_repetition(steps: list[int]) -> None:
    """For any sequence of cursors the trail goes as far as they are all different."""
    trail, passed = CursorTrail(None), 0
    try:
        for step in steps:
            trail.move(Page([], After(after=step)))
            passed += 1
    except RepeatedCursor:
        assert steps[passed] in steps[:passed]
    assert len(set(steps[:passed])) == passed


def test_an_empty_cursor_is_none() -> None:
    """A cursor that holds nothing is stored as nothing."""
    assert as_stored(None) is None
    assert as_stored(After()) is None
    assert as_stored(After(after=0)) == {"after": 0}


@pytest.mark.parametrize(
    ("read", "bad", "expected"), [(5, 5, False), (9, 9, False), (50, 10, False), (49, 10, True), (10, 10, True)]
)
def test_a_model_drifts_above_a_share_of_many(read: int, bad: int, expected: bool) -> None:
    """A few bad rows are bad rows; more than a fifth of at least ten means that the model is wrong."""
    assert drifted(read, bad) is expected


def test_pauses_grow_up_to_an_hour() -> None:
    """Each failure in a row doubles the pause; what the vendor asks for comes first."""
    assert [retry_in(attempts).total_seconds() for attempts in (1, 2, 3, 30, 3_000)] == [5, 10, 20, 3600, 3600]
    assert retry_in(9, timedelta(seconds=7)) == timedelta(seconds=7)
    assert retry_in(1, timedelta()) == timedelta(seconds=1)


def test_a_summary_names_the_commonest_complaint() -> None:
    """Of many complaints a person sees the commonest, and how many there are."""
    assert summary(["a", "b", "b"]) == "3 rows do not fit; most of them: b"
