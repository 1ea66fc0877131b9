"""Who sits at the shell: what they change is in the audit log under their name."""

from __future__ import annotations

import getpass
from uuid import UUID

from hub.access.service import Role, Viewer
from hub.kit.errors import Invalid


def at_the_shell() -> Viewer:
    """Whoever runs the command; who may run it on the hub's database may do everything."""
    return Viewer(f"shell:{getpass.getuser()}", Role.ADMIN)


def known_id(text: str, prefix: str) -> UUID:
    """An id as a list prints it, or as the API does. Raises `Invalid`."""
    try:
        return UUID(text.removeprefix(f"{prefix}_"))
    except ValueError:
        raise Invalid(f"{text!r} is not an id.", remedy="Take one from the list (--json).") from None
