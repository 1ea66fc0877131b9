"""A person's merge joins two accounts, and undoing it restores both exactly."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from hub import sdk
from hub.access.service import Role, Viewer
from hub.accounts import service
from hub.accounts.model import Account
from hub.kit.errors import Invalid, NotAllowed, NotFound
from hub.kit.runtime import Kit
from tests.accounts.world import BILLING, CSM, NOW, PRODUCT, SUPPORT, accounts, home, homes, show, snapshot, topics


async def two_accounts(kit: Kit) -> tuple[UUID, UUID]:
    """Acme with a group and a member, Bolt with two customers, people at both."""
    ann = sdk.Person("user:ann", (sdk.keys.email("ann@acme.example"),), {"name": "Ann"})
    bob = sdk.Person("contact:bob", (sdk.keys.email("bob@bolt.example"),), {"name": "Bob"})
    acme = await show(kit, PRODUCT, "group:1", "segment.group=1", "domain=acme.example", name="Acme", people=[ann])
    await show(kit, PRODUCT, "user:7", "segment.user=7", "~segment.group=1")
    bolt = await show(kit, BILLING, "customer:1", "external:stripe.customer=c1", name="Bolt", people=[bob])
    await show(kit, BILLING, "customer:2", "external:stripe.customer=c2", "external:stripe.customer=c1", plan="scale")
    winner, loser = await home(kit, acme), await home(kit, bolt)
    assert winner is not None
    assert loser is not None
    return winner, loser


async def merge(kit: Kit, winner: UUID, loser: UUID) -> UUID:
    async with kit.transaction() as session:
        return await service.merge(session, CSM, winner, loser, "the same company", NOW)


async def undo(kit: Kit, merge_id: UUID) -> None:
    async with kit.transaction() as session:
        await service.undo_merge(session, CSM, merge_id, NOW)


async def test_a_merge_brings_everything_to_the_winner(kit: Kit) -> None:
    """Sources, own places and people; the loser leads there, and the facts of both are told together."""
    winner, loser = await two_accounts(kit)
    merge_id = await merge(kit, winner, loser)
    assert set((await homes(kit)).values()) == {winner}
    merged = await accounts(kit)
    assert merged[loser].merged_into == winner
    assert merged[winner].facts == {"plan": "scale"}
    async with kit.reading() as session:
        assert (await service.find(session, loser)).id == winner
        people = await session.execute(text("SELECT DISTINCT account_id FROM person"))
        assert people.scalars().all() == [winner]
        assertions = await session.execute(
            text(
                "SELECT count(*) FROM account_assertion WHERE reason = 'merged' AND merge_id = :id AND actor = :actor"
            ),
            {"id": merge_id, "actor": CSM.actor},
        )
        assert assertions.scalar_one() == 3
        audited = await session.execute(text("SELECT actor, action, subject FROM audit_entry"))
        assert audited.all() == [(CSM.actor, "account.merged", f"account:{winner}")]
        marked = await session.execute(text("SELECT key FROM work_item WHERE list = 'accounts_to_score' ORDER BY key"))
        assert marked.scalars().all() == sorted([str(winner), str(loser)])
    assert (await topics(kit))[-1] == (
        "account.merged",
        {"account_id": str(winner), "merged_account_id": str(loser), "merge_id": str(merge_id)},
    )


async def test_undoing_restores_both_sides_exactly(kit: Kit) -> None:
    """Accounts, sources and people are row for row what they were."""
    winner, loser = await two_accounts(kit)
    before = await snapshot(kit)
    merge_id = await merge(kit, winner, loser)
    assert await snapshot(kit) != before
    await undo(kit, merge_id)
    assert await snapshot(kit) == before
    assert (await topics(kit))[-1] == (
        "account.unmerged",
        {"account_id": str(loser), "merged_into": str(winner), "merge_id": str(merge_id)},
    )
    async with kit.reading() as session:
        reasons = await session.execute(text("SELECT reason FROM account_assertion ORDER BY id DESC LIMIT 3"))
        assert set(reasons.scalars()) == {"merge_undone"}


async def test_what_arrived_meanwhile_falls_to_its_own_side(kit: Kit) -> None:
    """Sources that came while the accounts were one go where their keys lead, as if they had never been one."""
    winner, loser = await two_accounts(kit)
    merge_id = await merge(kit, winner, loser)
    to_winner = await show(kit, SUPPORT, "org:1", "segment.group=1", tier="gold")
    to_loser = await show(kit, SUPPORT, "org:2", "external:stripe.customer=c2")
    member = await show(kit, PRODUCT, "user:8", "~external:stripe.customer=c1")
    assert await home(kit, to_winner) == await home(kit, to_loser) == await home(kit, member) == winner
    await undo(kit, merge_id)
    assert await home(kit, to_winner) == winner
    assert await home(kit, to_loser) == await home(kit, member) == loser
    restored = await accounts(kit)
    assert restored[winner].facts == {"tier": "gold"}
    assert (restored[loser].name, restored[loser].facts) == ("Bolt", {"plan": "scale"})


async def test_accounts_that_keys_joined_meanwhile_stay_one(kit: Kit) -> None:
    """When a vendor says by now that they are one, undoing the merge does not part them."""
    winner, loser = await two_accounts(kit)
    merge_id = await merge(kit, winner, loser)
    await show(kit, SUPPORT, "org:1", "segment.group=1", "external:stripe.customer=c1")
    await undo(kit, merge_id)
    assert set((await homes(kit)).values()) == {winner}
    assert (await accounts(kit))[loser].merged_into == winner


async def test_merges_come_apart_in_any_order(kit: Kit) -> None:
    """A merged into B, B into C: taking back the first leaves the second, and the other way round."""
    first, second = await two_accounts(kit)
    third = await home(kit, await show(kit, SUPPORT, "org:3", "external:crm.account=3", name="Cask"))
    assert third is not None
    before = await snapshot(kit)
    inner = await merge(kit, second, first)
    outer = await merge(kit, third, second)
    assert {account.merged_into for account in (await accounts(kit)).values()} == {None, third}
    await undo(kit, inner)
    assert [(await accounts(kit))[one].merged_into for one in (first, second, third)] == [None, third, None]
    await undo(kit, outer)
    assert await snapshot(kit) == before


async def test_a_merge_that_makes_no_sense_is_refused(kit: Kit) -> None:
    """With itself, with nobody, again, by somebody who may not; undone twice, or never made."""
    winner, loser = await two_accounts(kit)
    merge_id = await merge(kit, winner, loser)
    for one, other, refusal in (
        (winner, winner, Invalid),
        (winner, uuid4(), NotFound),
        (winner, loser, Invalid),
        (loser, winner, Invalid),
    ):
        with pytest.raises(refusal):
            await merge(kit, one, other)
    with pytest.raises(NotAllowed):
        async with kit.transaction() as session:
            await service.merge(session, Viewer("key:eye", Role.VIEWER), winner, loser, "", NOW)
    await undo(kit, merge_id)
    with pytest.raises(Invalid, match="undone before"):
        await undo(kit, merge_id)
    with pytest.raises(NotFound):
        await undo(kit, uuid4())


async def test_an_account_that_no_vendor_brought_can_be_merged(kit: Kit) -> None:
    """It is anchored at its own place, so its facts go along and come back."""
    winner, _ = await two_accounts(kit)
    made = Account(id=uuid4(), name="By hand", time_zone="UTC", facts={}, created_at=NOW, first_seen_at=NOW)
    async with kit.transaction() as session:
        session.add(made)
    merge_id = await merge(kit, winner, made.id)
    assert await home(kit, service.own_place_id(made.id)) == winner
    await undo(kit, merge_id)
    assert await home(kit, service.own_place_id(made.id)) == made.id


async def test_a_suggestion_is_decided_once(kit: Kit) -> None:
    """Two customers with one domain are suggested; a merge or a no closes it, undoing counts as a no."""
    one = await home(kit, await show(kit, BILLING, "customer:1", "external:crm=1", "domain=acme.example"))
    other = await home(kit, await show(kit, BILLING, "customer:2", "external:crm=2", "domain=acme.example"))
    assert one is not None
    assert other is not None
    async with kit.transaction() as session:
        (suggestion,) = await service.suggestions(session)
    assert {suggestion.account_id, suggestion.other_id} == {one, other}
    assert (suggestion.key_kind, suggestion.key_value) == ("domain", "acme.example")
    merge_id = await merge(kit, one, other)
    async with kit.transaction() as session:
        assert await service.suggestions(session) == []
    await undo(kit, merge_id)
    async with kit.transaction() as session:
        assert await service.suggestions(session) == []
        decisions = await session.execute(text("SELECT decision FROM merge_suggestion"))
        assert decisions.scalars().all() == ["dismissed"]
        with pytest.raises(NotFound):
            await service.dismiss_suggestion(session, CSM, suggestion.id, NOW)


async def test_a_suggestion_can_be_dismissed(kit: Kit) -> None:
    """It is not made again when more is heard of the accounts."""
    await show(kit, BILLING, "customer:1", "external:crm=1", "domain=acme.example")
    await show(kit, BILLING, "customer:2", "external:crm=2", "domain=acme.example")
    async with kit.transaction() as session:
        (suggestion,) = await service.suggestions(session)
        await service.dismiss_suggestion(session, CSM, suggestion.id, NOW)
    await show(kit, BILLING, "customer:2", "external:crm=2b", "domain=acme.example")
    async with kit.transaction() as session:
        assert await service.suggestions(session) == []
