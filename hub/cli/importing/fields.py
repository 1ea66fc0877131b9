"""What a stream's rows are made of, as far as a file has to know it: asked of the connector's own record models."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from hub.connections import registry
from hub.kit.errors import Invalid
from hub.sdk.connector import Stream

OWN = ("as_of", "attributes", "identities", "unread")
"""Fields that the import fills itself."""


class Sort(StrEnum):
    """What a cell holds."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class FieldOf:
    """A field of a row: its name, what its cells hold, whether a row needs it, and how its columns are called."""

    name: str
    sort: Sort
    required: bool
    called: tuple[str, ...]


def streams(connector: str) -> Mapping[str, Stream[Any]]:
    """The connector's streams that rows of a file can feed. Raises `NotFound` or `Invalid`."""
    found = {
        name: stream
        for name, stream in registry.current().connector(connector).streams.items()
        if "unread" in stream.record.model_fields
    }
    if not found:
        raise Invalid(f"The connector {connector!r} takes no files.", remedy="Leave --connector out: csv does.")
    return found


def fields(record: type[BaseModel]) -> Mapping[str, FieldOf]:
    """The fields of a stream's rows by name."""
    return {
        name: FieldOf(name, _sort(info.annotation), info.is_required(), _called(info.json_schema_extra))
        for name, info in record.model_fields.items()
        if name not in OWN
    }


def _sort(annotation: Any) -> Sort:
    parts = set(_parts(annotation))
    if datetime in parts or any(getattr(part, "__name__", "") == "AwareDatetime" for part in parts):
        return Sort.MOMENT
    if int in parts:
        return Sort.WHOLE
    return Sort.NUMBER if parts & {Decimal, float} else Sort.TEXT


def _parts(annotation: Any) -> typing.Iterator[Any]:
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _parts(argument)


def _called(extra: Any) -> tuple[str, ...]:
    return tuple(extra.get("called", ())) if isinstance(extra, dict) else ()
