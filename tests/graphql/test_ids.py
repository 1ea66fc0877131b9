"""Global ids: typed, found again, and refused politely when they are none."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.graphql import ids
from hub.graphql.ids import Prefix
from hub.kit.errors import Invalid


@given(st.uuids(), st.sampled_from(sorted(set(Prefix) - {Prefix.EVENT})))
def test_an_id_leads_back_to_its_key(key: UUID, prefix: Prefix) -> None:
    """What is written is read again."""
    text = f"{prefix}_{key.hex}"
    assert ids.read(prefix, text) == key
    assert ids.read_any(text) == (prefix, key.hex)


@given(st.uuids(), st.uuids())
def test_an_event_names_its_source_account_too(source: UUID, event: UUID) -> None:
    """The id of an event holds both parts of its key."""
    assert ids.read_event(ids.event_id(source, event)) == (source, event)


@given(st.text(max_size=100))
def test_any_other_text_is_refused(text: str) -> None:
    """No text makes reading an id fail in another way than with `Invalid`."""
    for read in (lambda: ids.read(Prefix.ACCOUNT, text), lambda: ids.read_event(text)):
        with pytest.raises(Invalid):
            read()


@pytest.mark.parametrize(
    "text", ["acc", "acc_", "acc_zz", f"acc_{UUID(int=7)}", f"evt_{UUID(int=7).hex}", "acc_" + "1" * 500]
)
def test_an_id_of_another_sort_or_shape_is_refused(text: str) -> None:
    """The refusal names the argument and shows no more than the beginning of what was sent."""
    with pytest.raises(Invalid) as refused:
        ids.read(Prefix.ACCOUNT, text, "account")
    assert refused.value.path == ("account",)
    assert len(refused.value.message) < 200
