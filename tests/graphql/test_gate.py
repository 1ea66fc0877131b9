"""What stands before every operation: trusted documents, and what a key may ask for in a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from hub.access import service as access
from hub.access.service import SYSTEM, Role
from hub.graphql import trusted
from hub.graphql.trusted import id_of
from hub.kit.errors import SettingsInvalid
from tests.conftest import Servers, fresh
from tests.graphql.conftest import Client, opened, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

KNOWN = "query Me { viewer { role } }\n"
UNKNOWN = "query Me { viewer { actor } }"
ID = "sha256:" + sha256(KNOWN.encode()).hexdigest()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A server that answers trusted documents, others for keys that may, and 1,000 points a second for each key."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "documents").mkdir()
    (folder / "documents" / "me.graphql").write_text(KNOWN, encoding="utf-8")
    async with fresh(servers, folder) as settings:
        guarding = {
            "trusted_documents": folder / "documents",
            "ad_hoc_queries": "permitted",
            "points_per_second": 1_000,
        }
        async with opened(settings.model_copy(update=guarding)) as client:
            yield client


async def ask(client: Client, body: dict[str, Any], **headers: str) -> httpx.Response:
    return await client.http.post("/graphql", json=body, headers={**client.headers(Role.CSM), **headers})


async def permitted(client: Client, name: str) -> dict[str, str]:
    async with client.kit.transaction() as session:
        made = await access.create_key(
            session, SYSTEM, name, Role.CSM, expires_in=None, now=client.kit.clock.now(), ad_hoc=True
        )
    return {"authorization": f"Bearer {made.secret}"}


async def test_a_document_is_named_by_its_digest(guarded: Client) -> None:
    """By POST and by GET, and as text as well: it is trusted for what it says."""
    expected = {"data": {"viewer": {"role": "CSM"}}}
    assert (await ask(guarded, {"documentId": ID})).json() == expected
    assert (await ask(guarded, {"query": KNOWN})).json() == expected
    got = await guarded.http.get("/graphql", params={"documentId": ID}, headers=guarded.headers(Role.CSM))
    assert got.json() == expected


async def test_other_documents_take_a_permission(guarded: Client) -> None:
    """One changed letter is another document; a key made with --ad-hoc may ask it."""
    refused = await ask(guarded, {"query": UNKNOWN}, accept="application/graphql-response+json")
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await ask(guarded, {"documentId": id_of(UNKNOWN)})).json()["errors"][0]["extensions"]["code"] == (
        "DOCUMENT_NOT_FOUND"
    )
    assert "data" in (await ask(guarded, {"query": UNKNOWN}, **await permitted(guarded, "ad hoc"))).json()


async def test_it_holds_on_websockets_and_streams_too(guarded: Client) -> None:
    """What is refused by one way is refused by all."""
    stream = await ask(guarded, {"query": "subscription { healthChanged { band } }"}, accept="text/event-stream")
    assert "Only trusted documents" in stream.text
    async with (
        serving(guarded.app) as address,
        connect(f"ws://{address}/graphql", subprotocols=["graphql-transport-ws"]) as socket,  # type: ignore[list-item]
    ):
        payload = {"authorization": guarded.headers(Role.CSM)["authorization"]}
        await socket.send(orjson.dumps({"type": "connection_init", "payload": payload}).decode())
        assert orjson.loads(await socket.recv())["type"] == "connection_ack"
        found = {}
        for name, asked in (("known", {"documentId": ID}), ("unknown", {"query": UNKNOWN})):
            await socket.send(orjson.dumps({"id": name, "type": "subscribe", "payload": asked}).decode())
            message = orjson.loads(await socket.recv())
            found[name] = (message["type"], message["payload"])
            if message["type"] == "next":
                assert orjson.loads(await socket.recv())["type"] == "complete"
    assert found["known"] == ("next", {"data": {"viewer": {"role": "CSM"}}})
    assert found["unknown"][0] == "error"
    assert found["unknown"][1][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_key_has_a_budget(guarded: Client) -> None:
    """A minute's worth at once, then 429 with the seconds to wait; another key has its own. Costs can be asked for."""
    dear, less = (
        {"query": f"{{ accounts(first: 200) {{ nodes {{ timeline(first: {events}) {{ nodes {{ id }} }} }} }} }}"}
        for events in (150, 140)
    )
    spender, other = await permitted(guarded, "spender"), await permitted(guarded, "other")
    first = await ask(guarded, dear, **spender, **{"x-hub-cost": "1"})
    cost = first.json()["extensions"]["cost"]
    assert cost["requested"] == 1 + 200 * (1 + 1 + 150)
    assert cost["actual"] == 200
    assert cost["throttle"]["capacity"] == 60_000
    assert cost["throttle"]["left"] == 60_000 - cost["requested"]
    assert (await ask(guarded, less, **spender)).status_code == 200
    refused = await ask(guarded, dear, **spender)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    error = refused.json()["errors"][0]["extensions"]
    assert error["code"] == "TOO_MANY_REQUESTS"
    assert error["retryAfter"] == int(refused.headers["retry-after"])
    assert (await ask(guarded, dear, **other)).status_code == 200


async def test_what_costs_too_much_is_refused_with_its_cost(guarded: Client) -> None:
    """Before anything is read."""
    page = "nodes { account { alerts(first: 200) { nodes { account { tasks(first: 200) { nodes { id } } } } } } }"
    found = (
        await ask(guarded, {"query": f"{{ alerts(first: 200) {{ {page} }} }}"}, **await permitted(guarded, "wide"))
    ).json()
    assert found["errors"][0]["extensions"]["code"] == "DOCUMENT_TOO_COMPLEX"
    assert found["errors"][0]["extensions"]["cost"]["requested"] > 1_000_000


async def test_documents_as_a_clients_tools_write_them(tmp_path: Path) -> None:
    """A JSON file of digests, with or without their prefix; a digest that is none of its text is refused at start."""
    path = tmp_path / "documents.json"
    path.write_bytes(orjson.dumps({ID.removeprefix("sha256:"): KNOWN, id_of(UNKNOWN): UNKNOWN}))
    assert trusted.load(path, "none").text(ID) == KNOWN
    path.write_bytes(orjson.dumps({ID: UNKNOWN}))
    with pytest.raises(SettingsInvalid, match="SHA-256"):
        trusted.load(path, "all")
    for wrong in (b"[]", b"{", b'{"a": 1}'):
        path.write_bytes(wrong)
        with pytest.raises(SettingsInvalid, match="HUB_TRUSTED_DOCUMENTS"):
            trusted.load(path, "all")
    with pytest.raises(SettingsInvalid):
        trusted.load(tmp_path / "nothing", "all")
