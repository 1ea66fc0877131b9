"""Recorded records hold nothing personal and nothing secret, and keep their shape."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.cli.plugin.scrubbing import Scrubber

EXAMPLES = int(os.environ.get("HUB_TEST_EXAMPLES", "200"))
scrubber = Scrubber(b"salt", ["the-connections-key"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "past_due"),
        ("created_at", "2026-03-02T10:00:00Z"),
        ("changed", "2026-05-01T07:25:37.000+0000"),
        ("amount", 1200),
        ("live", True),
        ("deleted", None),
        ("price", "12.50"),
        ("country", "DE"),
    ],
)
def test_what_is_harmless_stays(name: str, value: object) -> None:
    """States, times, numbers, codes."""
    assert scrubber.scrub({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "ada@northwind.com"),
        ("name", "smith"),
        ("first_name", "ada"),
        ("phone", "+49 30 1234567"),
        ("comment", "call ada"),
        ("url", "https://northwind.com/ada"),
        ("domain", "northwind.com"),
        ("title", "Ada's wish"),
        ("note", "key: the-connections-key"),
        ("id", "cus_9s6XKzkNRiz8i3"),
        ("token", "abc"),
    ],
)
def test_what_is_personal_or_secret_goes(name: str, value: str) -> None:
    """Whatever nests it."""
    found = str(scrubber.scrub({"data": [{name: value}]}))
    assert value not in found
    assert not re.search(r"ada|smith|northwind|connections-key|1234567", found, re.IGNORECASE)


def test_records_still_refer_to_each_other() -> None:
    """The same id becomes the same id, with the vendor's prefix and length; another recording gives others."""
    first = scrubber.scrub({"id": "cus_9s6XKzkNRiz8i3", "customer": "cus_9s6XKzkNRiz8i3", "number": "a_17"})
    assert first["id"] == first["customer"]
    assert re.fullmatch(r"cus_[0-9a-f]{14}", first["id"])
    assert Scrubber(b"pepper", []).scrub(first)["id"] != first["id"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.emails(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    )
)
@settings(max_examples=EXAMPLES)
def test_the_shape_stays_and_no_address_does(value: object) -> None:
    """Whatever JSON comes: the same containers, the same types, and no e-mail address of a real domain."""
    found = scrubber.scrub(value)
    assert _shape(found) == _shape(value)
    assert all(address.endswith(".example") for address in re.findall(r"[^\s@'\"]+@[^\s@'\",]+\.\w+", str(found)))


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return sorted(str(_shape(inner)) for inner in value.values())
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return type(value).__name__
