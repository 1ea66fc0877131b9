"""The Zendesk connector: exports by cursor and by time, webhooks that name what changed, three ways to write."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import orjson

from hub import sdk
from hub.sdk.errors import AuthExpired, Rejected, Unavailable
from hub_zendesk import mapping
from hub_zendesk.models import (
    After,
    Commented,
    NewComment,
    NewPriority,
    NewTicket,
    Organization,
    Prioritized,
    Rated,
    Rating,
    Since,
    Ticket,
    TicketEvent,
    TicketMade,
    User,
    UserMerge,
    ZendeskConfig,
    second,
)
from hub_zendesk.reading import BEGINNING, MANY, asked, by_cursor, by_time, document, reason
from hub_zendesk.signature import ZendeskSignature

EDITED: dict[str, Any] = {"key": lambda row: str(row.id), "version": lambda row: row.version()}
STREAMS: Mapping[str, str] = {"ticket": "tickets", "user": "users", "organization": "organizations"}
"""What a webhook's type names, and the stream that reads it."""

LATE = 14 * 86_400
"""Seconds for which an offered rating may still be given."""

TYPE = re.compile(r"^zen:event-type[:/](\w+)[.:/](\w+)$")
"""Both spellings occur: `zen:event-type:user.deleted` and `zen:event-type/user.deleted`."""


