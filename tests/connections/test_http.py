"""The host's HTTP client: credentials on, declared hosts only, patient where it may be, no secret in an error."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import stamina
from starlette.responses import JSONResponse, Response

from hub.connections.pace import Pace, buckets
from hub.kit.clock import SystemClock
from hub.kit.loopback import serve
from hub.sdk import Rate
from hub.sdk.errors import Ambiguous, AuthExpired, ConnectorError, Misconfigured, RateLimited, Unavailable
from hub.sdk.http import HostClient, Purpose, WouldSend, asked_pause, origin, proxy_for, retry_after
from tests.connections.vendor import API_KEY, Vendor

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Retries happen as they would, without the pauses between them."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


def with_key(request: httpx.Request) -> httpx.Request:
    request.headers["authorization"] = f"Bearer {API_KEY}"
    return request


def client(hosts: Sequence[str], purpose: Purpose = Purpose.READING) -> HostClient:
    pace = Pace(buckets("test", Rate(per_second=100_000), backfill=False))
    return HostClient(hosts, with_key, pace, SystemClock(), purpose)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthExpired), (403, Misconfigured), (429, RateLimited), (408, Unavailable), (500, Unavailable)],
)
async def test_what_an_answer_means(vendor: Vendor, status: int, error: type[ConnectorError]) -> None:
    """Each status that means the same with every vendor becomes an error of the contract, without query or secret."""
    vendor.faults = [Response(status_code=status, headers={"retry-after": "60"}) for _ in range(9)]
    async with client([vendor.url]) as http:
        with pytest.raises(error) as raised:
            await http.get("/me", params={"token": "in-the-query"})
    assert API_KEY not in f"{raised.value.message} {raised.value.detail}"
    assert "in-the-query" not in raised.value.detail


@pytest.mark.parametrize("status", [200, 304, 400, 404, 409, 410, 422])
async def test_other_answers_are_the_connectors(vendor: Vendor, status: int) -> None:
    """What only the connector can judge reaches it."""
    vendor.faults = [Response(status_code=status)]
    async with client([vendor.url]) as http:
        assert (await http.get("/me")).status_code == status


async def test_reading_is_retried(vendor: Vendor) -> None:
    """A server's fault and a short pause that it asks for are waited out, also with POST: reading changes nothing."""
    vendor.faults = [Response(status_code=500), Response(status_code=429, headers={"retry-after": "0"})]
    async with client([vendor.url]) as http:
        assert (await http.get("/me")).json() == {"tenant": "tenant-1"}
        vendor.faults = [Response(status_code=502)]
        assert (await http.post("/thanks", json={"person": "ann"})).status_code == 200
    assert len(vendor.requests) == 5


async def test_what_is_asked_once_is_not_repeated(vendor: Vendor) -> None:
    """Where a second request is answered otherwise, only one that was plainly refused is repeated."""
    vendor.faults = [Response(status_code=429, headers={"retry-after": "0"}), Response(status_code=500)]
    async with client([vendor.url]) as http:
        with pytest.raises(Unavailable):
            await http.get("/me", extensions={"once": True})
        assert len(vendor.requests) == 2
        assert (await http.get("/me", extensions={"once": True})).status_code == 200


async def test_a_long_pause_is_somebody_elses_to_wait(vendor: Vendor) -> None:
    """A Retry-After beyond patience comes back at once, with its length."""
    vendor.faults = [Response(status_code=429, headers={"retry-after": "120"})]
    started = time.monotonic()
    async with client([vendor.url]) as http:
        with pytest.raises(RateLimited) as raised:
            await http.get("/me")
    assert raised.value.retry_after == timedelta(seconds=120)
    assert time.monotonic() - started < 5
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("method", "headers", "status", "error", "asked"),
    [
        ("POST", {}, 500, Ambiguous, 1),
        ("PATCH", {}, 504, Ambiguous, 1),
        ("POST", {}, 503, None, 2),
        ("POST", {"Idempotency-Key": "k"}, 500, None, 2),
        ("PUT", {}, 500, None, 2),
    ],
)
async def test_acting_is_only_repeated_where_it_may_be(
    vendor: Vendor, method: str, headers: dict[str, str], status: int, error: type[ConnectorError] | None, asked: int
) -> None:
    """A failed action may have happened, so its request is not sent again, unless a repetition cannot matter."""
    vendor.faults = [Response(status_code=status), JSONResponse({})]
    async with client([vendor.url], Purpose.ACTING) as http:
        if error is None:
            await http.request(method, "/thanks", headers=headers, json={"person": "ann"})
        else:
            with pytest.raises(error):
                await http.request(method, "/thanks", headers=headers, json={"person": "ann"})
        assert http.sent_unsafely == (method in {"POST", "PATCH"} and not headers)
    assert len(vendor.requests) == asked


async def test_a_post_that_only_asks_is_no_action(vendor: Vendor) -> None:
    """A token is fetched again after a fault, leaves nothing in doubt, and is fetched in a dry run as well."""
    vendor.faults = [Response(status_code=500), JSONResponse({})]
    async with client([vendor.url], Purpose.ACTING) as http:
        await http.post("/thanks", json={"person": "ann"}, extensions={"asks": True})
        assert not http.sent_unsafely
    async with client([vendor.url], Purpose.TRYING) as trying:
        await trying.post("/thanks", json={"person": "ann"}, extensions={"asks": True})
    assert len(vendor.requests) == 3


