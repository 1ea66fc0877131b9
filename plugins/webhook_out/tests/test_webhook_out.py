"""What is configured for an endpoint, and what is refused with the remedy."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hub_webhook_out import WebhookOut
from hub_webhook_out.models import EndpointConfig
from pydantic import ValidationError

from hub.sdk.declarations import complaints
from hub.sdk.manifest import manifest_of

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
URL = "https://crm.example/hooks/hub"


def config(**changed: Any) -> EndpointConfig:
    return EndpointConfig.model_validate({"url": URL, "secret": SECRET, **changed})


def test_the_declarations_are_complete() -> None:
    """The hub would register it, and its manifest says that facts leave through it."""
    assert complaints(WebhookOut) == []
    [outlet] = manifest_of(WebhookOut).outlets
    assert outlet.name == "messages"


@pytest.mark.parametrize(
    ("topics", "expected"),
    [("band.changed, alert.*", ["band.changed", "alert.*"]), (["*"], ["*"]), ("*", ["*"])],
)
def test_topics_may_be_written_as_on_a_command_line(topics: Any, expected: list[str]) -> None:
    """Separated by commas, or as a list."""
    assert config(topics=topics).topics == expected


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"topics": "bands"}, "object.action"),
        ({"topics": ""}, "at least 1"),
        ({"secret": "whsec_short"}, "openssl rand"),
        ({"secret": "whsec_" + base64.b64encode(b"x" * 65).decode()}, "24 to 64 bytes"),
        ({"previous_secret": "not base64!"}, "openssl rand"),
        ({"url": "https://user:password@crm.example/"}, "no user, password"),
        ({"url": "ftp://crm.example/"}, "http"),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(changed: dict[str, Any], said: str) -> None:
    """When it is entered, not when the first message is due."""
    with pytest.raises(ValidationError, match=said):
        config(**changed)


async def test_an_address_is_one_connection_and_its_query_is_not_shown() -> None:
    """A token in the query tells addresses apart without being told."""
    plain = await WebhookOut(config()).check()
    first, second = [await WebhookOut(config(url=f"{URL}?token={token}")).check() for token in ("abc", "abd")]
    assert plain == "https://crm.example:443/hooks/hub"
    assert len({plain, first, second}) == 3
    assert "abc" not in first


def test_a_secret_is_in_no_text() -> None:
    """Neither printed nor dumped."""
    assert SECRET not in f"{config()!r}{config().model_dump_json()}"
