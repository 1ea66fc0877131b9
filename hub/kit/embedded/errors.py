"""What can go wrong with the embedded servers.

```
HubError
├── DataDirectoryBusy       another hub owns the data directory
├── DataDirectoryUnusable   it cannot be made, read or written
├── EmbeddedUnavailable     the servers are not installed, or cannot run on this machine or for this user
└── ServerFailed            a server did not start or did not stop
```
"""

from __future__ import annotations

from pathlib import Path

from hub.kit.errors import HubError


class DataDirectoryBusy(HubError):
    """Another process owns the data directory. `owner` is its process id, None while it is only just starting."""

    def __init__(self, directory: Path, owner: int | None) -> None:
        whose = f"process {owner}" if owner else "a process that is just starting"
        stop_it = f" (Ctrl-C in its terminal, or kill {owner})" if owner else ""
        super().__init__(
            f"The data directory {directory} is in use by another hub: {whose}.",
            remedy=f"Stop that one first{stop_it}, or choose another data directory.",
        )
        self.owner = owner


class DataDirectoryUnusable(HubError):
    """The operating system refuses to make, read or write the data directory."""

    def __init__(self, directory: Path, cause: OSError) -> None:
        super().__init__(
            f"The data directory {directory} cannot be used: {cause.strerror} ({cause.filename}).",
            remedy="Run the hub as the user whom it belongs to, or choose another data directory.",
        )


class EmbeddedUnavailable(HubError):
    """The embedded servers cannot run here at all."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message, remedy=f"{remedy} Or set HUB_DATABASE_URL and HUB_REDIS_URL.")


class ServerFailed(HubError):
    """A server did not do what it was told. `log` holds its own words."""

    def __init__(self, message: str, *, log: Path) -> None:
        super().__init__(message, remedy=f"Its log is {log}.")
