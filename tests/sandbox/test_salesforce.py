"""The Salesforce double over a socket: strict where a connector can be wrong, good enough for a client of others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest

from hub.sandbox import CompanyBase, Fault, Sandbox
from hub.sandbox.salesforce import Org, invent_org
from hub.sandbox.salesforce.ids import whole
from hub.sandbox.salesforce.tokens import JWT_BEARER, private_pem

DATA = "/services/data/v62.0"


@pytest.fixture
async def crm(base: CompanyBase) -> AsyncIterator[Sandbox]:
    """The doubles in the machine's own time, which tokens are checked against."""
    async with Sandbox(base).running() as running:
        yield running


@pytest.fixture
async def rest(crm: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the REST API that is signed in."""
    app = crm.salesforce.signing_in
    token = app.grant(
        {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret}
    )
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=crm.salesforce_url, headers=headers, trust_env=False) as client:
        yield client


class Plainly(HTTPAdapter):
    """Sends what is meant for https over http: the client knows no other scheme, the double has no certificate."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        request.url = str(request.url).replace("https://", "http://", 1)
        return super().send(request, **options)


@pytest.fixture
def others(crm: Sandbox, rest: httpx.AsyncClient) -> Iterator[Salesforce]:
    """simple-salesforce, as it is, on the double."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", Plainly())
        token = rest.headers["authorization"].partition(" ")[2]
        yield Salesforce(
            instance_url=crm.salesforce_url.replace("http:", "https:"),
            session_id=token,
            version="62.0",
            session=session,
        )


def assertion(crm: Sandbox, **claims: Any) -> str:
    app = crm.salesforce.signing_in
    good = {"iss": app.client_id, "sub": app.username, "aud": app.audience, "exp": int(time.time()) + 180}
    return jwt.encode(good | claims, private_pem(), algorithm="RS256")


async def token(crm: Sandbox, told: str) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient(base_url=crm.salesforce_url, trust_env=False) as client:
        answer = await client.post("/services/oauth2/token", data={"grant_type": JWT_BEARER, "assertion": told})
    return answer.status_code, answer.json()


async def test_a_good_assertion_opens_the_org(crm: Sandbox) -> None:
    """Signed by the app's key, for its user, now: a token, and where the org is."""
    status, told = await token(crm, assertion(crm))
    assert (status, told["instance_url"], told["token_type"]) == (200, crm.salesforce_url, "Bearer")
    assert crm.salesforce.org.id in told["id"]


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"iss": "3MVG9.of.another.app"}, "invalid_client_id"),
        ({"sub": "nobody@sandbox.example"}, "invalid_grant"),
        ({"aud": "https://test.salesforce.com"}, "invalid_grant"),
        ({"exp": int(time.time()) - 1}, "invalid_grant"),
        ({"exp": int(time.time()) + 7_200}, "invalid_grant"),
    ],
)
async def test_a_wrong_assertion_does_not(crm: Sandbox, claims: dict[str, Any], error: str) -> None:
    """Issuer, subject, audience and expiry are checked."""
    status, told = await token(crm, assertion(crm, **claims))
    assert (status, told["error"]) == (400, error)


async def test_a_tampered_assertion_does_not(crm: Sandbox) -> None:
    """The signature covers every byte; another algorithm, or none, is no signature."""
    head, body, signature = assertion(crm).split(".")
    other = assertion(crm, sub="nobody@sandbox.example").split(".")[1]
    unsigned = jwt.encode({"iss": "x"}, "", algorithm="none")
    for forged in (f"{head}.{other}.{signature}", f"{head}.{body}.", unsigned, "nonsense", ""):
        status, told = await token(crm, forged)
        assert (status, told["error"]) == (400, "invalid_grant")


