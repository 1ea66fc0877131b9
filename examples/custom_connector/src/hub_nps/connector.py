"""Net promoter scores: responses by poll and webhook, and notes on them."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import orjson

from hub import sdk
from hub_nps.models import FollowUp, Note, Notes, Response, ResponsePage, Settings, Since, Team


class Nps(sdk.Connector[Settings]):
    """What people say of a product, from 0 to 10."""

    id, name, tier, Config = "nps", "NPS surveys", "gold", Settings
    rate = sdk.Rate(per_second=2)

    @classmethod
    def hosts(cls, config: Settings) -> Sequence[str]:
        return [config.base_url]

    def authenticate(self, request: httpx.Request) -> httpx.Request:
        request.headers["x-api-key"] = self.config.api_key.get_secret_value()
        return request

    async def check(self) -> str:
        """The team that the key belongs to."""
        return sdk.expect(await self.http.get("/team"), Team).team

    @sdk.stream(
        record=Response,
        cursor=Since,
        key=lambda response: response.id,
        version=lambda response: response.changed_at.isoformat(),
        emits={"survey.answered"},
        interval=timedelta(minutes=30),
    )
    async def responses(self, cursor: Since | None) -> AsyncIterator[sdk.Page]:
        """Responses in the order in which they were changed; a page may be empty and not the last."""
        more = True
        while more:
            after = {"changed_after": cursor.changed_at, "after_id": cursor.id} if cursor else {}
            page = sdk.expect(await self.http.get("/responses", params=after), ResponsePage)
            cursor, more = page.next or cursor, page.more
            yield sdk.Page(page.responses, cursor)

    @responses.refetch
    async def _(self, response_id: str) -> Mapping[str, Any] | sdk.Tombstone:
        answer = await self.http.get(f"/responses/{response_id}")
        if answer.status_code == 404:
            return sdk.Tombstone("responses", response_id)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    @responses.normalize
    def _(self, response: Response) -> Iterable[sdk.Event]:
        company, domain = response.company_id, response.email.rpartition("@")[2]
        yield sdk.Event(
            kind="survey.answered",
            occurred_at=response.changed_at,
            account=sdk.Account(
                f"company:{company}", (sdk.keys.external("nps.company", company), sdk.keys.domain(domain))
            ),
            people=(sdk.Person(f"person:{response.email}", (sdk.keys.email(response.email),)),),
            subject=sdk.Subject("survey_response", response.id, "given"),
            value=float(response.score),
            attributes={"comment": response.comment},
        )

    @sdk.webhook(
        path="changes",
        signature=sdk.HexHmac("X-Nps-Signature", prefix="sha256="),
        secrets=lambda config: [
            one.get_secret_value() for one in (config.signing_secret, config.previous_secret) if one
        ],
        delivery_id=lambda delivery: delivery.headers["x-nps-delivery"],
        handles={"responses"},
    )
    def changes(self, delivery: sdk.Delivery) -> Iterable[sdk.Refetch]:
        """Deliveries only name what changed."""
        message = orjson.loads(delivery.body)
        if message["event"].startswith("response."):
            yield sdk.Refetch("responses", message["response_id"])

    @sdk.action(input=FollowUp, output=Note, idempotency="lookup", scopes=("notes:write",))
    async def follow_up(self, wanted: FollowUp, key: str) -> Note:
        """Leave a note on a response, once."""
        path = f"/responses/{wanted.response}/notes"
        found = sdk.expect(await self.http.get(path, params={"reference": key}), Notes)
        if found.notes:
            return found.notes[0]
        return sdk.expect(await self.http.post(path, json={"text": wanted.text, "reference": key}), Note)
