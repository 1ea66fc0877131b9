"""How a command reaches the servers: those that are configured, those of a running `hub up`, or its own for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from hub.access.service import SYSTEM
from hub.blueprint import service as blueprint
from hub.kit.embedded import EmbeddedServers, ServerUrls, running_servers
from hub.kit.errors import SchemaOutdated, Unreachable
from hub.kit.log import configure_logging
from hub.kit.runtime import Kit, open_kit
from hub.kit.settings import Settings, load_settings
from hub.migrations import runner

T = TypeVar("T")


@contextmanager
def servers() -> Iterator[Settings]:
    """Settings with both URLs filled in.

    A URL that is set is used as it is. For the rest, the embedded servers of a running `hub up` are used, or, when
    nothing runs, started for as long as the command takes.
    """
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    if not settings.embedded:
        yield settings
        return
    found = running_servers(settings.data_dir)
    if found is not None:
        yield with_urls(settings, found)
        return
    with EmbeddedServers(settings.data_dir).running() as started:
        yield with_urls(settings, started)


def with_urls(settings: Settings, embedded: ServerUrls) -> Settings:
    """The settings, with the embedded servers' URLs where none was set."""
    return settings.model_copy(
        update={
            "database_url": settings.database_url or embedded.database_url,
            "redis_url": settings.redis_url or embedded.redis_url,
        }
    )


@asynccontextmanager
async def migrated(settings: Settings) -> AsyncIterator[Kit]:
    """An open kit on a database that is up to date.

    An embedded database is brought up to date on the way, since nobody else looks after it. Raises `Unreachable` or
    `SchemaOutdated`.
    """
    async with open_kit(settings) as kit:
        await prepare(kit) if load_settings().database_url is None else await require_up_to_date(kit)
        yield kit


async def prepare(kit: Kit) -> str:
    """Bring the tables up to date and put a blueprint into force: the configured one, or, where there is none yet, the
    shipped one. Under a new version every account is scored again. Returns the revision that the database was at.
    """
    before = await _revision(kit)
    if before != runner.head():
        await runner.upgrade(kit.database.engine)
    async with kit.transaction() as session:
        if kit.settings.blueprint is not None or not await blueprint.in_force(session):
            # All rooms: only a hub that puts a blueprint into force waits for them.
            from hub.sections import applying, read

            document = read(kit.settings.blueprint)
            await applying.apply(session, SYSTEM, document, comment=None, now=kit.clock.now())
    return before


async def require_up_to_date(kit: Kit) -> None:
    """Raises `SchemaOutdated` unless the database has the tables that this code expects."""
    found = await _revision(kit)
    if found != runner.head():
        raise SchemaOutdated(
            f"The database is at revision {found or 'none'}, this version of the hub needs {runner.head()}.",
            remedy="Run: hub db upgrade",
        )


async def _revision(kit: Kit) -> str:
    try:
        return await runner.current(kit.database.engine)
    except (OSError, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise Unreachable(
            f"The database does not answer: {cause}", remedy="Check HUB_DATABASE_URL, or start PostgreSQL."
        ) from error


def run(command: Callable[[Kit], Awaitable[T]]) -> T:
    """Run one command's coroutine with an open kit."""

    async def with_kit(settings: Settings) -> T:
        async with migrated(settings) as kit:
            return await command(kit)

    with servers() as settings:
        return asyncio.run(with_kit(settings))