async def test_an_answer_that_never_comes_is_ambiguous_when_acting(vendor: Vendor) -> None:
    """A time-out after sending leaves open whether the action happened."""
    vendor.delay = 0.5
    async with client([vendor.url], Purpose.ACTING) as http:
        with pytest.raises(Ambiguous):
            await http.post("/thanks", json={"person": "ann"}, timeout=0.1)
        assert http.sent_unsafely


async def test_a_vendor_that_is_not_there_was_not_asked() -> None:
    """When no connection comes about nothing was sent, so it is unavailable and not ambiguous."""
    async with client(["http://127.0.0.1:9"], Purpose.ACTING) as http:
        with pytest.raises(Unavailable):
            await http.post("/thanks", json={})
        assert not http.sent_unsafely


async def test_an_undeclared_host_is_not_talked_to(vendor: Vendor) -> None:
    """Neither a full URL nor a redirect reaches a host that the connector does not declare, nor do credentials."""
    elsewhere = vendor.url.replace("127.0.0.1", "localhost")
    async with client([vendor.url]) as http:
        with pytest.raises(Misconfigured):
            await http.get(f"{elsewhere}/me")
        assert vendor.requests == []
        with pytest.raises(Misconfigured):
            await http.get("/elsewhere", params={"to": f"{elsewhere}/me"})
    assert vendor.requests == ["GET /elsewhere"]


async def test_a_redirect_to_a_declared_host_is_followed(vendor: Vendor) -> None:
    """A second declared host is reached, with credentials."""
    elsewhere = vendor.url.replace("127.0.0.1", "localhost")
    async with client([vendor.url, elsewhere]) as http:
        response = await http.get("/elsewhere", params={"to": f"{elsewhere}/me"})
    assert response.json() == {"tenant": "tenant-1"}


def test_an_origin_is_scheme_host_and_port() -> None:
    """The default ports are filled in; another scheme, host or port is another origin."""
    assert origin(httpx.URL("https://api.test/v1")) == origin(httpx.URL("https://API.test:443"))
    for other in ("http://api.test", "https://api.test:444", "https://api.test.evil.test", "https://x.api.test"):
        assert origin(httpx.URL(other)) != origin(httpx.URL("https://api.test"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", timedelta(seconds=7)),
        ("Mon, 02 Mar 2026 10:01:00 GMT", timedelta(minutes=1)),
        ("Mon, 02 Mar 2026 09:00:00 GMT", timedelta()),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: Any, expected: timedelta | None) -> None:
    """Both forms of the header are understood, and nonsense is ignored."""
    assert retry_after(value, NOW) == expected


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the outside world; never for this machine, and not for what NO_PROXY names."""
    asked: list[str] = []

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        asked.append(dict(scope["headers"])[b"host"].decode())
        await Response("from the proxy")(scope, receive, send)

    async with serve(proxy) as url:
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
        monkeypatch.setenv("NO_PROXY", "inside.example")
        async with client(["http://api.vendor.example"]) as vendor:
            assert (await vendor.get("/me")).text == "from the proxy"
    assert asked == ["api.vendor.example"]
    assert proxy_for(httpx.URL("https://api.vendor.example")) == "http://proxy.example:3128"
    assert proxy_for(httpx.URL("https://inside.example")) is None
    assert proxy_for(httpx.URL(url)) is None


async def test_a_dry_run_reads_and_changes_nothing(vendor: Vendor) -> None:
    """What would change something is told and not sent."""
    async with client([vendor.url], Purpose.TRYING) as trying:
        assert (await trying.get("/me")).status_code == 200
        with pytest.raises(WouldSend, match="It would send POST"):
            await trying.post("/thanks", json={"person": "p"})
    assert vendor.requests == ["GET /me"]


async def test_a_connector_may_know_better_what_an_answer_means(vendor: Vendor) -> None:
    """A 403 with a code that says "later" is a pause and not a missing permission; without an opinion it is ours."""

    def judge(answer: httpx.Response) -> ConnectorError | None:
        later = answer.json().get("code") == "SPENT"
        return RateLimited("Later.", retry_after=timedelta(hours=1)) if later else None

    pace = Pace(buckets("test", Rate(per_second=100_000), backfill=False))
    async with HostClient([vendor.url], with_key, pace, SystemClock(), judge=judge) as http:
        for body, error in (('{"code": "SPENT"}', RateLimited), ('{"code": "FORBIDDEN"}', Misconfigured)):
            vendor.faults = [Response(body, 403)]
            with pytest.raises(error):
                await http.get("/me")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 7)}, 7),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) - 7)}, 0),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 7), "retry-after": "3"}, 3),
        ({"x-ratelimit-reset": "999999999999"}, 86_400),
        ({"x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-reset": "9" * 400}, None),
        ({}, None),
    ],
)
def test_a_window_that_begins_anew_is_waited_for(headers: dict[str, str], seconds: int | None) -> None:
    """Without Retry-After a vendor may say when its window ends; nonsense is not believed."""
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert asked_pause(httpx.Headers(headers), NOW) == expected
