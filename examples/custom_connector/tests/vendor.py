"""A double of the vendor, as far as the connector asks it."""

from datetime import datetime
from json import loads
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hub import sdk

RESPONSE = loads((Path(__file__).parent / "fixtures" / "responses.detractor.json").read_text())
PAGE = 2


def place(row: sdk.testing.Row) -> tuple[str, str]:
    """What responses are sorted by."""
    return row["changed_at"], row["id"]


class Double(sdk.testing.Vendor):
    """Lists responses by time and id, two a page, and keeps notes by their reference."""

    def make(self, stream: str, number: int, at: datetime) -> sdk.testing.Row:
        return {**RESPONSE, "id": f"res_{number:04}", "changed_at": at.isoformat()}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/team", lambda request: JSONResponse({"team": "team_1"})),
                Route("/responses", self.listed),
                Route("/responses/{id}", self.one),
                Route("/responses/{id}/notes", self.notes, methods=["GET", "POST"]),
            ]
        )

    def listed(self, request: Request) -> JSONResponse:
        after = (request.query_params.get("changed_after", ""), request.query_params.get("after_id", ""))
        newer = sorted((row for row in self.held["responses"] if place(row) > after), key=place)
        page = newer[:PAGE]
        behind = {"changed_at": page[-1]["changed_at"], "id": page[-1]["id"]} if page else None
        return JSONResponse({"responses": self.shown(page), "next": behind, "more": len(newer) > PAGE})

    def one(self, request: Request) -> JSONResponse:
        found = [row for row in self.held["responses"] if row["id"] == request.path_params["id"]]
        return JSONResponse(found[0] if found else {}, 200 if found else 404)

    async def notes(self, request: Request) -> JSONResponse:
        if request.method == "GET":
            found = [note for note in self.effects if note["reference"] == request.query_params["reference"]]
            return JSONResponse({"notes": found})
        self.effects.append({**await request.json(), "id": f"note_{len(self.effects) + 1}"})
        return JSONResponse(self.effects[-1], 201)
