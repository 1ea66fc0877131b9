"""Reading the voice of the customer."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.queries import READERS
from hub.feedback.model import Feedback, FeedbackKind, FeedbackStatus
from hub.kit.paging import Order, Page, Slice, among, read_page, read_pages

__all__ = [
    "FEEDBACK",
    "Feedback",
    "FeedbackKind",
    "FeedbackStatus",
    "all_feedback",
    "feedback",
    "feedback_of",
]

FEEDBACK = Order("feedback", Feedback.recorded_at, Feedback.id, descending=True)


async def feedback(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Feedback]:
    """Feedback by id."""
    viewer.require(*READERS)
    found = await session.execute(select(Feedback).where(among(Feedback.id, ids)))
    return {one.id: one for one in found.scalars()}


async def all_feedback(session: AsyncSession, viewer: Viewer, page: Page) -> Slice[Feedback]:
    """A page of what all accounts said, the latest first."""
    viewer.require(*READERS)
    return await read_page(session, Feedback, select(Feedback), FEEDBACK, page)


async def feedback_of(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], page: Page
) -> dict[UUID, Slice[Feedback]]:
    """A page of what each account said, the latest first."""
    viewer.require(*READERS)
    return await read_pages(
        session, Feedback, account_ids, lambda id_: select(Feedback).where(Feedback.account_id == id_), FEEDBACK, page
    )
