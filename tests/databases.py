"""The databases of the suite: made once, emptied and used again.

Making a database and dropping it costs half a second and more where the server waits for its disk; emptying one costs
some milliseconds. A test that leaves another schema behind, or settings of the database, costs its database."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from hub.migrations.runner import upgrade
from hub.tables import metadata

TRIES = 60

CUT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def emptying(*kept: str) -> str:
    """The statement that empties all tables but those named, and starts their sequences anew.

    Rows are deleted, for a truncation makes a new file of every table; large tables are truncated all the same. What
    refers to others goes first."""
    names = ", ".join(f"'{table.name}'" for table in reversed(metadata.sorted_tables) if table.name not in kept)
    return f"""
DO $$
DECLARE
  name text;
  filled boolean;
BEGIN
  FOREACH name IN ARRAY ARRAY[{names}] LOOP
    CONTINUE WHEN pg_relation_size(name::regclass) = 0;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
    IF filled AND pg_relation_size(name::regclass) > 1000000 THEN
      EXECUTE format('TRUNCATE %I CASCADE', name);
    ELSIF filled THEN
      EXECUTE format('DELETE FROM %I', name);
    END IF;
  END LOOP;
  PERFORM setval(format('%I', sequencename)::regclass, start_value, false) FROM pg_sequences
    WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""


SCHEMA = """
SELECT (SELECT md5(string_agg(concat_ws(' ', oid, relname, relnatts, relchecks, relhastriggers), ',' ORDER BY oid))
        FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    || (SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        WHERE d.datname = current_database())
"""


class Databases:
    """Migrated databases for one process of the suite, on one server.

    `take` gives an empty one's name, `give_back` empties it for the next test, `create` makes one without tables."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        self._names: set[str] = set()
        self._free: list[str] = []
        self._schema: dict[str, str] = {}

    def url(self, name: str) -> str:
        """The database's URL, as the hub's settings take it."""
        return make_url(self.server_url).set(database=name).render_as_string(hide_password=False)

    async def take(self) -> str:
        if self._free:
            return self._free.pop()
        name = await self.create()
        engine = create_async_engine(self.url(name))
        await upgrade(engine)
        await engine.dispose()
        async with self._connected(name) as connection:
            self._schema[name] = await connection.fetchval(SCHEMA)
        return name

    async def give_back(self, name: str) -> None:
        try:
            async with self._connected(name) as connection:
                await connection.execute(CUT)
                await connection.execute(emptying())
                clean = await connection.fetchval(SCHEMA) == self._schema[name]
        except asyncpg.PostgresError:
            clean = False
        if clean:
            self._free.append(name)
        else:
            await self.drop(name)

    async def create(self) -> str:
        name = f"hub_test_{secrets.token_hex(6)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        self._names.add(name)
        # No test cuts the power: what a commit waits for is the same, without waiting for the disk.
        await self._execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        return name

    async def drop(self, name: str) -> None:
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._names.discard(name)

    async def drop_all(self) -> None:
        for name in list(self._names):
            await self.drop(name)

    @asynccontextmanager
    async def _connected(self, name: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        connection = await asyncpg.connect(self.url(name).replace("postgresql+asyncpg://", "postgresql://"))
        try:
            yield connection
        finally:
            await connection.close()

    async def _execute(self, statement: str) -> None:
        """Run a statement about databases; tries again while autovacuum, which is not ours to end, holds one."""
        async with self._connected(make_url(self.server_url).database or "postgres") as connection:
            for attempt in range(TRIES):
                try:
                    await connection.execute(statement)
                    return
                except (asyncpg.ObjectInUseError, asyncpg.InsufficientPrivilegeError):
                    if attempt == TRIES - 1:
                        raise
                    await asyncio.sleep(0.25)
