"""What differs between two documents is named entry by entry, and applied in thought it gives the newer one."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.blueprint.changes import Change, ChangeKind, Part, changes

EXAMPLES = int(os.environ.get("HUB_TEST_EXAMPLES", "150"))
ENTRY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["segments", "alerts"]), st.dictionaries(st.sampled_from("pqrs"), ENTRY, max_size=4), max_size=2
)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({}, {"alerts": {"a": {}}}, [Change(ChangeKind.ADDED, "alerts", "a")]),
        ({"alerts": {"a": {}}}, {}, [Change(ChangeKind.REMOVED, "alerts", "a")]),
        ({"name": "x"}, {"name": "y"}, [Change(ChangeKind.CHANGED, "name", "", (Part((), "x", "y"),))]),
        (
            {"alerts": {"a": {"when": "x > 1", "watch": True}}},
            {"alerts": {"a": {"when": "x > 2", "watch": True}}},
            [Change(ChangeKind.CHANGED, "alerts", "a", (Part(("when",), "x > 1", "x > 2"),))],
        ),
        (
            {"plays": {"p": {"steps": [{"wait": "1d"}, {"task": "x"}]}}},
            {"plays": {"p": {"steps": [{"wait": "2d"}, {"task": "x"}]}}},
            [Change(ChangeKind.CHANGED, "plays", "p", (Part(("steps", 0, "wait"), "1d", "2d"),))],
        ),
        (
            {"segments": {"a": {}, "b": {}}},
            {"segments": {"b": {}, "a": {}}},
            [Change(ChangeKind.MOVED, "segments", "b"), Change(ChangeKind.MOVED, "segments", "a")],
        ),
        ({"segments": {"a": {}, "b": {}}}, {"segments": {"b": {}}}, [Change(ChangeKind.REMOVED, "segments", "a")]),
        (
            {"alerts": {"a": {"watch": 1}}},
            {"alerts": {"a": {"watch": True}}},
            [Change(ChangeKind.CHANGED, "alerts", "a", (Part(("watch",), 1, True),))],
        ),
    ],
)
def test_a_difference_is_named(before: Any, after: Any, found: list[Change]) -> None:
    """Added, removed, changed with its parts, moved: order is meaning, and true is not one."""
    assert list(changes(before, after)) == found


@given(DOCUMENTS)
@settings(max_examples=EXAMPLES)
def test_nothing_differs_from_itself(document: dict[str, Any]) -> None:
    """No change is invented."""
    assert changes(document, document) == ()


@given(DOCUMENTS, DOCUMENTS)
@settings(max_examples=EXAMPLES)
def test_nothing_that_differs_is_missed(before: dict[str, Any], after: dict[str, Any]) -> None:
    """The entries that are named are exactly those that are not the same, in what they say."""
    told = {(one.section, one.entry) for one in changes(before, after) if one.kind is not ChangeKind.MOVED}
    entries = {(section, entry) for document in (before, after) for section in document for entry in document[section]}
    differ = {
        (section, entry) for section, entry in entries if _said(before, section, entry) != _said(after, section, entry)
    }
    assert told == differ


def _said(document: dict[str, Any], section: str, entry: str) -> str:
    found = document.get(section, {})
    return repr(found[entry]) if entry in found else ""
