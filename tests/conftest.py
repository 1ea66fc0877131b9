"""Real servers for every test: the machine's, where HUB_TEST_DATABASE_URL and HUB_TEST_REDIS_URL name them, otherwise
the embedded ones. Each test gets an empty, migrated database of its own (`tests/databases.py`)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
from redis.asyncio import Redis

from hub.kit.embedded import EmbeddedServers
from hub.kit.log import configure_logging
from hub.kit.runtime import Kit, open_kit
from hub.kit.settings import Settings
from tests.databases import Databases

configure_logging("warning")

# A busy machine makes examples slowly: that says nothing about the code.
hypothesis.settings.register_profile(
    "hub", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("hub")

CHANGES = int(os.environ.get("HUB_TEST_CHANGES", "400"))
"""How many changes of a score the property tests of explanations look at."""

SECRET_KEY = "a key for the tests that nobody else uses"


@dataclass(frozen=True)
class Servers:
    """Where the suite's Redis is, and the databases on its PostgreSQL."""

    redis_url: str
    databases: Databases


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[str, str]]:
    database_url, redis_url = os.environ.get("HUB_TEST_DATABASE_URL"), os.environ.get("HUB_TEST_REDIS_URL")
    if database_url and redis_url:
        yield database_url.replace("postgresql://", "postgresql+asyncpg://"), _own_redis(redis_url)
        return
    with EmbeddedServers(folder).running() as servers:
        yield servers.database_url, servers.redis_url


def _own_redis(url: str) -> str:
    """The Redis database of this process of the suite: each of them empties its own."""
    base, _, number = url.rpartition("/")
    process = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"{base}/{int(number) + int(process)}"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One PostgreSQL and one Redis for the whole suite."""
    with _servers(tmp_path_factory.mktemp("servers")) as (database_url, redis_url):
        databases = Databases(database_url)
        yield Servers(redis_url, databases)
        asyncio.run(databases.drop_all())


@asynccontextmanager
async def fresh(servers: Servers, folder: Path, *, migrated: bool = True) -> AsyncIterator[Settings]:
    """Settings for an empty database and an empty Redis, until the context ends."""
    name = await (servers.databases.take() if migrated else servers.databases.create())
    redis = Redis.from_url(servers.redis_url)
    try:
        await redis.flushdb()
        yield Settings(
            database_url=servers.databases.url(name),
            redis_url=servers.redis_url,
            data_dir=folder,
            secret_key=SECRET_KEY,
            log_level="warning",
            _env_file=None,
        )
    finally:
        await redis.aclose()
        await (servers.databases.give_back(name) if migrated else servers.databases.drop(name))


@pytest.fixture
async def settings(servers: Servers, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings for a migrated, empty database of the test's own, and an empty Redis."""
    async with fresh(servers, tmp_path) as found:
        yield found


@pytest.fixture
async def unmigrated(servers: Servers, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings for a database without tables."""
    async with fresh(servers, tmp_path, migrated=False) as found:
        yield found


@pytest.fixture
async def kit(settings: Settings) -> AsyncIterator[Kit]:
    """The open resources of a process, on the test's own database."""
    async with open_kit(settings) as opened:
        yield opened


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With HUB_TEST_NO_SKIPS a skipped test fails the run: there, every service is at hand."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("HUB_TEST_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
