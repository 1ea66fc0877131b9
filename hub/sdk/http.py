"""The HTTP client that the host gives a connector.

It knows the base URL, puts the credentials on, keeps the pace, waits no longer than it must, and talks to no host that
the connector does not declare, wherever a redirect may point. What comes back is sorted into the errors of
`hub.sdk.errors`, so that a connector's code holds its vendor's logic alone:

- 401 → `AuthExpired`; 403 → `Misconfigured`; 429 → `RateLimited`; 408, 5xx and silence → `Unavailable`.
- Other answers, 404 and 409 for instance, are the connector's to judge; its `judge` may know better about any of them.

Whoever only reads may ask again, so `Unavailable` is retried here a few times. An action may not: when its request went
out and no answer came, or a server failed over it, it may have happened: `Ambiguous`. Never retried here, unless the
method is idempotent (RFC 9110, 9.2.2) or the request carries an `Idempotency-Key`. Where even reading changes what
comes next, a request has `extensions={"once": True}`: it is repeated only when it was plainly refused (429). One that
only asks, although by POST, has `extensions={"asks": True}`: it may be repeated, and a dry run sends it.

`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` count, for whatever is not on this machine itself.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import cache
from typing import Any, Protocol
from urllib.request import getproxies, proxy_bypass

import httpx
import stamina

from hub.kit.clock import Clock
from hub.sdk.errors import Ambiguous, AuthExpired, ConnectorError, Misconfigured, RateLimited, Rejected, Unavailable
from hub.sdk.targets import to_public_address

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
PATIENCE = timedelta(seconds=10)
"""The longest `Retry-After` that is waited for here; a longer one goes to whoever can do something else meanwhile."""

ATTEMPTS = 4
RETRY_SECONDS = 20.0
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
IDEMPOTENT = SAFE | {"PUT", "DELETE"}
LONGEST_ANSWER = 65_536
ONCE = "once"
"""The extension of a request that a vendor answers otherwise the second time, e.g. with the page after the lost one."""

ASKS = "asks"
"""The extension of a request that changes nothing, although its method would: one for a token, a search."""

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)


class Purpose(StrEnum):
    """What a connector is opened for: reading, which may be repeated, acting, which may not, only trying to, or
    delivering.

    A delivery goes to an address that somebody entered: no redirect is followed, its answer is read up to
    `LONGEST_ANSWER` and judged by the connector, and whoever delivers repeats it.
    """

    READING = "reading"
    ACTING = "acting"
    TRYING = "trying"
    """A dry run: what would change something is not sent, but told by `WouldSend`."""
    DELIVERING = "delivering"


class WouldSend(ConnectorError):
    """A dry run came to a request that would change something; it was not sent."""

    def __init__(self, request: httpx.Request) -> None:
        super().__init__(
            f"It would send {request.method} {request.url.host}{request.url.path}.",
            detail=f"{len(request.content)} bytes",
        )
        self.request = request


class Turns(Protocol):
    """What makes requests wait for their turn."""

    async def wait(self) -> None: ...


def _no_opinion(answer: httpx.Response) -> ConnectorError | None:
    return None


def _unobserved(host: str, outcome: str) -> None:
    """For a client whose requests nobody counts."""


class HostClient(httpx.AsyncClient):
    """An httpx client with the host's manners; see the module."""

    def __init__(
        self,
        hosts: Sequence[str],
        authenticate: Callable[[httpx.Request], httpx.Request],
        pace: Turns,
        clock: Clock,
        purpose: Purpose = Purpose.READING,
        *,
        judge: Callable[[httpx.Response], ConnectorError | None] = _no_opinion,
        observe: Callable[[str, str], None] = _unobserved,
        carrier: httpx.AsyncBaseTransport | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        private_targets: bool = True,
    ) -> None:
        """`hosts` are base URLs; the first one is the client's own.

        `judge` knows error answers better than we do. `observe` is told the host and what came of each request.
        `carrier` takes the place of the network, below all of the manners. Without `private_targets` see `targets`.
        """
        self._judge = judge
        self._purpose = purpose
        self._observe = observe
        self._clock = clock
        self.sent_unsafely = False
        """Whether a request that may not be repeated has gone out, and was not plainly refused."""
        super().__init__(
            base_url=hosts[0] if hosts else "",
            transport=_Courier(hosts, authenticate, pace, purpose, carrier, private_targets=private_targets),
            timeout=timeout,
            follow_redirects=purpose is not Purpose.DELIVERING,
            headers={"user-agent": "journey-hub"},
        )

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send, retry what may be retried, and raise what the answer means."""
        if self._purpose is Purpose.DELIVERING:
            return await self._send_once(request, **options)
        pause = _pause if ONCE not in request.extensions else _pause_of_refused
        async for attempt in stamina.retry_context(
            on=pause, attempts=ATTEMPTS, timeout=RETRY_SECONDS, wait_initial=0.3, wait_max=5.0, wait_jitter=0.3
        ):
            with attempt:
                return await self._send_once(request, **options)
        raise AssertionError("a retry context ends by returning or raising")

    async def _send_once(self, request: httpx.Request, **options: Any) -> httpx.Response:
        if self._purpose is Purpose.TRYING and request.method not in SAFE and ASKS not in request.extensions:
            raise WouldSend(request)
        repeatable = self._may_be_repeated(request)
        what = f"{request.method} {request.url.host}{request.url.path}"
        try:
            response = await super().send(request, **options)
        except NEVER_SENT as error:
            raise self._counted(
                request, Unavailable("The vendor cannot be reached.", detail=f"{what}: {error}")
            ) from error
        except (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects) as error:
            self.sent_unsafely |= not repeatable
            detail = f"{what}: {type(error).__name__} {error}"
            if repeatable:
                raise self._counted(
                    request, Unavailable("The vendor's answer did not arrive.", detail=detail)
                ) from error
            raise self._counted(
                request, Ambiguous("The vendor's answer did not arrive: the action may have happened.", detail=detail)
            ) from error
        known = self._judge(response) if response.is_error and response.is_closed else None
        problem = known or self._problem(response, f"{what} answered {response.status_code}", repeatable)
        self.sent_unsafely |= not repeatable and (response.status_code < 400 or isinstance(problem, Ambiguous))
        if problem is not None:
            await response.aclose()
            raise self._counted(request, problem)
        self._observe(request.url.host, "answered")
        return response

    def _counted(self, request: httpx.Request, error: ConnectorError) -> ConnectorError:
        self._observe(request.url.host, type(error).__name__)
        return error

    def _may_be_repeated(self, request: httpx.Request) -> bool:
        if self._purpose is Purpose.READING or ASKS in request.extensions:
            return True
        return request.method in IDEMPOTENT or "idempotency-key" in request.headers

    def _problem(self, response: httpx.Response, detail: str, repeatable: bool) -> ConnectorError | None:
        match response.status_code:
            case status if self._purpose is Purpose.DELIVERING and status not in (429, 503):
                return None
            case 429 | 503 if self._purpose is Purpose.DELIVERING:
                pause = asked_pause(response.headers, self._clock.now())
                return RateLimited("The receiver asks for a pause.", retry_after=pause, detail=detail)
            case 401:
                return AuthExpired("The vendor no longer accepts the credentials: connect again.", detail=detail)
            case 403:
                return Misconfigured(
                    "The vendor forbids this: give the credentials the permissions that the connector's README names.",
                    detail=detail,
                )
            case 429:
                pause = asked_pause(response.headers, self._clock.now())
                return RateLimited("The vendor asks for a pause.", retry_after=pause, detail=detail)
            case 408 | 503:
                return Unavailable("The vendor cannot answer now.", detail=detail)
            case status if status >= 500 and repeatable:
                return Unavailable("The vendor has a fault of its own.", detail=detail)
            case status if status >= 500:
                return Ambiguous("The vendor failed over it: the action may have happened.", detail=detail)
            case _:
                return None


class _Courier(httpx.AsyncBaseTransport):
    """Carries one exchange, redirects included: to declared hosts only, authenticated, at the pace."""

    def __init__(
        self,
        hosts: Sequence[str],
        authenticate: Callable[[httpx.Request], httpx.Request],
        pace: Turns,
        purpose: Purpose,
        carrier: httpx.AsyncBaseTransport | None,
        *,
        private_targets: bool,
    ) -> None:
        self._origins = frozenset(origin(httpx.URL(host)) for host in hosts)
        self._authenticate = authenticate
        self._pace = pace
        self._delivers = purpose is Purpose.DELIVERING
        self._private_targets = private_targets
        self._given = carrier
        self._carriers: dict[str | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if origin(request.url) not in self._origins:
            raise Misconfigured(
                f"The connector does not declare the host {request.url.host!r}: it is not talked to.",
                detail=f"{request.method} to an undeclared origin; declared: {sorted(map(str, self._origins))}",
            )
        await self._pace.wait()
        request = self._authenticate(request)
        carrier = self._carrier(request.url)
        if not self._delivers:
            return await carrier.handle_async_request(request)
        if not self._private_targets:
            request = await to_public_address(request)
        return _bounded(await carrier.handle_async_request(request))

    def _carrier(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        if self._given is not None:
            return self._given
        proxy = proxy_for(url)
        if proxy not in self._carriers:
            self._carriers[proxy] = httpx.AsyncHTTPTransport(verify=_trust(), proxy=proxy)
        return self._carriers[proxy]

    async def aclose(self) -> None:
        for carrier in self._carriers.values():
            await carrier.aclose()


def proxy_for(url: httpx.URL) -> str | None:
    """The proxy that the environment names for this address; None for none, and for this machine itself."""
    if url.host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


class _Beginning(httpx.AsyncByteStream):
    """The first bytes of a body, whatever its length."""

    def __init__(self, whole: httpx.AsyncByteStream) -> None:
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = LONGEST_ANSWER
        async for part in self._whole:
            yield part[:left]
            left -= len(part)
            if left <= 0:
                return

    async def aclose(self) -> None:
        await self._whole.aclose()


def _bounded(response: httpx.Response) -> httpx.Response:
    """The response with the beginning of its body, as it is: unpacking could make it long again."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # of an asynchronous transport
    headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
    return httpx.Response(
        response.status_code, headers=headers, stream=_Beginning(response.stream), extensions=response.extensions
    )


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port, the port filled in (RFC 6454)."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def asked_pause(headers: httpx.Headers, now: datetime) -> timedelta | None:
    """How long a 429 asks to wait, by `Retry-After` or `X-RateLimit-Reset` (unix seconds); None if it says neither."""
    pause = retry_after(headers.get("retry-after"), now)
    reset = headers.get("x-ratelimit-reset", "")
    if pause is not None or not reset.isdecimal() or len(reset) > 12:
        return pause
    return min(max(timedelta(seconds=int(reset) - now.timestamp()), timedelta()), timedelta(days=1))


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The header `Retry-After`, seconds or a date (RFC 9110, 10.2.3); None when it is missing or unreadable."""
    if not value:
        return None
    if value.strip().isdecimal():
        return timedelta(seconds=min(int(value), 86_400))
    try:
        return max(parsedate_to_datetime(value) - now, timedelta())
    except (ValueError, TypeError):
        return None


def connector_error(error: Exception) -> ConnectorError | None:
    """What an exception out of a connector means to the host; None when it is a bug in the connector."""
    match error:
        case ConnectorError():
            return error
        case httpx.HTTPStatusError():
            return Rejected(
                f"The vendor refuses the request ({error.response.status_code}).",
                detail=f"{error.request.method} {error.request.url.host}{error.request.url.path}",
            )
        case httpx.TransportError() | httpx.DecodingError() | TimeoutError():
            return Unavailable("The vendor's answer did not arrive.", detail=f"{type(error).__name__} {error}")
        case _:
            return None


def _pause(error: Exception) -> bool | timedelta:
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return error.retry_after if error.retry_after <= PATIENCE else False
    return isinstance(error, Unavailable)


def _pause_of_refused(error: Exception) -> bool | timedelta:
    return isinstance(error, RateLimited) and _pause(error)


@cache
def _trust() -> ssl.SSLContext:
    """The machine's certificates, read once: it takes longer than many a request."""
    return httpx.create_ssl_context()
