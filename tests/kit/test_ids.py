"""Ids: derived ones are a function of their parts, new ones sort by time."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from hub.kit.ids import derived_id, new_id

parts = st.lists(st.text(st.characters(codec=None)), min_size=1, max_size=4)


def test_a_derived_id_never_changes() -> None:
    """Stored ids depend on this very value: it must stay the same in every version."""
    assert derived_id("connection", "stream", 1) == UUID("c6ac6efd-572a-8130-833d-26935199346f")


@given(parts, parts)
def test_different_parts_give_different_ids(one: list[str], other: list[str]) -> None:
    """Also for parts that only concatenate to the same text, and for text that is not valid Unicode."""
    assert (derived_id(*one) == derived_id(*other)) == (one == other)


def test_new_ids_sort_by_their_making() -> None:
    """UUIDv7: later is greater, so an index grows at its end."""
    made = [new_id() for _ in range(1000)]
    assert made == sorted(made)
    assert {identifier.version for identifier in made} == {7}
