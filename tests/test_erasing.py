"""Erasing a person: their words are in no table any more, and everything that was counted is counted as before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from hub import erasing
from hub.access.service import Role, Viewer
from hub.accounts import service as accounts
from hub.blueprint.service import Blueprint, read_text
from hub.connections import registry
from hub.connections.registry import Registry
from hub.erasing import drain_people_to_erase, erase
from hub.kit.errors import NotAllowed
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.measures import service as measures
from hub.measures.section import Catalogue
from hub.timeline.service import replay
from tests.timeline.acme import NOW, About, Acme, Named, Record, Told, connect, tell

ADMIN = Viewer("shell:test", Role.ADMIN)
WORDS = ("ada@engines", "lovelace", "countess", "usr_ada1", "by ada", "ada again", "analytical")
COMPANY = Named(place="group:g1", keys=["segment.group=g1", "domain=engines.example"], profile={"name": "Engines"})
ADA = Named(
    place="user:usr_ada1",
    keys=["segment.user=usr_ada1", "email=ada@engines.example"],
    profile={"name": "Ada Lovelace", "email": "ada@engines.example", "title": "Countess", "role": "champion"},
)
BOB = Named(
    place="user:usr_bob1",
    keys=["segment.user=usr_bob1", "email=bob@engines.example"],
    profile={"name": "Bob Babbage", "email": "bob@engines.example"},
)
ALONE = Named(place="user:usr_ada1", keys=["segment.user=usr_ada1", "~segment.group=g1"])
DOCUMENT = read_text(
    """
    people: {kind: people, of: [product.used, person.identified], window: 90d}
    champions: {kind: people, of: [product.used], by: {role: champion}, window: 90d}
    uses: {kind: count, of: [product.used], window: 90d}
    exports: {kind: count, of: [{event: product.used, where: {feature: Export}}], window: 90d}
    rows: {kind: sum, of: [product.used], field: rows, window: 90d}
    """
)
CATALOGUE = Blueprint(0, {"measures": DOCUMENT}).section("measures", Catalogue)


@pytest.fixture(autouse=True)
def acme_is_installed() -> Iterator[None]:
    with registry.using(Registry.of(Acme)):
        yield


def told(days: int, person: Named, **given: Any) -> Told:
    return Told(at=NOW - timedelta(days=days), **({"account": COMPANY, "people": [person]} | given))


def history() -> list[Record]:
    """Ada and Bob at work; Ada also by herself, and named in a record that is the company's."""
    used = {"feature": "Export", "rows": 7, "email": "ada@engines.example", "note": "for Ada Lovelace"}
    return [
        Record(id="1", events=[told(9, ADA, kind="person.identified", attributes={"name": "Ada Lovelace"})]),
        Record(id="2", events=[told(8, ADA, attributes=used, title="Export by Ada")]),
        Record(id="3", events=[told(8, BOB, attributes={"feature": "Export", "rows": 5})]),
        Record(id="4", events=[told(7, ADA, account=ALONE, attributes={"feature": "Import", "rows": 1})]),
        Record(
            id="5",
            events=[
                told(
                    6,
                    BOB,
                    people=[],
                    kind="invoice.paid",
                    thing=About(type="invoice", id="in_1", attributes={"to": "ada@engines.example"}),
                )
            ],
        ),
    ]


async def settled(kit: Kit) -> UUID:
    connection = await connect(kit)
    await tell(kit, connection, *history())
    return connection


async def person_of(kit: Kit, address: str) -> UUID:
    async with kit.reading() as session:
        return await accounts.find_person(session, address)


async def erased(kit: Kit, person_id: UUID) -> UUID:
    async with kit.transaction() as session:
        asked = await accounts.request_erasure(session, ADMIN, person_id, reason="request 7", now=kit.clock.now())
    assert await drain_people_to_erase(kit) == 1
    return asked.id


