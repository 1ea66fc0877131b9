"""Both embedded servers of one data directory, as their owner sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.kit.embedded.directory import OwnerLock, data_directory
from hub.kit.embedded.postgres import Postgres
from hub.kit.embedded.record import ServerUrls, remove_record, write_record
from hub.kit.embedded.valkey import Valkey


class EmbeddedServers:
    """The PostgreSQL and the Valkey in `data_dir`, owned by this process between `start` and `stop`.

    The calls block (a second for the very first start), so an event loop calls them in a thread. Signals are the
    caller's business: turn SIGTERM into leaving the block of `running`, or into `stop`.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_directory(data_dir)
        self._lock = OwnerLock(self._directory)
        self._postgres = Postgres(self._directory)
        self._valkey = Valkey(self._directory)

    @property
    def urls(self) -> ServerUrls:
        """Where the servers listen while they run; always the same for one data directory."""
        return ServerUrls(database_url=self._postgres.url, redis_url=self._valkey.url)

    def start(self) -> ServerUrls:
        """Own the data directory and start both servers; called again, bring back what has ended meanwhile.

        Raises `DataDirectoryBusy`, `DataDirectoryUnusable`, `EmbeddedUnavailable`, `ServerFailed`; nothing runs then.
        """
        self._directory.make()
        self._lock.take()
        try:
            self._start_what_does_not_run()
        except BaseException:
            self.stop()
            raise
        return self.urls

    def stop(self) -> None:
        """Shut down both servers and let go of the data directory; nothing happens if this process does not own it.

        Raises `ServerFailed`.
        """
        if self._lock.held:
            try:
                self._stop_both()
            finally:
                self._lock.release()

    @contextmanager
    def running(self) -> Iterator[ServerUrls]:
        """`start`, and `stop` at the end of the block, however it ends."""
        urls = self.start()
        try:
            yield urls
        finally:
            self.stop()

    def erase(self) -> None:
        """Delete everything that the servers keep in the data directory, after stopping what still runs there.

        Raises `DataDirectoryBusy` when another process owns it, `DataDirectoryUnusable`, `ServerFailed`.
        """
        self._directory.make()
        self._lock.take()
        try:
            self._stop_both()
            self._postgres.erase()
            self._valkey.erase()
        finally:
            self._lock.release()

    def _start_what_does_not_run(self) -> None:
        servers = [server for server in (self._valkey, self._postgres) if server.process.pid is None]
        for server in servers:
            server.launch()
        for server in servers:
            server.await_ready()
        write_record(
            self._directory,
            self.urls,
            pids={server.process.name.lower(): server.process.pid for server in (self._postgres, self._valkey)},
            sockets=[self._postgres.socket, self._valkey.socket],
        )

    def _stop_both(self) -> None:
        remove_record(self._directory)
        try:
            self._postgres.stop()
        finally:
            self._valkey.stop()
