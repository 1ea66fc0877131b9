"""The Stripe double over a socket: strict where a connector can be wrong, and good enough for Stripe's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

import httpx
import pytest
import stripe

from hub.sandbox import CompanyBase, Sandbox, StripeDouble, invent_books
from hub.sandbox.billing import customer_id
from hub.sandbox.books import Customer, Event
from hub.sandbox.chance import seeded
from hub.sandbox.clerk import Clerk
from hub.sandbox.shapes import CURRENT, OLDER

Write: TypeAlias = Callable[..., Awaitable[httpx.Response]]

LISTS = ("customers", "subscriptions", "invoices", "charges", "refunds", "disputes", "credit_notes", "events")


async def walk(api: httpx.AsyncClient, path: str, **params: str | int) -> list[str]:
    """All ids of a list, by following `starting_after`."""
    found: list[str] = []
    while True:
        cursor = {"starting_after": found[-1]} if found else {}
        page = (await api.get(path, params={**params, **cursor})).raise_for_status().json()
        found += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            return found


@pytest.mark.parametrize("name", LISTS)
async def test_a_walk_meets_everything_once(api: httpx.AsyncClient, sandbox: Sandbox, name: str) -> None:
    """Following the cursor in pages of any size lists every object exactly once, the newest first."""
    params = {"status": "all"} if name == "subscriptions" else {}
    whole = await walk(api, f"/v1/{name}", limit=100, **params)
    assert len(whole) == len(set(whole)) >= 1
    hidden = 1 if name == "customers" else 0
    assert (
        len(whole) == len(next(shelf for kind, shelf in sandbox.stripe.books.shelves.items() if kind == name)) - hidden
    )
    assert await walk(api, f"/v1/{name}", limit=37, **params) == whole
    first = (await api.get(f"/v1/{name}", params={"limit": 100, **params})).json()["data"]
    created = [one["created"] for one in first]
    assert created == sorted(created, reverse=True)


async def test_pages_may_end_within_one_second(api: httpx.AsyncClient) -> None:
    """Several events share a second; a page that ends between two of them loses none."""
    page = (await api.get("/v1/events", params={"limit": 100})).json()["data"]
    ties = [one["created"] for one in page]
    assert len(set(ties[:50])) < 50
    lately = {"created[gte]": ties[49]}
    assert await walk(api, "/v1/events", limit=1, **lately) == await walk(api, "/v1/events", limit=100, **lately)


async def test_backwards_leads_to_the_newer_ones(api: httpx.AsyncClient) -> None:
    """`ending_before` gives the page next to the cursor, newest first, until nothing newer is left."""
    whole = await walk(api, "/v1/events", limit=100)
    found: list[str] = []
    cursor = whole[25]
    while True:
        page = (await api.get("/v1/events", params={"limit": 10, "ending_before": cursor})).json()
        found = [one["id"] for one in page["data"]] + found
        cursor = found[0]
        if not page["has_more"]:
            break
    assert found == whole[:25]


async def test_what_arrives_during_a_walk_shifts_nothing(api: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """Cursors are objects, not offsets: an event that comes in the middle is not met, and none is met twice."""
    whole = await walk(api, "/v1/events", limit=100)
    first = (await api.get("/v1/events", params={"limit": 10})).json()["data"]
    clerk = Clerk(sandbox.stripe.books, seeded("late"))
    customer = next(one for one in sandbox.stripe.books.newest(Customer) if not one.deleted)
    clerk.amend_customer(customer, int(sandbox.clock().timestamp()), name="Renamed")
    cursor = {"limit": 10, "starting_after": first[-1]["id"]}
    second = (await api.get("/v1/events", params=cursor)).json()["data"]
    assert [one["id"] for one in first + second] == whole[:20]
    assert (await walk(api, "/v1/events", limit=100))[0] == clerk.told[0].id


async def test_lists_can_be_narrowed(api: httpx.AsyncClient) -> None:
    """By time on either side, by type in both spellings of an array, by customer and by status."""
    events = (await api.get("/v1/events", params={"limit": 100})).json()["data"]
    middle = events[50]["created"]
    for bound, holds in {"gte": middle.__le__, "gt": middle.__lt__, "lte": middle.__ge__, "lt": middle.__gt__}.items():
        page = (await api.get("/v1/events", params={"limit": 100, f"created[{bound}]": middle})).json()["data"]
        assert page
        assert all(holds(one["created"]) for one in page)
    for spelling in ("types[]", "types[0]"):
        page = (await api.get("/v1/events", params={spelling: "charge.failed", "limit": 100})).json()["data"]
        assert {one["type"] for one in page} == {"charge.failed"}
    customer = events[0]["data"]["object"]["customer"]
    page = (await api.get("/v1/invoices", params={"customer": customer})).json()["data"]
    assert {one["customer"] for one in page} == {customer}
    usual = await walk(api, "/v1/subscriptions", limit=100)
    ended = await walk(api, "/v1/subscriptions", limit=100, status="canceled")
    assert ended
    assert set(usual).isdisjoint(ended)
    assert len(usual) + len(ended) == len(await walk(api, "/v1/subscriptions", limit=100, status="all"))


@pytest.mark.parametrize(
    ("path", "status", "code", "param"),
    [
        ("/v1/customers?offset=3", 400, "parameter_unknown", "offset"),
        ("/v1/customers?limit=101", 400, None, "limit"),
        ("/v1/customers?limit=many", 400, None, "limit"),
        ("/v1/customers?starting_after=cus_none", 400, "resource_missing", "starting_after"),
        ("/v1/customers?created[gte]=yesterday", 400, None, "created[gte]"),
        ("/v1/events?starting_after=a&ending_before=b", 400, None, "ending_before"),
        ("/v1/invoices?types[]=invoice.paid", 400, "parameter_unknown", "types[]"),
        ("/v1/customers/cus_none", 404, "resource_missing", "id"),
        ("/v1/nothing", 404, None, None),
    ],
)
async def test_mistakes_are_refused(
    api: httpx.AsyncClient, path: str, status: int, code: str | None, param: str | None
) -> None:
    """Each answer has Stripe's error shape and says which parameter is wrong."""
    answer = await api.get(path)
    error = answer.json()["error"]
    assert (answer.status_code, error.get("code"), error.get("param")) == (status, code, param)
    assert error["type"] == "invalid_request_error"
    assert answer.headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    ("header", "begins"),
    [
        (None, "You did not provide an API key"),
        ("Bearer sk_test_wrong", "Invalid API Key provided: sk_test_"),
        ("Basic !!", "You did not provide an API key"),
    ],
)
async def test_a_wrong_key_is_refused(sandbox: Sandbox, header: str | None, begins: str) -> None:
    """401 with the reason, and never the whole key."""
    headers = {} if header is None else {"Authorization": header}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{sandbox.stripe_url}/v1/account", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"].startswith(begins)


