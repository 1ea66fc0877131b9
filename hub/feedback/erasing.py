"""What a person who is erased said: it stays the account's feedback, without words that name them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections.service import freed
from hub.feedback.model import Feedback


async def erase_person(session: AsyncSession, person_id: UUID, words: tuple[str, ...]) -> dict[str, int]:
    """Free the person's feedback from their words."""
    changed = 0
    for said in (await session.execute(select(Feedback).where(Feedback.person_id == person_id))).scalars():
        left = freed(said.text, words)
        changed += left != said.text
        said.text = left
    return {"feedback": changed}
