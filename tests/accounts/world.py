"""What the tests of accounts say in one line: a vendor shows a place, and whose it is then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from hub import sdk
from hub.access.service import Role, Viewer
from hub.accounts import service
from hub.accounts.model import Account
from hub.kit.runtime import Kit

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PRODUCT, BILLING, SUPPORT = UUID(int=1), UUID(int=2), UUID(int=3)
CSM = Viewer("key:kim", Role.CSM)


def key(written: str) -> sdk.Key:
    """`kind=value` is a key, `~kind=value` a membership, `^kind=value` the account above."""
    relations = {"~": sdk.Relation.MEMBER, "^": sdk.Relation.BELOW}
    kind, _, value = written.lstrip("~^").partition("=")
    return sdk.Key(kind, value, relations.get(written[0], sdk.Relation.IS))


async def show(
    kit: Kit, connection: UUID, place: str, *keys: str, people: Sequence[sdk.Person] = (), **profile: Any
) -> UUID:
    """A vendor shows a place with its keys and profile; returns its source account."""
    async with kit.transaction() as session:
        account = sdk.Account(place, tuple(key(one) for one in keys), profile)
        registered = await service.register(session, connection, [account], [(person, place) for person in people], NOW)
        await service.resolve(session, registered.unresolved, NOW)
    return service.source_account_id(connection, place)


async def home(kit: Kit, source: UUID) -> UUID | None:
    """The account that the source belongs to."""
    async with kit.reading() as session:
        found = await session.execute(text("SELECT account_id FROM source_account WHERE id = :id"), {"id": source})
        return found.scalar_one()  # type: ignore[no-any-return]  # the column's type


async def homes(kit: Kit) -> dict[UUID, UUID | None]:
    """The account of every source, the hub's own places included."""
    async with kit.reading() as session:
        return {
            row.id: row.account_id for row in await session.execute(text("SELECT id, account_id FROM source_account"))
        }


async def accounts(kit: Kit) -> dict[UUID, Account]:
    """All accounts, dormant ones too, in the order in which they came."""
    async with kit.reading() as session:
        found = await session.execute(select(Account).order_by(Account.created_at))
        return {account.id: account for account in found.scalars()}


async def snapshot(kit: Kit) -> dict[str, list[Any]]:
    """Everything that the mapping decides, as rows: what undoing has to bring back."""
    async with kit.reading() as session:
        return {
            table: list((await session.execute(text(f"SELECT * FROM {table} ORDER BY id"))).all())
            for table in ("account", "source_account", "person", "source_person")
        }


async def topics(kit: Kit) -> list[tuple[str, dict[str, Any]]]:
    """What was announced, in order."""
    async with kit.reading() as session:
        rows = await session.execute(text("SELECT topic, payload FROM outbox ORDER BY id"))
        return [(row.topic, row.payload) for row in rows]
