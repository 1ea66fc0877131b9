"""Whose account it is: what vendors tell, what a person says against them, and who was known to own it when."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from hub.access.service import Role, Viewer
from hub.accounts import service
from hub.accounts.knowing import known_accounts
from hub.kit.errors import Invalid, NotAllowed, NotFound
from hub.kit.runtime import Kit
from tests.accounts.world import BILLING, CSM, NOW, PRODUCT, accounts, home, show

HOUR = timedelta(hours=1)


async def assign(kit: Kit, account: UUID, owner: str | None, hours: int) -> None:
    async with kit.transaction() as session:
        await service.assign_owner(session, CSM, account, owner, NOW + hours * HOUR)


async def owner(kit: Kit, account: UUID, hours: float | None = None) -> str | None:
    """Who owns the account, now or as known so many hours after the start."""
    async with kit.reading() as session:
        (found,) = await known_accounts(session, [account], None if hours is None else NOW + hours * HOUR)
    return found.owner


async def test_a_persons_word_stands_until_it_is_taken_back(kit: Kit) -> None:
    """What vendors tell meanwhile is noted, and counts afterwards; every moment can be asked for again."""
    source = await show(kit, PRODUCT, "group:1", "segment.group=1", owner="ada")
    (account,) = await accounts(kit)
    assert await home(kit, source) == account
    await assign(kit, account, " kim ", 1)
    await assign(kit, account, "kim", 2)
    await show(kit, BILLING, "customer:1", "external:stripe.customer=1", "segment.group=1", owner="zoe")
    assert await owner(kit, account) == "kim"
    await assign(kit, account, None, 3)
    assert await owner(kit, account) == "zoe"
    await assign(kit, account, None, 4)
    async with kit.reading() as session:
        noted = await session.execute(text("SELECT owner, assigned_by FROM account_owner ORDER BY id"))
        audited = await session.execute(text("SELECT details FROM audit_entry WHERE action = 'account.owner_assigned'"))
        assert noted.all() == [("ada", None), ("kim", "key:kim"), ("zoe", None), (None, "key:kim")]
        assert audited.scalars().all() == [{"owner": "kim"}, {"owner": None}]
    # The customer was shown at the start of the test's clock, so the vendors' word is zoe's from then on.
    assert [await owner(kit, account, hours) for hours in (-1, 0, 1, 2, 2.9, 3, 9)] == [
        None,
        "zoe",
        "kim",
        "kim",
        "kim",
        "zoe",
        "zoe",
    ]


async def test_the_survivors_owner_counts_and_an_undone_merge_gives_both_back(kit: Kit) -> None:
    """An assignment stays with its account."""
    winner, loser = [
        await home(kit, await show(kit, PRODUCT, f"group:{number}", f"segment.group={number}", owner=name))
        for number, name in ((1, "ada"), (2, "ben"))
    ]
    assert winner
    assert loser
    await assign(kit, loser, "kim", 1)
    async with kit.transaction() as session:
        merge = await service.merge(session, CSM, winner, loser, "the same", NOW + 2 * HOUR)
    # Told at one time, so of the vendors' two words the last in order stands.
    assert await owner(kit, winner) == "ben"
    async with kit.transaction() as session:
        await service.undo_merge(session, CSM, merge, NOW + 3 * HOUR)
    assert [await owner(kit, one) for one in (winner, loser)] == ["ada", "kim"]
    assert [await owner(kit, winner, hours) for hours in (1, 2, 3)] == ["ada", "ben", "ada"]


async def test_the_account_is_scored_anew_when_its_owner_changes(kit: Kit) -> None:
    """Rules may name the owner; the owner that it has already changes nothing."""
    await show(kit, PRODUCT, "group:1", "segment.group=1")
    (account,) = await accounts(kit)
    marks = text("SELECT generation FROM work_item WHERE list = :list AND key = :key")
    found = []
    for name in ("kim", "kim", "ben"):
        await assign(kit, account, name, 1)
        async with kit.reading() as session:
            mark = await session.execute(marks, {"list": service.TO_SCORE, "key": str(account)})
            found.append(mark.scalar_one())
    assert found == [1, 1, 2]


async def test_who_may_not_and_what_cannot_be(kit: Kit) -> None:
    """A viewer, an account that there is not, and a name that is none are refused."""
    await show(kit, PRODUCT, "group:1", "segment.group=1")
    (account,) = await accounts(kit)
    async with kit.transaction() as session:
        with pytest.raises(NotAllowed):
            await service.assign_owner(session, Viewer("key:eye", Role.VIEWER), account, "kim", NOW)
        with pytest.raises(NotFound):
            await service.assign_owner(session, CSM, UUID(int=5), "kim", NOW)
        for name in (" ", "x" * 201, "a\0"):
            with pytest.raises(Invalid, match="1 to 200"):
                await service.assign_owner(session, CSM, account, name, NOW)
