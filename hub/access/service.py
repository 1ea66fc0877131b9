"""Who asks, what their role permits, and what they changed.

Deny by default: a viewer has exactly one role, and every service names the roles that may call it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.model import ApiKey, AuditEntry
from hub.kit.errors import Invalid, NotAllowed, NotFound

PREFIX = "hub_"
NOTE_USE_EVERY = timedelta(minutes=1)


class Role(StrEnum):
    """What a viewer may do. `marketing` sees references and consented claims only, `ingest` writes only."""

    ADMIN = "admin"
    CSM = "csm"
    VIEWER = "viewer"
    MARKETING = "marketing"
    INGEST = "ingest"
    PLUGIN = "plugin"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks; `actor` is what the audit log shows, e.g. `key:screens` or `hub`.

    `owner` limits the viewer to the accounts of that owner (None: all accounts), see `hub.accounts.scope`. `ad_hoc`
    says whether the viewer may ask what is no trusted document, where that takes a permission.
    """

    actor: str
    role: Role
    owner: str | None = None
    ad_hoc: bool = False

    def may(self, *roles: Role) -> bool:
        return self.role is Role.ADMIN or self.role in roles

    def require(self, *roles: Role) -> None:
        """Raises `NotAllowed` unless the viewer is an admin or has one of the roles."""
        if not self.may(*roles):
            needed = " or ".join(sorted({Role.ADMIN, *roles}))
            raise NotAllowed(
                f"The role {self.role} may not do this; it takes {needed}.",
                remedy="Use a key with that role: hub token create NAME --role ROLE",
            )


LIMITED = (Role.CSM, Role.VIEWER)
"""Roles that can be limited to the accounts of one owner."""

SYSTEM = Viewer("hub", Role.ADMIN)
"""The hub itself, when a job acts."""


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key; `secret` is shown this once and never stored."""

    name: str
    role: Role
    secret: str
    expires_at: datetime | None


async def create_key(
    session: AsyncSession,
    viewer: Viewer,
    name: str,
    role: Role,
    *,
    expires_in: timedelta | None,
    now: datetime,
    owner: str | None = None,
    ad_hoc: bool = False,
) -> CreatedKey:
    """Make an API key; `owner` limits it to that owner's accounts. Raises `Invalid` when the name is taken."""
    viewer.require(Role.ADMIN)
    if owner is not None and role not in LIMITED:
        raise Invalid(
            f"A key of the role {role} cannot be limited to the accounts of an owner.",
            remedy=f"Leave the owner out, or choose a role of {', '.join(LIMITED)}.",
            path=("owner",),
        )
    if (await session.execute(select(ApiKey.id).where(ApiKey.name == name))).first():
        raise Invalid(
            f"There is a key named {name!r} already.",
            remedy=f"Choose another name, or revoke it first: hub token revoke {name}",
            path=("name",),
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    expires_at = now + expires_in if expires_in else None
    session.add(
        ApiKey(
            name=name,
            role=role,
            owner=owner,
            ad_hoc=ad_hoc,
            digest=_digest(secret),
            created_at=now,
            expires_at=expires_at,
        )
    )
    details = {"role": role, "owner": owner, "ad_hoc": ad_hoc}
    await audit(session, viewer, "key.created", f"key:{name}", details, now=now)
    return CreatedKey(name, role, secret, expires_at)


async def keys(session: AsyncSession) -> list[ApiKey]:
    """All keys, the newest last."""
    return list((await session.execute(select(ApiKey).order_by(ApiKey.created_at))).scalars())


async def revoke_key(session: AsyncSession, viewer: Viewer, name: str, *, now: datetime) -> None:
    """Refuse the key from now on, and free its name. Raises `NotFound`."""
    viewer.require(Role.ADMIN)
    revoked = await session.execute(
        update(ApiKey)
        .where(ApiKey.name == name, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now, name=f"{name} (revoked {now:%Y-%m-%d %H:%M:%S.%f})")
        .returning(ApiKey.id)
    )
    if not revoked.first():
        raise NotFound(f"There is no active key named {name!r}.", remedy="List them: hub token list")
    await audit(session, viewer, "key.revoked", f"key:{name}", {}, now=now)


async def authenticate(session: AsyncSession, secret: str, *, now: datetime) -> Viewer | None:
    """The viewer of a key, or None when it is unknown, expired or revoked. One indexed read.

    Notes the use at most once a minute; the caller commits.
    """
    key = (
        await session.execute(
            select(ApiKey).where(
                ApiKey.digest == _digest(secret),
                ApiKey.revoked_at.is_(None),
                or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
            )
        )
    ).scalar_one_or_none()
    if key is None:
        return None
    if key.last_used_at is None or now - key.last_used_at > NOTE_USE_EVERY:
        await session.execute(update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=now))
    return Viewer(f"key:{key.name}", Role(key.role), owner=key.owner, ad_hoc=key.ad_hoc)


async def audit(
    session: AsyncSession,
    viewer: Viewer,
    action: str,
    subject: str,
    details: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    """Note a change that somebody made, in its transaction."""
    session.add(AuditEntry(at=now, actor=viewer.actor, action=action, subject=subject, details=dict(details)))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
