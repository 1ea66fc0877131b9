"""A double of Zendesk's exports, lists and writes, as far as the connector asks them.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/: behind the end a cursor is
null; a page by time is longer than asked for where more rows share its last second.
"""

from datetime import UTC, datetime, timedelta
from json import loads
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hub import sdk

FIXTURES = Path(__file__).parent / "fixtures"
EXAMPLES = {
    "organizations": "identified",
    "users": "identified",
    "tickets": "open",
    "ticket_events": "solved",
    "satisfaction_ratings": "good",
}
NOUNS = {"organizations": "organization", "users": "user", "tickets": "ticket"}
PAGE = 2


class Double(sdk.testing.Vendor):
    """Exports what it holds, two rows a page, and keeps what is written to its one ticket."""

    # An offered rating may be given for two weeks, so the connector looks back for as long.
    apart = timedelta(days=5)

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, dict[str, Any]] = {}
        self.ticket: dict[str, Any] = _example("tickets")
        self.audits: list[dict[str, Any]] = []

    def make(self, stream: str, number: int, at: datetime) -> sdk.testing.Row:
        example = _example(stream)
        at = at.astimezone(UTC)
        stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {**example, "id": example["id"] + number, "created_at": stamp}
        return row | ({"timestamp": int(at.timestamp())} if stream == "ticket_events" else {"updated_at": stamp})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/v2/users/me.json", self.me),
                Route("/api/v2/incremental/{stream}/cursor.json", self.by_cursor),
                Route("/api/v2/incremental/{stream}.json", self.by_time),
                Route("/api/v2/satisfaction_ratings.json", self.ratings),
                Route("/api/v2/tickets/show_many.json", self.many),
                Route("/api/v2/tickets.json", self.open, methods=["POST"]),
                Route("/api/v2/tickets/1234/audits.json", self.changes),
                Route("/api/v2/tickets/1234.json", self.change, methods=["PUT"]),
                Route("/api/v2/{stream}/{id}.json", self.one),
            ]
        )

    def me(self, request: Request) -> JSONResponse:
        return JSONResponse({"user": {"id": 1, "role": "admin"}})

    def by_cursor(self, request: Request) -> JSONResponse:
        stream = request.path_params["stream"]
        start = int(request.query_params.get("cursor", 0))
        page, rest = _cut(self.held[stream], start, start + PAGE)
        after = str(start + len(page)) if page else None
        return JSONResponse({stream: self.shown(page), "after_cursor": after, "end_of_stream": not rest})

    def by_time(self, request: Request) -> JSONResponse:
        stream, start = request.path_params["stream"], int(request.query_params["start_time"])
        due = [row for row in self.held[stream] if _second(row) >= start]
        end = PAGE
        while end < len(due) and _second(due[end]) == _second(due[end - 1]):
            end += 1
        page, rest = _cut(due, 0, end)
        answer = {"count": len(page), "end_time": _second(page[-1]) if page else start, "end_of_stream": not rest}
        return JSONResponse({stream: self.shown(page), **answer})

    def ratings(self, request: Request) -> JSONResponse:
        since = int(request.query_params["start_time"])
        rows = [row for row in self.held["satisfaction_ratings"] if _second(row) >= since]
        start = int(request.query_params.get("page[after]", 0))
        page, rest = _cut(rows, start, start + PAGE)
        meta = {"has_more": bool(rest), "after_cursor": str(start + len(page))}
        return JSONResponse({"satisfaction_ratings": self.shown(page), "meta": meta})

    def many(self, request: Request) -> JSONResponse:
        asked = request.query_params["ids"].split(",")
        return JSONResponse({"tickets": [{**self.ticket, "id": int(one)} for one in asked]})

    def one(self, request: Request) -> JSONResponse:
        stream, id_ = request.path_params["stream"], int(request.path_params["id"])
        found = [row for row in self.held[stream] if row["id"] == id_]
        found += [self.ticket] if stream == "tickets" and id_ == self.ticket["id"] else []
        return JSONResponse({NOUNS[stream]: found[0]}) if found else JSONResponse({"error": "RecordNotFound"}, 404)

    async def open(self, request: Request) -> JSONResponse:
        key = request.headers["idempotency-key"]
        if key not in self.made:
            self.made[key] = {**(await request.json())["ticket"], "id": 5_000 + len(self.made)}
            self.effects.append(key)
        return JSONResponse({"ticket": self.made[key]}, 201)

    def changes(self, request: Request) -> JSONResponse:
        return JSONResponse({"audits": self.audits[::-1]})

    async def change(self, request: Request) -> JSONResponse:
        wanted = (await request.json())["ticket"]
        if wanted.get("safe_update") and wanted["updated_stamp"] != self.ticket["updated_at"]:
            return JSONResponse({"error": "UpdateConflict", "description": "Outdated ticket data"}, 409)
        priority = wanted.get("priority", self.ticket["priority"])
        if "comment" in wanted or priority != self.ticket["priority"]:
            self.effects.append(wanted)
            self.audits.append({"metadata": {"custom": wanted.get("metadata", {})}})
        self.ticket["priority"] = priority
        return JSONResponse({"ticket": self.ticket})


def _example(stream: str) -> dict[str, Any]:
    row: dict[str, Any] = loads((FIXTURES / f"{stream}.{EXAMPLES[stream]}.json").read_text())
    return row


def _cut(rows: list[sdk.testing.Row], start: int, end: int) -> tuple[list[sdk.testing.Row], list[sdk.testing.Row]]:
    return rows[start:end], rows[end:]


def _second(row: sdk.testing.Row) -> int:
    if "timestamp" in row:
        return int(row["timestamp"])
    return int(datetime.fromisoformat(row.get("updated_at") or row["created_at"]).timestamp())
