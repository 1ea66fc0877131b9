"""Sources find their accounts, people their companies, and names lead to both."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from hub import sdk
from hub.accounts import service
from hub.accounts.identity import CROWD
from hub.accounts.model import Account
from hub.kit.errors import Invalid, NotFound
from hub.kit.runtime import Kit
from tests.accounts.world import BILLING, NOW, PRODUCT, SUPPORT, accounts, home, show, topics


async def test_a_group_and_a_customer_with_the_same_key_are_one_account(kit: Kit) -> None:
    """The account carries what both vendors say, and a place of its own."""
    group = await show(kit, PRODUCT, "group:1", "segment.group=1", "domain=acme.example", name="Acme", plan="growth")
    customer = await show(kit, BILLING, "customer:1", "external:stripe.customer=c1", "segment.group=1", currency="EUR")
    (account,) = (await accounts(kit)).values()
    assert await home(kit, group) == await home(kit, customer) == account.id
    assert await home(kit, service.own_place_id(account.id)) == account.id
    assert (account.name, account.domain, account.facts) == (
        "Acme",
        "acme.example",
        {"currency": "EUR", "plan": "growth"},
    )


async def test_a_user_without_a_company_waits_until_its_key_resolves(kit: Kit) -> None:
    """The place is in the holding area, with its keys, and leaves it the moment somebody is that key."""
    user = await show(kit, PRODUCT, "user:7", "segment.user=7", "~domain=acme.example")
    async with kit.reading() as session:
        (waiting,) = await service.holding(session)
    assert (waiting.source_account_id, waiting.place, waiting.named) == (user, "user:7", frozenset())
    assert ("domain", "acme.example", "member") in waiting.keys
    await show(kit, BILLING, "customer:1", "external:stripe.customer=c1", "domain=acme.example")
    (account,) = await accounts(kit)
    assert await home(kit, user) == account
    async with kit.reading() as session:
        assert await service.holding(session) == []
        reasons = await session.execute(
            text("SELECT account_id, reason, evidence FROM account_assertion WHERE source_account_id = :id"),
            {"id": user},
        )
        assert reasons.all() == [(account, "resolved", {"keys": ["domain=acme.example"]})]


async def test_a_user_of_two_companies_waits_and_is_released(kit: Kit) -> None:
    """One membership attaches, a second that names another account releases, and both are shown."""
    one = await show(kit, PRODUCT, "group:1", "segment.group=1")
    other = await show(kit, PRODUCT, "group:2", "segment.group=2")
    user = await show(kit, PRODUCT, "user:7", "~segment.group=1")
    assert await home(kit, user) == await home(kit, one)
    await show(kit, PRODUCT, "user:7", "~segment.group=2")
    assert await home(kit, user) is None
    async with kit.reading() as session:
        (waiting,) = await service.holding(session)
    assert waiting.named == {await home(kit, one), await home(kit, other)}


async def test_the_places_of_one_user_go_together(kit: Kit) -> None:
    """A membership that one connection knows counts for the user's places in the others."""
    group = await show(kit, PRODUCT, "group:1", "segment.group=1")
    message = await show(kit, SUPPORT, "user:7", "segment.user=7")
    assert await home(kit, message) is None
    await show(kit, PRODUCT, "user:7", "segment.user=7", "~segment.group=1")
    assert await home(kit, message) == await home(kit, group)


async def test_a_place_that_gets_a_key_of_its_own_leaves_the_others_of_its_user(kit: Kit) -> None:
    """What it was a member of says nothing about the user's other places any more."""
    await show(kit, PRODUCT, "group:1", "segment.group=1")
    first = await show(kit, PRODUCT, "user:7", "segment.user=7", "~segment.group=1")
    second = await show(kit, SUPPORT, "user:7", "segment.user=7")
    assert await home(kit, second) == await home(kit, first)
    await show(kit, PRODUCT, "user:7", "external:crm.account=7")
    assert await home(kit, second) is None
    assert await home(kit, first) is not None


