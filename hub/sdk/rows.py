"""A row, judged: kept as the record that its stream's model, key and version make of it, or not fit to be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from hub.sdk import payloads
from hub.sdk.connector import Stream, Tombstone

LONGEST_ID = 500
LONGEST_VERSION = 200


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row that can be kept: `payload` is its JSON, None for a tombstone (then `deleted_at` is when)."""

    stream: str
    record_id: str
    version: str
    payload: bytes | None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot: it does not fit its model, or has no usable key."""

    stream: str
    payload: bytes
    reason: str


def read_row(stream: Stream[Any], row: Mapping[str, Any] | Tombstone, now: datetime) -> RawRow | BadRow:
    """Judge one row, whatever it holds and whatever the connector's key functions do with it.

    Raises `ValueError` only for a row that cannot even be kept as JSON.
    """
    if isinstance(row, Tombstone):
        return _tombstone(row, now)
    payload = payloads.dumps(row)
    try:
        record = stream.record.model_validate(row)
        record_id, version = stream.key(record), stream.version(record)
    except ValidationError as error:
        return BadRow(stream.name, payload, _misfits(error))
    except Exception as error:  # a key function may fail in any way over a row that nobody foresaw
        return BadRow(stream.name, payload, f"its key or version fails: {type(error).__name__}: {error}")
    if wrong := unusable(record_id, version):
        return BadRow(stream.name, payload, wrong)
    return RawRow(stream.name, record_id, version, payload)


def _tombstone(row: Tombstone, now: datetime) -> RawRow | BadRow:
    version = deleted_version(row.at)
    if wrong := unusable(row.id, version):
        return BadRow(row.stream, payloads.dumps({"deleted": str(row.id)}), wrong)
    return RawRow(row.stream, row.id, version, None, row.at or now)


def deleted_version(at: datetime | None) -> str:
    """The version of a record that the vendor deleted then; one without a time is deleted once for all."""
    return f"deleted:{at.isoformat()}" if at else "deleted"


def _misfits(error: ValidationError) -> str:
    """What does not fit, without the values: they may be personal, and they are in the payload anyway."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    shown = [f"{'.'.join(str(part) for part in problem['loc']) or 'record'}: {problem['msg']}" for problem in problems]
    return "; ".join(shown[:5]) + (f"; and {len(shown) - 5} more" if len(shown) > 5 else "")


def unusable(record_id: object, version: object) -> str | None:
    """Why these cannot be a record's key and version; None when they can. The index takes texts of limited length."""
    for name, value, longest in (("key", record_id, LONGEST_ID), ("version", version, LONGEST_VERSION)):
        if not isinstance(value, str) or not value:
            return f"its {name} is {type(value).__name__} and not a text" if value != "" else f"its {name} is empty"
        if len(value) > longest:
            return f"its {name} is longer than {longest} characters"
        if "\x00" in value or not _is_unicode(value):
            return f"its {name} holds characters that are none"
    return None


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
