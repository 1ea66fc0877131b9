"""What people read of the blueprint: its versions, and what each of them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer
from hub.blueprint.model import BlueprintVersion
from hub.blueprint.writing import as_yaml
from hub.kit.paging import among

READERS: Final = (Role.CSM, Role.VIEWER)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the blueprint, without its document. `comment` is why it was made, where somebody said so."""

    version: int
    digest: str
    applied_at: datetime
    applied_by: str
    comment: str | None


async def versions(
    session: AsyncSession, viewer: Viewer, *, older_than: int | None = None, limit: int = 50
) -> list[Version]:
    """Versions, the newest first; the first one is in force. `older_than`: only those before this one."""
    viewer.require(*READERS)
    statement = _versions().order_by(BlueprintVersion.version.desc()).limit(limit)
    if older_than is not None:
        statement = statement.where(BlueprintVersion.version < older_than)
    return [Version(*row) for row in await session.execute(statement)]


async def version(session: AsyncSession, viewer: Viewer, number: int | None) -> Version | None:
    """A version, or the one in force; None where there is none."""
    if number is None:
        return next(iter(await versions(session, viewer, limit=1)), None)
    viewer.require(*READERS)
    row = (await session.execute(_versions().where(BlueprintVersion.version == number))).one_or_none()
    return Version(*row) if row else None


async def documents(session: AsyncSession, viewer: Viewer, numbers: Sequence[int]) -> dict[int, str]:
    """The documents of versions as YAML. One statement."""
    viewer.require(*READERS)
    statement = select(BlueprintVersion.version, BlueprintVersion.document)
    found = await session.execute(statement.where(among(BlueprintVersion.version, numbers)))
    return {number: as_yaml(document) for number, document in found}


def _versions() -> Select[*tuple[Any, ...]]:
    return select(
        BlueprintVersion.version,
        BlueprintVersion.digest,
        BlueprintVersion.applied_at,
        BlueprintVersion.applied_by,
        BlueprintVersion.comment,
    )