async def test_a_key_expires(api: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """A key that was good is refused from the moment it is rolled, also as the user name of Basic."""
    async with httpx.AsyncClient(trust_env=False, auth=(sandbox.stripe_key, "")) as client:
        assert (await client.get(f"{sandbox.stripe_url}/v1/account")).status_code == 200
        sandbox.stripe.expired_keys.add(sandbox.stripe_key)
        answer = await client.get(f"{sandbox.stripe_url}/v1/account")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "api_key_expired"


async def test_the_pinned_version_decides_the_shape(api: httpx.AsyncClient) -> None:
    """Objects come in the version of the request, events in their own, and a version that is none is refused."""
    old = (await api.get("/v1/subscriptions", headers={"Stripe-Version": OLDER})).json()["data"][0]
    new = (await api.get("/v1/subscriptions", headers={"Stripe-Version": CURRENT})).json()["data"][0]
    assert "current_period_end" in old
    assert "current_period_end" not in new
    events = (await api.get("/v1/events?limit=100&types[]=invoice.paid", headers={"Stripe-Version": CURRENT})).json()
    shapes = {(one["api_version"], "subscription" in one["data"]["object"]) for one in events["data"]}
    assert shapes == {(OLDER, True), (CURRENT, False)}
    assert (await api.get("/v1/account", headers={"Stripe-Version": "latest"})).status_code == 400


async def test_a_deleted_customer_leaves_a_tombstone(api: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """It is in no list, answers by id with three fields, and the event of its end tells the whole of it."""
    gone = next(one for one in sandbox.stripe.books.newest(Customer) if one.deleted)
    assert gone.id not in await walk(api, "/v1/customers", limit=100)
    tombstone = (await api.get(f"/v1/customers/{gone.id}")).json()
    assert tombstone == {"id": gone.id, "object": "customer", "deleted": True}
    event = (await api.get("/v1/events?type=customer.deleted")).json()["data"][0]
    assert event["data"]["object"]["name"] == gone.name


async def test_events_are_kept_for_thirty_days(base: CompanyBase) -> None:
    """Three weeks later the older events are gone from the list and by id; the objects stay."""
    books = invent_books(base)
    double = StripeDouble(books, key="sk", clock=lambda: base.until + timedelta(days=21))
    headers = {"Authorization": "Bearer sk"}
    async with double.running() as url, httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as api:
        left = await walk(api, "/v1/events", limit=100)
        everything = [event.id for event in books.newest(Event)]
        assert left == everything[: len(left)]
        assert 0 < len(left) < len(everything)
        assert (await api.get(f"/v1/events/{everything[-1]}")).status_code == 404
        assert len(await walk(api, "/v1/customers", limit=100)) == len(base.companies)


async def test_too_many_requests_are_refused(base: CompanyBase) -> None:
    """Over the rate Stripe answers 429 with its reason and without saying when to come back."""
    double = StripeDouble(invent_books(base), key="sk", clock=lambda: base.until, requests_per_second=25)
    headers = {"Authorization": "Bearer sk"}
    async with double.running() as url, httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as api:
        answers = [await api.get("/v1/account") for _ in range(26)]
    assert [one.status_code for one in answers] == [200] * 25 + [429]
    assert answers[-1].headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    assert "Retry-After" not in answers[-1].headers
    assert answers[-1].json()["error"]["code"] == "rate_limit"


@pytest.fixture
def write(api: httpx.AsyncClient, base: CompanyBase) -> Write:
    """Writes customer metadata under an idempotency key."""

    async def write(key: str | None, **data: str) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        path = f"/v1/customers/{customer_id(base, base.companies[0])}"
        return await api.post(path, data={f"metadata[{name}]": value for name, value in data.items()}, headers=headers)

    return write


async def test_the_same_key_writes_once(write: Write, sandbox: Sandbox) -> None:
    """A repetition gets the first answer again and leaves no second event; other parameters are an error."""
    first = await write("run-1:step-2", health="red")
    second = await write("run-1:step-2", health="red")
    assert first.json() == second.json()
    assert first.json()["metadata"]["health"] == "red"
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Original-Request"] == first.headers["Request-Id"]
    told = [one for one in sandbox.stripe.books.newest(Event) if one.idempotency_key == "run-1:step-2"]
    assert [(one.type, one.request) for one in told] == [("customer.updated", first.headers["Request-Id"])]

    other = await write("run-1:step-2", health="green")
    assert other.status_code == 400
    assert other.json()["error"]["type"] == "idempotency_error"


async def test_metadata_is_set_kept_and_removed(write: Write, sandbox: Sandbox) -> None:
    """A write adds to what is there, an empty value removes its key, and what changes nothing tells nothing."""
    await write(None, health="red", owner="mira")
    assert (await write(None, health="")).json()["metadata"].keys() >= {"owner"}
    events = len(list(sandbox.stripe.books.newest(Event)))
    assert (await write(None, owner="mira")).status_code == 200
    assert len(list(sandbox.stripe.books.newest(Event))) == events


async def test_a_long_key_is_refused(write: Write) -> None:
    """Idempotency keys hold 255 characters."""
    assert (await write("k" * 255, health="red")).status_code == 200
    assert (await write("k" * 256, health="red")).status_code == 400


async def test_only_known_writes_are_possible(api: httpx.AsyncClient, sandbox: Sandbox, base: CompanyBase) -> None:
    """Unknown parameters, other objects, other verbs and deleted customers are refused."""
    gone = next(one for one in sandbox.stripe.books.newest(Customer) if one.deleted)
    known = f"/v1/customers/{customer_id(base, base.companies[0])}"
    assert (await api.post(known, data={"balance": "5"})).json()["error"]["code"] == "parameter_unknown"
    assert (await api.post(f"/v1/customers/{gone.id}", data={"name": "x"})).status_code == 404
    assert (await api.post("/v1/charges", data={"amount": "5"})).status_code == 404
    assert (await api.delete(known)).status_code == 404


async def test_stripes_own_client_lists_and_pages(
    vendors_client: stripe.StripeClient, sandbox: Sandbox, base: CompanyBase
) -> None:
    """The unmodified SDK walks events and customers of the double and finds each once."""

    def read() -> tuple[list[str], list[str], str, list[str]]:
        client = vendors_client.v1
        customers = [one.id for one in client.customers.list({"limit": 7}).auto_paging_iter()]
        events = [one.id for one in client.events.list({"limit": 10}).auto_paging_iter()]
        paid = client.events.list({"types": ["invoice.paid"], "created": {"gte": 0}, "limit": 100})
        return customers, events, client.accounts.retrieve_current().id, [one.type for one in paid.data]

    customers, events, account, types = await asyncio.to_thread(read)
    assert len(customers) == len(set(customers)) == len(base.companies)
    assert events == [event.id for event in sandbox.stripe.books.newest(Event)]
    assert account == sandbox.stripe.books.account
    assert set(types) == {"invoice.paid"}


async def test_stripes_own_client_writes_and_errs(vendors_client: stripe.StripeClient, base: CompanyBase) -> None:
    """The SDK's update takes effect, and the double's refusals become the SDK's own errors."""
    client = vendors_client.v1

    def write() -> str:
        params: stripe.params.CustomerUpdateParams = {"metadata": {"health": "green"}}
        updated = client.customers.update(customer_id(base, base.companies[0]), params, {"idempotency_key": "one"})
        assert updated.metadata
        return str(updated.metadata["health"])

    assert await asyncio.to_thread(write) == "green"
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        await asyncio.to_thread(client.customers.retrieve, "cus_none")
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
        await asyncio.to_thread(client.accounts.retrieve_current, None, {"api_key": "sk_test_other"})
    with pytest.raises(stripe.IdempotencyError):
        await asyncio.to_thread(
            client.customers.update,
            customer_id(base, base.companies[0]),
            {"metadata": {"health": "red"}},
            {"idempotency_key": "one"},
        )
