"""Applying puts a document in force once, notes who did it, and has every account scored under it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from hub.access.service import Role, Viewer
from hub.accounts.service import TO_SCORE
from hub.blueprint import service as blueprints
from hub.blueprint.service import BlueprintInvalid
from hub.health import service as health
from hub.health.jobs import drain_accounts_to_score
from hub.journeys.model import Stay
from hub.kit.clock import FrozenClock
from hub.kit.errors import NotAllowed
from hub.sections import applying
from tests.health.conftest import BLUEPRINT, World

ADMIN = Viewer("key:ada", Role.ADMIN)


async def apply(world: World, document: dict[str, Any], viewer: Viewer = ADMIN) -> applying.Applied:
    async with world.kit.transaction() as session:
        return await applying.apply(session, viewer, document, comment="because", now=world.now)


async def rows(world: World, statement: str) -> list[Any]:
    async with world.kit.reading() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


async def test_a_change_is_a_version_that_is_noted_told_and_scored(world: World, draft: dict[str, Any]) -> None:
    """Who and why stand with the version and in the audit log; every account is marked."""
    accounts = [await world.account() for _ in range(3)]
    done = await apply(world, draft)
    assert done == applying.Applied(done.version, done.version - 1, 3)
    (version, _) = await rows(world, "SELECT applied_by, comment FROM blueprint_version ORDER BY version DESC")
    assert version == ("key:ada", "because")
    audited = await rows(world, "SELECT actor, subject, details ->> 'comment' FROM audit_entry")
    assert audited == [("key:ada", f"blueprint:{done.version}", "because")]
    assert await rows(world, "SELECT topic FROM outbox") == [("blueprint.applied",)]
    marked = await rows(world, f"SELECT key FROM work_item WHERE list = '{TO_SCORE}'")
    assert {key for (key,) in marked} == {str(account) for account in accounts}


async def test_what_is_in_force_is_left_alone(world: World) -> None:
    """No version, no note, no work."""
    await world.account()
    done = await apply(world, BLUEPRINT)
    assert not done.changed
    assert (done.version, done.accounts) == (done.previous, 0)
    assert await rows(world, "SELECT 1 FROM audit_entry UNION ALL SELECT 1 FROM outbox") == []
    assert await rows(world, "SELECT 1 FROM work_item") == []


async def test_a_broken_document_never_replaces_a_good_one(world: World, draft: dict[str, Any]) -> None:
    """It is refused with all that is wrong, and the version stays."""
    del draft["measures"]["nps"]
    async with world.kit.reading() as session:
        before = await blueprints.version_in_force(session)
    with pytest.raises(BlueprintInvalid, match="'nps'"):
        await apply(world, draft)
    async with world.kit.reading() as session:
        assert await blueprints.version_in_force(session) == before


async def test_several_servers_that_start_with_one_document_note_it_once(world: World, draft: dict[str, Any]) -> None:
    """One version, one note, one fact."""
    await world.account()
    done = await asyncio.gather(*(apply(world, draft) for _ in range(5)))
    assert sum(one.changed for one in done) == 1
    assert len({one.version for one in done}) == 1
    assert await rows(world, "SELECT count(*) FROM audit_entry UNION ALL SELECT count(*) FROM outbox") == [(1,), (1,)]


async def test_it_takes_an_admin(world: World, draft: dict[str, Any]) -> None:
    """A csm works with accounts and does not change what health means."""
    with pytest.raises(NotAllowed):
        await apply(world, draft, Viewer("key:anna", Role.CSM))


async def test_scores_remember_their_version_and_the_change_names_it(world: World, draft: dict[str, Any]) -> None:
    """The worker scores every account under the new version, and the change of version is a term of the explanation."""
    account = await world.account()
    await world.event(account, "product.used", people=10)
    await world.score(account)
    del draft["journeys"]["smb"]["transitions"][0]
    world.now += timedelta(hours=1)
    done = await apply(world, draft)
    assert await drain_accounts_to_score(replace(world.kit, clock=FrozenClock(world.now))) == 1
    old, new = await world.scores(account)
    assert (old.blueprint_version, new.blueprint_version) == (done.previous, done.version)
    (stay,) = await world.rows(Stay, account)
    assert stay.blueprint_version == done.previous
    async with world.kit.reading() as session:
        explained = await health.explain(session, account, old.as_of, new.as_of)
    terms = {term.cause: (term.before, term.after) for term in explained.terms if term.micro_points}
    assert terms == {health.Cause.BLUEPRINT: (done.previous, done.version)}
    assert explained.difference == sum(term.micro_points for term in explained.terms) == -50_000_000
