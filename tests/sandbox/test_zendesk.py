"""The Zendesk double over a socket: strict where a connector can be wrong, good enough for a client of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket
from zenpy.lib.exception import RecordNotFoundException

from hub.sandbox import CompanyBase, Sandbox, invent_desk
from hub.sandbox.zendesk.webhooks import sign

API = "/api/v2"


@pytest.fixture
async def desk(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the double that is signed in."""
    auth = (f"{sandbox.zendesk.email}/token", sandbox.zendesk.token)
    async with httpx.AsyncClient(base_url=sandbox.zendesk_url, auth=auth, trust_env=False) as client:
        yield client


class Here(HTTPAdapter):
    """Sends what is meant for an account of Zendesk's to the double: the client knows no other address."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        here = request.copy()
        here.url = str(request.url).replace("https://sandbox.zendesk.example", self.url, 1)
        answer = super().send(here, **options)
        # The client looks at the request's address to know what the answer is.
        answer.request = request
        return answer


@pytest.fixture
def others(sandbox: Sandbox) -> Iterator[Zenpy]:
    """Zenpy, as it is, on the double."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", Here(sandbox.zendesk_url))
        yield Zenpy(
            domain="zendesk.example",
            subdomain="sandbox",
            email=sandbox.zendesk.email,
            token=sandbox.zendesk.token,
            session=session,
        )


async def exported(desk: httpx.AsyncClient, kind: str, page: int = 1_000) -> list[dict[str, Any]]:
    """All rows of a cursor export."""
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"start_time": 1, "per_page": page}
    while True:
        body = (await desk.get(f"{API}/incremental/{kind}/cursor.json", params=params)).raise_for_status().json()
        found += body[kind]
        if body["end_of_stream"]:
            return found
        params = {"cursor": body["after_cursor"], "per_page": page}


@pytest.mark.parametrize("kind", ["tickets", "users"])
async def test_a_cursor_export_meets_everything_once(desk: httpx.AsyncClient, sandbox: Sandbox, kind: str) -> None:
    """In pages of any size, ordered by when Zendesk noticed, deleted rows included."""
    whole = await exported(desk, kind)
    assert await exported(desk, kind, 7) == whole
    noticed = [row["generated_timestamp"] for row in whole]
    assert noticed == sorted(noticed)
    held_back = sum(at > sandbox.clock().timestamp() - 60 for at in sandbox.zendesk.desk.generated[kind].values())
    assert len(whole) == len(sandbox.zendesk.desk.tables[kind]) - held_back


async def test_behind_the_end_the_cursor_is_null(desk: httpx.AsyncClient) -> None:
    """An empty page has no cursor at all: whoever stores that begins again from nothing."""
    body = (await desk.get(f"{API}/incremental/users/cursor.json", params={"start_time": 1})).json()
    path = f"{API}/incremental/users/cursor.json"
    behind = (await desk.get(path, params={"cursor": body["after_cursor"]})).json()
    assert (behind["users"], behind["after_cursor"], behind["end_of_stream"]) == ([], None, True)


