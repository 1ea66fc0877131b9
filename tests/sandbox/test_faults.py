"""Bad days on demand: each fault does what its name says, over a socket, and as often as it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest

from hub.sandbox import CompanyBase, Fault, Faults, StripeDouble, invent_books
from hub.sandbox.billing import customer_id
from hub.sandbox.books import Event

# A machine under load may be slow to connect; what a test waits for is the answer that does not come.
PATIENCE = httpx.Timeout(10, read=0.5)


@pytest.fixture
def double(base: CompanyBase) -> StripeDouble:
    return StripeDouble(invent_books(base), key="sk", clock=lambda: base.until)


@pytest.fixture
async def api(double: StripeDouble) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer sk"}
    async with (
        double.running() as url,
        httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False) as client,
    ):
        yield client


def written(double: StripeDouble) -> int:
    """How many updates of customers the books tell of."""
    return sum(event.type == "customer.updated" for event in double.books.newest(Event))


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (Fault.RATE_LIMITED, 429, "invalid_request_error"),
        (Fault.SERVER_ERROR, 500, "api_error"),
        (Fault.EXPIRED, 401, "invalid_request_error"),
    ],
)
async def test_a_refusal_comes_once(
    api: httpx.AsyncClient, double: StripeDouble, fault: Fault, status: int, kind: str
) -> None:
    """The next request is refused in the vendor's shape, the one after it is served."""
    double.faults.strike(fault)
    answer = await api.get("/v1/customers")
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert (await api.get("/v1/customers")).status_code == 200
    assert double.faults.fallen == [("/v1/customers", fault)]


async def test_a_time_out_lasts_until_the_client_gives_up(api: httpx.AsyncClient, double: StripeDouble) -> None:
    """No answer comes back, and the end of the double does not wait for it."""
    double.faults.strike(Fault.TIMEOUT)
    with pytest.raises(httpx.ReadTimeout):
        await api.get("/v1/customers", timeout=PATIENCE)
    assert (await api.get("/v1/customers")).status_code == 200


async def test_a_restarted_double_withholds_again(double: StripeDouble) -> None:
    """On the port of before, with the same faults, an answer is withheld for as long as the first time."""
    port, headers = 0, {"Authorization": "Bearer sk"}
    for _ in range(2):
        double.faults.strike(Fault.TIMEOUT)
        async with (
            double.running(port) as url,
            httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as client,
        ):
            port = httpx.URL(url).port or 0
            with pytest.raises(httpx.ReadTimeout):
                await client.get(f"{url}/v1/account", headers=headers)


async def test_a_short_hold_ends_in_a_cut(api: httpx.AsyncClient, double: StripeDouble) -> None:
    """A patient client waits for the hold and then loses the connection."""
    double.faults.hold = 0.05
    double.faults.strike(Fault.TIMEOUT)
    with pytest.raises(httpx.RemoteProtocolError):
        await api.get("/v1/customers")


async def test_a_cut_ends_in_the_middle_of_the_body(api: httpx.AsyncClient, double: StripeDouble) -> None:
    """Head and half of the body come, then the connection ends."""
    double.faults.strike(Fault.CUT)
    got = b""
    with pytest.raises(httpx.RemoteProtocolError, match=r"without sending complete message body"):
        async with api.stream("GET", "/v1/customers") as answer:
            announced = int(answer.headers["Content-Length"])
            async for piece in answer.aiter_raw():
                got += piece
    assert got.startswith(b'{"object":"list"')
    assert len(got) <= announced // 2 + 1


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.CUT])
async def test_a_write_whose_answer_is_lost_has_happened(
    api: httpx.AsyncClient, double: StripeDouble, base: CompanyBase, fault: Fault
) -> None:
    """The client is in doubt; the same key again tells it the first outcome and writes nothing more."""
    path = f"/v1/customers/{customer_id(base, base.companies[0])}"
    request = {"data": {"metadata[health]": "red"}, "headers": {"Idempotency-Key": "run:1"}}
    double.faults.strike(fault)
    with pytest.raises(httpx.TransportError):
        await api.post(path, **request, timeout=PATIENCE)  # type: ignore[arg-type]
    again = await api.post(path, **request)  # type: ignore[arg-type]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["metadata"]["health"] == "red"
    assert written(double) == 1


async def test_a_broken_write_stays_broken_under_its_key(
    api: httpx.AsyncClient, double: StripeDouble, base: CompanyBase
) -> None:
    """Stripe replays even a 500; another key gets through."""
    path = f"/v1/customers/{customer_id(base, base.companies[0])}"
    double.faults.strike(Fault.SERVER_ERROR)
    data = {"metadata[health]": "red"}
    answers = [await api.post(path, data=data, headers={"Idempotency-Key": key}) for key in ("one", "one", "two")]
    assert [answer.status_code for answer in answers] == [500, 500, 200]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert written(double) == 1


async def test_a_refused_write_did_not_happen(api: httpx.AsyncClient, double: StripeDouble, base: CompanyBase) -> None:
    """A 429 or 401 comes before anything is done and is not kept under the key."""
    path = f"/v1/customers/{customer_id(base, base.companies[0])}"
    double.faults.strike(Fault.RATE_LIMITED, Fault.EXPIRED)
    data, headers = {"metadata[health]": "red"}, {"Idempotency-Key": "one"}
    answers = [await api.post(path, data=data, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 401, 200]
    assert "Idempotent-Replayed" not in answers[2].headers
    assert written(double) == 1


def test_a_script_says_which_request_goes_wrong() -> None:
    """The first is served, the second is not, and after the script nothing falls any more."""
    faults = Faults([None, Fault.CUT])
    assert [faults.draw("/") for _ in range(4)] == [None, Fault.CUT, None, None]
    assert (faults.seen, faults.fallen) == (4, [("/", Fault.CUT)])


def test_shares_are_drawn_by_the_seed() -> None:
    """The same seed gives the same days, another one others; about as many faults fall as asked for."""
    share = {Fault.RATE_LIMITED: 0.2, Fault.SERVER_ERROR: 0.1}

    def days(seed: int) -> list[Fault | None]:
        faults = Faults(share=share, seed=seed)
        return [faults.draw("/") for _ in range(2_000)]

    assert days(1) == days(1) != days(2)
    count = Counter(days(1))
    assert 340 <= count[Fault.RATE_LIMITED] <= 460
    assert 150 <= count[Fault.SERVER_ERROR] <= 250


def test_faults_keep_to_their_path() -> None:
    """Requests elsewhere are neither counted nor disturbed."""
    faults = Faults([Fault.CUT], only="/events")
    assert faults.draw("/v1/customers") is None
    assert faults.draw("/v1/events") is Fault.CUT
    assert faults.seen == 1


def test_what_a_test_puts_in_comes_first() -> None:
    """`strike` goes before the script, in the order in which it was given."""
    faults = Faults([Fault.CUT])
    faults.strike(Fault.TIMEOUT, None)
    assert [faults.draw("/") for _ in range(3)] == [Fault.TIMEOUT, None, Fault.CUT]
