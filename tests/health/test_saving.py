"""The watch list in people's hands: its statuses, its clock, its history, and coming back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from hub.access.service import SYSTEM, Role, Viewer
from hub.health.model import Watch, WatchStep
from hub.health.queries import WatchFilter, watch_list, watch_steps
from hub.health.saving import assign_watch, move_watch, plan_watch, watch_account
from hub.health.vocabulary import WatchStatus
from hub.kit.errors import Conflict, Invalid, NotAllowed, NotFound
from hub.kit.paging import Page

if TYPE_CHECKING:
    from tests.health.conftest import World

CSM = Viewer("key:anna", Role.CSM)
DAY = timedelta(days=1)


async def _account(world: World, people: int = 10) -> UUID:
    account = await world.account(owner="anna", first_seen=world.now - 100 * DAY)
    await world.event(account, "product.used", people=people)
    await world.event(
        account,
        "subscription.started",
        subject_type="subscription",
        subject_id=str(account),
        subject_state="active",
        currency="EUR",
        attributes={"mrr_minor": 10_000},
    )
    await world.score(account)
    return account


async def _add(world: World, account: UUID, reason: str = "They asked for a quote elsewhere") -> Watch:
    async with world.kit.transaction() as session:
        return await watch_account(session, CSM, account, reason, world.now)


async def _move(world: World, entry: Watch, status: WatchStatus, **more: Any) -> Watch:
    async with world.kit.transaction() as session:
        return await move_watch(session, CSM, entry.id, status, world.now, **more)


async def _steps(world: World, entry: Watch) -> list[WatchStep]:
    async with world.kit.reading() as session:
        return (await watch_steps(session, SYSTEM, [entry.id]))[entry.id]


async def test_a_person_puts_an_account_on_the_list(world: World) -> None:
    """With their word, what a year is worth, and the account's owner; the same again changes nothing, another word is
    another reason."""
    account = await _account(world)
    entry = await _add(world, account)
    assert (entry.status, entry.owner, entry.revenue_at_risk_minor, entry.currency) == (
        "at_risk",
        "anna",
        120_000,
        "EUR",
    )
    assert [reason["text"] for reason in entry.reasons] == ["They asked for a quote elsewhere"]
    assert (await _add(world, account)).version == 1
    assert len((await _add(world, account, "And they hired a consultant")).reasons) == 2
    assert len(await world.rows(Watch, account)) == 1


async def test_two_people_at_once_make_one_entry(world: World) -> None:
    """Whoever comes second adds a reason."""
    account = await _account(world)
    await asyncio.gather(*(_add(world, account, f"Reason {nth}") for nth in range(4)))
    (entry,) = await world.rows(Watch, account)
    assert sorted(reason["text"] for reason in entry.reasons) == [f"Reason {nth}" for nth in range(4)]


async def test_a_red_band_puts_it_on_the_list_once_and_green_takes_it_off(world: World) -> None:
    """Becoming red is the reason, staying red is none; green again is recovered."""
    account = await _account(world, people=2)
    (entry,) = await world.rows(Watch, account)
    assert [reason["band"] for reason in entry.reasons] == ["red"]
    world.now += DAY
    await world.event(account, "product.used", people=3)
    await world.score(account)
    await world.event(account, "product.used", people=10)
    await world.score(account)
    (entry,) = await world.rows(Watch, account)
    assert (entry.status, entry.ended_at, len(entry.reasons)) == ("recovered", world.now, 1)
    assert [(step.status, step.by) for step in await _steps(world, entry)] == [("at_risk", "hub"), ("recovered", "hub")]


async def test_its_life_is_kept_and_the_clock_starts_again(world: World) -> None:
    """Every status with who and when; the end stops the clock; the account comes back as a new entry."""
    account = await _account(world)
    entry = await _add(world, account)
    start = world.now
    for days, status in enumerate((WatchStatus.PLAN_IN_PLACE, WatchStatus.SAVING, WatchStatus.LOST), 1):
        world.now = start + days * DAY
        entry = await _move(world, entry, status, note=f"day {days}")
        assert (await _move(world, entry, status)).version == days + 1
    assert (entry.ended_at, entry.status_since) == (start + 3 * DAY, start + 3 * DAY)
    assert [(step.status, step.at - start, step.note) for step in await _steps(world, entry)] == [
        ("at_risk", 0 * DAY, "They asked for a quote elsewhere"),
        ("plan_in_place", DAY, "day 1"),
        ("saving", 2 * DAY, "day 2"),
        ("lost", 3 * DAY, "day 3"),
    ]
    with pytest.raises(Invalid):
        await _move(world, entry, WatchStatus.SAVING)
    world.now += DAY
    again = await _add(world, account)
    assert (again.id != entry.id, again.entered_at) == (True, world.now)
    announced = await world.announced(account)
    assert [topic for topic in announced if topic.startswith("watch.")] == [
        *["watch.entered", "watch.moved", "watch.moved", "watch.left", "watch.entered"]
    ]


async def test_what_the_hub_adds_leaves_a_person_s_status_alone(world: World) -> None:
    """A further reason while it is being saved: the status stays, and its clock goes on."""
    account = await _account(world)
    entry = await _add(world, account)
    await _move(world, entry, WatchStatus.SAVING)
    world.now += DAY
    for _ in range(8):
        await world.event(account, "survey.answered", value=0.0, days_ago=0)
    await world.event(account, "invoice.payment_failed")
    await world.score(account)
    (entry,) = await world.rows(Watch, account)
    assert (entry.status, entry.status_since) == ("saving", world.now - DAY)


async def test_who_saves_it_and_what_is_next(world: World) -> None:
    """Both are noted in the audit log, and nothing is noted twice; a moment without an action is refused."""
    account = await _account(world)
    entry = await _add(world, account)
    due = world.now + 2 * DAY
    for _ in range(2):
        async with world.kit.transaction() as session:
            await assign_watch(session, CSM, entry.id, "ben", world.now)
            planned = await plan_watch(session, CSM, entry.id, "Call their CFO", due, world.now)
    assert (planned.owner, planned.next_action, planned.next_action_due) == ("ben", "Call their CFO", due)
    async with world.kit.transaction() as session:
        with pytest.raises(Invalid):
            await plan_watch(session, CSM, entry.id, None, due, world.now)
    async with world.kit.reading() as session:
        actions = await session.execute(text("SELECT action FROM audit_entry ORDER BY id"))
        assert list(actions.scalars()) == ["watch.entered", "watch.assigned", "watch.planned"]
        for wanted, count in ((due, 1), (world.now, 0)):
            found = await watch_list(session, CSM, Page(5), WatchFilter(owners=("ben",), due_by=wanted))
            assert len(found.rows) == count


async def test_what_cannot_be(world: World) -> None:
    """No empty reason, no stranger, no churned account, no viewer, and nobody overwrites what they have not read."""
    account = await _account(world)
    entry = await _add(world, account)
    with pytest.raises(Invalid):
        await _add(world, account, " ")
    with pytest.raises(NotFound):
        await _add(world, uuid4())
    with pytest.raises(Conflict):
        await _move(world, entry, WatchStatus.SAVING, expected_version=7)
    async with world.kit.transaction() as session:
        with pytest.raises(NotFound):
            await move_watch(session, CSM, uuid4(), WatchStatus.SAVING, world.now)
        with pytest.raises(NotAllowed):
            await move_watch(session, Viewer("key:eve", Role.VIEWER), entry.id, WatchStatus.LOST, world.now)
    gone = await _account(world)
    await world.event(gone, "subscription.canceled", days_ago=0)
    await world.score(gone)
    with pytest.raises(Invalid):
        await _add(world, gone)
