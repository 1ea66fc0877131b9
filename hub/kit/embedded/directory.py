"""The data directory: where its parts lie, who owns it, and who may enter it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hub.kit.embedded.account import Account
from hub.kit.embedded.errors import DataDirectoryBusy, DataDirectoryUnusable

LONGEST_SOCKET_PATH = 103
"""Bytes in the path of a Unix socket: 104 with the closing zero on macOS, 108 on Linux."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
"""Paths that need no quoting in a URL: arq does not decode them, asyncpg takes a comma for a list of hosts."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The parts of one data directory; `path` is absolute and without symbolic links."""

    path: Path

    @property
    def postgres(self) -> Path:
        """The database cluster."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """The broker's working directory."""
        return self.path / "valkey"

    @property
    def run(self) -> Path:
        """Lock, record of the running servers, logs."""
        return self.path / "run"

    def make(self) -> None:
        """Make what does not exist yet, closed to others.

        Root leaves the top passable (not readable), for the account that PostgreSQL runs as; an existing top keeps
        the mode it has. The cluster is made by PostgreSQL. Raises `DataDirectoryUnusable`.
        """
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for part in (self.valkey, self.run):
                part.mkdir(exist_ok=True)
                part.chmod(0o700)
        except OSError as error:
            raise DataDirectoryUnusable(self.path, error) from error


def data_directory(path: Path) -> DataDirectory:
    """The data directory at `path`, which may be relative, begin with `~`, or be a symbolic link."""
    return DataDirectory(path.expanduser().resolve())


class OwnerLock:
    """The owner's hold on a data directory: the kernel lets go of it when the process ends, however it ends.

    A child that is forked without starting another program shares the hold: start children as programs.
    """

    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process owns the directory."""
        return self._file is not None

    def take(self) -> None:
        """Own the directory; nothing happens if this lock owns it already.

        Raises `DataDirectoryBusy` with the owner's process id, `DataDirectoryUnusable`.
        """
        if self._file is not None:
            return
        try:
            file = os.open(self._directory.run / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataDirectoryUnusable(self._directory.path, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(file, 20, 0)
            os.close(file)
            raise DataDirectoryBusy(self._directory.path, int(owner) if owner else None) from None
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file

    def release(self) -> None:
        """Let go of the directory; nothing happens if it is not owned."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def socket_directory(home: Path, socket_name: str) -> Path:
    """Where a server with the directory `home` puts its socket: there, if the path is short and plain enough.

    Otherwise in a short directory below the system's temporary one, always the same for the same `home`, so that
    the URL survives a restart.
    """
    if _fits(home / socket_name):
        return home
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()).resolve() / f"hub-{os.geteuid()}-{digest}"
    if _fits(short / socket_name):
        return short
    return Path("/tmp") / short.name  # noqa: S108 - `make_private` refuses a directory of somebody else's


def make_private(directory: Path, account: Account) -> None:
    """Make a directory that only `account` may enter.

    Below /tmp somebody else may have made one of that name before. Raises `DataDirectoryUnusable` then.
    """
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.is_symlink() or directory.stat().st_uid not in {os.geteuid(), account.uid}:
            raise PermissionError(1, "it belongs to somebody else", str(directory))
        directory.chmod(0o700)
        account.own(directory)
    except OSError as error:
        raise DataDirectoryUnusable(directory, error) from error


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(str(path)) is not None
