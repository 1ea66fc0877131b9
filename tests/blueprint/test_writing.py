"""A document that is printed is read back as the very same one."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.blueprint.service import as_yaml, digest_of, read_document, read_text, shipped_path

EXAMPLES = int(os.environ.get("HUB_TEST_EXAMPLES", "200"))
ODD = [
    "on",
    "no",
    "yes",
    "1e5",
    "1e3",
    "0x1F",
    "1_000",
    "2026-05-01",
    "~",
    "null",
    "1:30",
    " x ",
    "a: b",
    "#c",
    "*d",
    "é\n",
]
TEXTS = st.sampled_from(ODD) | st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x85\u2028\u2029\ufeff\ufffe\uffff"), max_size=12
)
NUMBERS = st.integers(-(10**17), 10**17) | st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 4))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["segments", "alerts", "plays"]), st.dictionaries(TEXTS, VALUES, max_size=3)))
@example({"alerts": {"a": ["same", {"x": 1}], "b": ["same", {"x": 1}]}})
@settings(max_examples=EXAMPLES)
def test_what_is_printed_is_read_back(document: dict[str, Any]) -> None:
    """Every text, number and list, whatever it looks like."""
    assert read_text(as_yaml(document)) == document


def test_the_shipped_one_survives() -> None:
    """To the digest, and so to the version."""
    document = read_document(shipped_path())
    assert digest_of(read_text(as_yaml(document))) == digest_of(document)
