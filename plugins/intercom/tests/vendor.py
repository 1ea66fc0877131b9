"""A double of Intercom's searches, its scroll and its messages, as far as the connector asks them.

A search compares calendar days. A scroll shows each page once, the next one whenever it is asked; to begin another one
ends it, as its minute would.
"""

from datetime import datetime, timedelta
from json import loads
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hub import sdk

FIXTURES = Path(__file__).parent / "fixtures"
EXAMPLES = {"contacts": "user", "companies": "company", "conversations": "created"}
DAY = 86_400
PAGE = 2


class Double(sdk.testing.Vendor):
    """One workspace, two things a page; messages are sent as often as they are asked for."""

    # A search finds all of a day, so the connector reads a day and more again.
    apart = timedelta(days=5)

    def __init__(self) -> None:
        super().__init__()
        self.scrolls = 0
        self.scrolled = 0

    def make(self, stream: str, number: int, at: datetime) -> sdk.testing.Row:
        example = loads((FIXTURES / f"{stream}.{EXAMPLES[stream]}.json").read_text())
        seconds = int(at.timestamp())
        if stream == "conversations":
            part = {**example["part"], "created_at": seconds}
            return {**example, "conversation": f"{int(example['conversation']) + number}", "part": part}
        return {**example, "id": f"{example['id']}{number}", "created_at": seconds, "updated_at": seconds}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/me", self.me),
                Route("/contacts/search", self.contacts, methods=["POST"]),
                Route("/conversations/search", self.conversations, methods=["POST"]),
                Route("/conversations/{id}", self.conversation),
                Route("/companies/scroll", self.companies),
                Route("/contacts/find_by_external_id/{id}", self.contact),
                Route("/messages", self.message, methods=["POST"]),
            ]
        )

    def me(self, request: Request) -> JSONResponse:
        return JSONResponse({"type": "admin", "id": "5017691", "app": {"type": "app", "id_code": "ws000007"}})

    async def contacts(self, request: Request) -> JSONResponse:
        rows, pages = self.found("contacts", await request.json())
        return JSONResponse({"type": "list", "data": rows, "pages": pages})

    async def conversations(self, request: Request) -> JSONResponse:
        rows, pages = self.found("conversations", await request.json())
        listed = [_conversation(row) for row in rows]
        return JSONResponse({"type": "conversation.list", "conversations": listed, "pages": pages})

    def found(self, stream: str, asked: dict[str, Any]) -> tuple[list[sdk.testing.Row], dict[str, Any]]:
        after = asked["query"]["value"] // DAY
        rows = [row for row in self.held[stream] if _updated(row) // DAY > after]
        start = int(asked["pagination"].get("starting_after", 0))
        end = start + PAGE
        more = {"next": {"page": end // PAGE + 1, "starting_after": str(end)}} if end < len(rows) else {}
        return self.shown(rows[start:end]), {"type": "pages", **more}

    def conversation(self, request: Request) -> JSONResponse:
        id_ = request.path_params["id"]
        found = [row for row in self.held["conversations"] if row.get("conversation") == id_]
        return JSONResponse(_conversation(found[0])) if found else _missing()

    def companies(self, request: Request) -> JSONResponse:
        asked = request.query_params.get("scroll_param")
        if asked is None:
            self.scrolls, self.scrolled = self.scrolls + 1, 0
        elif asked != f"scroll-{self.scrolls}":
            return _missing()
        start, self.scrolled = self.scrolled, self.scrolled + PAGE
        page = self.shown(self.held["companies"])[start : self.scrolled]
        return JSONResponse({"type": "list", "data": page, "scroll_param": f"scroll-{self.scrolls}"})

    def contact(self, request: Request) -> JSONResponse:
        return JSONResponse({"type": "contact", "id": "6762f0dd1bb69f9f2193bb83"})

    async def message(self, request: Request) -> JSONResponse:
        self.effects.append(await request.json())
        return JSONResponse({"type": "user_message", "id": f"40300{len(self.effects)}"})


def _updated(row: sdk.testing.Row) -> int:
    return int(row["part"]["created_at"] if "part" in row else row.get("updated_at", row["created_at"]))


def _conversation(row: sdk.testing.Row) -> dict[str, Any]:
    """A conversation in which nothing but its beginning has happened."""
    part = row["part"]
    return {
        "type": "conversation",
        "id": row["conversation"],
        "created_at": part["created_at"],
        "updated_at": part["created_at"],
        "state": row["state"],
        "source": {"type": row["channel"], "subject": row["subject"], "body": part["body"], "author": part["author"]},
        "contacts": {"type": "contact.list", "contacts": row["contacts"]},
        "conversation_parts": {"type": "conversation_part.list", "conversation_parts": []},
    }


def _missing() -> JSONResponse:
    return JSONResponse({"type": "error.list", "errors": [{"code": "not_found", "message": "Not found"}]}, 404)