async def test_the_last_minute_is_held_back(desk: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """What was changed just now is not exported, and a start within it is refused."""
    before = len(await exported(desk, "tickets"))
    ticket = next(one for one in sandbox.zendesk.desk.tables["tickets"].values() if one["status"] == "solved")
    sandbox.zendesk.desk.change_ticket(ticket["id"], status="open")
    assert len(await exported(desk, "tickets")) == before - 1
    late = int(sandbox.clock().timestamp()) - 30
    refused = await desk.get(f"{API}/incremental/tickets/cursor.json", params={"start_time": late})
    assert refused.status_code == 422


async def test_a_page_by_time_ends_with_a_whole_second(desk: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """Rows that share the last second come with it, beyond the size that was asked for; the next page repeats them."""
    known = sandbox.zendesk.desk
    tied = list(known.tables["organizations"])[:9]
    for row_id in tied:
        known.notice("organizations", row_id, sandbox.base.began - timedelta(days=3000))
    path = f"{API}/incremental/organizations.json"
    first = (await desk.get(path, params={"start_time": 1, "per_page": 4})).json()
    assert [row["id"] for row in first["organizations"]] == sorted(tied)
    second = (await desk.get(path, params={"start_time": first["end_time"], "per_page": 4})).json()
    assert second["organizations"] == first["organizations"]
    assert first["next_page"].startswith("https://sandbox.zendesk.example/")


async def test_exports_are_limited(desk: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """So many in a minute; the header counts down, then 429 says when to come again."""
    sandbox.zendesk.exports_per_minute = 2
    told = [await desk.get(f"{API}/incremental/users/cursor.json", params={"start_time": 1}) for _ in range(3)]
    assert [one.status_code for one in told] == [200, 200, 429]
    header = "zendesk-ratelimit-incremental-exports"
    assert told[1].headers[header].startswith("total=2; remaining=0; resets=")
    assert int(told[2].headers["retry-after"]) <= 60


async def test_strangers_are_nobody(sandbox: Sandbox) -> None:
    """Without credentials one is anonymous, with wrong ones 401."""
    async with httpx.AsyncClient(base_url=sandbox.zendesk_url, trust_env=False) as client:
        assert (await client.get(f"{API}/users/me.json")).json()["user"]["id"] is None
        assert (await client.get(f"{API}/tickets/1.json")).status_code == 401
        assert (await client.get(f"{API}/users/me.json", auth=("a@b.example/token", "x"))).status_code == 401


async def test_an_idempotency_key_makes_one_ticket(desk: httpx.AsyncClient) -> None:
    """The same request again is a hit with the same ticket; another request under the key is refused."""
    wanted = {"ticket": {"subject": "Help", "comment": {"body": "Please"}}}
    headers = {"Idempotency-Key": "run:step"}
    first, again = [await desk.post(f"{API}/tickets.json", json=wanted, headers=headers) for _ in range(2)]
    assert [one.headers["x-idempotency-lookup"] for one in (first, again)] == ["miss", "hit"]
    assert first.json() == again.json()
    other = {"ticket": {"subject": "Other", "comment": {"body": "Please"}}}
    assert (await desk.post(f"{API}/tickets.json", json=other, headers=headers)).status_code == 400


async def test_an_outdated_update_is_refused(desk: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """With the stamp of an older version a safe update conflicts; metadata stay in the audit."""
    ticket = next(one for one in sandbox.zendesk.desk.tables["tickets"].values() if one["status"] == "solved")
    safe = {"safe_update": True, "updated_stamp": ticket["updated_at"], "metadata": {"hub_key": "k"}}
    path = f"{API}/tickets/{ticket['id']}.json"
    answers = [await desk.put(path, json={"ticket": {**safe, "priority": "low"}}) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 409]
    audits = (await desk.get(f"{API}/tickets/{ticket['id']}/audits.json", params={"sort": "-created_at"})).json()
    assert audits["audits"][0]["metadata"]["custom"] == {"hub_key": "k"}


async def test_a_client_of_others_is_content(sandbox: Sandbox, others: Zenpy) -> None:
    """Zenpy, unmodified, reads exports and single rows, opens, comments and changes tickets."""
    tables = sandbox.zendesk.desk.tables
    start = sandbox.base.began - timedelta(days=3000)
    found = await asyncio.to_thread(lambda: list(others.users.incremental(start_time=start)))
    assert len(found) == len([one for one in tables["users"].values() if one["created_at"] < "2026-11-20T15:29:00Z"])
    audit = await asyncio.to_thread(others.tickets.create, Ticket(subject="Help", comment=Comment(body="Please")))
    ticket = tables["tickets"][audit.ticket.id]
    assert ticket["subject"] == "Help"
    read = await asyncio.to_thread(lambda: others.tickets(id=ticket["id"]))
    read.priority, read.comment = "high", Comment(body="On it", public=False)
    await asyncio.to_thread(others.tickets.update, read)
    assert ticket["priority"] == "high"
    with pytest.raises(RecordNotFoundException):
        await asyncio.to_thread(lambda: others.tickets(id=1))


def test_one_seed_gives_one_desk(base: CompanyBase) -> None:
    """The same rows on every machine, of the companies that the other doubles know."""
    one, other = invent_desk(base), invent_desk(base)
    assert one.tables == other.tables
    domains = {domain for row in one.tables["organizations"].values() for domain in row["domain_names"]}
    assert domains == {company.domain for company in base.companies}
    statuses = [row["status"] for row in one.tables["tickets"].values()]
    assert {"new", "solved", "deleted", "closed"} == set(statuses)


def test_a_signature_covers_the_time_before_the_body() -> None:
    """Base64 of HMAC-SHA256 over both, in this order."""
    assert sign("secret", "2026-05-01T07:25:37Z", b"{}") != sign("secret", "", b"{}2026-05-01T07:25:37Z")
    assert sign("secret", "a", b"bc") == sign("secret", "ab", b"c")
