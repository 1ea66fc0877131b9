"""A conversation taken apart: each message, closing, reopening and rating is a record of its own.

Intercom shows a conversation as it is now, and rewrites who took part in it when contacts are merged. What is recorded
once must not be told again of another contact, so each part is a record that never changes: the host keeps the first
one that it sees, whether a notification brought it or the conversation was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

OPENS = frozenset({"open", "unsnoozed", "timer_unsnooze"})
STATES = {"close": "closed", "snoozed": "snoozed", **dict.fromkeys(OPENS, "open")}
"""What a part makes of a conversation, by its type; other types leave it as it is."""


def happenings(conversation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a whole conversation, as `GET /conversations/{id}` answers it, in the order of its parts."""
    state = "open"
    yield _row(conversation, state, part=_source(conversation))
    for part in _parts(conversation):
        state = STATES.get(part.get("part_type", ""), state)
        yield _row(conversation, state, part=part)
    yield from rated(conversation)


def notified(conversation: Mapping[str, Any], *, created: bool) -> Iterator[dict[str, Any]]:
    """The rows of a notification's conversation, which holds the newest parts alone and its present state."""
    if created:
        yield _row(conversation, "open", part=_source(conversation))
    for part in _parts(conversation):
        state = STATES.get(part.get("part_type", "")) or conversation.get("state")
        yield _row(conversation, state, part=part)
    yield from rated(conversation)


def rated(conversation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The row of the conversation's rating; none while nobody has given one."""
    rating = conversation.get("conversation_rating") or {}
    if rating.get("rating") is not None:
        yield _row(conversation, conversation.get("state"), rating=rating)


def _row(conversation: Mapping[str, Any], state: str | None, **what: Any) -> dict[str, Any]:
    source = conversation.get("source") or {}
    return {
        "conversation": str(conversation["id"]),
        "contacts": (conversation.get("contacts") or {}).get("contacts") or [],
        "subject": source.get("subject") or conversation.get("title"),
        "channel": source.get("type"),
        "state": state,
        **what,
    }


def _source(conversation: Mapping[str, Any]) -> dict[str, Any]:
    source = conversation.get("source") or {}
    return {
        "id": "source",
        "part_type": "source",
        "created_at": conversation["created_at"],
        "body": source.get("body"),
        "author": source.get("author"),
    }


def _parts(conversation: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (conversation.get("conversation_parts") or {}).get("conversation_parts") or []
