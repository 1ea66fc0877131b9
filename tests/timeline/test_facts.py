"""What the hub itself finds or decides is on the account's timeline, at the account's own place."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from hub import sdk
from hub.accounts.service import own_place_id
from hub.kit.errors import Invalid
from hub.kit.runtime import Kit
from hub.timeline.service import Fact, append_fact, append_facts, fingerprint
from tests.timeline.acme import NOW, Named, Record, Told, tell

ACME = Named(place="group:1", keys=["segment.group=1"])
AT = datetime(2026, 5, 1, tzinfo=UTC)


async def account(kit: Kit, acme: UUID) -> UUID:
    await tell(kit, acme, Record(id="r1", events=[Told(at=AT, account=ACME)]))
    async with kit.transaction() as session:
        await session.execute(text("DELETE FROM work_item"))
        found: UUID = (await session.execute(text("SELECT id FROM account"))).scalar_one()
    return found


async def test_a_fact_is_appended_once(kit: Kit, acme: UUID) -> None:
    """Told twice it is one event; it marks nobody for scoring and is no part of what vendors told."""
    account_id = await account(kit, acme)
    async with kit.reading() as session:
        before = await fingerprint(session)
    run = UUID(int=9)
    for _ in range(2):
        async with kit.transaction() as session:
            await append_fact(
                session, account_id, "run.started", occurred_at=AT, natural_key="run:9", now=NOW, title="Win back",
                attributes={"play": "win_back"}, subject=sdk.Subject("run", "9", "running"), people=[UUID(int=5)],
                caused_by_run=run,
            )  # fmt: skip
    async with kit.reading() as session:
        (event,) = (await session.execute(text("SELECT * FROM event WHERE connection_id IS NULL"))).all()
        assert (await session.execute(text("SELECT count(*) FROM work_item"))).scalar_one() == 0
        assert await fingerprint(session) == before
    assert event.source_account_id == own_place_id(account_id)
    assert (event.kind, event.flow, event.title, event.caused_by_run) == ("run.started", "meta", "Win back", run)
    assert (event.subject_type, event.subject_id, event.subject_state) == ("run", "9", "running")
    assert (event.attributes, event.people, event.recorded_at) == ({"play": "win_back"}, [UUID(int=5)], NOW)


async def test_many_facts_are_appended_together(kit: Kit, acme: UUID) -> None:
    """The same natural key under another kind is another fact."""
    account_id = await account(kit, acme)
    kinds = ("stage.entered", "milestone.reached", "milestone.reached")
    facts = [Fact(account_id, kind, AT, f"key:{min(number, 1)}") for number, kind in enumerate(kinds)]
    async with kit.transaction() as session:
        await append_facts(session, facts, now=NOW)
    async with kit.reading() as session:
        found = await session.execute(text("SELECT kind FROM event WHERE connection_id IS NULL ORDER BY kind"))
        assert found.scalars().all() == ["milestone.reached", "stage.entered"]


async def test_a_fact_of_no_known_kind_is_refused(kit: Kit, acme: UUID) -> None:
    """As is one without a time zone."""
    account_id = await account(kit, acme)
    for kind, at in (("moon.landed", AT), ("stage.entered", datetime(2026, 5, 1))):  # noqa: DTZ001  # naive on purpose
        with pytest.raises(Invalid):
            async with kit.transaction() as session:
                await append_fact(session, account_id, kind, occurred_at=at, natural_key="k", now=NOW)
