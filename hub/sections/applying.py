"""Putting a document in force: checked again, kept as a version, noted, told, and every account looked at anew.

An account keeps the score it has until its turn comes; the new one names the version that it was made under, and the
explanation of the difference has the change of version as a term of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer, audit
from hub.accounts.service import mark_all_changed
from hub.blueprint import service as blueprints
from hub.kit import outbox
from hub.sections.document import check


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying came to: the version in force, the one before (None: the first), and how many accounts are being
    scored anew. Without a change both versions are the same and no account is."""

    version: int
    previous: int | None
    accounts: int

    @property
    def changed(self) -> bool:
        return self.version != self.previous


async def apply(
    session: AsyncSession, viewer: Viewer, document: Mapping[str, Any], *, comment: str | None, now: datetime
) -> Applied:
    """Put a document in force. Fact told: `blueprint.applied`.

    Raises `NotAllowed` (it takes an admin), and `BlueprintInvalid` with all that is wrong; then nothing has changed.
    """
    viewer.require()
    check(document)
    await blueprints.hold(session)  # two servers that start with the same file note it once
    previous = await blueprints.version_in_force(session)
    version = await blueprints.apply(session, document, viewer.actor, now, comment=comment)
    if version == previous:
        return Applied(version, previous, 0)
    facts = {"version": version, "previous": previous, "name": document["name"], "comment": comment}
    await audit(session, viewer, "blueprint.applied", f"blueprint:{version}", facts, now=now)
    await outbox.append(session, "blueprint.applied", f"blueprint:{version}", facts, now=now)
    return Applied(version, previous, await mark_all_changed(session, now))
