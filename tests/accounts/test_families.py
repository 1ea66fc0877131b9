"""Families of accounts: what vendors tell in any order, and what a person says against them."""

from __future__ import annotations

from uuid import UUID

from hub.accounts import service
from hub.kit.runtime import Kit
from tests.accounts.world import BILLING, CSM, NOW, PRODUCT, accounts, home, show, snapshot


async def _parents(kit: Kit) -> dict[str, str | None]:
    """The name of each account's parent."""
    found = await accounts(kit)
    return {one.name: found[one.parent_id].name if one.parent_id else None for one in found.values()}


async def _home(kit: Kit, source: UUID) -> UUID:
    found = await home(kit, source)
    assert found is not None
    return found


async def test_the_parent_is_found_whichever_came_first(kit: Kit) -> None:
    """A child that knows its parent, and one whose parent comes later; neither becomes the same account."""
    await show(kit, BILLING, "c:1", "external:crm.account=1", "^external:crm.account=9", name="Early")
    await show(kit, BILLING, "c:9", "external:crm.account=9", name="Holding")
    await show(kit, BILLING, "c:2", "external:crm.account=2", "^external:crm.account=9", name="Late")
    assert await _parents(kit) == {"Early": "Holding", "Late": "Holding", "Holding": None}


async def test_a_person_knows_better(kit: Kit) -> None:
    """What somebody said stands, also that there is no parent, whatever the vendors tell later."""
    await show(kit, BILLING, "c:9", "external:crm.account=9", name="Holding")
    child = await show(kit, BILLING, "c:1", "external:crm.account=1", "^external:crm.account=9", name="Child")
    async with kit.transaction() as session:
        await service.set_parent(session, CSM, await _home(kit, child), None, NOW)
    await show(kit, BILLING, "c:1", "external:crm.account=1", "^external:crm.account=9", plan="growth")
    assert await _parents(kit) == {"Child": None, "Holding": None}


async def test_a_merge_takes_the_family_along_and_undoing_it_brings_it_back(kit: Kit) -> None:
    """The survivor's family is what the sources of both say; afterwards everything is as before."""
    await show(kit, BILLING, "c:9", "external:crm.account=9", name="Holding")
    one = await show(kit, BILLING, "c:1", "external:crm.account=1", "^external:crm.account=9", name="One")
    other = await show(kit, PRODUCT, "g:1", "segment.group=1", name="Other")
    await show(kit, PRODUCT, "g:2", "segment.group=2", "^external:crm.account=1", name="Below")
    before = await snapshot(kit)
    winner, loser = await _home(kit, other), await _home(kit, one)
    async with kit.transaction() as session:
        merge_id = await service.merge(session, CSM, winner, loser, "the same", NOW)
    found = await accounts(kit)
    holding = next(account.id for account in found.values() if account.name == "Holding")
    assert found[winner].parent_id == holding
    assert next(account.parent_id for account in found.values() if account.name == "Below") == winner
    async with kit.transaction() as session:
        await service.undo_merge(session, CSM, merge_id, NOW)
    assert await snapshot(kit) == before
