"""Reading journeys: where accounts are, where they were, and what they proved, for many accounts in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.queries import READERS
from hub.blueprint import service as blueprints
from hub.journeys.model import MilestoneProgress, Stay
from hub.journeys.service import StayStatus, status_of
from hub.journeys.stays import StayReason
from hub.kit.errors import NotFound
from hub.kit.paging import Order, Page, Slice, among, read_pages

__all__ = [
    "MilestoneProgress",
    "Stay",
    "StayReason",
    "StayStatus",
    "current_stays",
    "milestones",
    "statuses",
    "stays",
    "stays_of",
]

NEWEST_FIRST = Order("stays", Stay.entered_at, Stay.id, descending=True)


async def current_stays(session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID]) -> dict[UUID, Stay]:
    """The stay that each account is in now; accounts that have entered no stage yet are left out."""
    viewer.require(*READERS)
    found = await session.execute(select(Stay).where(among(Stay.account_id, account_ids), Stay.left_at.is_(None)))
    return {stay.account_id: stay for stay in found.scalars()}


async def stays(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Stay]:
    """Stays by id."""
    viewer.require(*READERS)
    found = await session.execute(select(Stay).where(among(Stay.id, ids)))
    return {stay.id: stay for stay in found.scalars()}


async def stays_of(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], page: Page
) -> dict[UUID, Slice[Stay]]:
    """A page of each account's stays, the latest first."""
    viewer.require(*READERS)
    return await read_pages(
        session, Stay, account_ids, lambda id_: select(Stay).where(Stay.account_id == id_), NEWEST_FIRST, page
    )


async def statuses(
    session: AsyncSession, viewer: Viewer, stay_ids: Sequence[UUID], now: datetime
) -> dict[UUID, StayStatus]:
    """How each stay goes by the blueprint in force; those that are over, or where none is in force, are left out."""
    try:
        blueprint = await blueprints.current(session)
    except NotFound:
        return {}
    found = await stays(session, viewer, stay_ids)
    proofs = await milestones(session, viewer, list(found))
    return {
        stay.id: status_of(blueprint, stay.segment, stay.stage, stay.entered_at, proofs[stay.id], now)
        for stay in found.values()
        if stay.left_at is None
    }


async def milestones(
    session: AsyncSession, viewer: Viewer, stay_ids: Sequence[UUID]
) -> dict[UUID, list[MilestoneProgress]]:
    """The milestones of each stay, those expected first at the head."""
    viewer.require(*READERS)
    found = await session.execute(
        select(MilestoneProgress)
        .where(among(MilestoneProgress.stay_id, stay_ids))
        .order_by(MilestoneProgress.expected_at.asc().nulls_last(), MilestoneProgress.milestone)
    )
    below: dict[UUID, list[MilestoneProgress]] = {id_: [] for id_ in stay_ids}
    for milestone in found.scalars():
        below[milestone.stay_id].append(milestone)
    return below
