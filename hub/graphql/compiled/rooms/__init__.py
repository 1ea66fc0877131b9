"""The forms of the read model, room by room."""

from __future__ import annotations

from hub.graphql.compiled.rooms import accounts, health, journeys, plays, root, timeline

_ROOMS = (accounts, health, journeys, plays, timeline, root)
_DECLARED: list[bool] = []


def declare() -> None:
    """Declare all forms, once."""
    if not _DECLARED:
        for room in _ROOMS:
            room.declare()
        _DECLARED.append(True)
