"""Digests that were written when somebody was not erased yet: what was sent is sent, the copy goes."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def erase_person(session: AsyncSession, words: tuple[str, ...]) -> dict[str, int]:
    """Forget the texts of finished digests in which one of a person's words stands."""
    gone = await session.execute(
        text(
            "UPDATE owner_digest SET message = NULL WHERE finished_at IS NOT NULL AND message IS NOT NULL "
            "AND EXISTS (SELECT FROM unnest(CAST(:words AS text[])) AS word "
            "WHERE strpos(lower(message::text), word) > 0) RETURNING 1"
        ),
        {"words": [word for word in words if word.isascii()]},
    )
    return {"digests": len(gone.all())}