async def test_a_domain_that_becomes_ambiguous_lets_go(kit: Kit) -> None:
    """A second customer with the domain takes the first one out again; people are asked about each pair."""
    group = await show(kit, PRODUCT, "group:1", "segment.group=1", "domain=acme.example")
    first = await show(kit, BILLING, "customer:1", "external:stripe.customer=c1", "domain=acme.example")
    member = await show(kit, PRODUCT, "user:7", "~domain=acme.example")
    assert await home(kit, group) == await home(kit, first) == await home(kit, member)
    second = await show(kit, BILLING, "customer:2", "external:stripe.customer=c2", "domain=acme.example")
    assert len({await home(kit, group), await home(kit, first), await home(kit, second)}) == 3
    assert await home(kit, member) is None
    async with kit.reading() as session:
        assert len(await service.suggestions(session)) == 3


async def test_a_crowd_at_a_domain_lets_go_of_it(kit: Kit) -> None:
    """With the customer too many, the domain identifies nobody: also those who came before are apart."""
    group = await show(kit, PRODUCT, "group:1", "segment.group=1", "domain=agency.example")
    customers = [
        sdk.Account(f"customer:{n}", (sdk.keys.external("crm", "1"), sdk.keys.domain("agency.example")))
        for n in range(CROWD)
    ]
    async with kit.transaction() as session:
        registered = await service.register(session, BILLING, customers, [], NOW)
        await service.resolve(session, registered.unresolved, NOW)
    assert len(await accounts(kit)) == 1
    last = await show(kit, BILLING, "customer:last", "external:crm=1", "domain=agency.example")
    assert await home(kit, last) != await home(kit, group)


async def test_accounts_that_a_strong_key_joins_keep_the_older_one(kit: Kit) -> None:
    """The younger account is dormant and points at the older; both facts are announced."""
    group = await show(kit, PRODUCT, "group:1", "segment.group=1", name="Old")
    customer = await show(kit, BILLING, "customer:1", "external:stripe.customer=c1", name="Young")
    old, young = await home(kit, group), await home(kit, customer)
    assert old is not None
    assert young is not None
    await show(kit, SUPPORT, "org:1", "segment.group=1", "external:stripe.customer=c1")
    assert await home(kit, customer) == await home(kit, service.own_place_id(young)) == old
    assert (await accounts(kit))[young].merged_into == old
    assert await topics(kit) == [
        ("account.merged", {"account_id": str(old), "merged_account_id": str(young), "merge_id": None})
    ]
    async with kit.reading() as session:
        assert (await service.find(session, young)).id == old


async def test_workers_that_register_at_once_make_one_account(kit: Kit) -> None:
    """Ten transactions with the same keys, at the same time: one account, one person, nobody in a circle."""
    ann = sdk.Person("user:ann", (sdk.keys.email("ann@acme.example"),), {"name": "Ann"})

    async def one(number: int) -> None:
        await show(kit, PRODUCT, f"org:{number % 3}", "segment.group=1", people=[ann], **{f"fact {number}": number})

    await asyncio.gather(*(one(number) for number in range(10)))
    (account,) = (await accounts(kit)).values()
    assert account.facts == {f"fact {number}": number for number in range(10)}
    async with kit.reading() as session:
        assert (await session.execute(text("SELECT count(*) FROM person"))).scalar_one() == 1


async def test_a_person_is_one_across_connections_and_belongs_where_they_were_last(kit: Kit) -> None:
    """Address and ids make one person; somebody who moves on belongs to the newer account."""
    product = sdk.Person("user:ann", (sdk.keys.user("ann"), sdk.keys.email("Ann@Acme.example")), {"name": "Ann"})
    support = sdk.Person("contact:1", (sdk.keys.email("ann@acme.example"),), {"role": "Champion"})
    group = await show(kit, PRODUCT, "group:1", "segment.group=1", people=[product])
    await show(kit, SUPPORT, "org:1", "segment.group=1", people=[support])
    async with kit.reading() as session:
        (ann,) = (await session.execute(text("SELECT name, email, role, account_id FROM person"))).all()
    assert ann == ("Ann", "ann@acme.example", "champion", await home(kit, group))
    later = sdk.Account("group:2", (sdk.keys.group("2"),))
    async with kit.transaction() as session:
        seen = service.Seen()
        seen.add(service.sighting(PRODUCT, later, [product], NOW.replace(month=12)))
        registered = await service.observe(session, seen, NOW)
        await service.resolve(session, registered.unresolved, NOW)
    async with kit.reading() as session:
        account = (await session.execute(text("SELECT account_id FROM person"))).scalar_one()
    assert account == await home(kit, service.source_account_id(PRODUCT, "group:2"))


