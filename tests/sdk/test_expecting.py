"""A vendor's answer is what it should be, or an error that the host understands."""

from __future__ import annotations

import httpx
import pytest
from pydantic import BaseModel

from hub import sdk
from hub.sdk.errors import Rejected, Unavailable
from hub.sdk.http import connector_error


class Me(BaseModel):
    """Who we are."""

    workspace: str


def answered(status: int, content: bytes) -> httpx.Response:
    return httpx.Response(status, content=content, request=httpx.Request("GET", "https://api.acme.example/me?k=hidden"))


def test_an_answer_of_the_right_shape_is_its_model() -> None:
    """Fields that nobody knows are no reason."""
    assert sdk.expect(answered(200, b'{"workspace": "w", "more": 1}'), Me) == Me(workspace="w")


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"null", b'{"workspace": 3}', b"\xff"])
def test_anything_else_is_an_outage(content: bytes) -> None:
    """A sign-in page, an empty list, half a document: told with the path and without a value."""
    with pytest.raises(Unavailable) as raised:
        sdk.expect(answered(200, content), Me)
    assert raised.value.detail.startswith("GET /me:")
    assert "hidden" not in raised.value.detail


def test_a_refusal_is_a_rejection() -> None:
    """The host sorts a status that no error of its own stands for."""
    with pytest.raises(httpx.HTTPStatusError) as raised:
        sdk.expect(answered(422, b"{}"), Me)
    assert isinstance(connector_error(raised.value), Rejected)