async def whole_database(kit: Kit) -> str:
    """Every row of every table as text in lower case; bytes as text too."""
    lines = []
    async with kit.reading() as session:
        names = await session.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"))
        for name in names.scalars().all():
            columns = await session.execute(
                text(
                    "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = :name "
                    "AND table_schema = 'public'"
                ),
                {"name": name},
            )
            parts = [
                f"encode({column}, 'escape')" if kind == "bytea" else f'"{column}"::text'
                for column, kind in columns.all()
            ]
            rows = await session.execute(text(f"SELECT concat_ws('|', {', '.join(parts)}) FROM {name}"))
            lines += [f"{name}: {line}" for line in rows.scalars()]
    return "\n".join(lines).lower()


def lines_with(dump: str, *words: str) -> list[str]:
    return [line for line in dump.splitlines() if any(word in line for word in words)]


async def measured(kit: Kit, known_at: datetime | None = None) -> list[dict[str, Any]]:
    """All measures of all accounts, as known now or at a moment."""
    async with kit.reading() as session:
        ids = await accounts.account_ids(session, after=UUID(int=0), limit=10)
        frame = await measures.compute(session, CATALOGUE, ids, as_of=NOW, known_at=known_at)
    return frame.sort("account_id").to_dicts()


async def test_nothing_of_a_person_is_left_and_everything_counts_as_before(kit: Kit) -> None:
    """No table holds a word of theirs; measures are the same, now and as known before; others are untouched."""
    connection = await settled(kit)
    before, dump, then = await measured(kit), await whole_database(kit), kit.clock.now()
    assert all(lines_with(dump, word) for word in WORDS[:5])
    person = await person_of(kit, "ADA@engines.example")
    await erased(kit, person)
    dump = await whole_database(kit)
    assert lines_with(dump, *WORDS) == []
    assert lines_with(dump, "bob babbage")
    assert lines_with(dump, "usr_bob1")
    assert await measured(kit) == await measured(kit, then) == before
    assert {row["people"] for row in before} == {2.0}
    async with kit.reading() as session:
        [done] = await accounts.erasures(session, ADMIN)
        left = (await session.execute(text("SELECT record_id FROM raw_record ORDER BY 1"))).scalars().all()
        audited = (await session.execute(text("SELECT action FROM audit_entry ORDER BY id"))).scalars().all()
    assert done.done_at is not None
    assert done.counts["events"] == 3
    assert (done.counts["records_removed"], done.counts["records_freed"]) == (3, 1)
    assert left == ["3", "5"]
    assert audited == ["person.erasure_requested", "person.erased"]
    assert (await replay(kit, connection)).retracted == 0
    assert await measured(kit) == before


async def test_a_later_record_brings_nothing_back(kit: Kit) -> None:
    """By the same id, by the same address from another vendor, and by a record that is sent again: it counts for who
    was there, and tells nothing."""
    connection = await settled(kit)
    person = await person_of(kit, "ada@engines.example")
    await erased(kit, person)
    elsewhere = await connect(kit, "second")
    stranger = ADA.model_copy(update={"place": "contact:7", "keys": ["email=ada@engines.example"]})
    await tell(kit, connection, *history()[:2], Record(id="6", events=[told(2, ADA, attributes={"rows": 3})]))
    await tell(kit, elsewhere, Record(id="9", events=[told(1, stranger, account=COMPANY, title="Ada again")]))
    assert lines_with(await whole_database(kit), *WORDS) == []
    found = await measured(kit)
    assert {row["people"] for row in found} == {2.0}
    assert {row["champions"] for row in found} == {1.0}
    assert {row["uses"] for row in found} == {5.0}
    async with kit.reading() as session:
        people = await session.execute(text("SELECT count(*) FROM person WHERE merged_into IS NULL"))
        assert people.scalar_one() == 2