async def walk(rest: httpx.AsyncClient, query: str, path: str = "query") -> list[dict[str, Any]]:
    """All records of a query, by following the next page."""
    answer = (await rest.get(f"{DATA}/{path}", params={"q": query})).raise_for_status().json()
    found = answer["records"]
    while not answer["done"]:
        assert answer["nextRecordsUrl"].startswith(f"{DATA}/query/01g")
        answer = (await rest.get(answer["nextRecordsUrl"])).raise_for_status().json()
        found += answer["records"]
    assert answer["totalSize"] == len(found)
    return list(found)


async def test_pages_meet_everything_once(crm: Sandbox, rest: httpx.AsyncClient) -> None:
    """In pages of any size; what changes meanwhile moves nothing, since the cursor is the server's."""
    whole_list = await walk(rest, "SELECT Id FROM Contact ORDER BY SystemModstamp, Id")
    crm.salesforce.page = 7
    assert await walk(rest, "SELECT Id FROM Contact ORDER BY SystemModstamp, Id") == whole_list
    assert len({one["Id"] for one in whole_list}) == len(whole_list) > 100


async def test_deleted_records_are_for_query_all(crm: Sandbox, rest: httpx.AsyncClient) -> None:
    """`query` leaves them out, `queryAll` marks them, and a merge's loser names the winner."""
    fields = "SELECT Id, IsDeleted, MasterRecordId FROM Account"
    usual, every = await walk(rest, fields), await walk(rest, fields, "queryAll")
    assert (len(usual), len(every)) == (60, 62)
    [loser] = [one for one in every if one["MasterRecordId"]]
    assert loser["IsDeleted"]
    assert loser["MasterRecordId"] in {one["Id"] for one in usual}
    crm.salesforce.org.empty_bin()
    assert len(await walk(rest, fields, "queryAll")) == 60


async def test_an_import_shares_one_stamp(rest: httpx.AsyncClient) -> None:
    """As in real orgs most accounts have one SystemModstamp; behind the pair of stamp and id nothing is left out."""
    found = await walk(rest, "SELECT Id, SystemModstamp FROM Account ORDER BY SystemModstamp, Id")
    stamps = [one["SystemModstamp"] for one in found]
    assert len(set(stamps)) < len(stamps) / 2
    middle = found[20]
    at = middle["SystemModstamp"].replace("+0000", "Z")
    behind = f"SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > '{middle['Id']}')"
    rest_of_it = await walk(rest, f"SELECT Id, SystemModstamp FROM Account WHERE {behind} ORDER BY SystemModstamp, Id")
    assert rest_of_it == found[21:]


async def test_related_records_are_nested(rest: httpx.AsyncClient) -> None:
    """A path asks for a field of a related record; times, decimals and attributes are as Salesforce writes them."""
    [row] = await walk(rest, "SELECT Id, Amount, CreatedDate, Owner.Email FROM Opportunity LIMIT 1")
    assert set(row) == {"attributes", "Id", "Amount", "CreatedDate", "Owner"}
    assert row["attributes"]["url"] == f"{DATA}/sobjects/Opportunity/{row['Id']}"
    assert row["Owner"]["Email"].endswith("@sandbox.example")
    assert row["CreatedDate"].endswith("+0000")
    assert isinstance(row["Amount"], int | float)


async def test_decimals_are_exact_on_the_wire(crm: Sandbox, rest: httpx.AsyncClient) -> None:
    """Digits that no binary fraction holds, and large amounts in scientific notation."""
    [first, second] = list(crm.salesforce.org.tables["Opportunity"].values())[:2]
    first["Amount"], second["Amount"] = Decimal("1234567890123456.78"), Decimal("139000000")
    for record, written in ((first, "1234567890123456.78"), (second, "1.39E+8")):
        query = f"SELECT Amount FROM Opportunity WHERE Id = '{record['Id']}'"
        assert f'"Amount": {written}' in (await rest.get(f"{DATA}/query", params={"q": query})).text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT * FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name LIKE 'A%'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account GROUP BY Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE (Name = 'a'", "MALFORMED_QUERY"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "MALFORMED_QUERY"),
        ("SELECT Nothing FROM Account", "INVALID_FIELD"),
        ("SELECT Owner.Nothing FROM Account", "INVALID_FIELD"),
        ("SELECT Parent.Name FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("", "MALFORMED_QUERY"),
    ],
)
async def test_queries_beyond_the_subset_are_refused(rest: httpx.AsyncClient, query: str, code: str) -> None:
    """With Salesforce's code: a connector cannot lean on what the double does not do as Salesforce would."""
    answer = await rest.get(f"{DATA}/query", params={"q": query})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


