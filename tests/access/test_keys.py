"""API keys: shown once, stored as a digest, refused when expired or revoked; roles deny by default."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from hub.access.service import SYSTEM, Role, Viewer, authenticate, create_key, keys, revoke_key
from hub.kit.errors import Invalid, NotAllowed, NotFound
from hub.kit.runtime import Kit

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def make(kit: Kit, name: str = "screens", role: Role = Role.CSM, *, lasts: timedelta | None = None) -> str:
    async with kit.transaction() as session:
        return (await create_key(session, SYSTEM, name, role, expires_in=lasts, now=NOW)).secret


async def who(kit: Kit, secret: str, *, at: datetime = NOW) -> Viewer | None:
    async with kit.transaction() as session:
        return await authenticate(session, secret, now=at)


async def test_a_key_is_its_viewer(kit: Kit) -> None:
    """The right secret gives the key's role; a similar one gives nothing."""
    secret = await make(kit)
    assert await who(kit, secret) == Viewer("key:screens", Role.CSM)
    assert await who(kit, secret[:-1]) is None
    assert await who(kit, "") is None


async def test_the_secret_is_not_stored(kit: Kit) -> None:
    """Nothing in the table helps to come in."""
    secret = await make(kit)
    async with kit.reading() as session:
        stored = (await session.execute(text("SELECT api_key::text FROM api_key"))).scalar_one()
    assert secret not in stored
    assert secret.removeprefix("hub_") not in stored


async def test_expired_and_revoked_keys_are_refused(kit: Kit) -> None:
    """A key ends at its time, or when somebody ends it; its name is free again."""
    short = await make(kit, lasts=timedelta(hours=1))
    assert await who(kit, short, at=NOW + timedelta(minutes=59)) is not None
    assert await who(kit, short, at=NOW + timedelta(hours=1)) is None
    other = await make(kit, "other")
    async with kit.transaction() as session:
        await revoke_key(session, SYSTEM, "other", now=NOW)
    assert await who(kit, other) is None
    assert await who(kit, await make(kit, "other")) is not None


async def test_use_is_noted_at_most_once_a_minute(kit: Kit) -> None:
    """Requests do not write a row each."""
    secret = await make(kit)
    for seconds in (0, 30, 59, 61):
        await who(kit, secret, at=NOW + timedelta(seconds=seconds))
    async with kit.reading() as session:
        [key] = await keys(session)
    assert key.last_used_at == NOW + timedelta(seconds=61)


async def test_a_name_is_taken_once(kit: Kit) -> None:
    """Two keys of one name could not be told apart in the audit log."""
    await make(kit)
    with pytest.raises(Invalid, match="already"):
        await make(kit)
    async with kit.transaction() as session:
        with pytest.raises(NotFound, match="nobody"):
            await revoke_key(session, SYSTEM, "nobody", now=NOW)


async def test_making_and_revoking_is_audited(kit: Kit) -> None:
    """Who did it, and what, without the secret."""
    await make(kit)
    async with kit.transaction() as session:
        await revoke_key(session, SYSTEM, "screens", now=NOW)
    async with kit.reading() as session:
        entries = (await session.execute(text("SELECT actor, action, subject FROM audit_entry ORDER BY id"))).all()
    assert [tuple(entry) for entry in entries] == [
        ("hub", "key.created", "key:screens"),
        ("hub", "key.revoked", "key:screens"),
    ]


@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_names_it(role: Role) -> None:
    """An admin may everything; every other role only what is said to be its own."""
    viewer = Viewer("somebody", role)
    assert viewer.may() == (role is Role.ADMIN)
    assert viewer.may(role)
    if role not in (Role.ADMIN, Role.CSM):
        with pytest.raises(NotAllowed, match="admin or csm"):
            viewer.require(Role.CSM)
