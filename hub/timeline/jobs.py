"""The edge where raw records become events: one batch, one transaction."""

from __future__ import annotations

import structlog
from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError

from hub.kit.runtime import Kit
from hub.timeline.intake import blames_a_value, cause, take_in, take_one

log = structlog.get_logger()

BATCH = 2_000
"""Raw records that one transaction takes."""


async def drain_raw_records(kit: Kit) -> int:
    """Turn the next raw records into events. Returns how many were handled; 0 when none waits.

    What cannot be read goes to quarantine by itself. Should the database refuse a batch, smaller ones are tried, down
    to the single record that it does not take.
    """
    limit = BATCH
    while limit > 1:
        try:
            async with kit.transaction() as session:
                return await take_in(session, kit.vault, limit=limit, now=kit.clock.now())
        except (PostgresError, DBAPIError) as error:
            if not blames_a_value(error):
                raise
            log.warning("raw_records.refused", records=limit, error=type(cause(error)).__name__)
            limit //= 10
    async with kit.transaction() as session:
        return await take_one(session, kit.vault, now=kit.clock.now())
