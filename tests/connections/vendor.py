"""A vendor of surveys on this machine, and the connector for it: small, and with one of everything."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
from pydantic import BaseModel, SecretStr
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from hub import sdk
from hub.kit.loopback import serve
from hub.kit.runtime import Kit
from hub.sdk.errors import CursorExpired, Rejected

API_KEY = "key-of-the-surveys-connection"
SIGNING_SECRET = "signs-what-the-vendor-sends"
LAST_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass
class Vendor:
    """What the vendor holds, and how it behaves."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    members: list[dict[str, Any]] = field(default_factory=list)
    tenant: str = "tenant-1"
    keys: set[str] = field(default_factory=lambda: {API_KEY})
    faults: list[Response] = field(default_factory=list)
    """Given out, one each, instead of the next answers."""
    delay: float = 0.0
    oldest_cursor: int = 0
    requests: list[str] = field(default_factory=list)
    thanked: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/me", self._answering(self._me)),
                Route("/answers", self._answering(self._answers)),
                Route("/answers/{id}", self._answering(self._answer)),
                Route("/members", self._answering(self._members)),
                Route("/elsewhere", self._answering(self._elsewhere)),
                Route("/thanks", self._answering(self._thanks), methods=["POST", "PATCH", "PUT"]),
                Route("/tags", self._answering(self._tag), methods=["POST"]),
            ]
        )

    def _answering(self, handler: Any) -> Any:
        async def answer(request: Request) -> Response:
            self.requests.append(f"{request.method} {request.url.path}")
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.faults:
                return self.faults.pop(0)
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.keys:
                return JSONResponse({"error": "who are you?"}, status_code=401)
            return await handler(request)  # type: ignore[no-any-return]

        return answer

    async def _me(self, request: Request) -> Response:
        return JSONResponse({"tenant": self.tenant})

    async def _answers(self, request: Request) -> Response:
        after, limit = int(request.query_params["after"]), int(request.query_params["limit"])
        if after < self.oldest_cursor:
            return JSONResponse({"error": "gone"}, status_code=410)
        rows = self.answers[after : after + limit]
        return JSONResponse({"answers": rows, "more": after + limit < len(self.answers)})

    async def _answer(self, request: Request) -> Response:
        for row in self.answers:
            if row["id"] == request.path_params["id"]:
                return JSONResponse(row)
        return JSONResponse({}, status_code=404)

    async def _members(self, request: Request) -> Response:
        page = int(request.query_params["page"])
        return JSONResponse(
            {"members": self.members[page * 2 : page * 2 + 2], "last": page * 2 + 2 >= len(self.members)}
        )

    async def _elsewhere(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["to"])

    async def _thanks(self, request: Request) -> Response:
        body = await request.json()
        if body["person"] == "nobody":
            return JSONResponse({"error": "no such person"}, status_code=422)
        self.thanked.append(body["person"])
        return JSONResponse({"person": body["person"]})

    async def _tag(self, request: Request) -> Response:
        self.tags.setdefault(request.headers["idempotency-key"], (await request.json())["person"])
        return JSONResponse({"person": self.tags[request.headers["idempotency-key"]]})


@asynccontextmanager
async def vendor_running(vendor: Vendor) -> AsyncIterator[Vendor]:
    """Serve the vendor on a port of its own."""
    async with serve(vendor.app()) as url:
        vendor.url = url
        yield vendor


def answer(number: int, **more: Any) -> dict[str, Any]:
    """An answer to a survey, as the vendor sends it."""
    return {
        "id": f"answer-{number}",
        "updated": 1,
        "company": f"company-{number % 7}",
        "score": number % 11,
        "at": (LAST_YEAR + timedelta(minutes=number)).isoformat(),
    } | more


class SurveysConfig(BaseModel):
    """Where the vendor is, and what it takes to talk to it."""

    api_key: SecretStr
    base_url: str
    page: int = 100
    signing_secret: SecretStr | None = None
    previous_signing_secret: SecretStr | None = None


class Answer(BaseModel):
    """One answer."""

    id: str
    updated: int
    company: str
    score: int
    at: datetime


class Member(BaseModel):
    """One member of a panel."""

    id: str
    company: str


class After(BaseModel):
    """How many answers were read."""

    after: int | None = None


class PageNumber(BaseModel):
    """Which page of the members was read."""

    page: int


class Thanks(BaseModel):
    """Whom to thank."""

    person: str


class Tagged(BaseModel):
    """Who was tagged or thanked."""

    person: str


def company(name: str) -> sdk.Account:
    """The place of a company."""
    return sdk.Account(f"company:{name}", (sdk.keys.external("surveys.company", name),))


