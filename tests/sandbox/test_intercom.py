"""The Intercom double over a socket: strict where a connector can be wrong."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from hub.kit.loopback import serve
from hub.sandbox import CompanyBase, Disorder, Fault
from hub.sandbox.intercom import IntercomDouble, NotificationEndpoint, invent_workspace, shapes

TOKEN = "tok_of_the_tests"
HOUR = 3_600


class Clock:
    """A time that is moved by hand."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 20, 15, 30, tzinfo=UTC))


@pytest.fixture
def double(base: CompanyBase, clock: Clock) -> IntercomDouble:
    return IntercomDouble(invent_workspace(base), token=TOKEN, clock=clock)


@pytest.fixture
async def intercom(double: IntercomDouble) -> AsyncIterator[httpx.AsyncClient]:
    """A plain client of the double with its token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        double.running() as url,
        httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=5) as client,
    ):
        yield client


async def walk(client: httpx.AsyncClient, path: str, name: str, query: dict[str, Any], per_page: int) -> list[str]:
    """All ids that a search finds, by following `starting_after`."""
    found: list[str] = []
    pagination: dict[str, Any] = {"per_page": per_page}
    sort = {"field": "updated_at", "order": "ascending"}
    while True:
        asked = {"query": query, "sort": sort, "pagination": pagination}
        page = (await client.post(path, json=asked)).raise_for_status().json()
        found += [one["id"] for one in page[name]]
        if "next" not in page["pages"]:
            return found
        pagination = {"per_page": per_page, "starting_after": page["pages"]["next"]["starting_after"]}


def updated(operator: str, at: int) -> dict[str, Any]:
    return {"field": "updated_at", "operator": operator, "value": at}


async def test_a_walk_meets_every_contact_once(intercom: httpx.AsyncClient, double: IntercomDouble) -> None:
    """In pages of any size, the oldest first."""
    whole = await walk(intercom, "/contacts/search", "data", updated(">", 0), 150)
    assert len(whole) == len(set(whole)) == len(double.workspace.contacts) > 300
    assert await walk(intercom, "/contacts/search", "data", updated(">", 0), 37) == whole
    times = [double.workspace.contacts[id_].updated for id_ in whole]
    assert times == sorted(times)


async def test_times_are_compared_by_day_in_the_workspaces_zone(
    intercom: httpx.AsyncClient, double: IntercomDouble
) -> None:
    """`>` begins on the next day in Los Angeles, so the same day's later changes are not found by it."""
    workspace = double.workspace
    contact = next(iter(workspace.contacts))
    midnight = int(datetime(2026, 11, 20, 8, tzinfo=UTC).timestamp())
    workspace.change_contact(contact, midnight + 5 * HOUR)
    for operator, value, is_found in [
        (">", midnight - 1, True),
        (">", midnight, False),
        (">", midnight + 4 * HOUR, False),
        ("=", midnight + 20 * HOUR, True),
        ("=", midnight - 1, False),
        ("<", midnight + 24 * HOUR, True),
        ("<", midnight + 6 * HOUR, False),
    ]:
        found = await walk(intercom, "/contacts/search", "data", updated(operator, value), 150)
        assert (contact in found) is is_found, (operator, value)


async def test_a_merged_contact_has_never_been(intercom: httpx.AsyncClient, double: IntercomDouble) -> None:
    """It is gone from searches and answers 404; its conversations name the survivor, the notification too."""
    workspace = double.workspace
    lead = next(one for one in workspace.contacts.values() if one.role == "lead")
    user = next(one for one in workspace.contacts.values() if one.role == "user")
    talk = next(one.id for one in workspace.conversations.values() if one.contacts == (lead.id,))
    merged = workspace.merge(lead.id, user.id, user.updated + 60)
    assert (await intercom.get(f"/contacts/{lead.id}")).status_code == 404
    assert lead.id not in await walk(intercom, "/contacts/search", "data", updated(">", 0), 150)
    told = (await intercom.get(f"/conversations/{talk}")).json()
    assert [one["id"] for one in told["contacts"]["contacts"]] == [user.id]
    assert told["source"]["author"]["id"] == user.id
    body = orjson.dumps(shapes.notification(workspace, merged)).decode()
    assert user.id in body
    assert lead.id not in body