async def test_one_that_is_interrupted_goes_on(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step dies once, the last one too: the next attempt goes on there, and in the end nothing is left."""
    await settled(kit)
    person = await person_of(kit, "ada@engines.example")
    async with kit.transaction() as session:
        asked = await accounts.request_erasure(session, ADMIN, person, now=kit.clock.now())

    async def dies(*_: object) -> Any:
        raise ConnectionError("the machine went away")

    for step in erasing.STEPS:
        with monkeypatch.context() as broken, pytest.raises(ConnectionError):
            broken.setitem(erasing.STEPS, step, dies)
            await erase(kit, asked.id)
    with monkeypatch.context() as broken, pytest.raises(ConnectionError):
        broken.setattr(accounts, "close", dies)
        await erase(kit, asked.id)
    async with kit.reading() as session:
        assert [one.done_at for one in await accounts.erasures(session, ADMIN)] == [None]
    await erase(kit, asked.id)
    assert lines_with(await whole_database(kit), *WORDS) == []


async def test_a_vendor_may_ask_for_it(kit: Kit) -> None:
    """The event that asks is kept, the person is not; asking twice erases once."""
    connection = await settled(kit)
    asks = told(0, ADA, kind="person.erasure_requested")
    await tell(kit, connection, Record(id="7", events=[asks]))
    assert await drain_people_to_erase(kit) == 1
    await tell(kit, connection, Record(id="7", events=[asks]))
    assert await drain_people_to_erase(kit) == 0
    assert lines_with(await whole_database(kit), *WORDS) == []
    async with kit.reading() as session:
        [done] = await accounts.erasures(session, ADMIN)
    assert done.requested_by == f"connection:{connection}"
    assert done.done_at is not None


async def test_what_plays_and_people_wrote_goes_too(kit: Kit) -> None:
    """Calls and tasks, feedback, messages that wait, actions that were asked for."""
    connection = await settled(kit)
    person = await person_of(kit, "ada@engines.example")
    run = new_id()
    async with kit.transaction() as session:
        account = (await session.execute(text("SELECT id FROM account WHERE merged_into IS NULL"))).scalar_one()
        given = {"run": run, "person": person, "account": account, "connection": connection, "now": NOW, "id": new_id()}
        for statement in (
            "INSERT INTO step_call (run_id, step, recipient, person_id, input, status, attempts) "
            "VALUES (:run, 0, CAST(:person AS text), :person, '{\"email\": \"ada@engines.example\"}', 'pending', 0)",
            "INSERT INTO task (id, account_id, title, status, checklist, created_at) "
            "VALUES (:id, :account, 'Call Ada Lovelace', 'open', '[{\"text\": \"Ask Ada Lovelace\"}]', :now)",
            "INSERT INTO task_comment (id, task_id, account_id, author, body, created_at) "
            "VALUES (:id, :id, :account, 'key:x', 'Ada Lovelace calls back', :now)",
            "INSERT INTO feedback (id, account_id, person_id, kind, text, status, recorded_at, recorded_by) "
            "VALUES (:id, :account, :person, 'idea', 'Ada would like an analytical engine', 'new', :now, 'x')",
            "INSERT INTO mailbox_message (id, connection_id, recipient, key, body, created_at) "
            "VALUES (:id, :connection, 'usr_ada1', 'k', '{}', :now)",
            "INSERT INTO action_call (connection_id, key, action, input, status, attempts, started_at) "
            "VALUES (:connection, 'k', 'a', '{\"email\": \"ada@engines.example\"}', 'done', 1, :now)",
            "INSERT INTO quarantine (id, connection_id, stage, payload, reason, first_seen_at, last_seen_at, attempts) "
            "VALUES (:id, :connection, 'record', 'ada@engines.example'::bytea, 'r', :now, :now, 1)",
        ):
            used = {name: value for name, value in given.items() if f":{name}" in statement}
            if "CAST(:person AS text)" in statement:
                statement = statement.replace("CAST(:person AS text)", f"'{person}'")
            await session.execute(text(statement.replace('": "', '"\\: "')), used)
    await erased(kit, person)
    assert lines_with(await whole_database(kit), *WORDS) == []
    async with kit.reading() as session:
        assert (await session.execute(text("SELECT status FROM step_call"))).scalar_one() == "dropped"


async def test_only_admins_may_ask(kit: Kit) -> None:
    """And it is refused before anything is looked up."""
    async with kit.transaction() as session:
        with pytest.raises(NotAllowed):
            await accounts.request_erasure(session, Viewer("key:x", Role.CSM), new_id(), now=kit.clock.now())
