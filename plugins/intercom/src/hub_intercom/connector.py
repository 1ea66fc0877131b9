"""The Intercom connector: contacts and conversations by search, companies by scroll, what is new by notifications."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx

from hub import sdk
from hub.sdk.errors import CursorExpired, Misconfigured, RateLimited, Rejected, Unavailable
from hub_intercom import mapping
from hub_intercom.answers import codes, document, reason, together, updated
from hub_intercom.happenings import happenings, notified
from hub_intercom.models import (
    API_VERSION,
    Company,
    Contact,
    Happening,
    IntercomConfig,
    Merge,
    MessageSent,
    Scroll,
    SendMessage,
    Since,
)
from hub_intercom.notifications import SIGNATURE, Unsigned, delivery_id, parsed

PAGE = 50
A_DAY_AND_MORE = 26 * 3_600
"""Searches compare days in the workspace's time zone: `>` finds nothing of the day itself. A day has 25 hours at most,
so this long before a moment it was another day, wherever the workspace is, and the whole day is read again."""

LATE = 120
"""Seconds by which Intercom's index may be behind: conversations that changed just before are fetched once more."""

SCROLL_LIVES = timedelta(seconds=60)


class Intercom(sdk.Connector[IntercomConfig]):
    """Reads who the customers' people are and what they talk about; sends in-app messages."""

    id = "intercom"
    name = "Intercom"
    tier = "gold"
    Config = IntercomConfig
    # 1,000 requests a minute, counted in windows of ten seconds; other apps of the workspace need some of them.
    rate = sdk.Rate(per_second=15, backfill_share=0.5)

    @classmethod
    def hosts(cls, config: IntercomConfig) -> Sequence[str]:
        return (config.api,)

    def authenticate(self, request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {self.config.access_token.get_secret_value()}"
        request.headers["Intercom-Version"] = API_VERSION
        return request

    async def check(self) -> str:
        me = await self._ask("GET", "/me")
        workspace = (me.get("app") or {}).get("id_code")
        if not isinstance(workspace, str) or not workspace:
            raise Misconfigured("The address of the API does not answer as Intercom does: correct region or base_url.")
        return workspace

    @sdk.stream(
        record=Contact,
        cursor=Since,
        key=lambda contact: contact.id,
        version=lambda contact: f"{contact.updated_at:012}",
        emits={"person.identified"},
        interval=timedelta(minutes=10),
    )
    async def contacts(self, cursor: Since | None) -> AsyncIterator[sdk.Page]:
        """All contacts once, then those of the days since; what has not changed is known by its `updated_at`."""
        async for found, reached in self._search("/contacts/search", "data", cursor):
            yield sdk.Page(found, reached)

    @contacts.normalize
    def _(self, contact: Contact) -> Iterable[sdk.Event]:
        return mapping.of_contact(contact)

    @sdk.stream(
        record=Company,
        cursor=Scroll,
        key=lambda company: company.id,
        version=lambda company: f"{company.updated_at:012}",
        emits={"account.identified"},
        interval=timedelta(hours=1),
        full_refresh=True,
    )
    async def companies(self, cursor: Scroll | None) -> AsyncIterator[sdk.Page]:
        """All companies. A page that was asked for and not kept cannot be asked for again: then all begins anew."""
        at = cursor if cursor is not None and not cursor.asked else None
        begun_anew = False
        while True:
            if at is not None:
                yield sdk.Page([], Scroll(scroll=at.scroll, page=at.page, asked=True))
            try:
                listed = await self._scroll(at)
            except Unavailable:
                if at is None or begun_anew:
                    raise
                # Where the old scroll is still open, Intercom refuses a new one, and says so: then we wait its minute.
                at, begun_anew = None, True
                continue
            if listed is None:
                at = None
                continue
            at = Scroll(scroll=str(listed["scroll_param"]), page=at.page + 1 if at else 1)
            through = not listed["data"]
            yield sdk.Page(listed["data"], at, complete=through)
            if through:
                return

    @companies.normalize
    def _(self, company: Company) -> Iterable[sdk.Event]:
        return mapping.of_company(company)

    @sdk.stream(
        record=Happening,
        cursor=Since,
        key=lambda happening: happening.key,
        version=lambda happening: happening.version,
        emits=mapping.EMITS_OF_HAPPENING,
        interval=timedelta(minutes=5),
    )
    async def conversations(self, cursor: Since | None) -> AsyncIterator[sdk.Page]:
        """All conversations once, then those that changed; each is read whole and taken apart."""
        changed_after = cursor.since - LATE if cursor else 0
        async for found, reached in self._search("/conversations/search", "conversations", cursor):
            changed = [str(one["id"]) for one in found if updated(one, changed_after + 1) > changed_after]
            whole = await together(self._conversation(one) for one in changed)
            yield sdk.Page([row for rows in whole for row in rows], reached)

    @conversations.normalize
    def _(self, happening: Happening) -> Iterable[sdk.Event]:
        return mapping.of_happening(happening)

    merges = sdk.pushed(
        record=Merge,
        key=lambda merge: merge.contact.id,
        version=lambda merge: f"{merge.contact.updated_at:012}",
        emits={"person.aliased"},
    )

    @merges.normalize
    def _(self, merge: Merge) -> Iterable[sdk.Event]:
        return mapping.of_merge(merge)

    @merges.refetch
    async def _(self, contact_id: str) -> Mapping[str, Any] | sdk.Tombstone:
        """The survivor and the conversations that it has now, the newest 150: some of them were the other's."""
        survivor = await self._get(f"/contacts/{quote(contact_id, safe='')}")
        if survivor is None:
            # It was merged itself meanwhile, and the notification of that names who is left.
            return sdk.Tombstone("merges", contact_id)
        query = {"field": "contact_ids", "operator": "=", "value": contact_id}
        sort = {"field": "updated_at", "order": "descending"}
        asked = {"query": query, "sort": sort, "pagination": {"per_page": 150}}
        listed = (await self._ask("POST", "/conversations/search", asked))["conversations"]
        alone = [one["id"] for one in listed if len((one.get("contacts") or {}).get("contacts") or []) == 1]
        return {"contact": survivor, "conversations": alone}

    @sdk.webhook(
        path="webhook",
        signature=SIGNATURE,
        secrets=lambda config: [
            secret.get_secret_value()
            for secret in (config.client_secret, config.previous_client_secret)
            if secret is not None
        ],
        delivery_id=delivery_id,
        handles={"contacts", "companies", "conversations", "merges"},
    )
    def webhook(self, delivery: sdk.Delivery) -> Iterable[sdk.Received | sdk.Tombstone | sdk.Refetch]:
        """Notifications of topics about contacts, companies and conversations; others are taken and say nothing."""
        notification = parsed(delivery.body)
        item = notification.item
        match notification.topic.split("."):
            case ["contact", "merged"]:
                return [sdk.Received("contacts", item), sdk.Refetch("merges", str(item["id"]))]
            case ["contact", *_, "deleted"]:
                return [sdk.Tombstone("contacts", str(item["id"]), notification.at)]
            case ["contact", *_] if item.get("type") == "contact":
                return [sdk.Received("contacts", item)]
            case ["company", "deleted"]:
                return [sdk.Tombstone("companies", str(item["id"]), notification.at)]
            case ["company", *_] if item.get("type") == "company":
                return [sdk.Received("companies", item)]
            case ["conversation", "deleted"]:
                return [sdk.Tombstone("conversations", f"{item.get('conversation_id') or item['id']}:source")]
            case ["conversation", *what] if item.get("type") == "conversation":
                rows = notified(item, created=what[-1] == "created")
                return [sdk.Received("conversations", row) for row in rows]
            case _:
                return []

    @sdk.endpoint(path="webhook", method="HEAD", signature=Unsigned(), secrets=lambda config: [])
    async def presence(self, delivery: sdk.Delivery) -> sdk.Reply:
        """Intercom asks whether anybody is there before it saves an address for notifications."""
        return sdk.Reply()

    @sdk.action(
        input=SendMessage,
        output=MessageSent,
        idempotency="none",
        emits="message.sent",
        touch=True,
        scopes=("write_conversations",),
    )
    async def send_message(self, message: SendMessage, key: str) -> MessageSent:
        """Send an in-app message to a contact. Intercom has no idempotency keys: sent twice, it is shown twice."""
        admin = message.admin or self.config.admin_id
        if admin is None:
            raise Rejected("Name the teammate who sends the message: admin, or the connection's admin_id.")
        contact = message.contact or await self._contact_of(message.user or "")
        sent = await self._send(
            {
                "message_type": "inapp",
                "body": message.body,
                "from": {"type": "admin", "id": admin},
                "to": {"type": "contact", "id": contact},
            }
        )
        return MessageSent(message=str(sent["id"]), contact=contact)

    async def _contact_of(self, user: str) -> str:
        found = await self._get(f"/contacts/find_by_external_id/{quote(user, safe='')}")
        if found is None:
            raise Rejected(f"Intercom knows no contact whose external_id is {user!r}.")
        return str(found["id"])

    async def _send(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = await self.http.post("/messages", json=message)
        if answer.is_error:
            raise Rejected(f"Intercom refused the message: {reason(answer)}")
        sent: Mapping[str, Any] = answer.json()
        return sent

    async def _search(
        self, path: str, name: str, cursor: Since | None
    ) -> AsyncIterator[tuple[list[dict[str, Any]], Since]]:
        """Walk through what was updated on the day of the cursor and later, the oldest first."""
        at = cursor or Since(since=0)
        sort = {"field": "updated_at", "order": "ascending"}
        query = {"field": "updated_at", "operator": ">", "value": max(0, at.since - A_DAY_AND_MORE)}
        while True:
            pagination = {"per_page": PAGE} | ({"starting_after": at.after} if at.after else {})
            asked = {"query": query, "sort": sort, "pagination": pagination}
            listed = await self._ask("POST", path, asked, cursor=at.after)
            newest = max([at.newest or at.since, *(updated(one, 0) for one in listed[name])])
            after = ((listed.get("pages") or {}).get("next") or {}).get("starting_after")
            at = Since(since=at.since if after else newest, newest=newest if after else None, after=after)
            yield listed[name], at
            if after is None:
                return

    async def _scroll(self, at: Scroll | None) -> dict[str, Any] | None:
        """The next page of a scroll; None when it has expired. Only one is open at a time, for a minute at most.

        Whoever asks again for a page whose answer got lost is given the one behind it: so it is never asked again.
        """
        params = {"scroll_param": at.scroll} if at else None
        answer = await self.http.get("/companies/scroll", params=params, extensions={"once": True})
        if answer.status_code == 400 and "scroll_exists" in codes(answer):
            raise RateLimited("Intercom allows one scroll at a time; another one is open.", retry_after=SCROLL_LIVES)
        if answer.status_code in (400, 404) and at is not None:
            return None
        return document(answer)

    async def _conversation(self, conversation_id: str) -> list[dict[str, Any] | sdk.Tombstone]:
        whole = await self._get(f"/conversations/{conversation_id}")
        if whole is None:
            return [sdk.Tombstone("conversations", f"{conversation_id}:source")]
        return list(happenings(whole))

    async def _get(self, path: str) -> dict[str, Any] | None:
        """One object; None for one that was deleted or merged into another."""
        answer = await self.http.get(path)
        return None if answer.status_code == 404 else document(answer)

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, cursor: str | None = None
    ) -> dict[str, Any]:
        answer = await self.http.request(method, path, json=body)
        if answer.status_code in (400, 404) and cursor is not None:
            raise CursorExpired(f"Intercom no longer knows where {path} was left off: {reason(answer)}")
        return document(answer)
