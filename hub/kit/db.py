"""PostgreSQL: sessions for what a person edits, COPY for what arrives in bulk, and locks.

One dialect on purpose: COPY, SKIP LOCKED, laterals, JSONB and advisory locks are there for everybody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, DateTime, MetaData, Row, Table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

type_map: dict[Any, Any] = {
    datetime: DateTime(timezone=True),
    dict[str, Any]: JSONB,
    list[Any]: JSONB,
    int: BigInteger,
}


class Base(DeclarativeBase):
    """The declarative base of every room's tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = type_map


def json_text(value: object) -> str:
    """A value as JSON for a statement's parameter: what JSON holds, UUIDs and datetimes."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain(value: object) -> str:
    # orjson knows UUIDs, but not the subclass that asyncpg gives back.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


class Database:
    """One process's pool of connections to PostgreSQL."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            json_serializer=json_text,
            json_deserializer=orjson.loads,
            connect_args={
                "server_settings": {
                    "timezone": "UTC",
                    "jit": "off",
                    "random_page_cost": "1.1",
                    "application_name": "hub",
                }
            },
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._without_transactions = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are thrown away at the end."""
        async with self._sessions() as session:
            yield session

    @asynccontextmanager
    async def glancing(self) -> AsyncIterator[AsyncConnection]:
        """A connection for one statement that only reads: no transaction is begun around it."""
        async with self._without_transactions.connect() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session that commits at the end, or rolls back when the block raises."""
        async with self._sessions() as session, session.begin():
            yield session

    async def close(self) -> None:
        await self.engine.dispose()


async def merge_by_copy(
    session: AsyncSession,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    order_by: Sequence[str],
    on_conflict: str = "DO NOTHING",
    returning: Sequence[str] = (),
) -> list[Row[Any]]:
    """Insert many rows at the cost of one statement: COPY into a temporary table, then a sorted merge.

    `rows` are tuples in the order of `columns` (values as asyncpg takes them; JSON columns as text). `order_by` should
    be the primary key: a sorted batch touches each index page once. `on_conflict` is the clause after ON CONFLICT,
    e.g. `(id) DO UPDATE SET …`. Only rows really inserted (or updated) are returned, with the `returning` columns.

    Cost: one COPY and one INSERT, whatever the number of rows. Must run inside a transaction.
    """
    names = ", ".join(f'"{column}"' for column in columns)
    stage = f"stage_{table.name}_{_lock_key(*columns) & 0xFFFFFF:x}"
    await session.execute(
        text(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} ON COMMIT DELETE ROWS "
            f"AS SELECT {names} FROM {table.name} WITH NO DATA"
        )
    )
    # TRUNCATE would make a new file each time; that of the last transaction's rows came with its end.
    await session.execute(text(f"DELETE FROM {stage}"))
    driver = await driver_connection(session)
    await driver.copy_records_to_table(stage, records=rows, columns=list(columns))
    returned = ", ".join(f'{table.name}."{column}"' for column in returning) or "1"
    ordered = ", ".join(f'"{column}"' for column in order_by)
    result = await session.execute(
        text(
            f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {stage} ORDER BY {ordered} "
            f"ON CONFLICT {on_conflict} RETURNING {returned}"
        )
    )
    return list(result.all())


async def insert_rows(
    session: AsyncSession,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    on_conflict: str = "DO NOTHING",
    returning: Sequence[str] = (),
) -> list[Row[Any]]:
    """Insert some hundred rows in one statement; all rows have the same keys. For thousands see `merge_by_copy`.

    The rows travel as one JSON text, so values are what JSON holds, and UUIDs and datetimes. `on_conflict` and what is
    returned are as in `merge_by_copy`.
    """
    if not rows:
        return []
    names = ", ".join(f'"{column}"' for column in rows[0])
    returned = ", ".join(f'{table.name}."{column}"' for column in returning) or "1"
    result = await session.execute(
        text(
            f"INSERT INTO {table.name} ({names}) SELECT {names} "
            f"FROM jsonb_populate_recordset(NULL::{table.name}, CAST(:rows AS jsonb)) "
            f"ON CONFLICT {on_conflict} RETURNING {returned}"
        ),
        {"rows": json_text(list(rows))},
    )
    return list(result.all())


async def driver_connection(session: AsyncSession) -> Any:
    """The asyncpg connection under a session, inside the session's transaction."""
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    if not driver.is_in_transaction():
        # SQLAlchemy begins the transaction with the first statement: without one, a COPY would commit by itself.
        await connection.execute(text("SELECT 1"))
    return driver


async def fetch(session: AsyncSession, statement: str, *values: Any) -> list[Any]:
    """The rows of a statement in the driver's own words (`$1`), for thousands of them: SQLAlchemy's rows cost as much
    as reading them does. Ask for JSON as text."""
    driver = await driver_connection(session)
    rows: list[Any] = await driver.fetch(statement, *values)
    return rows


async def try_lock(session: AsyncSession, *name: str | UUID) -> bool:
    """Take the advisory lock of that name until the transaction ends; False when somebody else holds it."""
    return bool(
        (await session.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _lock_key(*name)})).scalar()
    )


async def lock(session: AsyncSession, *name: str | UUID) -> None:
    """Wait for the advisory lock of that name and hold it until the transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _lock_key(*name)})


async def lock_all(session: AsyncSession, what: str, ids: Iterable[UUID]) -> None:
    """Take `lock(session, what, id)` of many ids, in an order in which nobody who does the same waits in a circle."""
    keys = sorted({_lock_key(what, id_) for id_ in ids})
    if keys:
        await session.execute(
            text("SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(CAST(:keys AS bigint[])) AS key) AS k"),
            {"keys": keys},
        )


def _lock_key(*name: str | UUID) -> int:
    digest = blake2b("\x1f".join(str(part) for part in name).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
