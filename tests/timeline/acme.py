"""A vendor whose records say plainly what events they are, and the few steps that bring them into the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import insert

from hub import sdk
from hub.connections.model import Connection
from hub.connections.records import store
from hub.kit.runtime import Kit
from hub.sdk import payloads
from hub.sdk.rows import RawRow
from hub.timeline.jobs import drain_raw_records

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Config(BaseModel):
    """Nothing to configure."""


class Since(BaseModel):
    """How far the records were read."""

    at: str = ""


class Named(BaseModel):
    """An account or a person as the vendor knows them; keys are `kind=value`, memberships `~kind=value`."""

    place: str
    keys: list[str] = []
    profile: dict[str, Any] = {}
    profile_at: datetime | None = None

    def asserted(self) -> tuple[sdk.Key, ...]:
        found = []
        for key in self.keys:
            kind, _, value = key.removeprefix("~").partition("=")
            found.append(sdk.Key(kind, value, sdk.Relation.MEMBER if key.startswith("~") else sdk.Relation.IS))
        return tuple(found)


class About(BaseModel):
    """The thing an event is about."""

    type: str
    id: str
    state: str | None = None
    attributes: dict[str, Any] = {}


class Told(BaseModel):
    """One event in plain words."""

    kind: str = "product.used"
    at: datetime
    account: Named
    people: list[Named] = []
    thing: About | None = None
    value: Any = None
    attributes: dict[str, Any] = {}
    title: str | None = None
    natural_key: str | None = None


class Record(BaseModel):
    """A record of the vendor's: its events, or what goes wrong with it."""

    id: str
    version: str = "1"
    events: list[Told] = []
    breaks: str | None = None


def event_of(told: Told, titled: str = "") -> sdk.Event:
    """What the record says, with something added to its title."""
    about = told.thing
    return sdk.Event(
        kind=told.kind,
        occurred_at=told.at,
        account=sdk.Account(told.account.place, told.account.asserted(), told.account.profile, told.account.profile_at),
        people=tuple(sdk.Person(one.place, one.asserted(), one.profile, one.profile_at) for one in told.people),
        subject=sdk.Subject(about.type, about.id, about.state, about.attributes) if about else None,
        value=told.value,
        attributes=told.attributes,
        title=(told.title or "") + titled or None,
        natural_key=told.natural_key,
    )


class Acme(sdk.Connector[Config]):
    """Its `normalize` repeats what the record says."""

    id, name, Config = "acme", "Acme", Config
    broken = True
    titled = ""
    silent: frozenset[str] = frozenset()
    stumbles_over: frozenset[str] = frozenset()

    @sdk.stream(
        record=Record, cursor=Since, key=lambda one: one.id, version=lambda one: one.version, emits={"product.used"}
    )
    async def records(self, cursor: Since | None) -> AsyncIterator[sdk.Page]:
        """Nothing to read: the tests store what the vendor would have sent."""
        for page in ():
            yield page

    @records.normalize
    def _(self, record: Record) -> Iterable[sdk.Event]:
        if (record.breaks and self.broken) or record.id in self.stumbles_over:
            raise KeyError(record.breaks)
        for told in record.events if record.id not in self.silent else ():
            yield event_of(told, self.titled)

    async def check(self) -> str:
        return "acme"


async def connect(kit: Kit, name: str = "acme", connector: str = "acme") -> UUID:
    """Install the connector under a name; the connection's id is the same in every database."""
    connection_id = UUID(int=sum(name.encode()) + 2**100)
    async with kit.transaction() as session:
        await session.execute(
            insert(Connection).values(
                id=connection_id,
                connector=connector,
                name=name,
                tenant=name,
                status="active",
                sealed_config=kit.vault.seal({}),
                created_at=NOW,
            )
        )
    return connection_id


def row(record: Record) -> RawRow:
    """The record as it is kept."""
    return RawRow("records", record.id, record.version, payloads.dumps(record.model_dump(mode="json")))


def tombstone(record_id: str, at: datetime = NOW, version: str = "deleted") -> RawRow:
    """The vendor's word that the record is gone."""
    return RawRow("records", record_id, version, None, at)


async def receive(kit: Kit, connection_id: UUID, rows: Sequence[RawRow]) -> int:
    """Keep raw records as the host does: what is really new waits to be read. Returns how many that are."""
    unique = {(one.record_id, one.version): one for one in rows}
    async with kit.transaction() as session:
        return await store(session, connection_id, list(unique.values()), now=kit.clock.now())


async def drain(kit: Kit) -> int:
    """Read all that waits; returns how many records that were."""
    total = 0
    while handled := await drain_raw_records(kit):
        total += handled
    return total


async def tell(kit: Kit, connection_id: UUID, *records: Record) -> int:
    """Receive and read these records."""
    await receive(kit, connection_id, [row(record) for record in records])
    return await drain(kit)
