"""One company, three vendors: who is who follows from the ids and domains that each of them knows."""

from __future__ import annotations

from typing import Any

from hub_stripe import Stripe
from hub_zendesk import Zendesk

from hub import sdk
from hub.connections import registry
from hub.connections import service as connections
from hub.connections.registry import Registry
from hub.connections.service import sync_stream
from hub.kit.runtime import Kit
from hub.sandbox import Sandbox
from hub.timeline.jobs import drain_raw_records
from tests.connections.salesforce.conftest import Hasty
from tests.connections.salesforce.crm import connect, read, rows


class HastyStripe(Stripe):
    """Without Stripe's pace."""

    rate = sdk.Rate(per_second=1_000_000, backfill_share=1.0)


class HastyZendesk(Zendesk):
    """Without Zendesk's pace."""

    rate = sdk.Rate(per_second=1_000_000, backfill_share=1.0)


async def add(kit: Kit, connector: str, name: str, **config: Any) -> Any:
    async with kit.transaction() as session:
        return (
            await connections.add(session, kit.vault, registry.current(), connector, name, config, now=kit.clock.now())
        ).id


async def test_vendors_agree_on_who_is_who(kit: Kit, world: Sandbox) -> None:
    """A Stripe customer, a Salesforce account and a Zendesk organization of one company are one account."""
    with registry.using(Registry.of(Hasty, HastyStripe, HastyZendesk)):
        crm = await connect(kit, world)
        billing = await add(kit, "stripe", "billing", api_key=world.stripe_key, base_url=world.stripe_url)
        token = {"email": world.zendesk.email, "api_token": world.zendesk.token}
        support = await add(kit, "zendesk", "support", base_url=world.zendesk_url, **token)
        await sync_stream(kit, billing, "customers")
        await sync_stream(kit, support, "organizations")
        await read(kit, crm, "accounts")
        while await drain_raw_records(kit):
            pass
        mapped = (
            "SELECT a.domain, count(DISTINCT a.id), count(DISTINCT s.connection_id) FROM account a "
            "JOIN source_account s ON s.account_id = a.id WHERE a.domain IS NOT NULL GROUP BY 1"
        )
        found = {domain: (accounts, vendors) for domain, accounts, vendors in await rows(kit, mapped)}
    # The first two have their invoices sent to one accountant, whose domain says nothing about either.
    for company in world.base.companies[2:]:
        assert found[company.domain] == (1, 3), company.name


async def test_a_ticket_of_somebody_without_an_account_waits_for_it(
    kit: Kit, world: Sandbox, plugins: Registry
) -> None:
    """A contact and a case that name no account belong to the company of the contact's address, however they come."""
    crm = await connect(kit, world)
    company = world.base.companies[2]
    org = world.salesforce.org
    names = {"Name": "Kim Lund", "LastName": "Lund", "Email": f"kim.lund@{company.domain}"}
    contact = org.insert("Contact", AccountId=None, **names)
    fields = {"Subject": "Help", "Status": "New", "IsClosed": False, "IsEscalated": False}
    case = org.insert("Case", AccountId=None, ContactId=contact["Id"], **fields)
    await read(kit, crm, "cases")
    where = (
        "SELECT DISTINCT a.domain FROM event e JOIN source_account s ON s.id = e.source_account_id "
        "LEFT JOIN account a ON a.id = s.account_id WHERE e.record_id = :id"
    )
    assert await rows(kit, where, id=case["Id"]) == [(None,)]
    await read(kit, crm, "contacts", "accounts")
    assert await rows(kit, where, id=case["Id"]) == [(company.domain,)]
