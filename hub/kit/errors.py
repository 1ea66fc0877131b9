"""The one error tree of the hub.

```
HubError                 something the person can act on: one line, and what to do about it
├── SettingsInvalid      an environment variable or .env entry
├── Unreachable          the database or the broker does not answer
├── SchemaOutdated       the database is behind the code
├── NotFound             a named thing does not exist
├── Invalid              input that breaks a rule of the domain
├── Conflict             what was to be changed has changed meanwhile
└── NotAllowed           the viewer's role does not permit it
```

Whatever is not a `HubError` is a bug: it keeps its traceback.
"""

from __future__ import annotations


class HubError(Exception):
    """A failure with a remedy.

    `message` says what is wrong in one line, `remedy` what the reader should do next (may be empty).
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class SettingsInvalid(HubError):
    """A setting is missing or cannot be read."""


class Unreachable(HubError):
    """A server that the hub needs does not answer."""


class SchemaOutdated(HubError):
    """The database does not have the tables that this version of the code expects."""


class NotFound(HubError):
    """Something was named that does not exist."""


class Invalid(HubError):
    """Input breaks a rule; `path` names the offending part (empty: the whole input)."""

    def __init__(self, message: str, *, remedy: str = "", path: tuple[str, ...] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.path = path


class Conflict(HubError):
    """Somebody wanted to change something as they had read it, and it is no longer so."""


class NotAllowed(HubError):
    """The viewer's role does not permit what was asked."""
