"""Reading the audit log: every change by a person or a key, the latest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.model import AuditEntry
from hub.access.service import Viewer

__all__ = ["AuditEntry", "AuditFilter", "audit_log"]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which changes; None restricts nothing. `since` counts, `until` does not."""

    actor: str | None = None
    subject: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def audit_log(
    session: AsyncSession, viewer: Viewer, wanted: AuditFilter, limit: int, older_than: int | None
) -> list[AuditEntry]:
    """Changes by people and keys, the latest first; `older_than` is the number of an entry, for the next page.

    Raises `NotAllowed` (it takes an admin).
    """
    viewer.require()
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if older_than is not None:
        query = query.where(AuditEntry.id < older_than)
    for column, value in (
        (AuditEntry.actor, wanted.actor),
        (AuditEntry.subject, wanted.subject),
        (AuditEntry.action, wanted.action),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    return list((await session.execute(query)).scalars())
