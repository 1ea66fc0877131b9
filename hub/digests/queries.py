"""Reading what became of digests."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.digests.model import DigestStatus, OwnerDigest
from hub.kit.paging import among

MOST = 100


async def unsent(session: AsyncSession, viewer: Viewer, since: date) -> list[OwnerDigest]:
    """Digests from a day on that could not be sent, or of which nobody knows, the latest first; at most 100."""
    viewer.require()
    wrong = (DigestStatus.FAILED, DigestStatus.UNKNOWN)
    query = select(OwnerDigest).where(among(OwnerDigest.status, wrong), OwnerDigest.day >= since)
    found = await session.execute(query.order_by(OwnerDigest.day.desc(), OwnerDigest.owner).limit(MOST))
    return list(found.scalars())
