"""A double of Salesforce's queries, bulk jobs and writes, as far as the connector asks them.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm: a job is made of what there is
at its creation, and read in pieces behind a locator; the last one says `null`.
"""

import csv
import io
import re
from datetime import UTC, datetime
from json import loads
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub import sdk

FIXTURES = Path(__file__).parent / "fixtures"
EXAMPLES = {
    "accounts": ("Account", "identified"),
    "contacts": ("Contact", "identified"),
    "contact_roles": ("OpportunityContactRole", "sponsor"),
    "opportunities": ("Opportunity", "open"),
    "opportunity_history": ("OpportunityHistory", "open"),
    "cases": ("Case", "open"),
    "tasks": ("Task", "open"),
    "meetings": ("Event", "planned"),
    "ended_meetings": ("Event", "held"),
    "contracts": ("Contract", "active"),
}
BEHIND = re.compile(r"= (\S+Z) AND Id > '(\w*)'")
EQUALS = re.compile(r"(\w+) = '([^']*)'")
PAGE = 2


class Double(sdk.testing.Vendor):
    """One org: rows two at a time, tasks and custom fields as they are written."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[tuple[str, list[sdk.testing.Row]]] = []
        self.queries: list[tuple[str, list[sdk.testing.Row]]] = []
        self.tasks: list[dict[str, Any]] = []
        self.fields: dict[str, Any] = {}

    def make(self, stream: str, number: int, at: datetime) -> sdk.testing.Row:
        example = loads((FIXTURES / f"{stream}.{EXAMPLES[stream][1]}.json").read_text())
        row = {**example, "Id": f"{example['Id'][:8]}{number:07}AAA"}
        for name in ("CreatedDate", "LastModifiedDate", "SystemModstamp", "EndDateTime"):
            row |= {name: _wire(at)} if name in example else {}
        return row

    def app(self) -> Starlette:
        data = "/services/data/v62.0"
        return Starlette(
            routes=[
                Route("/services/oauth2/token", self.token, methods=["POST"]),
                Route(f"{data}/jobs/query", self.job, methods=["POST"]),
                Route(f"{data}/jobs/query/{{job}}", self.state),
                Route(f"{data}/jobs/query/{{job}}/results", self.results),
                Route(f"{data}/query", self.query),
                Route(f"{data}/queryAll", self.query),
                Route(f"{data}/query/{{locator}}", self.more),
                Route(f"{data}/sobjects/Task", self.task, methods=["POST"]),
                Route(f"{data}/sobjects/{{path:path}}", self.update, methods=["PATCH"]),
            ]
        )

    def token(self, request: Request) -> JSONResponse:
        return JSONResponse({"access_token": "00D!token", "instance_url": "https://acme.my.salesforce.com"})

    async def job(self, request: Request) -> JSONResponse:
        """Made at the moment at which the newest record was written."""
        stream = _stream((await request.json())["query"])
        rows = list(self.held[stream])
        self.jobs.append((stream, rows))
        newest = max((row.get("SystemModstamp", "") for row in rows), default="") or _wire(datetime.now(UTC))
        return JSONResponse({"id": f"750{len(self.jobs) - 1}", "state": "UploadComplete", "createdDate": newest})

    def state(self, request: Request) -> JSONResponse:
        return JSONResponse({"id": request.path_params["job"], "state": "JobComplete"})

    def results(self, request: Request) -> Response:
        _, rows = self.jobs[int(request.path_params["job"][3:])]
        start = int(request.query_params.get("locator", 0))
        end = start + PAGE
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(_as_text(row) for row in self.shown(rows[start:end]))
        headers = {"sforce-locator": str(end) if end < len(rows) else "null"}
        return Response(text.getvalue(), headers=headers, media_type="text/csv")

    def query(self, request: Request) -> JSONResponse:
        soql = request.query_params["q"]
        if " FROM Organization" in soql:
            return self.page("Organization", [{"Id": "00DDn00000ORGabMAH"}])
        if soql.startswith("SELECT Id FROM Task"):
            wanted = dict(EQUALS.findall(soql))
            return self.page("Task", [task for task in self.tasks if wanted.items() <= task.items()])
        stream = _stream(soql)
        if "Id = '" in soql and not BEHIND.search(soql):
            return self.page(stream, [row for row in self.held[stream] if row["Id"] in soql])
        order = "EndDateTime" if stream == "ended_meetings" else "SystemModstamp"
        behind = BEHIND.search(soql)
        after = (datetime.fromisoformat(behind[1]), behind[2]) if behind else None
        placed = [((datetime.fromisoformat(row[order]), row.get("Id", "")), row) for row in self.held[stream]]
        self.queries.append((stream, [row for at, row in placed if after is None or at > after]))
        return self.page(*self.queries[-1], locator=len(self.queries) - 1)

    def more(self, request: Request) -> JSONResponse:
        locator, _, start = request.path_params["locator"].partition("-")
        return self.page(*self.queries[int(locator)], locator=int(locator), start=int(start))

    def page(
        self, stream: str, rows: list[sdk.testing.Row], *, locator: int | None = None, start: int = 0
    ) -> JSONResponse:
        end = start + PAGE if locator is not None else len(rows)
        done = end >= len(rows)
        records = [{"attributes": {"type": stream}, **_nested(row)} for row in self.shown(rows[start:end])]
        answer = {"totalSize": len(rows), "done": done, "records": records}
        more = {} if done else {"nextRecordsUrl": f"/services/data/v62.0/query/{locator}-{end}"}
        return JSONResponse(answer | more, headers={"sforce-limit-info": "api-usage=891/15000"})

    async def task(self, request: Request) -> JSONResponse:
        made = {**await request.json(), "Id": f"00TDn000{len(self.tasks):07}AAA"}
        self.tasks.append(made)
        self.effects.append(made)
        return JSONResponse({"id": made["Id"], "success": True, "errors": []}, 201)

    async def update(self, request: Request) -> Response:
        wanted = await request.json()
        if {**self.fields, **wanted} != self.fields:
            self.effects.append(wanted)
        self.fields |= wanted
        return Response(status_code=204)


def _stream(soql: str) -> str:
    """Calendar entries are read twice: once in the order of their ends."""
    if "ORDER BY EndDateTime" in soql:
        return "ended_meetings"
    name = re.split(r" FROM (\w+)", soql)[1]
    return next(stream for stream, (known, _) in EXAMPLES.items() if known == name)


def _wire(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _as_text(row: sdk.testing.Row) -> dict[str, Any]:
    words = {None: "", True: "true", False: "false"}
    return {name: words[value] if value is None or isinstance(value, bool) else value for name, value in row.items()}


def _nested(row: sdk.testing.Row) -> dict[str, Any]:
    """`Owner.Email` as JSON has it: `{"Owner": {"Email": …}}`."""
    found: dict[str, Any] = {}
    for path, value in row.items():
        first, _, last = path.partition(".")
        found |= {first: {"attributes": {}, last: value}} if last else {path: value}
    return found
