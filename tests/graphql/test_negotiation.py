"""Which media type an answer has."""

from __future__ import annotations

import pytest
from graphql import GraphQLError

from hub.graphql.http import GRAPHQL_JSON, JSON, accepted, negotiated


@pytest.mark.parametrize(
    ("header", "media"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}, {JSON};q=0.9", GRAPHQL_JSON),
        (f"{JSON};q=0.5, {GRAPHQL_JSON};q=0.9", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};charset=utf-8, {JSON};charset=utf-8", GRAPHQL_JSON),
        (f"text/html, {JSON}", JSON),
    ],
)
def test_the_best_media_type_is_found(header: str | None, media: str) -> None:
    """Quality counts first, then the order."""
    assert negotiated(accepted(header)) == media


@pytest.mark.parametrize("header", ["text/html", "image/png", "application/json;q=0", "application/json;q=x"])
def test_an_answer_that_nobody_can_read_is_not_made(header: str) -> None:
    """406, not a guess."""
    with pytest.raises(GraphQLError):
        negotiated(accepted(header))