async def test_every_answer_tells_the_budget(crm: Sandbox, rest: httpx.AsyncClient) -> None:
    """Requests are counted and told; when they are spent, 403 until the day is over."""
    crm.salesforce.daily_limit = 2
    told = [await rest.get(f"{DATA}/limits") for _ in range(3)]
    assert [one.headers["sforce-limit-info"] for one in told] == ["api-usage=1/2", "api-usage=2/2", "api-usage=2/2"]
    assert (told[2].status_code, told[2].json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")


async def test_a_bulk_job_is_waited_for_and_read_in_pieces(crm: Sandbox, rest: httpx.AsyncClient) -> None:
    """In progress, complete, and then CSV behind a locator that ends as the text null."""
    crm.salesforce.bulk.looks = 1
    job = {"operation": "queryAll", "query": "SELECT Id, Name, Owner.Email FROM Account"}
    made = (await rest.post(f"{DATA}/jobs/query", json=job)).json()
    address = f"{DATA}/jobs/query/{made['id']}"
    assert (await rest.get(f"{address}/results")).status_code == 400, "it is in progress"
    assert [(await rest.get(address)).json()["state"] for _ in range(2)] == ["InProgress", "JobComplete"]
    sizes, locator = [], None
    while locator != "null":
        params = {"maxRecords": 25} | ({"locator": locator} if locator else {})
        piece = await rest.get(f"{address}/results", params=params)
        assert piece.text.splitlines()[0] == '"Id","Name","Owner.Email"'
        sizes.append(int(piece.headers["sforce-numberofrecords"]))
        assert len(piece.text.splitlines()) == sizes[-1] + 1
        locator = piece.headers["sforce-locator"]
    assert sizes == [25, 25, 12]
    assert (await rest.get(f"{DATA}/jobs/query/750000000000000AAA")).status_code == 404


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.RATE_LIMITED, 403, "REQUEST_LIMIT_EXCEEDED"),
        (Fault.SERVER_ERROR, 500, "UNKNOWN_EXCEPTION"),
        (Fault.EXPIRED, 401, "INVALID_SESSION_ID"),
    ],
)
async def test_faults_fall_on_demand(
    crm: Sandbox, rest: httpx.AsyncClient, fault: Fault, status: int, code: str
) -> None:
    """Each in Salesforce's own words; an expired session stays so."""
    crm.salesforce.faults.strike(fault)
    answer = await rest.get(f"{DATA}/limits")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)
    assert ((await rest.get(f"{DATA}/limits")).status_code == 401) is (fault is Fault.EXPIRED)


async def test_cursors_and_tokens_end(crm: Sandbox, rest: httpx.AsyncClient) -> None:
    """A server cursor that was forgotten is refused by name; so is a session."""
    crm.salesforce.page = 5
    answer = (await rest.get(f"{DATA}/query", params={"q": "SELECT Id FROM Account"})).json()
    crm.salesforce.forget_cursors()
    refused = await rest.get(answer["nextRecordsUrl"])
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    crm.salesforce.signing_in.expire()
    assert (await rest.get(f"{DATA}/limits")).status_code == 401


