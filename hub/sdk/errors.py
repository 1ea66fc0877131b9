"""What a connector raises, and what the hub then does.

```
ConnectorError
├── Misconfigured   the connection pauses and shows the fix
├── AuthExpired     the connection pauses and asks to reconnect
├── Unavailable     try again later, the cursor stays
│   └── RateLimited the same, after `retry_after`
├── CursorExpired   the stream starts over as a backfill
├── SchemaDrift     too many rows cannot be read: the stream pauses
├── Rejected        an action's input is refused by the vendor: no retry
├── Ambiguous       an action may or may not have happened: a person decides
└── BadSignature    401, counted; nothing of the delivery is looked at
```

Anything else is a bug in the connector: that run fails, others go on. Each error carries a `message` for the person
and a `detail` for the log; never put a secret into either.
"""

from __future__ import annotations

from datetime import timedelta


class ConnectorError(Exception):
    """The root of the tree. `message` is for the person, `detail` for the log."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class Misconfigured(ConnectorError):
    """The configuration cannot work as it is; the message says what to change."""


class AuthExpired(ConnectorError):
    """The vendor no longer accepts the credentials."""


class Unavailable(ConnectorError):
    """The vendor does not answer, or answers 5xx."""


class RateLimited(Unavailable):
    """The vendor asks for a pause."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.retry_after = retry_after


class CursorExpired(ConnectorError):
    """The vendor no longer knows the cursor."""


class SchemaDrift(ConnectorError):
    """More rows than the share allowed do not fit the record model."""


class Rejected(ConnectorError):
    """The vendor refuses an action's input; asking again would be refused again."""


class Ambiguous(ConnectorError):
    """The request went out and no answer came: the action may have happened."""


class BadSignature(ConnectorError):
    """A delivery is not from whom it says, or is too old."""
