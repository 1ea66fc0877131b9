"""The Salesforce double: a local server that speaks the REST and Bulk APIs over an org.

It is as strict as Salesforce where a connector can be wrong (tokens, fields, queries, locators, the budget of
requests), knows only what a hub reads and writes, and answers with relative next-page addresses.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.kit.loopback import serve
from hub.sandbox.faults import Fault, Faults, spoil, wire_date
from hub.sandbox.salesforce.bulk import Bulk
from hub.sandbox.salesforce.ids import make_id
from hub.sandbox.salesforce.org import Org, Record
from hub.sandbox.salesforce.refusals import Refusal
from hub.sandbox.salesforce.rendering import as_json, as_object
from hub.sandbox.salesforce.soql import Query, parse
from hub.sandbox.salesforce.tokens import ConnectedApp

PAGE: Final = 2_000
_LOCATOR_LIFE: Final = timedelta(days=2)
_METHODS: Final = ["GET", "POST", "PATCH", "DELETE"]


@dataclass(slots=True)
class _Walk:
    """The rows of a query behind a server cursor, as they were when it was asked."""

    query: Query
    records: list[Record]
    began: datetime


class SalesforceDouble:
    """One org behind one connected app.

    page: rows of a query's page at most. daily_limit: requests in a day; `used` counts them, also those of other
    programs when a test adds to it. next_host: puts a host before next-page addresses, as proxies do.
    """

    def __init__(
        self,
        org: Org,
        app: ConnectedApp,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: Faults | None = None,
        page: int = PAGE,
        daily_limit: int = 15_000,
    ) -> None:
        self.org = org
        self.signing_in = app
        self.clock = clock
        self.faults = faults or Faults()
        self.page = page
        self.daily_limit = daily_limit
        self.used = 0
        self.next_host = ""
        self.paths: list[str] = []
        self.bulk = Bulk(org, Random(f"{org.id}/jobs"))  # noqa: S311 - ids of an invented org
        self.url = ""
        self._walks: dict[str, _Walk] = {}
        self._rng = Random(f"{org.id}/locators")  # noqa: S311 - the same
        self.app = Starlette(routes=[Route("/{path:path}", self._serve, methods=_METHODS)])

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[str]:
        """Serves the APIs on a loopback port until the block is left; yields the org's base URL."""
        self.faults.begin()
        async with serve(self.app, port, dated=False) as self.url:
            try:
                yield self.url
            finally:
                self.faults.end()

    def forget_cursors(self) -> None:
        """Server cursors live for two days; they have passed."""
        self._walks.clear()

    async def _serve(self, request: Request) -> Response:
        fault = self.faults.draw(request.url.path)
        self.paths.append(request.url.path)
        try:
            answer = await self._answer(request, fault)
        except Refusal as refusal:
            answer = _json(refusal.status, refusal.body)
        answer.headers["Date"] = wire_date(self.clock())
        if "/services/data/" in request.url.path:
            answer.headers["Sforce-Limit-Info"] = f"api-usage={self.used}/{self.daily_limit}"
        return await spoil(answer, fault, self.faults)

    async def _answer(self, request: Request, fault: Fault | None) -> Response:
        # The raw path: an external id may hold a slash of its own, as %2F.
        raw = request.scope["raw_path"].decode("ascii").strip("/").split("/")
        parts = [unquote(part) for part in raw]
        if fault is Fault.SERVER_ERROR:
            raise Refusal.broken()
        if parts == ["services", "oauth2", "token"] and request.method == "POST":
            return self._token(dict(parse_qsl((await request.body()).decode())))
        if parts[:2] != ["services", "data"] or len(parts) < 4:
            raise Refusal.missing()
        self._admit(request, fault)
        if fault is Fault.EXPIRED_CURSOR and parts[3] in ("query", "queryAll") and len(parts) > 4:
            raise Refusal.no_locator()
        if fault is Fault.EXPIRED_CURSOR and parts[3] == "jobs" and request.method == "GET":
            raise Refusal.missing()
        return await self._resource(request, parts[2], parts[3:])

    def _token(self, form: dict[str, str]) -> Response:
        token = self.signing_in.grant(form)
        told = {
            "access_token": token,
            "scope": "api",
            "instance_url": self.url,
            "id": f"https://login.salesforce.com/id/{self.org.id}/005000000000000AAA",
            "token_type": "Bearer",
        }
        return _json(200, told)

    def _admit(self, request: Request, fault: Fault | None) -> None:
        """Lets a request in that has a good token, and counts it."""
        if fault is Fault.EXPIRED:
            self.signing_in.expire()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "oauth") or token not in self.signing_in.good:
            raise Refusal.no_session()
        if fault is Fault.RATE_LIMITED or self.used >= self.daily_limit:
            raise Refusal.spent()
        self.used += 1

    async def _resource(self, request: Request, version: str, path: list[str]) -> Response:
        params = request.query_params
        match request.method, path:
            case "GET", ["query" | "queryAll" as name] if "q" in params:
                query = parse(self.org, params["q"])
                walk = _Walk(
                    query, [dict(one) for one in query.run(self.org, deleted=name == "queryAll")], self.clock()
                )
                return self._page(walk, version, 0, None)
            case "GET", ["query" | "queryAll", locator]:
                return self._next_page(version, locator)
            case "GET", ["limits"]:
                left = self.daily_limit - self.used
                return _json(200, {"DailyApiRequests": {"Max": self.daily_limit, "Remaining": left}})
            case _, ["sobjects", kind, *rest]:
                return self._write(request.method, version, kind, rest, await _body(request))
            case _, ["jobs", "query", *rest]:
                return self._job(request.method, rest, await _body(request), dict(params))
            case _:
                raise Refusal.missing()

    def _next_page(self, version: str, locator: str) -> Response:
        name, _, offset = locator.partition("-")
        walk = self._walks.get(name)
        if walk is None or not offset.isdecimal() or self.clock() - walk.began > _LOCATOR_LIFE:
            raise Refusal.no_locator()
        return self._page(walk, version, int(offset), name)

    def _page(self, walk: _Walk, version: str, start: int, name: str | None) -> Response:
        end = start + self.page
        query, done = walk.query, end >= len(walk.records)
        rows = [as_object(self.org, query.object, one, query.fields, version) for one in walk.records[start:end]]
        body: dict[str, Any] = {"totalSize": len(walk.records), "done": done, "records": rows}
        if not done:
            name = name or make_id(self._rng, "QueryLocator")
            self._walks[name] = walk
            # As recorded: /query/ also in the answers of queryAll.
            body["nextRecordsUrl"] = f"{self.next_host}/services/data/{version}/query/{name}-{end}"
        return _json(200, body)

    def _write(self, method: str, version: str, kind: str, path: list[str], fields: dict[str, Any]) -> Response:
        self.org.fields_of(kind)
        match method, path:
            case "POST", []:
                record = self.org.insert(kind, **self._told(kind, fields))
                return _json(201, {"id": record["Id"], "success": True, "errors": []})
            case "GET", [record_id]:
                return _json(200, self._found(kind, record_id, version))
            case "PATCH", [record_id]:
                self.org.update(kind, record_id, **self._ended(kind, fields))
                return Response(status_code=204)
            case "PATCH", [external, value]:
                record, created = self.org.upsert(kind, external, value, **fields)
                shown = {"id": record["Id"], "success": True, "errors": [], "created": created}
                return _json(201 if created else 200, shown)
            case "DELETE", [record_id]:
                self.org.delete(kind, record_id)
                return Response(status_code=204)
            case _:
                raise Refusal(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed")

    def _told(self, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        """What a new record has besides the fields that were given: an activity belongs to what it is about."""
        if kind == "Task":
            return {"Status": "Not Started", "IsClosed": False, "AccountId": fields.get("WhatId")} | fields
        return fields

    def _ended(self, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        """What else changes with a record: a task that gets the closed status is closed from then on."""
        if kind != "Task" or "Status" not in fields:
            return fields
        closed = fields["Status"] == "Completed"
        return {"IsClosed": closed, "CompletedDateTime": self.clock() if closed else None} | fields

    def _found(self, kind: str, record_id: str, version: str) -> dict[str, Any]:
        record = self.org.get(kind, record_id)
        if record is None or record.get("IsDeleted"):
            raise Refusal.missing()
        return as_object(self.org, kind, record, sorted(self.org.fields_of(kind)), version)

    def _job(self, method: str, path: list[str], body: dict[str, Any], params: dict[str, str]) -> Response:
        match method, path:
            case "POST", []:
                return _json(200, self.bulk.create(body))
            case "GET", [job]:
                return _json(200, self.bulk.look(job))
            case "GET", [job, "results"]:
                most = int(params["maxRecords"]) if "maxRecords" in params else None
                piece, headers = self.bulk.results(job, most, params.get("locator"))
                return Response(piece, 200, headers, "text/csv")
            case _:
                raise Refusal.missing()


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(400, "JSON_PARSER_ERROR", "The request body is no JSON") from None
    if not isinstance(found, dict):
        raise Refusal(400, "JSON_PARSER_ERROR", "The request body is no object")
    return found


def _json(status: int, body: Any) -> Response:
    return Response(as_json(body), status, None, "application/json;charset=UTF-8")
