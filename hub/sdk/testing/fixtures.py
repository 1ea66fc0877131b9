"""The files of a plugin's `tests/fixtures/`.

| file | what it is |
|---|---|
| `config.json` | a configuration with invented secrets; both of a rotation where there are two |
| `<stream>.<case>.json`, `<stream>.<case>.events.json` | a golden pair: a record as sent, and its events |
| `webhooks/<webhook>.<case>.json` | a delivery: `{"body": …}` or `{"text": "…"}`, and `path`, `headers`, `query` |
| `webhooks/<webhook>.unknown.json` | a delivery of a type that the connector does not know |
| `actions/<action>.<case>.json` | an action's input |
| `cursors/<stream>.json` | cursors that releases have stored: a list, today's shape among them |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from hub.sdk.connector import Connector, Webhook
from hub.sdk.events import Event
from hub.sdk.webhooks import Delivery

UNKNOWN = "unknown"
"""The case of a delivery whose type the connector does not know."""


def golden_pairs(folder: Path) -> list[Path]:
    """The records of a fixtures folder, in the order of their names."""
    named = (path for path in folder.glob("*.*.json") if not path.name.endswith(".events.json"))
    return sorted(named)


def expected_events(record: Path) -> list[dict[str, Any]]:
    """The other half of a pair."""
    events: list[dict[str, Any]] = orjson.loads(record.with_suffix(".events.json").read_bytes())
    return events


def normalized(connector: Connector[Any], record: Path) -> list[dict[str, Any]]:
    """The events that the connector makes of a record's file, as JSON without what is empty."""
    stream = connector.streams[record.name.partition(".")[0]]
    row = stream.record.model_validate(orjson.loads(record.read_bytes()))
    assert stream.normalizer is not None, f"stream {stream.name} needs @{stream.name}.normalize"  # noqa: S101
    return [as_json(event) for event in stream.normalizer(connector, row)]


def as_json(event: Event) -> dict[str, Any]:
    """An event as JSON, without what is empty."""
    shown: dict[str, Any] = _shown(event)
    return shown


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery's fixture: what a vendor sends, before it is signed."""

    webhook: Webhook
    case: str
    file: Path
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    def delivery(self, received_at: datetime) -> Delivery:
        """The request, unsigned, received at that time."""
        return Delivery(self.path, self.headers, self.body, received_at, "POST", self.query)


def deliveries(connector: type[Connector[Any]], folder: Path) -> list[Sent]:
    """The deliveries of `webhooks/`. Raises `ValueError` for a file that is none."""
    return [sent(connector, path) for path in sorted((folder / "webhooks").glob("*.json"))]


def action_inputs(folder: Path, action: str) -> list[tuple[Path, dict[str, Any]]]:
    """The inputs of an action."""
    files = sorted((folder / "actions").glob(f"{action}.*json"))
    return [(path, orjson.loads(path.read_bytes())) for path in files]


def stored_cursors(folder: Path, stream: str) -> list[dict[str, Any]]:
    """Cursors of a stream that releases have stored; empty when there is no such file."""
    path = folder / "cursors" / f"{stream}.json"
    cursors: list[dict[str, Any]] = orjson.loads(path.read_bytes()) if path.exists() else []
    return cursors


def sent(connector: type[Connector[Any]], path: Path) -> Sent:
    """One delivery's file. Raises `ValueError` for a file that is none, and `OSError`."""
    name, _, case = path.stem.partition(".")
    webhook = connector.webhooks.get(name)
    if webhook is None:
        known = ", ".join(connector.webhooks) or "none"
        raise ValueError(f"{path.name} begins with {name!r}, which is no webhook of the connector (it has: {known})")
    try:
        document = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None
    if not isinstance(document, dict) or not {"body", "text"} & document.keys():
        raise ValueError(f'{path.name} must be {{"body": what the vendor posts}}; path, headers and query if needed')
    body = document["text"].encode() if "text" in document else orjson.dumps(document["body"])
    headers = {key.lower(): value for key, value in document.get("headers", {}).items()}
    return Sent(webhook, case, path, document.get("path", webhook.path), headers, document.get("query", {}), body)


def _shown(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _shown(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: shown for name, shown in fields.items() if shown not in (None, {}, [])}
    if isinstance(value, Mapping):
        return {str(key): _shown(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
