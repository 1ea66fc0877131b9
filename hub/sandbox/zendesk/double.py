"""The Zendesk double: a local server that speaks the Support API over a desk.

As strict as Zendesk where a connector can be wrong: credentials, cursors, the limit of exports in a minute,
idempotency keys, updates of a ticket that somebody else has changed. It knows only what a hub reads and writes.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.kit.loopback import serve
from hub.sandbox.faults import Fault, Faults, spoil, wire_date
from hub.sandbox.zendesk.desk import Desk, Row
from hub.sandbox.zendesk.exports import by_cursor, by_time
from hub.sandbox.zendesk.refusals import Refusal

_NOUNS = {"tickets": "ticket", "users": "user", "organizations": "organization"}


class ZendeskDouble:
    """One account behind one agent's API token.

    exports_per_minute: Zendesk allows ten; None allows any number. page: rows of an export's page at most. next_host:
    the host of next-page addresses, which is never the one that is asked.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        email: str,
        token: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: Faults | None = None,
        exports_per_minute: int | None = None,
        page: int = 1_000,
    ) -> None:
        self.desk = desk
        self.email = email
        self.token = token
        self.clock = clock
        self.faults = faults or Faults()
        self.exports_per_minute = exports_per_minute
        self.page = page
        self.next_host = "https://sandbox.zendesk.example"
        self.paths: list[str] = []
        self.expired = False
        self._exports = (0, 0)
        self._made: dict[str, tuple[Any, Row]] = {}
        self.app = Starlette(routes=[Route("/{path:path}", self._serve, methods=["GET", "POST", "PUT"])])

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[str]:
        """Serves the API on a loopback port until the block is left; yields its base URL."""
        self.faults.begin()
        async with serve(self.app, port, dated=False) as url:
            try:
                yield url
            finally:
                self.faults.end()

    async def _serve(self, request: Request) -> Response:
        fault = self.faults.draw(request.url.path)
        self.paths.append(request.url.path)
        try:
            answer = await self._answer(request, fault)
        except Refusal as refusal:
            answer = _json(refusal.status, refusal.body, refusal.headers)
        answer.headers["Date"] = wire_date(self.clock())
        return await spoil(answer, fault, self.faults)

    async def _answer(self, request: Request, fault: Fault | None) -> Response:
        path = request.url.path.removesuffix(".json").strip("/").split("/")
        if path[:2] != ["api", "v2"]:
            raise Refusal.missing()
        known = not (self.expired or fault is Fault.EXPIRED) and self._knows(request.headers.get("authorization", ""))
        if path[2:] == ["users", "me"] and not known and "authorization" not in request.headers:
            return _json(200, {"user": {"id": None, "name": "Anonymous user"}})
        if not known:
            raise Refusal.stranger()
        if fault is Fault.RATE_LIMITED:
            raise Refusal.too_fast(37)
        if fault is Fault.SERVER_ERROR:
            raise Refusal(500, "InternalServerError", "Something went wrong")
        if fault is Fault.EXPIRED_CURSOR and {"cursor", "page[after]"} & request.query_params.keys():
            raise Refusal(400, "InvalidValue", "cursor is invalid")
        if request.method == "GET":
            return self._read(path[2:], dict(request.query_params))
        return self._write(request.method, path[2:], await _body(request), request.headers.get("idempotency-key"))

    def _knows(self, header: str) -> bool:
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() == "bearer":
            return credentials == self.token
        try:
            return base64.b64decode(credentials).decode() == f"{self.email}/token:{self.token}"
        except (binascii.Error, UnicodeDecodeError):
            return False

    def _read(self, path: list[str], params: dict[str, str]) -> Response:
        match path:
            case ["users", "me"]:
                return _json(200, {"user": {"id": 1, "email": self.email, "role": "admin"}})
            case ["incremental", "tickets" | "users" as kind, "cursor"]:
                headers = self._count_export()
                return _json(200, by_cursor(self.desk, kind, params, self.next_host, self.page), headers)
            case ["incremental", "organizations" | "ticket_events" as kind]:
                headers = self._count_export()
                return _json(200, by_time(self.desk, kind, params, self.next_host, self.page), headers)
            case ["tickets", "show_many"]:
                wanted = [int(one) for one in params.get("ids", "").split(",") if one]
                if len(wanted) > 100:
                    raise Refusal(400, "TooManyValues", "ids must have at most 100 values")
                tickets = self.desk.tables["tickets"]
                rows = [tickets[one] for one in wanted if one in tickets and tickets[one]["status"] != "deleted"]
                return _json(200, {"tickets": rows, "count": len(rows)})
            case ["tickets", ticket, "audits"]:
                self.desk.get("tickets", _id(ticket))
                audits = self.desk.audits.get(_id(ticket), [])
                newest = audits[::-1] if params.get("sort") == "-created_at" else audits
                return _json(200, {"audits": newest[:100], "meta": {"has_more": len(audits) > 100}})
            case ["tickets" | "users" | "organizations" as kind, row_id]:
                return _json(200, {_NOUNS[kind]: self.desk.get(kind, _id(row_id))})
            case ["satisfaction_ratings"]:
                return _json(200, self._ratings(params))
            case _:
                raise Refusal.missing()

    def _count_export(self) -> dict[str, str]:
        """Ten exports in a minute; the header says how many are left, and for how long."""
        now = int(self.clock().timestamp())
        minute, used = self._exports
        used = used + 1 if now // 60 == minute else 1
        left = 60 - now % 60
        if self.exports_per_minute is not None and used > self.exports_per_minute:
            raise Refusal.too_fast(left)
        self._exports = (now // 60, used)
        total = self.exports_per_minute or 10_000
        told = f"total={total}; remaining={max(0, total - used)}; resets={left}"
        return {"zendesk-ratelimit-incremental-exports": told, "ratelimit-reset": str(left), "x-rate-limit": "700"}

    def _ratings(self, params: dict[str, str]) -> dict[str, Any]:
        start, size = int(params.get("start_time", "0")), int(params.get("page[size]", "100"))
        rows = sorted(self.desk.tables["satisfaction_ratings"].values(), key=lambda row: int(row["id"]))
        rows = [row for row in rows if datetime.fromisoformat(row["created_at"]).timestamp() >= start]
        rows = [row for row in rows if row["id"] > int(params.get("page[after]", "0"))]
        page = rows[: min(size, self.page)]
        after = str(page[-1]["id"]) if page else None
        return {"satisfaction_ratings": page, "meta": {"has_more": len(rows) > len(page), "after_cursor": after}}

    def _write(self, method: str, path: list[str], body: Row, key: str | None) -> Response:
        ticket = body.get("ticket")
        if not isinstance(ticket, dict):
            raise Refusal(400, "BadRequest", "ticket is required")
        match method, path:
            case "POST", ["tickets"]:
                return self._open(ticket, key)
            case "PUT", ["tickets", row_id]:
                return self._change(_id(row_id), ticket)
            case _:
                raise Refusal.missing()

    def _open(self, wanted: Row, key: str | None) -> Response:
        """Once for each idempotency key, which has to come with the same request again."""
        if key is not None and key in self._made:
            first, row = self._made[key]
            if first != wanted:
                raise Refusal(400, "IdempotentRequestError", "Request parameters do not match those of the first one")
            return _json(201, self._shown(row), {"x-idempotency-lookup": "hit"})
        if not (wanted.get("comment") or {}).get("body"):
            raise Refusal.invalid("Description: cannot be blank")
        fields = {name: value for name, value in wanted.items() if name != "comment"}
        usual: Row = {
            "status": "new",
            "priority": None,
            "type": None,
            "organization_id": None,
            "requester_id": 1,
            "tags": [],
        }
        known = usual | {"assignee_id": None, "description": wanted["comment"]["body"], "via": {"channel": "api"}}
        row = self.desk.put("tickets", self.clock(), **(known | fields))
        self.desk.tell(row["id"], self.clock(), [{"event_type": "Create", "status": "new"}], {})
        if key is not None:
            self._made[key] = (wanted, dict(row))
        return _json(201, self._shown(row), {"x-idempotency-lookup": "miss"} if key else {})

    def _change(self, row_id: int, wanted: Row) -> Response:
        before = self.desk.get("tickets", row_id)
        if wanted.get("safe_update") and wanted.get("updated_stamp") != before["updated_at"]:
            raise Refusal(409, "UpdateConflict", "Safe Update prevented the update due to outdated ticket data")
        if before["status"] == "closed":
            raise Refusal.invalid("Status: closed prevents ticket update")
        fields = {
            name: wanted[name] for name in ("priority", "status", "tags", "comment", "metadata") if name in wanted
        }
        comment = fields.pop("comment", None)
        row = self.desk.change_ticket(row_id, self.clock(), **fields)
        if comment:
            self.desk.audits[row_id][-1]["events"].append({"type": "Comment", **comment})
        return _json(200, self._shown(row))

    def _shown(self, ticket: Row) -> Row:
        """A ticket that was written, with the audit of the change."""
        return {"ticket": ticket, "audit": self.desk.audits[ticket["id"]][-1]}


def _id(text: str) -> int:
    if not text.isdecimal():
        raise Refusal(400, "InvalidValue", "id must be a number")
    return int(text)


async def _body(request: Request) -> Row:
    try:
        found = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError:
        raise Refusal(400, "BadRequest", "The request body is no JSON") from None
    return found if isinstance(found, dict) else {}


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json; charset=utf-8")
