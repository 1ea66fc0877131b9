"""What a release must not drop: everything that the manifest of the last one promised, somebody relies on.

Blueprints name kinds and actions, vendors post to webhooks' addresses, operators have stored configurations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hub.sdk.manifest import ActionPromise, Manifest


def dropped(before: Manifest, after: Manifest) -> list[str]:
    """Every promise of `before` that `after` does not keep, as sentences; empty when it may be released."""
    return [
        *_identity(before, after),
        *_gone("stream", (one.name for one in before.streams), (one.name for one in after.streams)),
        *_gone("kind", before.emits, after.emits),
        *_gone("webhook at", (one.path for one in before.webhooks), (one.path for one in after.webhooks)),
        *_gone("endpoint at", _doors(before), _doors(after)),
        *_gone("action", (one.name for one in before.actions), (one.name for one in after.actions)),
        *_config(before.config, after.config),
        *_actions(before, after),
    ]


def _identity(before: Manifest, after: Manifest) -> Iterator[str]:
    if before.id != after.id:
        yield f"the connector's id was {before.id!r} and is {after.id!r}: connections are stored under it"


def _doors(manifest: Manifest) -> list[str]:
    return [f"{one.method} {one.path}" for one in manifest.endpoints]


def _gone(what: str, before: Iterable[str], after: Iterable[str]) -> Iterator[str]:
    for name in sorted(set(before) - set(after)):
        yield f"the {what} {name} is gone"


def _config(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in _required(after) - _required(before):
        yield f"the configuration now requires {name}: stored ones may not have it; give it a default"
    if after.get("additionalProperties") is False:
        for name in sorted(_properties(before).keys() - _properties(after).keys()):
            yield f"the configuration no longer takes {name}, which stored ones may have"


def _actions(before: Manifest, after: Manifest) -> Iterator[str]:
    now = {action.name: action for action in after.actions}
    for action in before.actions:
        if action.name in now:
            yield from _action(action, now[action.name])


def _action(before: ActionPromise, after: ActionPromise) -> Iterator[str]:
    for name in sorted(_properties(before.input).keys() - _properties(after.input).keys()):
        yield f"the action {before.name} no longer takes {name}"
    for name in sorted(_required(after.input) - _required(before.input)):
        yield f"the action {before.name} now requires {name}: plays that were written before do not give it"
    for name in sorted(_properties(before.output).keys() - _properties(after.output).keys()):
        yield f"the action {before.name} no longer answers {name}"


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    return properties


def _required(schema: Mapping[str, Any]) -> set[str]:
    return set(schema.get("required", ()))
