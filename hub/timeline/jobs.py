"""The edge where raw records become events: one batch, one transaction."""

from __future__ import annotations

from typing import Final

import structlog
from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError

from hub.kit.runtime import Kit
from hub.timeline.intake import set_aside, take_in

log = structlog.get_logger()

BATCH: Final = 2_000
"""Raw records that one transaction takes."""

BLAMES_A_VALUE: Final = {"22", "54"}
"""Classes of SQLSTATE that are about what was to be stored (data, limits), and not about the moment."""


async def drain_raw_records(kit: Kit) -> int:
    """Turn the next raw records into events. Returns how many were handled; 0 when none waits.

    What cannot be read goes to quarantine by itself. Should the database refuse a batch, smaller ones are tried, down
    to the single record that it does not take.
    """
    limit = BATCH
    while True:
        try:
            async with kit.transaction() as session:
                return await take_in(session, kit.vault, limit=limit, now=kit.clock.now())
        except (PostgresError, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if str(getattr(cause, "sqlstate", ""))[:2] not in BLAMES_A_VALUE:
                raise
            log.warning("raw_records.refused", records=limit, error=type(cause).__name__)
            if limit == 1:
                async with kit.transaction() as session:
                    return await set_aside(session, f"The database does not take it: {cause}", now=kit.clock.now())
            limit = max(1, limit // 10)
