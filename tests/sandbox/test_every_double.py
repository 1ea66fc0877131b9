"""All doubles of one world: each fault befalls each of them, and each holds what makes reading hard."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson
import pytest

from hub.sandbox import DOUBLES, CompanyBase, Fault, Sandbox, Story, WebhookEndpoint, ZendeskWebhook, invent
from hub.sandbox.books import Customer
from hub.sandbox.faults import SKEW, Faults
from hub.sandbox.webhooks import Disorder

PATIENCE = httpx.Timeout(10, read=0.3)
UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
DATA = "/services/data/v62.0"


@pytest.fixture(scope="module")
def big() -> CompanyBase:
    """The base as `hub sandbox` has it: two hundred companies."""
    return invent(accounts=200, until=UNTIL)


@pytest.fixture
async def world(base: CompanyBase) -> AsyncIterator[Sandbox]:
    async with Sandbox(base, clock=lambda: UNTIL).running() as running:
        running.zendesk.page = running.salesforce.page = running.intercom.scroll_page = 2
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False, verify=False) as client:
        yield client


class Vendor:
    """How one double is asked: for its records, and for those behind a cursor that it gave."""

    def __init__(self, double: Any, url: str, headers: dict[str, str]) -> None:
        self.faults: Faults = double.faults
        self.url, self.headers = url, headers

    async def records(self, http: httpx.AsyncClient) -> httpx.Response:
        raise NotImplementedError

    async def more(self, http: httpx.AsyncClient) -> httpx.Response:
        raise NotImplementedError

    async def get(self, http: httpx.AsyncClient, path: str, **params: Any) -> httpx.Response:
        return await http.get(self.url + path, params=params, headers=self.headers)


class Stripe(Vendor):
    def __init__(self, world: Sandbox) -> None:
        super().__init__(world.stripe, world.stripe_url, {"Authorization": f"Bearer {world.stripe_key}"})

    async def records(self, http: httpx.AsyncClient) -> httpx.Response:
        return await self.get(http, "/v1/customers", limit=2)

    async def more(self, http: httpx.AsyncClient) -> httpx.Response:
        last = (await self.records(http)).json()["data"][-1]["id"]
        return await self.get(http, "/v1/customers", limit=2, starting_after=last)


class Salesforce(Vendor):
    def __init__(self, world: Sandbox) -> None:
        app = world.salesforce.signing_in
        form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret}
        super().__init__(world.salesforce, world.salesforce_url, {"Authorization": f"Bearer {app.grant(form)}"})

    async def records(self, http: httpx.AsyncClient) -> httpx.Response:
        return await self.get(http, f"{DATA}/query", q="SELECT Id, Name FROM Account ORDER BY Id")

    async def more(self, http: httpx.AsyncClient) -> httpx.Response:
        return await self.get(http, (await self.records(http)).json()["nextRecordsUrl"])


class Zendesk(Vendor):
    def __init__(self, world: Sandbox) -> None:
        token = base64.b64encode(f"{world.zendesk.email}/token:{world.zendesk.token}".encode()).decode()
        super().__init__(world.zendesk, world.zendesk_url, {"Authorization": f"Basic {token}"})

    async def records(self, http: httpx.AsyncClient) -> httpx.Response:
        return await self.get(http, "/api/v2/incremental/users/cursor.json", start_time=1)

    async def more(self, http: httpx.AsyncClient) -> httpx.Response:
        after = (await self.records(http)).json()["after_cursor"]
        return await self.get(http, "/api/v2/incremental/users/cursor.json", cursor=after)


class Intercom(Vendor):
    def __init__(self, world: Sandbox) -> None:
        super().__init__(world.intercom, world.intercom_url, {"Authorization": f"Bearer {world.intercom.token}"})

    async def records(self, http: httpx.AsyncClient) -> httpx.Response:
        return await self.search(http)

    async def more(self, http: httpx.AsyncClient) -> httpx.Response:
        return await self.search(http, (await self.search(http)).json()["pages"]["next"]["starting_after"])

    async def search(self, http: httpx.AsyncClient, after: str | None = None) -> httpx.Response:
        asked = {"query": {"field": "updated_at", "operator": ">", "value": 0}}
        body = asked | {"pagination": {"per_page": 2} | ({"starting_after": after} if after else {})}
        return await http.post(f"{self.url}/contacts/search", json=body, headers=self.headers)


def names(answer: httpx.Response) -> set[str]:
    """The names of all fields in an answer."""
    assert answer.status_code == 200
    return set(re.findall(r'"(\w+)"\s*:', answer.text))


@pytest.mark.parametrize("vendor", [Stripe, Salesforce, Zendesk, Intercom])
async def test_each_fault_befalls_each_double(
    world: Sandbox, http: httpx.AsyncClient, vendor: Callable[[Sandbox], Vendor]
) -> None:
    """Refused in the vendor's way, without an answer, cut, without its ids, dated ahead; and then as ever."""
    one = vendor(world)
    whole = await one.records(http)
    assert whole.status_code == 200
    refused = {Fault.RATE_LIMITED: {429, 403}, Fault.SERVER_ERROR: {500}, Fault.EXPIRED: {401}}
    for fault in (Fault.RATE_LIMITED, Fault.SERVER_ERROR):
        one.faults.strike(fault)
        assert (await one.records(http)).status_code in refused[fault], fault
    for fault in (Fault.TIMEOUT, Fault.CUT):
        one.faults.strike(fault)
        with pytest.raises(httpx.TransportError):
            await one.records(http)
    one.faults.strike(Fault.CHANGED_SCHEMA)
    changed = await one.records(http)
    assert {name.removesuffix("entifier") for name in names(changed)} == names(whole) != names(changed)
    one.faults.strike(Fault.CLOCK_SKEW)
    assert parsedate_to_datetime((await one.records(http)).headers["Date"]) == UNTIL + SKEW
    assert (await one.more(http)).status_code == 200
    one.faults.strike(None, Fault.EXPIRED_CURSOR)
    assert (await one.more(http)).status_code in (400, 404)
    one.faults.strike(Fault.EXPIRED_CURSOR)
    again = await one.records(http)
    assert names(again) == names(whole), "a request without a cursor knows nothing of it"
    assert parsedate_to_datetime(again.headers["Date"]) == UNTIL
    one.faults.strike(Fault.EXPIRED)
    assert (await one.records(http)).status_code in refused[Fault.EXPIRED]


