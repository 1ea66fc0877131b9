"""What a plugin's own tests use: golden pairs, `x.json` (a record as the vendor sends it) → `x.events.json`.

The file's name begins with the stream: `messages.track.json` is a record of the stream `messages`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from hub.sdk.connector import Connector
from hub.sdk.events import Event


def golden_pairs(folder: Path) -> list[Path]:
    """The records of a fixtures folder, in the order of their names."""
    return sorted(path for path in folder.glob("*.json") if not path.name.endswith(".events.json"))


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


def _shown(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _shown(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: shown for name, shown in fields.items() if shown not in (None, {}, [])}
    if isinstance(value, Mapping):
        return {str(key): _shown(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
