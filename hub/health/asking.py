"""What rules are asked about accounts outside of scoring: their measures now, and health and stage as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import polars as pl
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health.model import Health
from hub.health.scoring import MICRO
from hub.journeys import service as journeys
from hub.kit.paging import among
from hub.measures.section import Catalogue
from hub.measures.service import compute


async def frame_now(
    session: AsyncSession, blueprint: Blueprint, account_ids: Sequence[UUID], now: datetime
) -> pl.DataFrame:
    """One row for each account, with a column for everything that a rule may name. Four statements, whatever the number
    of accounts; those that are merged or unknown are left out."""
    facts = await journeys.facts(session, account_ids, now)
    measures = await compute(session, blueprint.section("measures", Catalogue), account_ids, as_of=now)
    found = await session.execute(
        select(Health.account_id, Health.micro_points, Health.band).where(among(Health.account_id, account_ids))
    )
    rows = [(str(id_), None if points is None else points / MICRO, band) for id_, points, band in found]
    health = pl.DataFrame(rows, schema={"account_id": pl.String, "score": pl.Float64, "band": pl.String}, orient="row")
    frame = measures.join(facts, on="account_id", how="inner", maintain_order="left")
    frame = frame.join(health, on="account_id", how="left", maintain_order="left")
    return await journeys.placed_at(session, blueprint, frame, now, None)
