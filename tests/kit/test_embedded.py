"""The embedded servers, started for real in a directory of their own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped]  # the package has no types
import pytest
from arq.connections import RedisSettings, create_pool
from redis import Redis
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from hub.kit.embedded import (
    DataDirectoryBusy,
    DataDirectoryUnusable,
    EmbeddedServers,
    ServerFailed,
    ServerUrls,
    running_servers,
)
from hub.kit.embedded.directory import LONGEST_SOCKET_PATH

OWNER = """
import sys, time
from pathlib import Path
from hub.kit.embedded import EmbeddedServers
with EmbeddedServers(Path(sys.argv[1])).running():
    print("running", flush=True)
    time.sleep(600)
"""


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A short path that other accounts may pass, which pytest's own directories are not."""
    path = Path(tempfile.mkdtemp(prefix="hub-test-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data directory with a cluster in it; no servers run."""
    with temporary_directory() as path:
        with EmbeddedServers(path / "data").running():
            pass
        yield path / "data"


@pytest.fixture
def empty_dir() -> Iterator[Path]:
    """A data directory that does not exist yet."""
    with temporary_directory() as path:
        yield path / "data"


@contextmanager
def owner_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that starts the servers and owns them until it is killed."""
    command = [sys.executable, "-c", OWNER, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_servers_of(owner: subprocess.Popen[str]) -> None:
    """Wait until the owner has started its servers."""
    assert owner.stdout is not None
    assert owner.stdout.readline() == "running\n"


def query(urls: ServerUrls, *statements: str) -> list[Any]:
    """Run the statements in one connection of asyncpg; the first value of each."""

    async def first_values() -> list[Any]:
        connection = await asyncpg.connect(urls.database_url.replace("+asyncpg", ""))
        try:
            return [await connection.fetchval(statement) for statement in statements]
        finally:
            await connection.close()

    return asyncio.run(first_values())


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for something that another process does; it has a minute."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def pids(data_dir: Path) -> dict[str, int]:
    """The process ids that the owner published."""
    published: dict[str, int] = json.loads((data_dir / "run" / "servers.json").read_text())["pids"]
    return published


def gone(pid: int) -> bool:
    """Whether the process has ended (nobody may have waited for it yet)."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_sqlalchemy_and_arq_reach_the_servers_by_their_urls(data_dir: Path) -> None:
    """The URLs work unchanged in the two libraries that the hub hands them to."""
    with EmbeddedServers(data_dir).running() as urls:
        engine = create_async_engine(urls.database_url)
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT current_database()"))).scalar() == "hub"
        await engine.dispose()
        elsewhere = make_url(urls.database_url).set(drivername="postgresql", database="postgres")
        other = await asyncpg.connect(elsewhere.render_as_string())
        assert await other.fetchval("SELECT current_database()") == "postgres"
        await other.close()
        pool = await create_pool(RedisSettings.from_dsn(urls.redis_url))
        assert await pool.ping()
        await pool.aclose()


def test_postgres_is_set_up_as_the_hub_needs_it(data_dir: Path) -> None:
    """Durable commits, UTF-8 and UTC, no network, no superuser."""
    expected = {
        "synchronous_commit": "on",
        "fsync": "on",
        "jit": "off",
        "listen_addresses": "",
        "max_connections": "100",
        "server_encoding": "UTF8",
        "shared_buffers": "256MB",
        "TimeZone": "UTC",
        "is_superuser": "off",
    }
    with EmbeddedServers(data_dir).running() as urls:
        shown = query(urls, *(f"SHOW {name}" for name in expected))
    assert dict(zip(expected, shown, strict=True)) == expected


def test_trigrams_know_letters_beyond_ascii(data_dir: Path) -> None:
    """The hub's own role can create pg_trgm, and words with umlauts are words to it."""
    with EmbeddedServers(data_dir).running() as urls:
        _, same, different, lower = query(
            urls,
            "CREATE EXTENSION IF NOT EXISTS pg_trgm",
            "SELECT similarity('ÖL', 'öl')",
            "SELECT similarity('öl', 'ül')",
            "SELECT lower('ÄÖÜ')",
        )
    assert (same, different < 1, lower) == (1.0, True, "äöü")


def test_the_hub_may_create_and_drop_databases(data_dir: Path) -> None:
    """Tests and benches make databases of their own on the embedded server."""
    with EmbeddedServers(data_dir).running() as urls:
        query(urls, "CREATE DATABASE another", "DROP DATABASE another")


def test_valkey_neither_saves_nor_forgets_nor_listens_on_a_network(data_dir: Path) -> None:
    """Losing the broker loses nothing, but while it runs it must not drop work by itself."""
    servers = EmbeddedServers(data_dir)
    with servers.running() as urls, Redis.from_url(urls.redis_url, decode_responses=True) as redis:
        config = redis.config_get("save", "appendonly", "maxmemory-policy", "port")
    assert config == {"save": "", "appendonly": "no", "maxmemory-policy": "noeviction", "port": "0"}


def test_a_stop_ends_both_servers_and_keeps_the_data(data_dir: Path) -> None:
    """What was committed is there after the next start, and nothing runs in between."""
    with EmbeddedServers(data_dir).running() as urls:
        query(urls, "CREATE TABLE kept AS SELECT 7 AS value")
        before = pids(data_dir)
    assert [gone(before[name]) for name in ("postgresql", "valkey")] == [True, True]
    assert running_servers(data_dir) is None
    assert "database system is shut down" in (data_dir / "run" / "postgres.log").read_text()
    with EmbeddedServers(data_dir).running() as urls:
        assert query(urls, "SELECT value FROM kept", "DROP TABLE kept") == [7, None]


def test_a_second_owner_is_refused_and_told_whom_to_stop(data_dir: Path) -> None:
    """One line names the owner's process id; the refused one does not disturb the servers."""
    with owner_process(data_dir) as owner:
        wait_for_servers_of(owner)
        second = EmbeddedServers(data_dir)
        with pytest.raises(DataDirectoryBusy) as refusal:
            second.start()
        second.stop()
        assert refusal.value.owner == owner.pid
        assert f"kill {owner.pid}" in refusal.value.remedy
        assert "\n" not in str(refusal.value)
        assert running_servers(data_dir) == second.urls


def test_a_killed_owner_leaves_nothing_that_the_next_start_cannot_take_over(data_dir: Path) -> None:
    """Its servers go on and can be found; the next owner replaces them and has every committed row."""
    with owner_process(data_dir) as owner:
        wait_for_servers_of(owner)
        urls = running_servers(data_dir)
        assert urls is not None
        query(urls, "CREATE TABLE survived AS SELECT 9 AS value")
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    orphans = pids(data_dir)
    assert running_servers(data_dir) == urls
    with EmbeddedServers(data_dir).running() as urls:
        assert [gone(orphans[name]) for name in ("postgresql", "valkey")] == [True, True]
        assert query(urls, "SELECT value FROM survived", "DROP TABLE survived") == [9, None]


def test_killed_servers_leave_their_files_and_the_next_start_forgets_them(data_dir: Path) -> None:
    """A power failure leaves sockets, servers.json and a process id that is another program's afterwards."""
    servers = EmbeddedServers(data_dir)
    servers.start()
    for name in ("postgresql", "valkey"):
        os.kill(pids(data_dir)[name], signal.SIGKILL)
    wait_until(lambda: running_servers(data_dir) is None)
    record = (data_dir / "run" / "servers.json").read_text()
    servers.stop()
    (data_dir / "run" / "servers.json").write_text(record)
    with subprocess.Popen(["sleep", "600"], user=(data_dir / "postgres").stat().st_uid) as bystander:
        stale = f"{bystander.pid}\n{data_dir}/postgres\n1700000000\n5432\n{data_dir}/postgres\n\n0 0\nready\n"
        (data_dir / "postgres" / "postmaster.pid").write_text(stale)
        (data_dir / "postgres" / ".s.PGSQL.5432.lock").write_text(stale)
        assert running_servers(data_dir) is None
        try:
            with EmbeddedServers(data_dir).running() as urls:
                assert query(urls, "SELECT 1") == [1]
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_set_up_that_was_killed_in_the_middle_is_begun_anew(empty_dir: Path) -> None:
    """The owner dies while the cluster is being made, and what it started goes on making it."""
    with owner_process(empty_dir) as owner:
        wait_until((empty_dir / "postgres.new" / "base" / "1").exists)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    assert not (empty_dir / "postgres").exists()
    with EmbeddedServers(empty_dir).running() as urls:
        assert query(urls, "SELECT current_user") == ["hub"]
    assert not (empty_dir / "postgres.new").exists()


def test_start_brings_back_what_has_ended(data_dir: Path) -> None:
    """A broker killed under a running hub returns at the same URL, and PostgreSQL is left alone."""
    servers = EmbeddedServers(data_dir)
    with servers.running() as urls:
        before = pids(data_dir)
        os.kill(before["valkey"], signal.SIGKILL)
        wait_until(lambda: running_servers(data_dir) is None)
        assert servers.start() == urls
        with Redis.from_url(urls.redis_url) as redis:
            assert redis.ping()
        after = pids(data_dir)
    assert after["postgresql"] == before["postgresql"]
    assert after["valkey"] != before["valkey"]


def test_no_other_user_can_enter_or_read(data_dir: Path) -> None:
    """Directories, sockets, logs and the record are closed; PostgreSQL does not run as root."""
    with EmbeddedServers(data_dir).running():
        modes = {
            str(path.relative_to(data_dir)): stat.S_IMODE(path.stat().st_mode)
            for part in ("postgres", "valkey", "run")
            for path in (data_dir / part, *(data_dir / part).iterdir())
        }
        uid = psutil.Process(pids(data_dir)["postgresql"]).uids().real
        rules = (data_dir / "postgres" / "pg_hba.conf").read_text()
    assert {"run/servers.json", "run/postgres.log", "valkey/valkey.sock"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert stat.S_IMODE(data_dir.stat().st_mode) & 0o066 == 0
    assert uid == (data_dir / "postgres").stat().st_uid
    assert uid != 0
    assert rules == "local all all peer map=owner\n"


def test_a_closed_and_very_long_path_works_and_leaves_no_socket_behind(tmp_path: Path) -> None:
    """Sockets have short paths only, and pytest's directory is closed to the account that root takes."""
    data_dir = tmp_path / ("a, b%" * 30) / "data"
    servers = EmbeddedServers(data_dir)
    with servers.running() as urls:
        assert query(urls, "SELECT 1") == [1]
        sockets = [Path(path) for path in json.loads((data_dir / "run" / "servers.json").read_text())["sockets"]]
        assert len(str(data_dir)) > LONGEST_SOCKET_PATH > max(len(str(path)) for path in sockets)
        assert {stat.S_IMODE(path.parent.stat().st_mode) for path in sockets} == {0o700}
        with Redis.from_url(urls.redis_url) as redis:
            assert redis.ping()
    assert not any(path.parent.exists() for path in sockets)
    servers.erase()
    assert [path.name for path in data_dir.iterdir()] == ["run"]


def test_a_server_that_does_not_start_says_why(data_dir: Path) -> None:
    """The reason is in the message, the log is named, and nothing keeps running or owning."""
    version = data_dir / "postgres" / "PG_VERSION"
    right = version.read_text()
    version.write_text("9\n")
    with pytest.raises(ServerFailed, match="database files are incompatible with server") as failure:
        EmbeddedServers(data_dir).start()
    assert "postgres.log" in failure.value.remedy
    assert running_servers(data_dir) is None
    version.write_text(right)
    with EmbeddedServers(data_dir).running():
        assert running_servers(data_dir) is not None


def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file where the directory should be: the path and the reason, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryUnusable, match="file"):
        EmbeddedServers(tmp_path / "file" / "data").start()
    assert running_servers(tmp_path / "file" / "data") is None
