"""Where a blueprint would put accounts at this moment, worked out as scoring does, with nothing written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health import store
from hub.health.rating import profile_names, rate
from hub.health.remembering import recall, windows_of, with_memory
from hub.health.rules import ready
from hub.health.section import Profiles
from hub.health.service import with_standing
from hub.health.vocabulary import Band
from hub.journeys import service as journeys
from hub.measures.service import Catalogue, compute


@dataclass(frozen=True, slots=True)
class Place:
    """Where an account is: its segment and stage (None: on no journey) and its band."""

    segment: str | None = None
    stage: str | None = None
    band: Band = Band.UNKNOWN

    @property
    def stage_name(self) -> str:
        """`segment.stage`; empty for an account on no journey."""
        return f"{self.segment}.{self.stage}" if self.segment else ""


async def known(
    session: AsyncSession, blueprint: Blueprint, account_ids: Collection[UUID], now: datetime
) -> pl.DataFrame:
    """All that a blueprint looks at: its measures, facts, the score and band as they stand, and how the score changed.
    Four statements, whatever the number of accounts."""
    facts = await journeys.facts(session, list(account_ids), now)
    living = [UUID(account_id) for account_id in facts["account_id"]]
    before = await store.standings(session, living)
    measures = await compute(session, blueprint.section("measures", Catalogue), living, as_of=now)
    frame = with_standing(measures.join(facts, on="account_id", how="inner", maintain_order="left"), before)
    return with_memory(frame, await recall(session, living, windows_of(blueprint), now))


async def preview(session: AsyncSession, blueprint: Blueprint, frame: pl.DataFrame, now: datetime) -> dict[UUID, Place]:
    """Where each account of `frame` (see `known`) would be if this blueprint were in force now, from where it stands.

    Nothing is written. One statement.
    """
    placed = await journeys.would_place(session, blueprint, frame, now)
    rated = rate(placed, profile_names(placed, blueprint.section("profiles", Profiles)), ready(blueprint).profiles)
    rows = zip(*(placed[column] for column in ("account_id", "segment", "stage")), rated["band"], strict=True)
    return {UUID(id_): Place(segment, stage, Band(band)) for id_, segment, stage, band in rows}
