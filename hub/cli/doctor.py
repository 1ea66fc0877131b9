"""`hub doctor`: checks everything that the hub needs, and says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Literal

from redis.exceptions import RedisError
from rich.table import Table
from rich.text import Text
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hub.access import service as access
from hub.blueprint import service as blueprint
from hub.cli.console import AsJson, out, print_json
from hub.cli.session import servers
from hub.connections import queries as connections
from hub.connections import registry
from hub.digests import queries as digests
from hub.kit import work
from hub.kit.errors import HubError
from hub.kit.runtime import Kit, open_kit
from hub.kit.settings import Settings
from hub.migrations.runner import current, head
from hub.worker import workers

OLDEST_POSTGRESQL = 15
OLDEST_REDIS = (6, 2)
COLOURS = {"ok": "green", "look": "yellow", "broken": "red"}
A_LOT_TO_DO = 100_000
LATELY = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. `look`: it works, but somebody should look; `broken`: it does not work."""

    what: str
    state: Literal["ok", "look", "broken"]
    found: str
    remedy: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Check everything that the hub needs, and say what to do. Exit code 1 when something is broken."""

    async def examine(settings: Settings) -> list[Finding]:
        try:
            async with open_kit(settings) as kit:
                return [finding async for finding in findings(kit)]
        except HubError as error:
            return [Finding("broker", "broken", error.message, error.remedy)]

    with servers() as settings:
        found = asyncio.run(examine(settings))
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        _print(found)
    if any(finding.state == "broken" for finding in found):
        raise SystemExit(1)


async def findings(kit: Kit) -> AsyncIterator[Finding]:
    """All checks, in the order in which a failure explains the ones after it."""
    yield await _broker(kit)
    database = await _database(kit)
    yield database
    yield _secret_key(kit)
    yield _plugins()
    if database.state == "broken":
        return
    migrations = await _migrations(kit)
    yield migrations
    if migrations.state == "broken":
        return
    yield await _keys(kit)
    yield await _blueprint(kit)
    async for finding in _connections(kit):
        yield finding
    async for finding in _digests(kit):
        yield finding
    yield await _workers(kit)
    yield await _work(kit)


async def _broker(kit: Kit) -> Finding:
    try:
        version = str((await kit.queue.redis.info("server"))["redis_version"])
    except (RedisError, OSError) as error:
        return Finding("broker", "broken", f"does not answer: {error}", "Check HUB_REDIS_URL, or start Redis.")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        return Finding("broker", "broken", f"version {version}", "Install Redis 6.2 or newer, or Valkey.")
    return Finding("broker", "ok", f"version {version}")


async def _database(kit: Kit) -> Finding:
    try:
        async with kit.reading() as session:
            version = int((await session.execute(text("SHOW server_version_num"))).scalar_one())
    except (OSError, DBAPIError) as error:
        cause = str(error.orig if isinstance(error, DBAPIError) else error)
        return Finding(
            "database", "broken", f"does not answer: {cause}", "Check HUB_DATABASE_URL, or start PostgreSQL."
        )
    if version // 10_000 < OLDEST_POSTGRESQL:
        return Finding("database", "broken", f"PostgreSQL {version // 10_000}", "Install PostgreSQL 15 or newer.")
    return Finding("database", "ok", f"PostgreSQL {version // 10_000}.{version % 10_000}")


async def _migrations(kit: Kit) -> Finding:
    found = await current(kit.database.engine)
    if found != head():
        return Finding("migrations", "broken", f"at {found or 'none'}, needed {head()}", "Run: hub db upgrade")
    return Finding("migrations", "ok", f"at {found}")


def _secret_key(kit: Kit) -> Finding:
    if kit.settings.secret_key is not None:
        return Finding("secret key", "ok", "from HUB_SECRET_KEY")
    path = kit.settings.data_dir / "secret.key"
    if path.stat().st_mode & 0o077:
        return Finding("secret key", "broken", f"others may read {path}", f"Run: chmod 600 {path}")
    return Finding("secret key", "ok", f"in {path}; back it up")


async def _keys(kit: Kit) -> Finding:
    async with kit.reading() as session:
        active = [key for key in await access.keys(session) if key.revoked_at is None]
    if not active:
        return Finding("API keys", "look", "none", "Make one: hub token create me --role admin")
    return Finding("API keys", "ok", f"{len(active)} active")


async def _blueprint(kit: Kit) -> Finding:
    async with kit.reading() as session:
        if not await blueprint.in_force(session):
            return Finding("blueprint", "broken", "none in force", "Run: hub db upgrade")
        found = await blueprint.current(session)
    return Finding("blueprint", "ok", f"{found.document['name']}, version {found.version}")


def _plugins() -> Finding:
    loaded = registry.current()
    if loaded.broken:
        reasons = "; ".join(f"{plugin.name}: {plugin.error}" for plugin in loaded.broken)
        return Finding("plugins", "broken", reasons, "Mend or uninstall them.")
    if not loaded.connectors:
        return Finding("plugins", "look", "none installed", "For example: pip install hub-segment")
    return Finding("plugins", "ok", ", ".join(sorted(loaded.connectors)))


async def _connections(kit: Kit) -> AsyncIterator[Finding]:
    async with kit.reading() as session:
        found = await connections.connections(session, access.SYSTEM)
        quarantined = await connections.quarantined(session, access.SYSTEM, [one.id for one in found])
    for one in found:
        what = f"connection {one.name}"
        if one.status != "active":
            yield Finding(what, "broken", one.problem or one.status, f"Mend it, then: hub connect check {one.name}")
        elif quarantined[one.id].count:
            yield Finding(what, "look", f"{quarantined[one.id].count} records could not be read", "See the quarantine.")
        else:
            yield Finding(what, "ok", "active")


async def _digests(kit: Kit) -> AsyncIterator[Finding]:
    """Digests of the last days that did not go out; nothing is said while all do."""
    async with kit.reading() as session:
        found = await digests.unsent(session, access.SYSTEM, (kit.clock.now() - LATELY).date())
    if found:
        latest = found[0]
        shown = (
            f"{len(found)} not sent, the latest to {latest.owner} on {latest.day}: {latest.problem or latest.status}"
        )
        yield Finding("digests", "look", shown, "See the connection that the blueprint's digest names.")


async def _workers(kit: Kit) -> Finding:
    alive = await workers(kit.queue.redis)
    failing = sorted({name for said in alive.values() for name in said["failing"]})
    if not alive:
        return Finding("workers", "look", "none runs", "Start one: hub worker (or hub up)")
    if failing:
        return Finding("workers", "broken", f"these lists fail: {', '.join(failing)}", "See the worker's log.")
    return Finding("workers", "ok", f"{len(alive)} alive")


async def _work(kit: Kit) -> Finding:
    async with kit.reading() as session:
        depth = await work.depth(session)
    shown = ", ".join(f"{name} {count}" for name, count in depth.items()) or "nothing"
    if sum(depth.values()) > A_LOT_TO_DO:
        return Finding("work", "look", shown, "Start more workers: hub worker")
    return Finding("work", "ok", shown)


def _print(found: list[Finding]) -> None:
    table = Table(header_style="bold", show_edge=False)
    for column in ("checked", "state", "found", "what to do"):
        table.add_column(column)
    for finding in found:
        state = Text(finding.state, style=COLOURS[finding.state])
        table.add_row(finding.what, state, Text(finding.found), Text(finding.remedy, style="cyan"))
    out.print(table)