async def test_a_client_of_others_is_content(crm: Sandbox, others: Salesforce) -> None:
    """simple-salesforce, unmodified, pages, writes, upserts, deletes, and reads a bulk job."""
    org = crm.salesforce.org
    crm.salesforce.page = 20
    found = await asyncio.to_thread(others.query_all, "SELECT Id, Name, Owner.Email FROM Account")
    assert found["totalSize"] == len(found["records"]) == 60
    every = await asyncio.to_thread(others.query_all, "SELECT Id FROM Account", include_deleted=True)
    assert len(every["records"]) == 62
    account = found["records"][0]["Id"]
    made = await asyncio.to_thread(others.Task.create, {"WhatId": account, "Subject": "Call"})
    assert org.tables["Task"][made["id"]]["AccountId"] == account
    fields = {"Hub_Account_Id__c": "org_1", "Health_Band__c": "GREEN"}
    assert await asyncio.to_thread(others.Account.update, account, fields) == 204
    upserted = await asyncio.to_thread(others.Account.upsert, "Hub_Account_Id__c/org_1", {"Health_Band__c": "RED"})
    assert (upserted, org.tables["Account"][account]["Health_Band__c"]) == (200, "RED")
    assert await asyncio.to_thread(others.Task.delete, made["id"]) == 204
    assert org.tables["Task"][made["id"]]["IsDeleted"]
    pieces = await asyncio.to_thread(lambda: list(others.bulk2.Account.query("SELECT Id, Name FROM Account")))
    assert sum(len(piece.splitlines()) - 1 for piece in pieces) == 60
    with pytest.raises(SalesforceMalformedRequest):
        await asyncio.to_thread(others.query, "SELECT Id FROM Account WHERE Name LIKE 'A%'")
    crm.salesforce.signing_in.expire()
    with pytest.raises(SalesforceExpiredSession):
        await asyncio.to_thread(others.query, "SELECT Id FROM Account")


def test_one_seed_gives_one_org(base: CompanyBase) -> None:
    """The same records, ids and stamps on every machine, of the companies that the other doubles know."""
    one, other = invent_org(base), invent_org(base)
    assert one.tables == other.tables
    websites = [str(account["Website"]) for account in one.tables["Account"].values()]
    assert all(any(company.domain in website for website in websites) for company in base.companies)
    told = {one["StageName"] for one in one.tables["Opportunity"].values()}
    assert {"Closed Won", "Proposal"} <= told


def test_something_was_closed_before_it_was_created(base: CompanyBase) -> None:
    """The import kept the closing date and gave a creation date of its own."""
    cases = invent_org(base).tables["Case"].values()
    assert [one["CaseNumber"] for one in cases if one["ClosedDate"] and one["ClosedDate"] < one["CreatedDate"]]


def test_a_merge_moves_what_belonged_to_the_loser(base: CompanyBase) -> None:
    """Contacts go over to the winner, touched at the time of the merge."""
    org: Org = invent_org(base)
    winner, loser = list(org.tables["Account"].values())[:2]
    theirs = [one["Id"] for one in org.tables["Contact"].values() if one["AccountId"] == loser["Id"]]
    at = datetime(2027, 1, 1, tzinfo=UTC)
    org.merge("Account", winner["Id"], loser["Id"], at)
    assert theirs
    assert all(org.tables["Contact"][one]["AccountId"] == winner["Id"] for one in theirs)
    assert {org.tables["Contact"][one]["SystemModstamp"] for one in theirs} == {at}
    assert org.tables["Account"][loser["Id"]]["MasterRecordId"] == winner["Id"]


def test_the_last_three_of_an_id_tell_its_case() -> None:
    """An id of a real org, as Salesforce itself lengthens it."""
    assert whole("001000000000000") == "001000000000000AAA"
    assert whole("00570000001ZwTi") == "00570000001ZwTiAAK"


async def test_addresses_of_next_pages_may_carry_a_host(crm: Sandbox, rest: httpx.AsyncClient) -> None:
    """Relative as a rule; as behind a proxy on demand."""
    crm.salesforce.page, crm.salesforce.next_host = 5, "https://elsewhere.example"
    answer = (await rest.get(f"{DATA}/queryAll", params={"q": "SELECT Id FROM Account"})).json()
    assert urlsplit(answer["nextRecordsUrl"]).netloc == "elsewhere.example"
    path = urlsplit(answer["nextRecordsUrl"]).path
    assert len((await rest.get(path)).json()["records"]) == 5
