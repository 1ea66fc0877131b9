"""What a release must not drop, and what it may."""

from __future__ import annotations

from typing import Any

import pytest

from hub.sdk.manifest import ActionPromise, Manifest, RatePromise, StreamPromise, WebhookPromise
from hub.sdk.releases import dropped


def schema(*names: str, required: tuple[str, ...] = (), closed: bool = False) -> dict[str, Any]:
    extra = {"additionalProperties": False} if closed else {}
    return {"type": "object", "properties": {name: {} for name in names}, "required": list(required), **extra}


def action(**changed: Any) -> ActionPromise:
    fields: dict[str, Any] = {
        "name": "thank",
        "description": "",
        "input": schema("person", "text", required=("person",)),
        "output": schema("note"),
        "idempotency": "native",
        "emits": None,
        "touch": False,
        "destructive": False,
        "scopes": [],
    }
    return ActionPromise(**fields | changed)


def manifest(**changed: Any) -> Manifest:
    fields: dict[str, Any] = {
        "id": "acme",
        "name": "Acme",
        "api": 1,
        "tier": "gold",
        "description": "",
        "config": schema("api_key", "site", required=("api_key",), closed=True),
        "hosts": [],
        "rate": RatePromise(per_second=1, backfill_share=0.5),
        "emits": ["survey.answered"],
        "scopes": [],
        "streams": [StreamPromise(name="answers", emits=[], interval_seconds=1, full_refresh=False, refetches=False)],
        "webhooks": [WebhookPromise(name="hook", path="hook", handles=[], signature="S", max_bytes=1)],
        "endpoints": [],
        "actions": [action()],
    }
    return Manifest(**fields | changed)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"id": "acme2"}, "connections are stored under it"),
        ({"streams": []}, "the stream answers is gone"),
        ({"emits": []}, "the kind survey.answered is gone"),
        ({"webhooks": []}, "the webhook at hook is gone"),
        ({"actions": []}, "the action thank is gone"),
        ({"config": schema("api_key", "site", "region", required=("api_key", "region"))}, "now requires region"),
        ({"config": schema("api_key", closed=True)}, "no longer takes site"),
        ({"actions": [action(input=schema("person", required=("person",)))]}, "no longer takes text"),
        ({"actions": [action(input=schema("person", "text", required=("person", "text")))]}, "now requires text"),
        ({"actions": [action(output=schema())]}, "no longer answers note"),
    ],
)
def test_a_promise_that_is_not_kept_is_told(after: dict[str, Any], said: str) -> None:
    """One sentence for each."""
    [found] = dropped(manifest(), manifest(**after))
    assert said in found


def test_what_is_added_or_only_told_breaks_nothing() -> None:
    """More kinds, optional fields, a lower tier, a slower rate."""
    more = {
        "emits": ["survey.answered", "survey.sent"],
        "config": schema("api_key", "site", "region", required=("api_key",), closed=True),
        "actions": [action(input=schema("person", "text", "tone", required=("person",)))],
        "tier": "bronze",
        "rate": RatePromise(per_second=0.1, backfill_share=0.1),
    }
    assert dropped(manifest(), manifest(**more)) == []