async def test_only_one_scroll_is_open(intercom: httpx.AsyncClient, clock: Clock) -> None:
    """A second is refused until the first is through or has not been used for a minute; then its place is unknown."""
    first = (await intercom.get("/companies/scroll")).json()
    refused = await intercom.get("/companies/scroll")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "scroll_exists")
    clock.now += timedelta(seconds=61)
    gone = await intercom.get("/companies/scroll", params={"scroll_param": first["scroll_param"]})
    assert gone.status_code == 404
    assert (await intercom.get("/companies/scroll")).status_code == 200


async def test_a_scroll_shows_everything_once(intercom: httpx.AsyncClient, double: IntercomDouble) -> None:
    """Page after page under one parameter, then an empty one; what was shown is not shown again."""
    double.scroll_page = 25
    found: list[str] = []
    params: dict[str, str] = {}
    while page := (await intercom.get("/companies/scroll", params=params)).json():
        found += [one["id"] for one in page["data"]]
        params = {"scroll_param": page["scroll_param"]}
        if not page["data"]:
            break
    assert found == list(double.workspace.companies)
    assert len(found) == 60


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.EXPIRED, 401), (Fault.RATE_LIMITED, 429), (Fault.SERVER_ERROR, 500)]
)
async def test_a_fault_is_answered_in_intercoms_shape(
    intercom: httpx.AsyncClient, double: IntercomDouble, fault: Fault, status: int
) -> None:
    """An `error.list` with a code, and headers that say how far the window of ten seconds is."""
    double.faults.strike(fault)
    answer = await intercom.get("/me")
    assert answer.status_code == status
    assert answer.json()["type"] == "error.list"
    reset = int(answer.headers["x-ratelimit-reset"])
    assert 0 < reset - double.clock().timestamp() <= 10
    assert (await intercom.get("/me")).json()["app"]["id_code"] == double.workspace.id


async def test_the_window_counts(intercom: httpx.AsyncClient, double: IntercomDouble, clock: Clock) -> None:
    """So many requests in ten seconds, then none until the next window."""
    double.per_window = 2
    statuses = [(await intercom.get("/me")).status_code for _ in range(3)]
    clock.now += timedelta(seconds=10)
    assert [*statuses, (await intercom.get("/me")).status_code] == [200, 200, 429, 200]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 200),
        ({"message_type": "in_app"}, 400),
        ({"body": ""}, 400),
        ({"from": {"type": "admin", "id": "1"}}, 404),
        ({"to": {"type": "contact", "id": "gone"}}, 404),
    ],
)
async def test_messages_are_checked(
    intercom: httpx.AsyncClient, double: IntercomDouble, changed: dict[str, Any], status: int
) -> None:
    """What Intercom would refuse is refused, and not kept."""
    contact = next(iter(double.workspace.contacts))
    message = {"message_type": "inapp", "body": "Hello", "from": {"type": "admin", "id": "5017691"}}
    answer = await intercom.post("/messages", json={**message, "to": {"type": "contact", "id": contact}} | changed)
    assert answer.status_code == status
    assert len(double.workspace.messages) == (status == 200)


async def test_notifications_are_signed_and_may_come_twice(double: IntercomDouble) -> None:
    """ISO times in the item, unix seconds in the envelope, a signature over the raw bytes; twins share their id."""
    taken: list[tuple[str, bytes]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        taken.append((dict(scope["headers"])[b"x-hub-signature"].decode(), message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    contact = next(iter(double.workspace.contacts))
    happened = [double.workspace.change_contact(contact, 1_772_355_600 + nth) for nth in range(5)]
    async with serve(app) as url, httpx.AsyncClient(trust_env=False) as http:
        endpoint = NotificationEndpoint(url, "s3cret", http, double.workspace)
        deliveries = await endpoint.deliver_all(happened, Disorder(duplicated=1.0))
    assert all(delivery.accepted for delivery in deliveries)
    assert len(taken) == 10
    for signature, body in taken:
        assert signature == "sha1=" + hmac.new(b"s3cret", body, "sha1").hexdigest()
    told = [orjson.loads(body) for _, body in taken]
    assert {one["id"] for one in told} == {one.id for one in happened}
    assert {type(one["created_at"]) for one in told} == {int}
    assert told[0]["data"]["item"]["updated_at"].startswith("2026-03-01T09:00:0")


def test_the_world_is_the_same_everywhere(base: CompanyBase) -> None:
    """One seed gives one workspace, with ratings from bad to best."""
    first, second = invent_workspace(base), invent_workspace(base)
    assert first.conversations == second.conversations
    assert first.contacts == second.contacts
    assert len(first.companies) == len(base.companies)
    rated = [one.rating.stars for one in first.conversations.values() if one.rating]
    assert set(rated) >= {2, 3, 4, 5}
