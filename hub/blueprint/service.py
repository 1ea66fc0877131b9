"""The versions of the blueprint: applying one, and reading the one in force.

A version is never changed. Applying the document that is in force already is a no-op, so a deployment may
apply its file at every start; going back to an older document makes a new version.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.changes import Change, ChangeKind, Part, changes
from hub.blueprint.checking import Blueprint, check
from hub.blueprint.model import BlueprintVersion
from hub.blueprint.problems import BlueprintInvalid, Document, Problem
from hub.blueprint.reading import read_document, read_text, read_texts
from hub.blueprint.shipped import shipped_path
from hub.blueprint.writing import as_yaml
from hub.kit.db import lock
from hub.kit.errors import NotFound

__all__ = [
    "Blueprint",
    "BlueprintInvalid",
    "Change",
    "ChangeKind",
    "Document",
    "Part",
    "Problem",
    "apply",
    "as_yaml",
    "at_version",
    "changes",
    "check",
    "current",
    "digest_of",
    "hold",
    "in_force",
    "read_document",
    "read_text",
    "read_texts",
    "shipped_path",
    "version_in_force",
]

_KEPT: Final = 16
_HELD: Final = "blueprint.held"
_read: OrderedDict[tuple[int, str], Blueprint] = OrderedDict()


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the document as compact JSON, entries in their order: comments and layout do not
    count.
    """
    return hashlib.sha256(orjson.dumps(dict(document))).hexdigest()


async def apply(
    session: AsyncSession, document: Mapping[str, Any], actor: str, now: datetime, *, comment: str | None = None
) -> int:
    """Put a checked document in force (see `check`); returns its version, the present one if nothing changed.

    Whoever changes what is in force goes through `hub.sections.applying`, which also has the accounts scored.
    """
    await hold(session)
    digest = digest_of(document)
    newest = await _newest(session)
    if newest is not None and newest[1] == digest:
        return newest[0]
    row = BlueprintVersion(digest=digest, document=dict(document), applied_at=now, applied_by=actor, comment=comment)
    session.add(row)
    await session.flush()
    return row.version


async def hold(session: AsyncSession) -> None:
    """Let nobody else put a blueprint in force until the transaction ends."""
    await lock(session, "blueprint")


async def current(session: AsyncSession) -> Blueprint:
    """The blueprint in force. Raises `NotFound` when none has been applied yet.

    Cost: one small statement, none inside `held`; the document is read once a process and version.
    """
    if (steady := session.info.get(_HELD)) is not None:
        return steady  # type: ignore[no-any-return]  # as `held` put it there
    newest = await _newest(session)
    if newest is None:
        raise NotFound("No blueprint is in force.", remedy="The hub applies one when it starts; see HUB_BLUEPRINT.")
    return await _load(session, *newest)


@asynccontextmanager
async def held(session: AsyncSession) -> AsyncIterator[None]:
    """Inside the block the blueprint in force stays what it was at its beginning, and asking for it costs nothing."""
    found = await _newest(session)
    if found is not None:
        session.info[_HELD] = await _load(session, *found)
    try:
        yield
    finally:
        session.info.pop(_HELD, None)


async def in_force(session: AsyncSession) -> bool:
    """Whether a blueprint has been applied already."""
    return await _newest(session) is not None


async def version_in_force(session: AsyncSession) -> int | None:
    """The number of the version in force; None before the first."""
    newest = await _newest(session)
    return newest[0] if newest else None


async def at_version(session: AsyncSession, version: int) -> Blueprint:
    """An older (or the present) version. Raises `NotFound`."""
    statement = select(BlueprintVersion.digest).where(BlueprintVersion.version == version)
    digest = (await session.execute(statement)).scalar_one_or_none()
    if digest is None:
        raise NotFound(f"There is no version {version} of the blueprint.", remedy="List them: hub blueprint history")
    return await _load(session, version, digest)


async def _newest(session: AsyncSession) -> tuple[int, str] | None:
    statement = (
        select(BlueprintVersion.version, BlueprintVersion.digest).order_by(BlueprintVersion.version.desc()).limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    return (row.version, row.digest) if row else None


async def _load(session: AsyncSession, version: int, digest: str) -> Blueprint:
    # The digest is part of the key because one process may work on several databases.
    key = (version, digest)
    if key in _read:
        _read.move_to_end(key)
        return _read[key]
    statement = select(BlueprintVersion.document).where(BlueprintVersion.version == version)
    blueprint = Blueprint(version, (await session.execute(statement)).scalar_one())
    # A version that is not committed yet may still be rolled back, and its number go to another document: the
    # digest keeps the two apart.
    _read[key] = blueprint
    while len(_read) > _KEPT:
        _read.popitem(last=False)
    return blueprint
