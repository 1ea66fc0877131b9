"""The Intercom double: a local server that speaks Intercom's API over a workspace.

It is as strict as Intercom where a connector can be wrong: searches by day, one scroll at a time that ends after a
minute, no trace of merged contacts, no idempotency. Errors have Intercom's shape, `error.list`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.kit.loopback import serve
from hub.sandbox.faults import Fault, Faults, spoil, wire_date
from hub.sandbox.intercom import shapes
from hub.sandbox.intercom.searching import BadQuery, search
from hub.sandbox.intercom.shapes import Json
from hub.sandbox.intercom.workspace import ADMIN, Workspace

WINDOW: Final = 10
SCROLL_LIVES: Final = 60.0
SCROLL_PAGE: Final = 100
VERSIONS: Final = frozenset({"2.7", "2.8", "2.9", "2.10", "2.11", "2.12", "2.13", "2.14"})


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(slots=True)
class _Scroll:
    """An open scroll: the companies that it will show, and how far it is. What was shown is not shown again."""

    param: str
    companies: list[str]
    shown: int
    used: float


class IntercomDouble:
    """One workspace behind one access token.

    clock gives the present time: of rate windows, and of scrolls, which end a minute after they were last used.
    per_window: requests that are answered in ten seconds (Intercom: 166); None allows any number. scroll_page and
    scroll_lives: companies in a page of a scroll, and the seconds that it lives. delay: seconds that an answer takes.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        token: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: Faults | None = None,
        per_window: int | None = None,
        scroll_page: int = SCROLL_PAGE,
        scroll_lives: float = SCROLL_LIVES,
        delay: float = 0.0,
    ) -> None:
        self.workspace = workspace
        self.token = token
        self.clock = clock
        self.faults = faults or Faults()
        self.per_window = per_window
        self.scroll_page = scroll_page
        self.scroll_lives = scroll_lives
        self.delay = delay
        self.requests: list[str] = []
        self._window = (0, 0)
        self._scroll: _Scroll | None = None
        self._scrolls = 0
        self.app = Starlette(routes=[Route("/{path:path}", self._serve, methods=["GET", "POST", "PUT", "DELETE"])])

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
        self.requests.append(f"{request.method} {request.url.path}")
        try:
            self._admit(request, fault)
            status, body = 200, self._answer(request, await request.body(), fault)
        except BadQuery as error:
            status, body = 400, self._refusal("parameter_invalid", str(error))
        except Refusal as refusal:
            status, body = refusal.status, self._refusal(refusal.code, refusal.message)
        await asyncio.sleep(self.delay)
        return await spoil(
            Response(orjson.dumps(body), status, self._headers(), "application/json"), fault, self.faults
        )

    def _admit(self, request: Request, fault: Fault | None) -> None:
        window = int(self.clock().timestamp()) // WINDOW
        self._window = (window, self._window[1] + 1 if self._window[0] == window else 1)
        if fault is Fault.EXPIRED or request.headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(401, "unauthorized", "Access Token Invalid")
        if fault is Fault.RATE_LIMITED or (self.per_window is not None and self._window[1] > self.per_window):
            raise Refusal(429, "rate_limit_exceeded", "The rate limit for the App has been exceeded")
        if fault is Fault.SERVER_ERROR:
            raise Refusal(500, "server_error", "Server Error")
        if request.headers.get("intercom-version", "2.11") not in VERSIONS:
            raise Refusal(400, "intercom_version_invalid", "The requested version could not be found")

    def _headers(self) -> dict[str, str]:
        window, count = self._window
        limit = self.per_window or 166
        return {
            "Intercom-Version": "2.11",
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - count)),
            "X-RateLimit-Reset": str((window + 1) * WINDOW),
            "X-Request-Id": f"req{len(self.requests):012}",
            "Date": wire_date(self.clock()),
        }

    def _refusal(self, code: str, message: str) -> Json:
        request_id = f"req{len(self.requests):012}"
        return {"type": "error.list", "request_id": request_id, "errors": [{"code": code, "message": message}]}

    def _answer(self, request: Request, body: bytes, fault: Fault | None) -> Json:
        workspace = self.workspace
        if fault is Fault.EXPIRED_CURSOR:
            self._scroll = None
            if b'"starting_after"' in body:
                raise Refusal(400, "parameter_invalid", "starting_after is invalid")
        match request.method, [unquote(part) for part in request.url.path.strip("/").split("/")]:
            case "GET", ["me"]:
                return self._me()
            case "POST", ["contacts", "search"]:
                return self._search(body, "data", "list", workspace.contacts, shapes.contact)
            case "GET", ["contacts", "find_by_external_id", external]:
                found = [one for one in workspace.contacts.values() if one.external == external]
                return shapes.contact(workspace, _present(found[0] if found else None, "User"))
            case "GET", ["contacts", contact_id]:
                return shapes.contact(workspace, _present(workspace.contacts.get(contact_id), "User"))
            case "GET", ["companies", "scroll"]:
                return self._scrolled(request.query_params.get("scroll_param"))
            case "POST", ["conversations", "search"]:
                name = "conversations"
                return self._search(body, name, "conversation.list", workspace.conversations, shapes.conversation)
            case "GET", ["conversations", conversation_id]:
                one = _present(workspace.conversations.get(conversation_id), "Conversation")
                return shapes.conversation(workspace, one, parts=list(one.parts))
            case "POST", ["messages"]:
                return self._message(_parsed(body))
            case _:
                raise Refusal(404, "not_found", "The requested resource could not be found")

    def _me(self) -> Json:
        app = {
            "type": "app",
            "id_code": self.workspace.id,
            "name": "Sandbox",
            "created_at": 1_719_492_696,
            "secure": False,
            "identity_verification": False,
            "timezone": self.workspace.zone.name,
        }
        mail = "support@sandbox.example"
        return {"type": "admin", "id": ADMIN, "name": "Support", "email": mail, "email_verified": True, "app": app}

    def _search(self, body: bytes, name: str, kind: str, things: dict[str, Any], shape: Callable[..., Json]) -> Json:
        asked = _parsed(body)
        page, total, after = search(things, asked, self.workspace.zone.hours * 3_600)
        per_page = (asked.get("pagination") or {}).get("per_page", 50)
        pages: Json = {"type": "pages", "page": 1, "per_page": per_page, "total_pages": -(-total // per_page)}
        if after is not None:
            pages["next"] = {"page": 2, "starting_after": after}
        listed = [shape(self.workspace, one) for one in page]
        return {"type": kind, name: listed, "total_count": total, "pages": pages}

    def _scrolled(self, param: str | None) -> Json:
        now = self.clock().timestamp()
        scroll = self._scroll
        if scroll is not None and now - scroll.used > self.scroll_lives:
            scroll = self._scroll = None
        if param is None:
            if scroll is not None:
                raise Refusal(400, "scroll_exists", "scroll already exists for this workspace")
            self._scrolls += 1
            param = f"scroll-{self._scrolls}-{self.workspace.id}"
            scroll = self._scroll = _Scroll(param, list(self.workspace.companies), 0, now)
        if scroll is None or scroll.param != param:
            raise Refusal(404, "not_found", "scroll parameter not found")
        ids = scroll.companies[scroll.shown : scroll.shown + self.scroll_page]
        scroll.shown, scroll.used = scroll.shown + len(ids), now
        if not ids:
            self._scroll = None
        known = self.workspace.companies
        listed = [shapes.company(self.workspace, known[id_]) for id_ in ids if id_ in known]
        return {"type": "list", "data": listed, "pages": None, "total_count": None, "scroll_param": param}

    def _message(self, asked: Json) -> Json:
        sender, recipient = asked.get("from") or {}, asked.get("to") or {}
        if asked.get("message_type") not in ("inapp", "email"):
            raise Refusal(400, "parameter_invalid", "message_type must be inapp or email")
        if not asked.get("body"):
            raise Refusal(400, "parameter_invalid", "body can't be blank")
        if (sender.get("type"), sender.get("id")) != ("admin", ADMIN):
            raise Refusal(404, "admin_not_found", "Admin Not Found")
        if recipient.get("id") not in self.workspace.contacts:
            raise Refusal(404, "not_found", "User Not Found")
        message = {
            "type": "admin_message",
            "id": self.workspace.number(),
            "created_at": int(self.clock().timestamp()),
            "subject": "",
            "body": asked["body"],
            "message_type": asked["message_type"],
        }
        self.workspace.messages.append({**message, "to": recipient["id"]})
        return message


def _present(thing: Any, noun: str) -> Any:
    if thing is None:
        raise Refusal(404, "not_found", f"{noun} Not Found")
    return thing


def _parsed(body: bytes) -> Json:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Refusal(400, "bad_request", "bad json")
    return document
