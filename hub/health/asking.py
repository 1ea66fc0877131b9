"""What rules are asked about accounts outside of scoring: their measures now, and health and stage as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health.previewing import known
from hub.journeys import service as journeys


async def frame_now(
    session: AsyncSession, blueprint: Blueprint, account_ids: Sequence[UUID], now: datetime
) -> pl.DataFrame:
    """One row for each account, with a column for everything that a rule may name (of the changes of the score only
    those that rules of health and journeys name; see `with_asked`). Five statements, whatever the number of accounts;
    those that are merged or unknown are left out."""
    frame = await known(session, blueprint, account_ids, now)
    return await journeys.placed_at(session, blueprint, frame, now, None)