class Zendesk(sdk.Connector[ZendeskConfig]):
    """Reads support; opens tickets, comments, and sets priorities."""

    id = "zendesk"
    name = "Zendesk"
    tier = "gold"
    Config = ZendeskConfig
    rate = sdk.Rate(per_second=5, backfill_share=0.5)

    @classmethod
    def hosts(cls, config: ZendeskConfig) -> Sequence[str]:
        return (str(config.base_url),)

    def authenticate(self, request: httpx.Request) -> httpx.Request:
        if self.config.oauth_token is not None:
            request.headers["Authorization"] = f"Bearer {self.config.oauth_token.get_secret_value()}"
            return request
        token = self.config.api_token.get_secret_value() if self.config.api_token else ""
        return next(httpx.BasicAuth(f"{self.config.email}/token", token).auth_flow(request))

    async def check(self) -> str:
        """Who we are; Zendesk answers strangers as an anonymous user, without an id."""
        me = document(await asked(self.http, "/api/v2/users/me.json", {})).get("user") or {}
        if not me.get("id"):
            raise AuthExpired("Zendesk does not know email and api_token (or oauth_token): make a new one.")
        return str(httpx.URL(str(self.config.base_url)).netloc.decode())

    @sdk.stream(record=Organization, cursor=Since, emits={"account.identified"}, **EDITED)
    async def organizations(self, cursor: Since | None) -> AsyncIterator[sdk.Page]:
        """Organizations, deleted ones included."""
        async for rows, reached in by_time(self.http, "organizations", cursor, self.clock.now()):
            yield sdk.Page([_organization(row) for row in rows], reached)

    @organizations.normalize
    def _(self, organization: Organization) -> Iterable[sdk.Event]:
        return mapping.of_organization(organization)

    @organizations.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("organization", record)

    @sdk.stream(record=User, cursor=After, emits=mapping.EMITS_OF_USER, **EDITED)
    async def users(self, cursor: After | None) -> AsyncIterator[sdk.Page]:
        """People, deleted ones included."""
        async for rows, reached in by_cursor(self.http, "users", cursor):
            yield sdk.Page(rows, reached)

    @users.normalize
    def _(self, user: User) -> Iterable[sdk.Event]:
        return mapping.of_user(user)

    @users.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("user", record)

    @sdk.stream(record=Ticket, cursor=After, emits=mapping.EMITS_OF_TICKET, interval=timedelta(minutes=2), **EDITED)
    async def tickets(self, cursor: After | None) -> AsyncIterator[sdk.Page]:
        """Tickets as they are; deleted ones are tombstones, whose scrubbed texts replace nothing."""
        async for rows, reached in by_cursor(self.http, "tickets", cursor):
            yield sdk.Page([_ticket(row) for row in rows], reached)

    @tickets.normalize
    def _(self, ticket: Ticket) -> Iterable[sdk.Event]:
        return mapping.of_ticket(ticket, self.config)

    @tickets.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("ticket", record)

    @sdk.stream(
        record=TicketEvent,
        cursor=Since,
        key=lambda change: str(change.id),
        version=lambda change: "1",
        emits={"ticket.solved"},
    )
    async def ticket_events(self, cursor: Since | None) -> AsyncIterator[sdk.Page]:
        """Changes of tickets, each with the organization of its ticket."""
        async for rows, reached in by_time(self.http, "ticket_events", cursor, self.clock.now()):
            yield sdk.Page(await self._with_tickets(rows), reached)

    @ticket_events.normalize
    def _(self, change: TicketEvent) -> Iterable[sdk.Event]:
        return mapping.of_ticket_event(change)

    @sdk.stream(record=Rating, cursor=Rated, emits={"survey.answered"}, **EDITED)
    async def satisfaction_ratings(self, cursor: Rated | None) -> AsyncIterator[sdk.Page]:
        """Ratings of satisfaction, each with the organization of its ticket."""
        at = cursor or Rated(second=BEGINNING)
        start, newest, after = at.second or BEGINNING, at.newest or BEGINNING, at.after
        while True:
            # One is offered first, and given days later under the same time of creation.
            params: dict[str, str | int] = {"start_time": max(BEGINNING, start - LATE), "page[size]": MANY}
            if after:
                params["page[after]"] = after
            body = document(await asked(self.http, "/api/v2/satisfaction_ratings.json", params))
            rows, after = body["satisfaction_ratings"], body["meta"]["after_cursor"]
            newest = max([newest, *(int(second(row["created_at"]).timestamp()) for row in rows if "created_at" in row)])
            more = body["meta"]["has_more"]
            reached = Rated(second=start, newest=newest, after=after) if more else Rated(second=newest)
            yield sdk.Page(await self._with_tickets(rows), reached)
            if not more:
                return

    @satisfaction_ratings.normalize
    def _(self, rating: Rating) -> Iterable[sdk.Event]:
        return mapping.of_rating(rating)

    user_merges = sdk.pushed(
        record=UserMerge,
        key=lambda merge: f"{merge.user}:{merge.other}",
        version=lambda merge: "1",
        emits={"person.aliased"},
    )

    @user_merges.normalize
    def _(self, merge: UserMerge) -> Iterable[sdk.Event]:
        return mapping.of_user_merge(merge)

    @sdk.webhook(
        path="webhook",
        signature=ZendeskSignature(),
        secrets=lambda config: [
            secret.get_secret_value()
            for secret in (config.webhook_secret, config.previous_webhook_secret)
            if secret is not None
        ],
        delivery_id=lambda delivery: delivery.headers.get("x-zendesk-webhook-invocation-id"),
        handles=(*STREAMS.values(), "user_merges"),
    )
    def webhook(self, delivery: sdk.Delivery) -> Iterable[sdk.Refetch | sdk.Tombstone | sdk.Received]:
        """Events of tickets, users and organizations: each names a record, which is then read."""
        told = orjson.loads(delivery.body)
        named = TYPE.match(str(told.get("type", "")))
        if named is None:
            raise ValueError(f"type {told.get('type')!r} is none of Zendesk's events: see the plugin's README")
        detail = told.get("detail") or {}
        record = str(detail.get("id") or "0")
        stream = STREAMS.get(named[1])
        if stream is None or record == "0":
            return []
        if named[2] == "permanently_deleted":
            return [sdk.Tombstone(stream, record)]
        changed = sdk.Refetch(stream, record)
        other = str(((told.get("event") or {}).get("user") or {}).get("id") or "0")
        if stream == "users" and named[2] == "merged" and other != "0":
            # One of the two was merged into the other. Only here both are named: an export shows the loser as deleted.
            organization = detail.get("organization_id") or None
            merge = {"user": record, "other": other, "at": told.get("time"), "organization_id": organization}
            return [changed, sdk.Received("user_merges", merge)]
        return [changed]

    @sdk.action(input=NewTicket, output=TicketMade, idempotency="native", scopes=("tickets:write",))
    async def create_ticket(self, ticket: NewTicket, key: str) -> TicketMade:
        """Open a ticket, e.g. for a customer who is in trouble."""
        fields: dict[str, Any] = {
            "subject": ticket.subject,
            "comment": {"body": ticket.body},
            "priority": ticket.priority,
            "requester_id": ticket.requester,
            "organization_id": ticket.organization,
        }
        body = {"ticket": {name: value for name, value in fields.items() if value is not None}}
        answer = _accepted(await self.http.post("/api/v2/tickets.json", json=body, headers={"Idempotency-Key": key}))
        return TicketMade(ticket=document(answer)["ticket"]["id"])

    @sdk.action(input=NewComment, output=Commented, idempotency="lookup", scopes=("tickets:write",))
    async def comment(self, comment: NewComment, key: str) -> Commented:
        """Comment on a ticket, once: the comment carries the key, and is only written to the ticket as it was read."""
        ticket = document(_accepted(await self.http.get(f"/api/v2/tickets/{comment.ticket}.json")))["ticket"]
        if await self._has_comment(comment.ticket, key):
            return Commented(ticket=comment.ticket)
        written = {
            "comment": {"body": comment.body, "public": comment.public},
            "metadata": {"hub_key": key},
            "safe_update": True,
            "updated_stamp": ticket["updated_at"],
        }
        # Stamps have whole seconds: an attempt that is repeated at once may carry one that still holds.
        path = f"/api/v2/tickets/{comment.ticket}.json"
        answer = await self.http.put(path, json={"ticket": written}, extensions={"once": True})
        if answer.status_code == 409:
            if await self._has_comment(comment.ticket, key):
                return Commented(ticket=comment.ticket)
            raise Unavailable("Somebody changed the ticket at the same moment.")
        _accepted(answer)
        return Commented(ticket=comment.ticket)

    @sdk.action(input=NewPriority, output=Prioritized, idempotency="upsert", scopes=("tickets:write",))
    async def set_priority(self, wanted: NewPriority, key: str) -> Prioritized:
        """Set a ticket's priority."""
        body = {"ticket": {"priority": wanted.priority}}
        answer = _accepted(await self.http.put(f"/api/v2/tickets/{wanted.ticket}.json", json=body))
        return Prioritized(ticket=wanted.ticket, priority=document(answer)["ticket"]["priority"])

    async def _has_comment(self, ticket: int, key: str) -> bool:
        """Whether a comment with this key is among the ticket's newest hundred changes."""
        params: dict[str, str | int] = {"page[size]": MANY, "sort": "-created_at"}
        audits = document(_accepted(await self.http.get(f"/api/v2/tickets/{ticket}/audits.json", params=params)))
        return any(
            ((audit.get("metadata") or {}).get("custom") or {}).get("hub_key") == key for audit in audits["audits"]
        )

    async def _with_tickets(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The rows, each with organization and requester of its ticket; a ticket that is gone has none."""
        wanted = sorted({int(row["ticket_id"]) for row in rows if row.get("ticket_id")})
        known: dict[int, Mapping[str, Any]] = {}
        for start in range(0, len(wanted), MANY):
            ids = ",".join(map(str, wanted[start : start + MANY]))
            body = document(await asked(self.http, "/api/v2/tickets/show_many.json", {"ids": ids}))
            known |= {ticket["id"]: ticket for ticket in body["tickets"]}
        fields = ("organization_id", "requester_id")
        return [{**row, **{name: known.get(row.get("ticket_id", 0), {}).get(name) for name in fields}} for row in rows]

    async def _one(self, kind: str, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        """One record by its id, as an export would give it."""
        if not record.isdecimal():
            raise Rejected(f"{record!r} is no id of Zendesk's.")
        answer = await self.http.get(f"/api/v2/{STREAMS[kind]}/{record}.json")
        if answer.status_code == 404:
            return sdk.Tombstone(STREAMS[kind], record)
        row: Mapping[str, Any] = document(_accepted(answer))[kind]
        return _ticket(row) if kind == "ticket" else row


def _ticket(row: Mapping[str, Any]) -> Mapping[str, Any] | sdk.Tombstone:
    """A deleted ticket comes once more, with `SCRUBBED` and `X` for its texts: it is gone, its history stays."""
    if row.get("status") == "deleted":
        return sdk.Tombstone("tickets", str(row["id"]), second(row["updated_at"]))
    return row


def _organization(row: Mapping[str, Any]) -> Mapping[str, Any] | sdk.Tombstone:
    if row.get("deleted_at"):
        return sdk.Tombstone("organizations", str(row["id"]), second(row["deleted_at"]))
    return row


def _accepted(answer: httpx.Response) -> httpx.Response:
    """The answer. Raises `Rejected` for what Zendesk does not take."""
    if answer.is_error:
        raise Rejected(f"Zendesk refused it: {reason(answer)}")
    return answer
