"""What others may know of the running servers: `run/servers.json`, written by the owner, read by every client."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.kit.embedded.directory import DataDirectory, data_directory
from hub.kit.embedded.errors import DataDirectoryUnusable


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where the servers listen.

    `database_url` is for SQLAlchemy (`postgresql+asyncpg://…`), `redis_url` for redis-py and arq (`unix://…`). Both
    name sockets that only the user who started the servers can use.
    """

    database_url: str
    redis_url: str


def write_record(
    directory: DataDirectory, urls: ServerUrls, *, pids: Mapping[str, int | None], sockets: Iterable[Path]
) -> None:
    """Publish the servers; the file appears whole or not at all, and only its owner can read it."""
    record = {
        "database_url": urls.database_url,
        "redis_url": urls.redis_url,
        "pids": {"owner": os.getpid(), **pids},
        "sockets": [str(path) for path in sockets],
    }
    unfinished = _record_path(directory).with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(record, file, indent=2)
    unfinished.replace(_record_path(directory))


def remove_record(directory: DataDirectory) -> None:
    """Withdraw the servers."""
    _record_path(directory).unlink(missing_ok=True)


def running_servers(data_dir: Path) -> ServerUrls | None:
    """The servers that run in `data_dir` now, whoever owns them; None when they do not.

    Raises `DataDirectoryUnusable` when the directory belongs to another user.
    """
    directory = data_directory(data_dir)
    try:
        record = json.loads(_record_path(directory).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataDirectoryUnusable(directory.path, error) from error
    if not all(answers(Path(path)) for path in record["sockets"]):
        return None
    return ServerUrls(database_url=record["database_url"], redis_url=record["redis_url"])


def answers(socket_path: Path) -> bool:
    """Whether a process listens on the socket. A process id could be another program's by now; a socket cannot."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(socket_path))
        except OSError:
            return False
        return True


def _record_path(directory: DataDirectory) -> Path:
    return directory.run / "servers.json"
