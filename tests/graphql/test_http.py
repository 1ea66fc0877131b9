"""GraphQL over HTTP: media types, methods, status codes, and errors as JSON everywhere."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from hub.access.service import Role
from hub.graphql.http import GRAPHQL_JSON, JSON
from tests.graphql.conftest import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

VIEWER = "{ viewer { role } }"
ANSWER = {"data": {"viewer": {"role": "CSM"}}}


async def send(
    reader: Client,
    content: bytes | None = None,
    *,
    method: str = "POST",
    url: str = "/graphql",
    role: Role | None = Role.CSM,
    **headers: str,
) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if role is not None:
        sent |= reader.headers(role)
    return await reader.http.request(method, url, content=content, headers=sent)


def body(**parts: Any) -> bytes:
    return json.dumps(parts).encode()


@pytest.mark.parametrize("media", [JSON, GRAPHQL_JSON])
async def test_a_query_is_answered_by_post_and_by_get(reader: Client, media: str) -> None:
    """The same answer, in the media type that was asked for, in UTF-8, and not to be cached."""
    posted = await send(reader, body(query=VIEWER), content_type=JSON, accept=media)
    url = "/graphql?" + urlencode({"query": "query Q($x: Boolean!) { viewer { role @include(if: $x) } }"})
    got = await send(reader, method="GET", url=url + '&variables={"x":true}&operationName=Q', accept=media)
    for response in (posted, got):
        assert response.status_code == 200
        assert response.headers["content-type"] == f"{media}; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.json() == ANSWER


async def test_a_mutation_by_get_is_refused(reader: Client) -> None:
    """405 with Allow; reading by GET cannot change anything."""
    url = "/graphql?" + urlencode({"query": 'mutation { alertResolve(input: {id: "x"}) { __typename } }'})
    for media in (JSON, GRAPHQL_JSON, "text/event-stream"):
        response = await send(reader, method="GET", url=url, accept=media)
        assert response.status_code == 405
        assert response.headers["allow"] == "GET, POST"
        assert response.json()["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"


async def test_a_subscription_needs_a_stream(reader: Client) -> None:
    """Asked for as JSON it is refused, and told how to ask."""
    for media in (JSON, GRAPHQL_JSON):
        response = await send(
            reader, body(query="subscription { healthChanged { cursor } }"), content_type=JSON, accept=media
        )
        assert response.status_code == 406
        assert "text/event-stream" in response.json()["errors"][0]["message"]


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"", {"content_type": JSON}, 400, "BAD_REQUEST"),
        (b"{", {"content_type": JSON}, 400, "BAD_REQUEST"),
        (b"\xff", {"content_type": JSON}, 400, "BAD_REQUEST"),
        (b"[]", {"content_type": JSON}, 400, "BAD_REQUEST"),
        (body(query=None), {"content_type": JSON}, 400, "BAD_REQUEST"),
        (body(query=7), {"content_type": JSON}, 400, "BAD_REQUEST"),
        (body(query=VIEWER, variables=[]), {"content_type": JSON}, 400, "BAD_REQUEST"),
        (body(query=VIEWER, variables="{}"), {"content_type": JSON}, 400, "BAD_REQUEST"),
        (body(query=VIEWER, operationName=7), {"content_type": JSON}, 400, "BAD_REQUEST"),
        (body(query=VIEWER, extensions="x"), {"content_type": JSON}, 400, "BAD_REQUEST"),
        (body(query=VIEWER, variables=nested(100)), {"content_type": JSON}, 400, "BAD_REQUEST"),
        (b"[" * 100_000, {"content_type": JSON}, 400, "BAD_REQUEST"),
        (body(query=VIEWER), {}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (body(query=VIEWER), {"content_type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (body(query=VIEWER), {"content_type": "application/json; charset=latin-1"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (body(query=VIEWER), {"content_type": JSON, "content_encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (body(query="x" * 600_000), {"content_type": JSON}, 413, "PAYLOAD_TOO_LARGE"),
        (body(query=VIEWER), {"content_type": JSON, "accept": "image/png"}, 406, "NOT_ACCEPTABLE"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
async def test_what_is_no_request_is_refused(
    reader: Client, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """A 4xx with a JSON body that says what to do, whatever the media type."""
    for media in (JSON, GRAPHQL_JSON):
        response = await send(reader, content, **{"accept": media, **headers})
        assert response.status_code == status
        found = response.json()
        assert "data" not in found
        assert found["errors"][0]["extensions"]["code"] == code
        assert found["errors"][0]["message"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(reader: Client, method: str) -> None:
    """GET and POST, nothing else."""
    response = await send(reader, body(query=VIEWER), method=method, content_type=JSON)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query Q($first: Int) { accounts(first: $first) { totalCount } }", {"first": "x"}, "BAD_USER_INPUT"),
        ("query Q($at: DateTime!) { tasks(filter: {dueBefore: $at}) { __typename } }", {"at": "now"}, "BAD_USER_INPUT"),
        ("query A { viewer { role } } query B { viewer { role } }", {}, "OPERATION_RESOLUTION_FAILED"),
        ("fragment F on Query { viewer { role } }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ],
    ids=str,
)  # fmt: skip
async def test_a_refused_document_is_200_for_old_clients_and_400_for_new_ones(
    reader: Client, query: str, variables: dict[str, Any], code: str
) -> None:
    """As the specification of GraphQL over HTTP has it; without `data` either way."""
    for media, status in ((JSON, 200), (GRAPHQL_JSON, 400)):
        response = await send(reader, body(query=query, variables=variables), content_type=JSON, accept=media)
        assert response.status_code == status
        found = response.json()
        assert "data" not in found
        assert found["errors"][0]["extensions"]["code"] == code


@pytest.mark.parametrize("authorization", [None, "hub_x", "Basic aHVi", "Bearer", "Bearer  ", "Bearer hub_wrong"])
async def test_nobody_comes_in_without_a_key(reader: Client, authorization: str | None) -> None:
    """401 with the scheme to use, before anything is looked at."""
    headers = {} if authorization is None else {"authorization": authorization}
    response = await send(reader, body(query=VIEWER), role=None, content_type=JSON, **headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="hub"'
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_data_and_errors_come_together(reader: Client) -> None:
    """A field that is refused is null with its error; the rest is there, with 200."""
    query = '{ viewer { role } account(id: "x") { name } }'
    for media in (JSON, GRAPHQL_JSON):
        response = await send(reader, body(query=query), content_type=JSON, accept=media)
        assert response.status_code == 200
        found = response.json()
        assert found["data"] == {"viewer": {"role": "CSM"}, "account": None}
        assert found["errors"][0]["path"] == ["account"]


async def test_a_browser_gets_the_explorer_and_an_api_client_does_not(reader: Client) -> None:
    """The page loads nothing from other hosts, and its policy forbids it."""
    page = await send(reader, method="GET", role=None, accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "Portfolio" in page.text
    for name, media in (("explorer.js", "text/javascript"), ("explorer.css", "text/css")):
        asset = await send(reader, method="GET", url=f"/graphql/{name}", role=None)
        assert asset.status_code == 200
        assert asset.headers["content-type"].startswith(media)
        assert "//" not in asset.text.replace("https://", "//") or "://" not in asset.text
    assert (await send(reader, method="GET", url="/graphql/nothing", role=None)).status_code == 404
    assert (await send(reader, method="GET", role=None, accept=JSON)).status_code == 400