class Surveys(sdk.Connector[SurveysConfig]):
    """The connector: a polled stream, a full refresh, webhooks, an endpoint and three actions."""

    id = "surveys"
    name = "Surveys"
    Config = SurveysConfig
    rate = sdk.Rate(per_second=100_000)

    @classmethod
    def hosts(cls, config: SurveysConfig) -> Sequence[str]:
        return [config.base_url]

    def authenticate(self, request: httpx.Request) -> httpx.Request:
        request.headers["authorization"] = f"Bearer {self.config.api_key.get_secret_value()}"
        return request

    async def check(self) -> str:
        return str((await self.http.get("/me")).json()["tenant"])

    @sdk.stream(
        record=Answer,
        cursor=After,
        key=lambda record: record.id,
        version=lambda record: f"{record.updated:09}",
        emits={"survey.answered"},
    )
    async def answers(self, cursor: After | None) -> AsyncIterator[sdk.Page]:
        """All answers, by offset."""
        after = cursor.after or 0 if cursor else 0
        while True:
            response = await self.http.get("/answers", params={"after": after, "limit": self.config.page})
            if response.status_code == 410:
                raise CursorExpired("The vendor has forgotten where we were.")
            body = response.json()
            after += len(body["answers"])
            yield sdk.Page(body["answers"], After(after=after or None))
            if not body["more"]:
                return

    @answers.normalize
    def _(self, record: Answer) -> Iterable[sdk.Event]:
        yield sdk.Event("survey.answered", record.at, company(record.company), value=float(record.score))

    @answers.refetch
    async def _(self, record_id: str) -> Mapping[str, Any] | sdk.Tombstone:
        response = await self.http.get(f"/answers/{record_id}")
        return sdk.Tombstone("answers", record_id) if response.status_code == 404 else response.json()

    @sdk.stream(
        record=Member,
        cursor=PageNumber,
        key=lambda member: member.id,
        version=lambda member: "1",
        emits={"person.added"},
        full_refresh=True,
    )
    async def members(self, cursor: PageNumber | None) -> AsyncIterator[sdk.Page]:
        """All members, every time."""
        page = cursor.page + 1 if cursor else 0
        while True:
            body = (await self.http.get("/members", params={"page": page})).json()
            yield sdk.Page(body["members"], PageNumber(page=page), complete=body["last"])
            if body["last"]:
                return
            page += 1

    @members.normalize
    def _(self, member: Member) -> Iterable[sdk.Event]:
        yield sdk.Event("person.added", LAST_YEAR, company(member.company))

    @sdk.webhook(
        path="hook",
        signature=sdk.HexHmac("X-Signature", prefix="sha256="),
        secrets=lambda config: [
            secret.get_secret_value()
            for secret in (config.signing_secret, config.previous_signing_secret)
            if secret is not None
        ],
        delivery_id=lambda delivery: delivery.headers.get("x-delivery"),
        handles={"answers"},
        accept=lambda delivery: sdk.Reply(400, {"why": "no answers"}) if delivery.body == b"refuse me" else None,
        reply=sdk.Reply(202, {"taken": True}),
        max_bytes=2_000_000,
    )
    def hook(self, delivery: sdk.Delivery) -> Iterable[sdk.Received | sdk.Tombstone | sdk.Refetch]:
        """Answers as they come in."""
        body = orjson.loads(delivery.body)
        yield from (sdk.Received("answers", row) for row in body.get("answers", ()))
        yield from (sdk.Tombstone("answers", record_id) for record_id in body.get("deleted", ()))
        yield from (sdk.Refetch("answers", record_id) for record_id in body.get("changed", ()))

    @sdk.endpoint(
        path="waiting/{person}",
        signature=sdk.HexHmac("X-Signature"),
        secrets=lambda config: [config.api_key.get_secret_value()],
    )
    async def waiting(self, delivery: sdk.Delivery) -> sdk.Reply:
        """What waits for a person."""
        person = delivery.path.partition("/")[2]
        if person == "broken":
            raise KeyError(self.config.api_key.get_secret_value())
        return sdk.Reply(200, [message.body for message in await self.mailbox.waiting(person)])

    @sdk.action(input=Thanks, output=Tagged, idempotency="none", emits="message.sent", touch=True)
    async def thank(self, wanted: Thanks, key: str) -> Tagged:
        """Thank a person, which cannot be taken back."""
        response = await self.http.post("/thanks", json={"person": wanted.person})
        response.raise_for_status()
        return Tagged(person=response.json()["person"])

    @sdk.action(input=Thanks, output=Tagged, idempotency="native")
    async def tag(self, wanted: Thanks, key: str) -> Tagged:
        """Tag a person; the same key again is the same tag."""
        response = await self.http.post("/tags", json={"person": wanted.person}, headers={"Idempotency-Key": key})
        if response.is_client_error:
            raise Rejected("The vendor refuses the tag.")
        return Tagged(person=response.json()["person"])

    @sdk.action(input=Thanks, output=Tagged, idempotency="native")
    async def leave(self, wanted: Thanks, key: str) -> Tagged:
        """Leave a message at the hub."""
        await self.mailbox.put(wanted.person, {"text": "hello"}, key=key)
        return Tagged(person=wanted.person)


def signed(body: bytes, secret: str = SIGNING_SECRET, prefix: str = "sha256=") -> dict[str, str]:
    """The headers of a genuine delivery."""
    return {"X-Signature": prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


async def raw_records(kit: Kit, connection_id: UUID | None = None) -> list[tuple[str, str, str]]:
    """Every raw record as (stream, id, version), sorted."""
    async with kit.reading() as session:
        rows = await session.execute(
            text("SELECT stream, record_id, version FROM raw_record ORDER BY stream, record_id, version")
        )
        return [(row.stream, row.record_id, row.version) for row in rows]


async def scalar(kit: Kit, statement: str) -> Any:
    """One value."""
    async with kit.reading() as session:
        return (await session.execute(text(statement))).scalar()
