"""What vendors send becomes what PostgreSQL can store, visibly, or is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kit.settings import Settings
from hub.kit.storable import DEEPEST, storable, storable_json

TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(TEXT, parts, max_size=3),
    max_leaves=10,
)


@given(TEXT)
def test_texts_keep_everything_else(text: str) -> None:
    """Only NUL and lone surrogates are replaced, each by one sign."""
    clean = storable(text)
    assert len(clean) == len(text)
    assert clean.encode().decode() == clean
    assert all(new == old or (new == "�" and (old == "\x00" or "\ud800" <= old <= "\udfff"))
               for new, old in zip(clean, text, strict=True))  # fmt: skip


@given(JSON)
def test_json_is_storable_and_says_the_same(value: Any) -> None:
    """It can be read back, without NUL and lone surrogates; integers of any size stay exact."""
    text = storable_json(value)
    assert text.encode().decode() == text
    assert "\\u0000" not in text.replace("\\\\", "")
    if json.dumps(value, ensure_ascii=False).isascii() and "\\u0000" not in json.dumps(value):
        assert json.loads(text) == value


def circle() -> list[Any]:
    deep: list[Any] = []
    for _ in range(DEEPEST + 2):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    "value", [float("nan"), {"a": [float("-inf")]}, {"a": Decimal(1)}, {1: 2}, {"a": {1}}, circle()]
)
def test_what_json_does_not_know_is_refused(value: Any) -> None:
    """Replacing it would invent a fact."""
    with pytest.raises(ValueError, match=r"not|nested"):
        storable_json(value)


def test_times_become_text() -> None:
    """ISO 8601, also beside what the fast writer does not take."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert json.loads(storable_json({"at": at, "name": "\ud800"})) == {"at": "2026-01-01T00:00:00+00:00", "name": "�"}


async def test_postgresql_takes_it(settings: Settings) -> None:
    """As jsonb, with everything in it that it would refuse as it came."""
    assert settings.database_url
    connection = await asyncpg.connect(settings.database_url.replace("+asyncpg", ""))
    try:
        value = {"a\x00": ["\ud800", "\\u0000", 2**70, None, "😀"]}
        stored = await connection.fetchval("SELECT $1::jsonb::text", storable_json(value))
        assert json.loads(stored) == {"a�": ["�", "\\u0000", 2**70, None, "😀"]}
    finally:
        await connection.close()
