"""Reading Zendesk's incremental exports: by cursor, and by time.

The export holds the last minute back and is ordered by when Zendesk noticed a change, not by when it was made. A page
behind the end has no cursor: what is stored stays. By time, a page begins with the second that the last one ended with,
so some rows come twice; the host knows them. Next-page addresses carry Zendesk's own host and are not followed.
https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from hub.sdk.errors import CursorExpired, Misconfigured, RateLimited, Unavailable
from hub_zendesk.models import After, Since

ROWS = 1_000
MANY = 100
BEGINNING = 1
HELD_BACK = timedelta(minutes=1)
_EXPORTS = re.compile(r"remaining=(\d+).*?resets=(\d+)")

Rows = list[Mapping[str, Any]]


async def by_cursor(http: httpx.AsyncClient, name: str, cursor: After | None) -> AsyncIterator[tuple[Rows, After]]:
    """Pages of `/incremental/{name}/cursor.json`: rows, and the cursor behind them (empty: there is none)."""
    after = cursor.cursor if cursor else None
    while True:
        params = {"per_page": ROWS} | ({"cursor": after} if after else {"start_time": BEGINNING})
        answer = await asked(http, f"/api/v2/incremental/{name}/cursor.json", params)
        body = document(answer)
        moved = body.get("after_cursor") not in (None, after)
        after = body.get("after_cursor") or after
        if body[name] or moved:
            yield body[name], After(cursor=body.get("after_cursor"))
        if body["end_of_stream"] or not moved:
            return
        hold_back(answer)


async def by_time(
    http: httpx.AsyncClient, name: str, cursor: Since | None, now: datetime
) -> AsyncIterator[tuple[Rows, Since]]:
    """Pages of `/incremental/{name}.json`: rows, and the second with which the next page begins."""
    start = cursor.second if cursor and cursor.second else BEGINNING
    while start <= (now - HELD_BACK).timestamp():
        params = {"start_time": start, "per_page": ROWS}
        answer = await asked(http, f"/api/v2/incremental/{name}.json", params)
        body = document(answer)
        end = body.get("end_time") or start
        ended = body.get("end_of_stream", body["count"] < ROWS)
        if end == start and not ended:
            end += 1  # a page holds all rows of its last second, so nothing more is to be had of this one
        if body[name] or end > start:
            yield body[name], Since(second=end)
        if ended or end < start:
            return
        start = end
        hold_back(answer)


async def asked(http: httpx.AsyncClient, path: str, params: Mapping[str, Any]) -> httpx.Response:
    """One page. Raises `CursorExpired` when Zendesk does not know the cursor, `Misconfigured` for what it refuses."""
    answer = await http.get(path, params=params)
    if answer.is_error:
        if "cursor" in params and answer.status_code in (400, 422):
            raise CursorExpired(f"Zendesk no longer knows where {path} was left off: {reason(answer)}")
        raise Misconfigured(f"Zendesk refused {path}: {reason(answer)}")
    return answer


def hold_back(answer: httpx.Response) -> None:
    """Stop while no export is left in this minute: Zendesk allows ten. Raises `RateLimited`."""
    found = _EXPORTS.search(answer.headers.get("zendesk-ratelimit-incremental-exports", ""))
    if found and int(found[1]) == 0:
        raise RateLimited("Zendesk's exports of this minute are used up.", retry_after=timedelta(seconds=int(found[2])))


def document(answer: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object. Raises `Unavailable` for anything else."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unavailable("Zendesk did not answer with JSON.", detail=answer.text[:200])
    return body


def reason(answer: httpx.Response) -> str:
    """What Zendesk says: `{"error": code or {title, message}, "description": …}`."""
    try:
        body = answer.json()
        error = body.get("error")
        told = error.get("message") if isinstance(error, dict) else body.get("description") or error
        return str(told or f"HTTP {answer.status_code}")
    except (ValueError, AttributeError):
        return f"HTTP {answer.status_code}"
