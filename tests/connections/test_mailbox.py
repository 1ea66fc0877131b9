"""The mailbox: a message is left once, waits for one person, and is closed by nobody else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from hub.connections.mailbox import MOST_MARKS, SqlMailbox
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.sdk.errors import Rejected

HERE, ELSEWHERE = UUID(int=1), UUID(int=2)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime(2026, 3, 2, 10, tzinfo=UTC))


@pytest.fixture
def mailbox(kit: Kit, clock: FrozenClock) -> SqlMailbox:
    return SqlMailbox(kit.transaction, HERE, clock)


async def test_the_same_key_is_one_message(mailbox: SqlMailbox) -> None:
    """Putting again, also in parallel, returns the first message unchanged."""
    first = await mailbox.put("ann", {"n": 1}, key="run:1")
    others = await asyncio.gather(*(mailbox.put("bob", {"n": 2}, key="run:1") for _ in range(5)))
    assert {other.id for other in others} == {first.id}
    assert [message.body for message in await mailbox.waiting("ann")] == [{"n": 1}]
    assert await mailbox.waiting("bob") == []


async def test_messages_wait_in_order_until_they_expire(mailbox: SqlMailbox, clock: FrozenClock) -> None:
    """The oldest comes first, an expired one not at all, and a list has its limit."""
    for number in range(4):
        expires = clock.now() + timedelta(hours=1) if number == 1 else None
        await mailbox.put("ann", {"n": number}, key=f"run:{number}", expires_at=expires)
        clock.advance(timedelta(minutes=1))
    assert [message.body["n"] for message in await mailbox.waiting("ann")] == [0, 1, 2, 3]
    clock.advance(timedelta(hours=1))
    assert [message.body["n"] for message in await mailbox.waiting("ann", limit=2)] == [0, 2]


async def test_only_its_recipient_closes_a_message_and_once(kit: Kit, mailbox: SqlMailbox, clock: FrozenClock) -> None:
    """A message of somebody else, of another connection, or closed already is not there to close."""
    message = await mailbox.put("ann", {}, key="run:1")
    assert not await mailbox.close(message.id, recipient="bob")
    assert not await SqlMailbox(kit.transaction, ELSEWHERE, clock).close(message.id, recipient="ann")
    assert not await mailbox.close("no id at all", recipient="ann")
    assert not await mailbox.close(message.id, recipient="a\x00")
    assert await mailbox.close(message.id, recipient="ann")
    assert not await mailbox.close(message.id, recipient="ann")
    assert await mailbox.waiting("ann") == []


async def test_a_recipient_must_be_one(mailbox: SqlMailbox) -> None:
    """What cannot be a recipient is refused, and nobody has mail under such a name."""
    for recipient in ("", "a\x00", "x" * 501):
        with pytest.raises(Rejected):
            await mailbox.put(recipient, {}, key="run:1")
        assert await mailbox.waiting(recipient) == []


async def test_a_mark_is_remembered_once_for_its_recipient(mailbox: SqlMailbox) -> None:
    """Marks come back with the message, in their order; nobody else makes one, and a silly one is none."""
    message = await mailbox.put("ann", {}, key="run:1")
    assert message.marks == ()
    assert [await mailbox.mark(message.id, mark, recipient="ann") for mark in ("b", "a", "b")] == [True, True, False]
    assert not await mailbox.mark(message.id, "c", recipient="bob")
    assert not await mailbox.mark("no id at all", "c", recipient="ann")
    for mark in ("", "\x00", "x" * 101):
        assert not await mailbox.mark(message.id, mark, recipient="ann")
    assert [waiting.marks for waiting in await mailbox.waiting("ann")] == [("b", "a")]


async def test_a_message_remembers_so_many_marks(mailbox: SqlMailbox) -> None:
    """A page cannot make a message grow without end."""
    message = await mailbox.put("ann", {}, key="run:1")
    made = [await mailbox.mark(message.id, str(number), recipient="ann") for number in range(MOST_MARKS + 1)]
    assert made == [True] * MOST_MARKS + [False]
