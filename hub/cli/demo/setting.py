"""What the demo is set in: the invented world, its dates and ports, and the first key. Kept, so that it can go on."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from hub.access import service as access
from hub.connections import registry
from hub.connections import service as connections
from hub.kit.runtime import Kit
from hub.sandbox import Sandbox, invent
from hub.sandbox.doubles import DOUBLES

SEED = 7
KEY_NAME = "demo"
PORTS = ("stripe_port", "salesforce_port", "zendesk_port", "intercom_port")
"""Where the doubles listen: the same the next time, for the connections know them."""


@dataclass(frozen=True)
class Stage:
    """The demo's own files in its data directory."""

    folder: Path
    accounts: int

    @property
    def _world(self) -> Path:
        return self.folder / "world.json"

    @property
    def _journal(self) -> Path:
        return self.folder / "live-moments.txt"

    @property
    def _key(self) -> Path:
        return self.folder / "key"

    def forget(self) -> None:
        """Remove the files, for a new beginning."""
        for path in (self._world, self._journal, self._key):
            path.unlink(missing_ok=True)

    def world(self) -> dict[str, Any]:
        """When the world was invented, how large it is, where its vendors listen, and how much history was sent."""
        if not self._world.exists():
            self.remember(until=datetime.now(UTC).isoformat(), accounts=self.accounts, sent=0)
        found: dict[str, Any] = orjson.loads(self._world.read_bytes())
        if missing := [port for port in PORTS if port not in found]:
            self.remember(**{port: _free_port() for port in missing})
            return self.world()
        return found

    def remember(self, **facts: Any) -> None:
        """Add to what is known of the world; the file is replaced in one step."""
        known = orjson.loads(self._world.read_bytes()) if self._world.exists() else {}
        fresh = self._world.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(known | facts))
        fresh.replace(self._world)

    def sandbox(self) -> Sandbox:
        """The invented world, as it was the first time and with all that has happened since."""
        world = self.world()
        base = invent(SEED, world["accounts"], until=datetime.fromisoformat(world["until"]))
        return Sandbox(base, journal=self._journal, **{port: world[port] for port in PORTS})

    async def key(self, kit: Kit) -> str:
        """The demo's admin key, made the first time and kept in a file that only its user can read."""
        if self._key.exists():
            return self._key.read_text().strip()
        async with kit.transaction() as session:
            if any(key.name == KEY_NAME for key in await access.keys(session)):
                await access.revoke_key(session, access.SYSTEM, KEY_NAME, now=kit.clock.now())
            made = await access.create_key(
                session, access.SYSTEM, KEY_NAME, access.Role.ADMIN, expires_in=None, now=kit.clock.now()
            )
        with os.fdopen(os.open(self._key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made.secret + "\n")
        return made.secret

    def free_port(self, wanted: int) -> int:
        """The wanted port, or another one when somebody has it already."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                return _free_port()
            return int(probe.getsockname()[1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def first_steps(kit: Kit, sandbox: Sandbox) -> None:
    """Connect the plugins to the doubles, unless that was done before; a connection is called like its connector."""
    async with kit.reading() as session:
        known = {connection.name for connection in await connections.listing(session)}
    for name, double in DOUBLES.items():
        if name in known:
            continue
        async with double(sandbox) as address, kit.transaction() as session:
            config = dict(address.config)
            await connections.add(session, kit.vault, registry.current(), name, name, config, now=kit.clock.now())
