"""Messages that wait at the hub until the other side fetches them: the store behind a connector's own channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One waiting message; `id` is derived from the idempotency key, so putting twice leaves one.

    `marks` are what `mark` remembered about it, in the order in which it came.
    """

    id: str
    recipient: str
    body: Mapping[str, Any]
    created_at: datetime
    marks: tuple[str, ...] = ()


class Mailbox(Protocol):
    """What the host gives a connector that answers its own end users. Scoped to the connection."""

    async def put(
        self, recipient: str, body: Mapping[str, Any], *, key: str, expires_at: datetime | None = None
    ) -> Message:
        """Leave a message; the same key again returns the first one unchanged."""
        ...

    async def waiting(self, recipient: str, *, limit: int = 20) -> list[Message]:
        """Messages neither closed nor expired, oldest first."""
        ...

    async def close(self, message_id: str, *, recipient: str) -> bool:
        """Take a recipient's message out of the mailbox; False when it was not there."""
        ...

    async def mark(self, message_id: str, mark: str, *, recipient: str) -> bool:
        """Remember something about a recipient's message; the same mark again changes nothing, and returns False."""
        ...
