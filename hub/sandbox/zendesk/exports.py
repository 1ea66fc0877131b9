"""Incremental exports: by cursor (tickets, users) and by time (organizations, ticket events).

The last minute is held back. Behind the end the cursor is null. By time a page begins with a second and ends with one,
both included, and is longer than asked for when more rows share its last second.
Source: https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/
"""

import base64
import binascii
from typing import Any, Final

from hub.sandbox.zendesk.desk import Desk, Row
from hub.sandbox.zendesk.refusals import Refusal

HELD_BACK: Final = 60


def by_cursor(desk: Desk, kind: str, params: dict[str, str], host: str, rows_at_most: int) -> dict[str, Any]:
    """A page of a cursor export; `host` stands in its next-page address."""
    size = min(_number(params.get("per_page", "1000"), "per_page"), 1_000, rows_at_most)
    behind = _position(params["cursor"]) if "cursor" in params else (_start(desk, params) - 1, 1 << 62)
    due = [one for one in _due(desk, kind) if one[0] > behind]
    page = [row for _, row in due[:size]]
    after = _token(due[min(size, len(due)) - 1][0]) if page else None
    url = f"{host}/api/v2/incremental/{kind}/cursor.json?cursor={after}" if after else None
    return {
        kind: page,
        "after_cursor": after,
        "after_url": url,
        "before_cursor": None,
        "before_url": None,
        "end_of_stream": len(due) <= size,
    }


def by_time(desk: Desk, kind: str, params: dict[str, str], host: str, rows_at_most: int) -> dict[str, Any]:
    """A page of an export by time."""
    size = min(_number(params.get("per_page", "1000"), "per_page"), 1_000, rows_at_most)
    start = _start(desk, params)
    due = [one for one in _due(desk, kind) if one[0][0] >= start]
    end = size
    while 0 < end < len(due) and due[end][0][0] == due[end - 1][0][0]:
        end += 1
    page = due[:end]
    last = page[-1][0][0] if page else start
    return {
        kind: [row for _, row in page],
        "count": len(page),
        "end_time": last,
        "end_of_stream": end >= len(due),
        "next_page": f"{host}/api/v2/incremental/{kind}.json?start_time={last}" if page else None,
    }


def _due(desk: Desk, kind: str) -> list[tuple[tuple[int, int], Row]]:
    """The rows that may be seen by now, each behind its place in the export."""
    latest = int(desk.clock().timestamp()) - HELD_BACK
    found = [
        ((noticed, row_id), desk.tables[kind][row_id] | {"generated_timestamp": noticed})
        for row_id, noticed in desk.generated[kind].items()
        if noticed <= latest
    ]
    return sorted(found, key=lambda one: one[0])


def _start(desk: Desk, params: dict[str, str]) -> int:
    start = _number(params.get("start_time", ""), "start_time")
    if start > int(desk.clock().timestamp()) - HELD_BACK:
        raise Refusal(422, "InvalidValue", "Too recent start_time. Use a start_time older than 60 seconds")
    return start


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise Refusal(400, "InvalidValue", f"{name} must be a number")
    return int(text)


def _token(position: tuple[int, int]) -> str:
    return base64.urlsafe_b64encode(f"{position[0]}||{position[1]}".encode()).decode()


def _position(cursor: str) -> tuple[int, int]:
    try:
        noticed, row_id = base64.urlsafe_b64decode(cursor).decode().split("||")
        return int(noticed), int(row_id)
    except (ValueError, binascii.Error):
        raise Refusal(400, "InvalidValue", "cursor is invalid") from None
