"""The store behind `sdk.Mailbox`: messages that wait at the hub until a connector's end user fetches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections.model import MailboxMessage
from hub.kit.clock import Clock
from hub.kit.ids import derived_id
from hub.sdk.errors import Rejected
from hub.sdk.mailbox import Message

LONGEST_RECIPIENT = 500
LONGEST_MARK = 100
MOST_MARKS = 100


class SqlMailbox:
    """The mailbox of one connection; every verb is a transaction of its own."""

    def __init__(
        self, transaction: Callable[[], AbstractAsyncContextManager[AsyncSession]], connection_id: UUID, clock: Clock
    ) -> None:
        self._transaction = transaction
        self._connection_id = connection_id
        self._clock = clock

    async def put(
        self, recipient: str, body: Mapping[str, Any], *, key: str, expires_at: datetime | None = None
    ) -> Message:
        """Leave a message; the same key again returns the first one unchanged.

        Raises `Rejected` for a recipient that cannot be one: empty, too long, or holding a NUL.
        """
        if not recipient or len(recipient) > LONGEST_RECIPIENT or "\x00" in recipient:
            raise Rejected(f"A recipient is a text of 1 to {LONGEST_RECIPIENT} characters.")
        message_id = derived_id("mailbox", self._connection_id, key)
        async with self._transaction() as session:
            await session.execute(
                insert(MailboxMessage)
                .values(
                    id=message_id,
                    connection_id=self._connection_id,
                    recipient=recipient,
                    key=key,
                    body=dict(body),
                    created_at=self._clock.now(),
                    expires_at=expires_at,
                )
                .on_conflict_do_nothing()
            )
            return _message(await session.get_one(MailboxMessage, message_id))

    async def waiting(self, recipient: str, *, limit: int = 20) -> list[Message]:
        """Messages neither closed nor expired, oldest first."""
        if "\x00" in recipient:
            return []
        async with self._transaction() as session:
            rows = await session.execute(
                select(MailboxMessage)
                .where(
                    MailboxMessage.connection_id == self._connection_id,
                    MailboxMessage.recipient == recipient,
                    MailboxMessage.closed_at.is_(None),
                    or_(MailboxMessage.expires_at.is_(None), MailboxMessage.expires_at > self._clock.now()),
                )
                .order_by(MailboxMessage.created_at, MailboxMessage.id)
                .limit(limit)
            )
            return [_message(row) for row in rows.scalars()]

    async def close(self, message_id: str, *, recipient: str) -> bool:
        """Take a recipient's message out of the mailbox; False when it was not there."""
        return await self._change(
            message_id, recipient, MailboxMessage.closed_at.is_(None), closed_at=self._clock.now()
        )

    async def mark(self, message_id: str, mark: str, *, recipient: str) -> bool:
        """Remember something about a recipient's message; the same mark again changes nothing, and returns False.

        A message remembers `MOST_MARKS`, closed or not.
        """
        if not mark or len(mark) > LONGEST_MARK or "\x00" in mark:
            return False
        marks = MailboxMessage.marks
        is_new = func.array_position(marks, mark).is_(None) & (func.cardinality(marks) < MOST_MARKS)
        return await self._change(message_id, recipient, is_new, marks=func.array_append(marks, mark))

    async def _change(self, message_id: str, recipient: str, when: ColumnElement[bool], **values: Any) -> bool:
        try:
            found = UUID(message_id)
        except ValueError:
            return False
        if "\x00" in recipient:
            return False
        async with self._transaction() as session:
            changed = await session.execute(
                update(MailboxMessage)
                .where(
                    MailboxMessage.id == found,
                    MailboxMessage.connection_id == self._connection_id,
                    MailboxMessage.recipient == recipient,
                    when,
                )
                .values(**values)
                .returning(MailboxMessage.id)
            )
            return changed.first() is not None


def _message(row: MailboxMessage) -> Message:
    return Message(
        id=str(row.id), recipient=row.recipient, body=row.body, created_at=row.created_at, marks=tuple(row.marks)
    )
