"""Recording what customers say: once, on the timeline, told and noted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer
from hub.accounts.model import Account, Person
from hub.feedback import service
from hub.feedback.model import Feedback, FeedbackKind
from hub.kit.errors import Invalid, NotAllowed, NotFound
from hub.kit.ids import derived_id
from hub.kit.runtime import Kit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CSM = Viewer("key:csm", Role.CSM)
ACCOUNT, OTHER, PERSON = (derived_id("feedback", name) for name in ("account", "other", "person"))


@pytest.fixture(autouse=True)
async def _accounts(kit: Kit) -> None:
    """Two accounts, a person at the first one."""
    async with kit.transaction() as session:
        for id_, name in ((ACCOUNT, "Acme"), (OTHER, "Other")):
            session.add(Account(id=id_, name=name, time_zone="UTC", facts={}, created_at=NOW, first_seen_at=NOW))
        await session.flush()
        session.add(Person(id=PERSON, account_id=ACCOUNT, name="Grace", do_not_contact=False, first_seen_at=NOW))


async def record(session: AsyncSession, words: str = "Please add an export.", **more: Any) -> Feedback:
    given = {
        "viewer": CSM,
        "account_id": ACCOUNT,
        "kind": FeedbackKind.REQUEST,
        "person_id": PERSON,
        "theme": "exports",
        "idempotency_key": None,
        "now": NOW,
        **more,
    }
    return await service.record(session, text=words, **given)


async def rows(kit: Kit, statement: str) -> list[Any]:
    async with kit.reading() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


async def test_it_is_kept_told_noted_and_on_the_timeline(kit: Kit) -> None:
    """One thing said is a row, a fact of the outbox, an event of the hub's own, and an entry of the audit log."""
    async with kit.transaction() as session:
        feedback = await record(session)
    assert (feedback.text, feedback.status, feedback.recorded_by) == ("Please add an export.", "new", "key:csm")
    assert await rows(kit, "SELECT topic, key, payload ->> 'feedback_id' FROM outbox") == [
        ("feedback.recorded", str(ACCOUNT), str(feedback.id))
    ]
    (event,) = await rows(
        kit,
        "SELECT e.kind, e.flow, e.title, s.account_id, e.attributes ->> 'theme' "
        "FROM event e JOIN source_account s ON s.id = e.source_account_id",
    )
    assert event == ("feedback.recorded", "meta", "Please add an export.", ACCOUNT, "exports")
    assert await rows(kit, "SELECT actor, action, subject FROM audit_entry") == [
        ("key:csm", "feedback.recorded", f"feedback:{feedback.id}")
    ]


async def test_the_same_key_records_nothing_twice(kit: Kit) -> None:
    """Also when both come at the same moment: the database lets one of them through."""

    async def once() -> UUID:
        async with kit.transaction() as session:
            return (await record(session, idempotency_key="call-1")).id

    first, second = await asyncio.gather(once(), once())
    assert first == second == await once()
    for table in ("feedback", "outbox", "event", "audit_entry"):
        assert await rows(kit, f"SELECT count(*) FROM {table}") == [(1,)], table


async def test_a_key_belongs_to_whoever_used_it(kit: Kit) -> None:
    """Another client may use the same text for something else; the same client may not."""
    async with kit.transaction() as session:
        first = await record(session, idempotency_key="1")
        other = await record(session, "Other words.", idempotency_key="1", viewer=Viewer("key:app", Role.CSM))
        assert first.id != other.id
        for changed in ({"words": "Other words."}, {"account_id": OTHER, "person_id": None}):
            with pytest.raises(Invalid) as refused:
                await record(session, idempotency_key="1", **changed)
            assert refused.value.path == ("idempotencyKey",)


async def test_it_takes_a_csm(kit: Kit) -> None:
    """Other roles record nothing."""
    async with kit.transaction() as session:
        for role in (Role.VIEWER, Role.MARKETING, Role.INGEST, Role.PLUGIN):
            with pytest.raises(NotAllowed):
                await record(session, viewer=Viewer("key:x", role))


async def test_what_is_refused(kit: Kit) -> None:
    """Unknown accounts and people, texts that are empty or endless, people of another account."""
    async with kit.transaction() as session:
        for missing in ({"account_id": uuid4()}, {"person_id": uuid4()}):
            with pytest.raises(NotFound):
                await record(session, **missing)
        for words in ("", "  \n", "a\x00b", "x" * (service.LONGEST_TEXT + 1)):
            with pytest.raises(Invalid) as refused:
                await record(session, words)
            assert refused.value.path == ("text",)
        with pytest.raises(Invalid):
            await record(session, theme="x" * (service.LONGEST_THEME + 1))
        with pytest.raises(Invalid) as refused:
            await record(session, account_id=OTHER)
        assert refused.value.path == ("person",)
    assert await rows(kit, "SELECT count(*) FROM feedback") == [(0,)]


async def test_the_timeline_shows_a_long_text_in_one_line(kit: Kit) -> None:
    """The title is cut, the feedback is not."""
    async with kit.transaction() as session:
        feedback = await record(session, "word " * 100)
    ((title,),) = await rows(kit, "SELECT title FROM event")
    assert len(title) == service.TITLE_LENGTH
    assert title.endswith("…")
    assert len(feedback.text) > 400


async def test_the_id_of_a_merged_account_leads_to_where_it_went(kit: Kit) -> None:
    """What is said about a company that was merged is said about the survivor."""
    async with kit.transaction() as session:
        await session.execute(text("UPDATE account SET merged_into = :to WHERE id = :id"), {"to": ACCOUNT, "id": OTHER})
        feedback = await record(session, account_id=OTHER)
    assert feedback.account_id == ACCOUNT
