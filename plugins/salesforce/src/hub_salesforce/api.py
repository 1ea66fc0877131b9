"""Salesforce's REST API: signing in, renewing a token once, refusals, and the budget of requests.

A token is good for hours while a connector lives for a few seconds, so tokens (and what is known of the budget) are
kept for the process, by a digest of the credentials: with other credentials there is another token.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import httpx
import jwt

from hub.sdk.errors import AuthExpired, ConnectorError, Misconfigured, RateLimited, Rejected, Unavailable
from hub_salesforce.budget import HEADER, HOLD_BACK, Usage, hold_back, usage_in
from hub_salesforce.config import SalesforceConfig

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105  # a path
ASSERTION_LIFE = timedelta(minutes=3)
BUSY = frozenset({"QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "DUPLICATE_VALUE"})
"""Refusals that pass: what is refused now may be accepted in a moment."""


@dataclass(slots=True)
class Session:
    """A token, and the budget as the last answer told it."""

    token: str | None = None
    usage: Usage | None = None


class Refused(Rejected):
    """An answer of 400 or 404 with Salesforce's error code."""

    def __init__(self, message: str, *, detail: str = "", code: str = "") -> None:
        super().__init__(message, detail=detail)
        self.code = code


@lru_cache(maxsize=1_000)
def session_for(digest: bytes) -> Session:
    """The process's session for the credentials of this digest."""
    return Session()


def session_of(config: SalesforceConfig) -> Session:
    """The process's session for these credentials."""
    secrets = (config.private_key, config.client_secret)
    parts = [str(config.base_url), config.client_id, config.username or "", config.audience]
    parts += [secret.get_secret_value() if secret else "" for secret in secrets]
    return session_for(hashlib.sha256("\0".join(parts).encode()).digest())


class Api:
    """Requests of one connection; `http` is the host's client, whose base is the org."""

    def __init__(self, config: SalesforceConfig, http: httpx.AsyncClient, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._http = http
        self._clock = clock
        self._session = session_of(config)
        self.prefix = f"/services/data/v{config.api_version}"
        self.vendor_now = clock()
        """Salesforce's clock by its last answer, never ahead of ours: nothing is to be settled too soon."""

    async def sign_in(self) -> Mapping[str, Any]:
        """Get a new token; returns what came with it. Raises `AuthExpired` or `Misconfigured`."""
        self._session.token = None
        answer = await self._http.post(TOKEN_PATH, data=self._grant(), extensions={"asks": True})
        told = _document(answer)
        if answer.is_error:
            error, why = str(told.get("error")), str(told.get("error_description"))
            if error in ("invalid_grant", "inactive_user", "inactive_org"):
                raise AuthExpired(f"Salesforce does not let the integration user in: {why}.", detail=error)
            raise Misconfigured(f"Salesforce does not accept the connected app ({error}): {why}.", detail=error)
        self._session.token = str(told["access_token"])
        return told

    async def get(self, path: str, params: Mapping[str, Any] | None = None, *, share: float | None = None) -> Any:
        """The JSON of a path below the version's; decimal fractions stay text, so that they stay exact."""
        return exact_json(await self.send("GET", path, params=params, share=share))

    async def send(
        self, method: str, path: str, *, share: float | None = None, refusable: bool = True, **options: Any
    ) -> httpx.Response:
        """One request, with one renewal of the token. Raises `Refused` for an answer of 400 or 404."""
        wait = hold_back(self._session.usage, share or self._config.api_share, self._clock())
        if wait is not None:
            raise _spent(wait)
        if self._session.token is None:
            await self.sign_in()
        try:
            answer = await self._http.request(method, self.prefix + path, **options)
        except AuthExpired:
            await self.sign_in()
            answer = await self._http.request(method, self.prefix + path, **options)
        self._session.usage = usage_in(answer.headers.get(HEADER), self._clock()) or self._session.usage
        self.vendor_now = min(_date(answer) or self._clock(), self._clock())
        if answer.is_error and refusable:
            raise _refusal(answer)
        return answer

    def _grant(self) -> dict[str, str]:
        config = self._config
        if config.client_secret is not None:
            secret = config.client_secret.get_secret_value()
            return {"grant_type": "client_credentials", "client_id": config.client_id, "client_secret": secret}
        claims = {
            "iss": config.client_id,
            "sub": config.username,
            "aud": config.audience,
            "exp": int((self._clock() + ASSERTION_LIFE).timestamp()),
        }
        key = config.private_key.get_secret_value() if config.private_key else ""
        try:
            assertion = jwt.encode(claims, key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise Misconfigured("private_key is no RSA key in PEM: give the whole file, with its BEGIN line.") from None
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}


def authorized(request: httpx.Request, config: SalesforceConfig) -> httpx.Request:
    """The request with the session's token, unless it asks for one."""
    token = session_of(config).token
    if token is not None and request.url.path != TOKEN_PATH:
        request.headers["Authorization"] = f"Bearer {token}"
    return request


def judged(answer: httpx.Response, config: SalesforceConfig, now: datetime) -> ConnectorError | None:
    """Error answers whose status misleads: a spent budget is a 403 like a missing permission."""
    if answer.status_code != 403:
        return None
    code, why = _error(answer)
    if code == "REQUEST_LIMIT_EXCEEDED":
        session_of(config).usage = Usage(1.0, now)
        return _spent(HOLD_BACK)
    return Misconfigured(f"Salesforce forbids it ({code}): {why}")


def exact_json(answer: httpx.Response) -> Any:
    """The answer's JSON with decimal fractions as text. Raises `Unavailable` for anything else."""
    try:
        return json.loads(answer.content, parse_float=str)
    except ValueError:
        raise Unavailable("Salesforce did not answer with JSON.", detail=answer.text[:200]) from None


def _spent(wait: timedelta) -> RateLimited:
    return RateLimited(
        "The hub's share of the org's API requests is used up; it asks again later (settings api_share and "
        "backfill_share).",
        retry_after=wait,
    )


def _refusal(answer: httpx.Response) -> ConnectorError:
    code, why = _error(answer)
    if code in BUSY:
        return Unavailable(f"Salesforce is busy with it ({code}): {why}")
    return Refused(f"Salesforce refused it ({code}): {why}", code=code)


def _error(answer: httpx.Response) -> tuple[str, str]:
    """Code and message of `[{"errorCode": …, "message": …}]`."""
    try:
        first = answer.json()[0]
        return str(first["errorCode"]), str(first["message"])
    except (ValueError, KeyError, TypeError, IndexError):
        return f"HTTP {answer.status_code}", answer.text[:200]


def _document(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict) or (answer.is_success and not isinstance(told.get("access_token"), str)):
        raise Misconfigured("base_url does not answer as Salesforce does: give the org's My Domain.")
    return told


def _date(answer: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None
