"""Run the migrations from code, so that an installed hub needs no alembic.ini."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.tables import is_compared, metadata

FOLDER = Path(__file__).parent


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


async def current(engine: AsyncEngine) -> str:
    """The database's revision; empty when it was never migrated."""
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    return found or ""


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the database up to a revision; one process at a time, others wait."""
    await _run(engine, lambda config: command.upgrade(config, revision))


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Bring the database down to a revision (`base`: no tables)."""
    await _run(engine, lambda config: command.downgrade(config, revision))


async def drift(engine: AsyncEngine) -> list[Any]:
    """What autogenerate would change: differences between the migrated database and the models."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_compared})
        return list(compare_metadata(context, metadata))

    async with engine.connect() as connection:
        return await connection.run_sync(compare)


async def _run(engine: AsyncEngine, step: Callable[[Config], None]) -> None:
    def locked(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7126001)")
        step(_config(connection))

    async with engine.begin() as connection:
        await connection.run_sync(locked)
