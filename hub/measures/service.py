"""Computing measures: one statement for one account, a batch, the whole base or a past day, and the frame it gives; and
one for many days at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.db import driver_connection
from hub.kit.ids import read_id
from hub.measures.changes import compile_next_change, moves_daily
from hub.measures.days import ACCOUNT, MOMENT, days_frame
from hub.measures.evidence import compile_evidence
from hub.measures.fragments import Question
from hub.measures.frames import finished, frame_of, measures_read
from hub.measures.parts import Days
from hub.measures.section import Catalogue
from hub.measures.sql import compile_measures
from hub.measures.sweeps import compile_sweep

__all__ = ["Catalogue", "compute", "daily_measures", "evidence", "next_changes", "series"]


async def compute(
    session: AsyncSession,
    catalogue: Catalogue,
    account_ids: Sequence[UUID] | None,
    *,
    as_of: datetime,
    known_at: datetime | None = None,
) -> pl.DataFrame:
    """All measures of the accounts (None: of every account), as of a moment and as known at another.

    A row for each account, sorted by id: `account_id` (String) and a Float64 for each measure, null where unknown. The
    same account gives the same bits alone, in a batch or among all.

    Cost: one statement, whatever the number of accounts and measures.
    """
    question = _question(account_ids, as_of, known_at)
    read = measures_read(catalogue)
    statement = compile_measures(read, question)
    driver = await driver_connection(session)
    rows = await driver.fetch(statement.text, *statement.parameters)
    return frame_of(catalogue, read, rows, as_of)


async def series(
    session: AsyncSession,
    catalogue: Catalogue,
    account_ids: Sequence[UUID] | None,
    *,
    first: datetime,
    days: int,
    known_at: datetime | None = None,
) -> pl.DataFrame:
    """All measures of the accounts (None: of every account) on each of so many days, the first moment being `first` and
    each of the others a day later.

    A row for each account and day, sorted by both: `account_id` (String), `as_of` (UTC), and a Float64 for each
    measure, null where unknown: bit for bit what `compute` gives for that moment.

    Cost: one statement, which reads the events of all the days once; memory for accounts × days × measures, so a long
    time of many accounts is asked for in batches.
    """
    grid = Days(first, days)
    question = _question(account_ids, grid.last, known_at)
    read = measures_read(catalogue)
    sweep = compile_sweep(read, question, grid)
    driver = await driver_connection(session)
    rows = await driver.fetch(sweep.text, *sweep.parameters)
    return finished(catalogue, read, days_frame(read, sweep, rows, grid), [ACCOUNT, MOMENT])


async def next_changes(
    session: AsyncSession, catalogue: Catalogue, account_ids: Sequence[UUID], *, as_of: datetime
) -> dict[UUID, datetime]:
    """The next moment after `as_of` at which time alone may change a measure of each account; where it never will,
    the account is left out. Of what moves every day (`daily_measures`) it is only asked when that begins. One
    statement, or none for nobody."""
    if not account_ids:
        return {}
    statement = compile_next_change(measures_read(catalogue), _question(account_ids, as_of, None))
    driver = await driver_connection(session)
    rows = await driver.fetch(statement.text, *statement.parameters)
    return {read_id(account_id): moment for account_id, moment in rows if moment is not None}


def daily_measures(catalogue: Catalogue) -> list[str]:
    """The measures that, where they have a value, have another one every day."""
    read = measures_read(catalogue)
    return [name for name in catalogue if name in read and moves_daily(read[name])]


async def evidence(
    session: AsyncSession,
    catalogue: Catalogue,
    measure: str,
    account_id: UUID,
    *,
    as_of: datetime,
    known_at: datetime | None = None,
    limit: int = 50,
) -> list[UUID]:
    """The ids of the events behind the value of a measure, the newest first, at most `limit`.

    Of a measure made of others, the events behind those. Cost: one statement.
    """
    question = _question([account_id], as_of, known_at)
    statement = compile_evidence(catalogue, measure, question, limit)
    driver = await driver_connection(session)
    return [row["id"] for row in await driver.fetch(statement.text, *statement.parameters)]


def _question(account_ids: Sequence[UUID] | None, as_of: datetime, known_at: datetime | None) -> Question:
    if as_of.tzinfo is None or (known_at is not None and known_at.tzinfo is None):
        raise ValueError("as_of and known_at must be aware, for example with tzinfo=UTC")
    return Question(account_ids, as_of, known_at)
