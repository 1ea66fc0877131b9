"""Health rolled up: exact sums weighted by revenue, and what has no value counted beside them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from hub.access.service import SYSTEM, Role, Viewer
from hub.accounts.service import mark_all_changed, set_parent
from hub.health.rollups import of_families, of_segments
from hub.kit.errors import Invalid, NotAllowed, NotFound
from tests.graphql.conftest import counted

if TYPE_CHECKING:
    from tests.health.conftest import World

CSM = Viewer("key:anna", Role.CSM)


async def _account(world: World, people: int | None, mrr: int | None, parent: UUID | None = None) -> UUID:
    account = await world.account(first_seen=world.now - timedelta(days=100))
    if people is not None:
        await world.event(account, "product.used", people=people)
    if mrr is not None:
        await world.event(
            account,
            "subscription.started",
            subject_type="subscription",
            subject_id="s",
            subject_state="active",
            attributes={"mrr_minor": mrr},
        )
    await world.score(account)
    if parent is not None:
        await _place(world, account, parent)
    return account


async def _place(world: World, account: UUID, parent: UUID | None) -> None:
    async with world.kit.transaction() as session:
        await set_parent(session, CSM, account, parent, world.now)


async def test_a_segment_is_the_exact_mean_by_revenue(world: World) -> None:
    """A big account weighs more; one without revenue is counted and weighs nothing; the sums are whole numbers."""
    await _account(world, 9, 30_000)
    await _account(world, 3, 10_000)
    await _account(world, 10, None)
    async with world.kit.reading() as session:
        with counted(world.kit) as statements:
            (found,) = (await of_segments(session, SYSTEM)).values()
    assert len(statements) == 1
    assert (found.accounts, found.weighed, found.unvalued, found.unscored) == (3, 2, 1, 0)
    assert found.weighted == 90_000_000 * 360_000 + 30_000_000 * 120_000
    assert (found.revenue_minor, found.micro_points) == (480_000, 75_000_000)
    assert (found.red, found.yellow, found.green) == (1, 0, 2)


async def test_a_family_counts_all_that_are_below(world: World) -> None:
    """The account itself, its children, theirs, and those of an account that was merged into it."""
    top = await _account(world, 10, 10_000)
    child = await _account(world, 5, 10_000, top)
    await _account(world, 0, 20_000, child)
    gone = await _account(world, 10, 10_000)
    await _account(world, 4, 40_000, gone)
    async with world.kit.transaction() as session:
        await session.execute(
            text("UPDATE account SET merged_into = :top WHERE id = :gone"), {"top": top, "gone": gone}
        )
    async with world.kit.reading() as session:
        found = await of_families(session, SYSTEM, [top, child, uuid4()])
    assert found[child].accounts == 2
    assert (found[top].accounts, found[top].revenue_minor) == (4, 12 * 80_000)
    assert found[top].micro_points == (100 * 10 + 50 * 10 + 0 * 20 + 40 * 40) * 1_000_000 // 80


async def test_nothing_that_weighs_has_no_mean(world: World) -> None:
    """Without any revenue there is no number, and it is said why."""
    account = await _account(world, 10, None)
    async with world.kit.reading() as session:
        found = (await of_families(session, SYSTEM, [account]))[account]
    assert (found.micro_points, found.unvalued, found.weighed) == (None, 1, 0)


async def test_a_family_has_no_circle(world: World) -> None:
    """Neither itself nor anything below it can be an account's parent; strangers and viewers are refused."""
    top, child = await _account(world, 1, 1), await _account(world, 1, 1)
    await _place(world, child, top)
    for parent in (top, child):
        with pytest.raises(Invalid):
            await _place(world, top, parent)
    with pytest.raises(NotFound):
        await _place(world, child, uuid4())
    async with world.kit.transaction() as session:
        with pytest.raises(NotAllowed):
            await set_parent(session, Viewer("key:eve", Role.VIEWER), child, None, world.now)
    await _place(world, child, None)
    async with world.kit.reading() as session:
        assert (await of_families(session, SYSTEM, [top]))[top].accounts == 1
        noted = await session.execute(text("SELECT details->>'parent_id' FROM audit_entry ORDER BY id"))
        assert list(noted.scalars()) == [str(top), None]


async def test_all_accounts_are_scored_again(world: World) -> None:
    """One statement puts every account on the list, due now, whether it was there or not."""
    first, second = await _account(world, 1, 1), await _account(world, 1, 1)
    later = world.now + timedelta(days=1)
    async with world.kit.transaction() as session:
        await mark_all_changed(session, later)
        await mark_all_changed(session, world.now)
    async with world.kit.reading() as session:
        found = await session.execute(text("SELECT key, due_at FROM work_item WHERE list = 'accounts_to_score'"))
        assert {key: at for key, at in found} == {str(first): world.now, str(second): world.now}  # noqa: C416
