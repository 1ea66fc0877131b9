"""A plan says what a draft would change, and changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from hub.access.service import SYSTEM, Role, Viewer
from hub.blueprint import service as blueprints
from hub.blueprint.service import BlueprintInvalid, Change, ChangeKind
from hub.health.previewing import Place, known, preview
from hub.health.vocabulary import Band
from hub.journeys.model import Stay
from hub.kit.errors import NotAllowed
from hub.sections import planning
from tests.health.conftest import BLUEPRINT, World

TABLES = ("event", "health", "score", "stay", "milestone_progress", "alert", "watch", "outbox", "work_item")


async def plan(world: World, document: dict[str, Any], **options: Any) -> planning.Plan:
    async with world.kit.reading() as session:
        return await planning.plan(session, SYSTEM, document, now=world.now, **options)


async def rows(world: World) -> dict[str, int]:
    async with world.kit.reading() as session:
        return {table: (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() for table in TABLES}


async def test_a_plan_counts_and_names_the_accounts_that_change(world: World, draft: dict[str, Any]) -> None:
    """Stages and bands from → to over the whole base, the first accounts by name, and every entry that differs."""
    old = await world.account(first_seen=world.now - timedelta(days=30))
    new = await world.account()
    strong = await world.account()
    for account, people in ((old, 10), (new, 10), (strong, 20)):
        await world.event(account, "product.used", people=people)
    await world.score(old, new, strong)
    before = await rows(world)
    seen: list[int] = []
    found = await plan(world, draft, progress=seen.append)
    assert (found.accounts, found.moved, seen) == (3, 2, [3])
    assert found.stages == {("smb.onboarding", "smb.pre_renewal"): 1}
    assert found.bands == {("green", "yellow"): 2}
    assert [(one.account_id, one.name) for one in found.first] == [(id_, "Acme") for id_ in sorted([old, new])]
    moves = {one.account_id: (one.before, one.after) for one in found.first}
    assert moves[old] == (Place("smb", "onboarding", Band.GREEN), Place("smb", "pre_renewal", Band.YELLOW))
    assert [(change.kind, change.section, change.entry) for change in found.changes] == [
        (ChangeKind.CHANGED, "journeys", "smb"),
        (ChangeKind.CHANGED, "profiles", "smb"),
    ]
    assert await rows(world) == before


async def test_a_difference_comes_from_the_draft_and_not_from_time(world: World, draft: dict[str, Any]) -> None:
    """An account whose score is out of date is compared with what it would be now under the version in force."""
    account = await world.account()
    await world.event(account, "product.used", people=10)
    await world.score(account)
    world.now += timedelta(days=60)
    del draft["journeys"]["smb"]["transitions"][0]
    found = await plan(world, draft)
    assert (await world.health(account)).band == "green"
    assert (found.accounts, found.moved) == (1, 0)


async def test_a_plan_is_what_applying_then_does(world: World, draft: dict[str, Any]) -> None:
    """Applied and scored at the same moment, every account is where the plan said."""
    accounts = [await world.account(first_seen=world.now - timedelta(days=days)) for days in (5, 15, 25, 95)]
    for nth, account in enumerate(accounts):
        await world.event(account, "product.used", people=4 + 4 * nth)
    await world.score(*accounts)
    found = await plan(world, draft)
    assert found.moved == 2
    async with world.kit.reading() as session:
        current = await blueprints.current(session)
        frame = await known(session, current, accounts, world.now)
        stood = await preview(session, current, frame, world.now)
    await world.apply(draft)
    await world.score(*accounts)
    planned = {one.account_id: one.after for one in found.first}
    for account in accounts:
        health = await world.health(account)
        (*_, stay) = await world.rows(Stay, account)
        now = Place(stay.segment, stay.stage, Band(health.band))
        assert now == planned.get(account, stood[account])


async def test_only_the_first_accounts_are_named(world: World, draft: dict[str, Any]) -> None:
    """However many change, as many are named as were asked for, over several batches too."""
    accounts = [await world.account(first_seen=world.now - timedelta(days=30)) for _ in range(3)]
    planning_batch, planning.BATCH = planning.BATCH, 2  # type: ignore[misc]  # small batches for three accounts
    try:
        found = await plan(world, draft, first=2)
    finally:
        planning.BATCH = planning_batch  # type: ignore[misc]
    assert (found.accounts, found.moved) == (3, 3)
    assert [one.account_id for one in found.first] == sorted(accounts)[:2]


async def test_without_a_difference_no_account_is_read(world: World) -> None:
    """The document in force changes nothing."""
    await world.account()
    found = await plan(world, BLUEPRINT)
    assert found.changes_nothing
    assert found.accounts == 0


async def test_the_first_blueprint_places_everybody(world: World) -> None:
    """Where none is in force every entry is new, and every account enters its journey."""
    async with world.kit.transaction() as session:
        await session.execute(text("DELETE FROM blueprint_version"))
    await world.account()
    found = await plan(world, BLUEPRINT)
    assert found.version is None
    assert {change.kind for change in found.changes} == {ChangeKind.ADDED}
    assert found.stages == {("", "smb.onboarding"): 1}


async def test_a_plan_takes_an_admin_and_a_document_that_is_right(world: World, draft: dict[str, Any]) -> None:
    """Nobody else, and nothing else."""
    async with world.kit.reading() as session:
        with pytest.raises(NotAllowed):
            await planning.plan(session, Viewer("key:anna", Role.CSM), draft, now=world.now)
        with pytest.raises(BlueprintInvalid):
            await planning.plan(session, SYSTEM, {**draft, "name": ""}, now=world.now)
    assert Change(ChangeKind.ADDED, "alerts", "x") in blueprints.changes(
        BLUEPRINT, {**BLUEPRINT, "alerts": {**BLUEPRINT["alerts"], "x": {}}}
    )


async def test_a_draft_that_measures_something_else_is_compared_too(world: World, draft: dict[str, Any]) -> None:
    """Each side is worked out from its own measures, and the number of statements does not follow the accounts."""
    draft["measures"]["people_28d"] = {"kind": "people", "of": ["product.used"], "window": "7d"}
    del draft["journeys"]["smb"]["transitions"][0]
    draft["profiles"] = BLUEPRINT["profiles"]
    counts = []
    for _ in range(2):
        account = await world.account()
        await world.event(account, "product.used", people=10, days_ago=9)
        statements: list[str] = []
        engine = world.kit.database.engine.sync_engine

        def note(*arguments: object, into: list[str] = statements) -> None:
            into.append(str(arguments[2]))

        event.listen(engine, "before_cursor_execute", note)
        found = await plan(world, draft)
        event.remove(engine, "before_cursor_execute", note)
        counts.append(len(statements))
    assert found.bands == {("green", "red"): 2}
    assert counts[0] == counts[1]
