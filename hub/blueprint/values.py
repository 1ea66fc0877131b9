"""Words and spans as they stand in a blueprint, shared by the sections of all rooms."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

_DURATION: Final = re.compile(r"([0-9]{1,5})([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 24 * 7}


class Entry(BaseModel):
    """The base of everything in a section: never changed once read, and no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def parse_duration(value: Any) -> timedelta:
    """`36h`, `28d` or `2w` as a span of time. Months are left out: they have no fixed length. Raises
    ValueError.
    """
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("write a span of time as a whole number of hours, days or weeks: 36h, 28d or 2w")
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])


def format_duration(span: timedelta) -> str:
    """The shortest way to write a span that `parse_duration` reads back."""
    hours = round(span / timedelta(hours=1))
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def _longer_than_nothing(span: timedelta) -> timedelta:
    if span <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return span


Duration = Annotated[
    timedelta,
    BeforeValidator(lambda value: _longer_than_nothing(parse_duration(value))),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,5}[hdw]$", "examples": ["36h", "28d", "2w"]}),
]
"""A span of time, e.g. `28d`."""

NAME_PATTERN: Final = "^[a-z][a-z0-9_]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A name that rules can use: lower-case letters, digits and underscores, beginning with a letter."""
