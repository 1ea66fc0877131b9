"""A fresh, migrated database for a benchmark: on the machine's PostgreSQL where HUB_TEST_DATABASE_URL names it."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from hub.kit.embedded import EmbeddedServers
from hub.kit.settings import Settings
from hub.migrations.runner import upgrade


@asynccontextmanager
async def fresh_settings(folder: Path) -> AsyncIterator[Settings]:
    """Settings for a database of its own; the embedded servers run where no others are named."""
    database = os.environ.get("HUB_TEST_DATABASE_URL")
    redis = os.environ.get("HUB_TEST_REDIS_URL")
    async with AsyncExitStack() as stack:
        if not (database and redis):
            urls = stack.enter_context(EmbeddedServers(folder).running())
            database, redis = database or urls.database_url, redis or urls.redis_url
        maintenance = make_url(database).set(drivername="postgresql")
        name = f"hub_bench_{secrets.token_hex(4)}"
        await _execute(maintenance.render_as_string(hide_password=False), f'CREATE DATABASE "{name}"')
        url = maintenance.set(database=name, drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        try:
            engine = create_async_engine(url)
            await upgrade(engine)
            await engine.dispose()
            yield Settings(database_url=url, redis_url=redis, data_dir=folder, log_level="warning", _env_file=None)
        finally:
            await _execute(maintenance.render_as_string(hide_password=False), f'DROP DATABASE "{name}" WITH (FORCE)')


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
