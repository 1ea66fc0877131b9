"""The embedded servers: a real PostgreSQL and a real Valkey inside one data directory, with nothing to install.

```
<data>/postgres      the database cluster and its socket; every fact of the hub
<data>/valkey        the broker's working directory and its socket; nothing in it outlives the process
<data>/run           the owner's lock, servers.json (URLs and process ids), the servers' logs
```

The process that starts the servers owns the directory until it stops them: a second owner is refused. Other
processes of the same user find the servers with `running_servers` and use them without owning them.

Nothing listens on a network. Both servers listen on sockets in directories that only their user can enter, and
PostgreSQL asks the kernel who is calling (`peer`), so there is no password to keep, to log or to leak.

A killed owner leaves its servers running. The next start stops them and starts them anew, so that there is one way
into the running state only, and so that whatever the dead owner left behind loses its connections.
"""

from __future__ import annotations

from hub.kit.embedded.errors import (
    DataDirectoryBusy,
    DataDirectoryUnusable,
    EmbeddedUnavailable,
    ServerFailed,
)
from hub.kit.embedded.record import ServerUrls, running_servers
from hub.kit.embedded.servers import EmbeddedServers

__all__ = [
    "DataDirectoryBusy",
    "DataDirectoryUnusable",
    "EmbeddedServers",
    "EmbeddedUnavailable",
    "ServerFailed",
    "ServerUrls",
    "running_servers",
]
