"""The Stripe connector: events by poll and webhook, older history from the resource lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import orjson

from hub import sdk
from hub.sdk.errors import CursorExpired, Misconfigured, Rejected, Unavailable
from hub_stripe import mapping
from hub_stripe.models import (
    API_VERSION,
    Charge,
    CreditNote,
    Customer,
    CustomerUpdated,
    Invoice,
    Newest,
    OfCharge,
    StripeConfig,
    StripeEvent,
    Subscription,
    UpdateMetadata,
)
from hub_stripe.money import unknown_discounts
from hub_stripe.signature import StripeSignature

PAGE = 100
COUPONS = "discounts.source.coupon"
"""What a subscription has to be asked for by name: its discounts are ids otherwise."""
HISTORY: dict[str, Any] = {
    "cursor": Newest,
    "key": lambda thing: thing.id,
    "version": lambda thing: thing.digest(),
    "interval": timedelta(hours=1),
}
"""Of the resource lists: they bring what is older than events go back, and every hour what events may have missed."""


class Stripe(sdk.Connector[StripeConfig]):
    """Reads billing; the one thing it writes is a customer's metadata."""

    id = "stripe"
    name = "Stripe"
    tier = "gold"
    Config = StripeConfig
    rate = sdk.Rate(per_second=20, backfill_share=0.5)

    @classmethod
    def hosts(cls, config: StripeConfig) -> Sequence[str]:
        return (str(config.base_url),)

    def authenticate(self, request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {self.config.api_key.get_secret_value()}"
        request.headers["Stripe-Version"] = API_VERSION
        return request

    async def check(self) -> str:
        account = await self._get("/v1/account")
        if not isinstance(account.get("id"), str):
            raise Misconfigured("The address of the API does not answer as Stripe does: correct base_url.")
        return str(account["id"])

    @sdk.stream(
        record=StripeEvent,
        cursor=Newest,
        key=lambda event: event.id,
        version=lambda event: "1",
        emits=mapping.EMITS_OF_EVENT,
        interval=timedelta(minutes=1),
    )
    async def events(self, cursor: Newest | None) -> AsyncIterator[sdk.Page]:
        """The last thirty days once, then what is newer."""
        async for page in self._read("events", cursor, complete=self._with_discounts):
            yield page

    @events.normalize
    def _(self, event: StripeEvent) -> Iterable[sdk.Event]:
        return mapping.of_event(event, self.config.group_metadata)

    @events.refetch
    async def _(self, event_id: str) -> dict[str, Any]:
        return await self._with_discounts(await self._get(f"/v1/events/{event_id}"))

    @sdk.stream(record=Customer, emits={"customer.created"}, **HISTORY)
    async def customers(self, cursor: Newest | None) -> AsyncIterator[sdk.Page]:
        """All customers, for history beyond thirty days."""
        async for page in self._read("customers", cursor):
            yield page

    @customers.normalize
    def _(self, customer: Customer) -> Iterable[sdk.Event]:
        return mapping.of_customer(customer, self.config.group_metadata)

    @sdk.stream(record=Subscription, emits=mapping.EMITS_OF_SUBSCRIPTION, **HISTORY)
    async def subscriptions(self, cursor: Newest | None) -> AsyncIterator[sdk.Page]:
        """All subscriptions, ended ones too."""
        async for page in self._read("subscriptions", cursor, {"status": "all", "expand[]": f"data.{COUPONS}"}):
            yield page

    @subscriptions.normalize
    def _(self, subscription: Subscription) -> Iterable[sdk.Event]:
        return mapping.of_subscription(subscription)

    @sdk.stream(record=Invoice, emits=mapping.EMITS_OF_INVOICE, **HISTORY)
    async def invoices(self, cursor: Newest | None) -> AsyncIterator[sdk.Page]:
        """All invoices."""
        async for page in self._read("invoices", cursor):
            yield page

    @invoices.normalize
    def _(self, invoice: Invoice) -> Iterable[sdk.Event]:
        return mapping.of_invoice(invoice)

    @sdk.stream(record=Charge, emits=mapping.EMITS_OF_CHARGE, **HISTORY)
    async def charges(self, cursor: Newest | None) -> AsyncIterator[sdk.Page]:
        """All charges."""
        async for page in self._read("charges", cursor):
            yield page

    @charges.normalize
    def _(self, charge: Charge) -> Iterable[sdk.Event]:
        return mapping.of_charge(charge)

    @sdk.stream(record=CreditNote, emits={"credit.granted"}, **HISTORY)
    async def credit_notes(self, cursor: Newest | None) -> AsyncIterator[sdk.Page]:
        """All credit notes."""
        async for page in self._read("credit_notes", cursor):
            yield page

    @credit_notes.normalize
    def _(self, note: CreditNote) -> Iterable[sdk.Event]:
        return mapping.of_credit_note(note)

    @sdk.stream(record=OfCharge, emits={"payment.refunded"}, **HISTORY)
    async def refunds(self, cursor: Newest | None) -> AsyncIterator[sdk.Page]:
        """All refunds, each with the customer of its charge."""
        async for page in self._read("refunds", cursor, complete=self._with_customer):
            yield page

    @refunds.normalize
    def _(self, refund: OfCharge) -> Iterable[sdk.Event]:
        return mapping.of_charge_part("payment.refunded", refund)

    @refunds.refetch
    async def _(self, refund_id: str) -> dict[str, Any]:
        return await self._with_customer(await self._get(f"/v1/refunds/{refund_id}"))

    @sdk.stream(record=OfCharge, emits={"payment.disputed"}, **HISTORY)
    async def disputes(self, cursor: Newest | None) -> AsyncIterator[sdk.Page]:
        """All disputes, each with the customer of its charge."""
        async for page in self._read("disputes", cursor, complete=self._with_customer):
            yield page

    @disputes.normalize
    def _(self, dispute: OfCharge) -> Iterable[sdk.Event]:
        return mapping.of_charge_part("payment.disputed", dispute)

    @disputes.refetch
    async def _(self, dispute_id: str) -> dict[str, Any]:
        return await self._with_customer(await self._get(f"/v1/disputes/{dispute_id}"))

    @sdk.webhook(
        path="webhook",
        signature=StripeSignature(),
        secrets=lambda config: [
            secret.get_secret_value()
            for secret in (config.webhook_secret, config.previous_webhook_secret)
            if secret is not None
        ],
        delivery_id=lambda delivery: _event_id(delivery.body),
        handles={"events", "refunds", "disputes"},
    )
    def webhook(self, delivery: sdk.Delivery) -> Iterable[sdk.Received | sdk.Refetch]:
        """A webhook endpoint with snapshot payloads; what names no customer, or no coupon, is looked up."""
        event = orjson.loads(delivery.body)
        if not isinstance(event, dict) or event.get("object") != "event":
            raise ValueError("expected a snapshot event (object: event); thin v2 events need another destination")
        parsed = StripeEvent.model_validate(event)
        if _lacks_discounts(event):
            return [sdk.Refetch("events", parsed.id)]
        return [sdk.Received("events", event), *_parts_of_charges(parsed)]

    @sdk.action(input=UpdateMetadata, output=CustomerUpdated, idempotency="native", scopes=("customers_write",))
    async def update_metadata(self, change: UpdateMetadata, key: str) -> CustomerUpdated:
        """Set metadata on a customer, e.g. its health band, so that billing sees it."""
        answer = await self.http.post(
            f"/v1/customers/{change.customer}",
            data={f"metadata[{name}]": value for name, value in change.metadata.items()},
            headers={"Idempotency-Key": key},
        )
        if answer.is_error:
            raise Rejected(f"Stripe refused the metadata: {_reason(answer)}")
        return CustomerUpdated(customer=change.customer, metadata=answer.json()["metadata"])

    async def _read(
        self,
        resource: str,
        cursor: Newest | None,
        params: dict[str, Any] | None = None,
        *,
        complete: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]] | None = None,
    ) -> AsyncIterator[sdk.Page]:
        """A list of Stripe's, the newest first: all of it once, then page by page what is newer."""
        known = cursor is not None and cursor.last is not None and cursor.after is None
        pages = self._newer_than if known else self._back_from_newest
        async for rows, reached in pages(resource, cursor or Newest(), params or {}):
            yield sdk.Page([await complete(row) for row in rows] if complete else rows, reached)

    async def _back_from_newest(
        self, resource: str, cursor: Newest, params: dict[str, Any]
    ) -> AsyncIterator[tuple[list[dict[str, Any]], Newest]]:
        last, after = cursor.last, cursor.after
        while True:
            listed = await self._list(resource, params | ({"starting_after": after} if after else {}))
            rows = listed["data"]
            last = last or (rows[0]["id"] if rows else None)
            after = rows[-1]["id"] if rows and listed["has_more"] else None
            yield rows, Newest(last=last, after=after)
            if after is None:
                return

    async def _newer_than(
        self, resource: str, cursor: Newest, params: dict[str, Any]
    ) -> AsyncIterator[tuple[list[dict[str, Any]], Newest]]:
        last = cursor.last
        while True:
            listed = await self._list(resource, {**params, "ending_before": last})
            if not listed["data"]:
                return
            last = listed["data"][0]["id"]
            yield listed["data"][::-1], Newest(last=last)
            if not listed["has_more"]:
                return

    async def _with_customer(self, row: dict[str, Any]) -> dict[str, Any]:
        if not row.get("charge"):
            return row
        charge = await self._get(f"/v1/charges/{row['charge']}")
        return {**row, "customer": charge.get("customer")}

    async def _with_discounts(self, row: dict[str, Any]) -> dict[str, Any]:
        """An event about a subscription that only names its discounts, with what they are today."""
        if not _lacks_discounts(row):
            return row
        subscription = row["data"]["object"]
        answer = await self.http.get(f"/v1/subscriptions/{subscription['id']}", params={"expand[]": COUPONS})
        if answer.is_error:
            return row
        now = answer.json()
        return {**row, "data": {**row["data"], "object": {**subscription, "discounts": now.get("discounts") or []}}}

    async def _list(self, resource: str, params: dict[str, Any]) -> dict[str, Any]:
        return await self._get(f"/v1/{resource}", {"limit": PAGE, **params})

    async def _get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await self.http.get(path, params=params)
        if answer.is_error:
            if {"starting_after", "ending_before"} & set(params or ()):
                raise CursorExpired(f"Stripe no longer knows where {path} was left off: {_reason(answer)}")
            raise Misconfigured(f"Stripe refused {path}: {_reason(answer)}")
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Unavailable(f"{path} did not answer as Stripe does.", detail=answer.text[:200])
        return body


def _lacks_discounts(event: Mapping[str, Any]) -> bool:
    """Whether an event is about a subscription whose discounts it does not tell."""
    if not str(event.get("type")).startswith("customer.subscription."):
        return False
    subscription = (event.get("data") or {}).get("object")
    return isinstance(subscription, dict) and bool(subscription.get("discounts")) and unknown_discounts(subscription)


def _parts_of_charges(event: StripeEvent) -> Iterator[sdk.Refetch]:
    """The refunds and disputes that an event tells of; they name no customer, so they are read."""
    told = event.data.object
    if event.type in ("refund.created", "refund.updated", "charge.refund.updated"):
        yield sdk.Refetch("refunds", str(told["id"]))
    elif event.type == "charge.refunded":  # the older shape carries them, the newer one sends refund.created beside it
        for refund in (told.get("refunds") or {}).get("data") or []:
            yield sdk.Refetch("refunds", str(refund["id"]))
    elif event.type.startswith("charge.dispute."):
        yield sdk.Refetch("disputes", str(told["id"]))


def _event_id(body: bytes) -> str | None:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return event.get("id") if isinstance(event, dict) and isinstance(event.get("id"), str) else None


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