async def test_a_clock_that_is_ahead_signs_ahead(http: httpx.AsyncClient) -> None:
    """Deliveries that carry a time carry a wrong one; a Segment client's stamps and its `sentAt` go wrong together."""
    seen: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    sending = httpx.AsyncClient(transport=httpx.MockTransport(note))
    skewed = [Faults([Fault.CLOCK_SKEW]) for _ in range(3)]
    stripe = WebhookEndpoint("http://hub/in/s", "whsec_1", sending, clock=lambda: UNTIL, faults=skewed[0])
    await stripe.post(b"{}")
    zendesk = ZendeskWebhook("http://hub/in/z", "secret", sending, lambda: UNTIL, skewed[1])
    await zendesk.deliver(zendesk.event("ticket", 1))
    world = Sandbox(invent(accounts=1, until=UNTIL), clock=lambda: UNTIL)
    world._http = sending
    message = next(world.history())
    await world.segment("http://hub/in/segment", faults=skewed[2]).send([message])
    await sending.aclose()
    assert seen[0].headers["stripe-signature"].startswith(f"t={int((UNTIL + SKEW).timestamp())},")
    assert seen[1].headers["x-zendesk-webhook-signature-timestamp"] == "2026-11-20T16:30:00Z"
    [told], sent = (orjson.loads(seen[2].content)[name] for name in ("batch", "sentAt"))
    ahead = datetime.fromisoformat(told["timestamp"]) - datetime.fromisoformat(message["timestamp"])
    assert (ahead, datetime.fromisoformat(sent) - UNTIL) == (SKEW, SKEW)


async def test_each_double_says_how_it_is_connected(world: Sandbox) -> None:
    """The settings fit the plugin's own model, and name where it answers."""
    from hub.connections import registry

    for name, double in DOUBLES.items():
        async with double(world) as address:
            config = registry.current().connector(name).Config.model_validate(dict(address.config))
            assert address.url is None or str(getattr(config, "base_url", "")).rstrip("/") == address.url


def test_the_base_has_every_story_over_two_years(big: CompanyBase) -> None:
    """Healthy, declining, churned, expanding, and those who would be references, ten at least of each."""
    told = Counter(company.story for company in big.companies)
    assert {Story.HEALTHY, Story.DECLINING, Story.CHURNED, Story.EXPANDING, Story.REFERENCEABLE} <= told.keys()
    assert min(told.values()) >= 10
    assert timedelta(days=700) < UNTIL - min(company.since for company in big.companies)


def test_each_double_holds_what_makes_reading_hard(big: CompanyBase) -> None:
    """Times that many records share, what was deleted, and what was merged."""
    world = Sandbox(big, clock=lambda: UNTIL)
    accounts = list(world.salesforce.org.tables["Account"].values())
    stamps = Counter(account["SystemModstamp"] for account in accounts)
    assert max(stamps.values()) > 10
    assert any(account.get("MasterRecordId") for account in accounts)
    assert any(account.get("IsDeleted") and not account.get("MasterRecordId") for account in accounts)
    desk = world.zendesk.desk
    noticed = Counter(desk.generated["organizations"].values())
    assert max(noticed.values()) > 1
    assert any(ticket["status"] == "deleted" for ticket in desk.tables["tickets"].values())
    assert any("closed_by_merge" in ticket["tags"] for ticket in desk.tables["tickets"].values())
    assert any(not user["active"] for user in desk.tables["users"].values())
    updated = Counter(contact.updated for contact in world.intercom.workspace.contacts.values())
    assert max(updated.values()) > 1
    assert any(contact.role == "lead" for contact in world.intercom.workspace.contacts.values())
    assert any(customer.deleted for customer in world.stripe.books.newest(Customer))
    created = Counter(customer.created for customer in world.stripe.books.newest(Customer))
    assert max(created.values()) > 1


def test_deliveries_come_late_and_twice() -> None:
    """Each at least once, some after all others, some again."""
    row = Disorder(late=0.3, duplicated=0.3, seed=3).applied_to(range(100))
    assert set(row) == set(range(100))
    assert len(row) > 110
    assert row[: len(set(row))] != sorted(set(row))
