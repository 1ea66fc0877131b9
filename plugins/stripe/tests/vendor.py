"""A double of Stripe's lists and of its one write, as far as the connector asks them.

https://docs.stripe.com/api/pagination: newest first; `starting_after` goes back, `ending_before` forth.
"""

from datetime import datetime
from json import loads
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hub import sdk

FIXTURES = Path(__file__).parent / "fixtures"
EXAMPLES = {
    "events": "events.charge_succeeded",
    "customers": "customers.customer",
    "subscriptions": "subscriptions.yearly",
    "invoices": "invoices.paid",
    "charges": "charges.succeeded",
    "credit_notes": "credit_notes.note",
    "refunds": "refunds.refund",
    "disputes": "disputes.dispute",
}
PAGE = 2


class Double(sdk.testing.Vendor):
    """Lists what it holds, two a page, and sets metadata once for each idempotency key."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, dict[str, Any]] = {}

    def make(self, stream: str, number: int, at: datetime) -> sdk.testing.Row:
        example = loads((FIXTURES / f"{EXAMPLES[stream]}.json").read_text())
        return {**example, "id": f"{example['id']}_{number}", "created": int(at.timestamp())}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/account", self.account),
                Route("/v1/charges/{id}", self.charge),
                Route("/v1/{stream}/{id}", self.one),
                Route("/v1/customers/{id}", self.update, methods=["POST"]),
                Route("/v1/{stream}", self.listed),
            ]
        )

    def account(self, request: Request) -> JSONResponse:
        return JSONResponse({"id": "acct_1", "object": "account"})

    def charge(self, request: Request) -> JSONResponse:
        return JSONResponse(
            {**loads((FIXTURES / "charges.succeeded.json").read_text()), "id": request.path_params["id"]}
        )

    def one(self, request: Request) -> JSONResponse:
        stream, id_ = request.path_params["stream"], request.path_params["id"]
        found = [row for row in self.held[stream] if row["id"] == id_]
        return JSONResponse(found[0]) if found else JSONResponse({"error": {"message": f"No such {stream}"}}, 404)

    def listed(self, request: Request) -> JSONResponse:
        newest_first = self.held[request.path_params["stream"]][::-1]
        place = {row["id"]: number for number, row in enumerate(newest_first)}
        start, end = 0, len(newest_first)
        if after := request.query_params.get("starting_after"):
            start = place[after] + 1
        if before := request.query_params.get("ending_before"):
            end = place[before]
            start = max(0, end - PAGE)
            return self.page(newest_first[start:end], more=start > 0)
        return self.page(newest_first[start : start + PAGE], more=start + PAGE < end)

    def page(self, rows: list[sdk.testing.Row], *, more: bool) -> JSONResponse:
        return JSONResponse({"object": "list", "data": rows, "has_more": more})

    async def update(self, request: Request) -> JSONResponse:
        key = request.headers["idempotency-key"]
        if key not in self.answers:
            metadata = {name[9:-1]: value for name, value in parse_qsl((await request.body()).decode())}
            self.answers[key] = {"id": request.path_params["id"], "object": "customer", "metadata": metadata}
            self.effects.append(key)
        return JSONResponse(self.answers[key])