async def test_two_people_who_turn_out_to_be_one_are_joined(kit: Kit) -> None:
    """An alias joins the older person and the younger; the younger points at the older."""
    visitor = sdk.Person("anonymous:x", (sdk.keys.external("segment.anonymous", "x"),))
    user = sdk.Person("user:7", (sdk.keys.user("7"),), {"name": "Bo"})
    await show(kit, PRODUCT, "group:1", "segment.group=1", people=[visitor])
    await show(kit, PRODUCT, "group:1", "segment.group=1", people=[user])
    both = sdk.Person("user:7", (sdk.keys.user("7"), sdk.keys.external("segment.anonymous", "x")))
    await show(kit, PRODUCT, "group:1", "segment.group=1", people=[both])
    async with kit.reading() as session:
        people = {row.merged_into: row for row in await session.execute(text("SELECT * FROM person"))}
    assert len(people) == 2
    assert people[None].name == "Bo"
    assert set(people) == {None, people[None].id}


async def test_an_account_is_found_by_id_name_domain_or_part(kit: Kit) -> None:
    """One that fits is enough; several are named, none is said so."""
    await show(kit, PRODUCT, "group:1", "segment.group=1", "domain=acme.example", name="Acme North")
    await show(kit, PRODUCT, "group:2", "segment.group=2", name="Acme South")
    async with kit.reading() as session:
        north = await service.find(session, "acme north")
        assert (await service.find(session, "ACME.example")).id == north.id
        assert (await service.find(session, "North")).id == north.id
        assert (await service.find(session, north.id)).id == (await service.find(session, str(north.id))).id
        with pytest.raises(Invalid, match=r"Acme North .* Acme South"):
            await service.find(session, "acme")
        with pytest.raises(NotFound, match="100%"):
            await service.find(session, "100%")
        with pytest.raises(NotFound):
            await service.find(session, uuid4())


async def test_an_account_that_no_vendor_brought_has_a_place_too(kit: Kit) -> None:
    """`own_place` makes what is missing, once."""
    made = Account(id=uuid4(), name="By hand", time_zone="UTC", facts={}, created_at=NOW, first_seen_at=NOW)
    async with kit.transaction() as session:
        session.add(made)
    for _ in range(2):
        async with kit.transaction() as session:
            places = await service.own_place(session, [made.id], NOW)
    assert await home(kit, places[made.id]) == made.id


async def test_what_is_known_already_is_written_by_nobody(kit: Kit) -> None:
    """A sighting that shows nothing new takes no lock and changes no row."""
    bo = sdk.Person("user:7", (sdk.keys.user("7"),), {"name": "Bo"}, NOW)
    await show(kit, PRODUCT, "group:1", "segment.group=1", people=[bo])
    async with kit.reading() as session:
        before = (await session.execute(text("SELECT xmin::text, ctid::text FROM source_account ORDER BY id"))).all()
    async with kit.transaction() as session:
        registered = await service.register(
            session, PRODUCT, [sdk.Account("group:1", (sdk.keys.group("1"),))], [(bo, "group:1")], NOW
        )
        locks = await session.execute(
            text(
                "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database "
                "WHERE locktype = 'advisory' AND d.datname = current_database()"
            )
        )
        assert locks.scalar_one() == 0
    assert registered == service.Registered()
    async with kit.reading() as session:
        after = (await session.execute(text("SELECT xmin::text, ctid::text FROM source_account ORDER BY id"))).all()
    assert after == before


def test_ids_of_places_follow_from_their_names() -> None:
    """The same place of the same connection has the same id for ever."""
    assert service.source_account_id(UUID(int=1), "group:1") == service.source_account_id(UUID(int=1), "group:1")
    assert service.source_account_id(UUID(int=1), "user:1") != service.source_person_id(UUID(int=1), "user:1")
