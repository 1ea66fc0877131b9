"""The Stripe connector: events by poll and webhook, older history from the resource lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
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
    EventsCursor,
    Invoice,
    OfCharge,
    StripeConfig,
    StripeEvent,
    Subscription,
    UpdateMetadata,
    Walk,
)
from hub_stripe.signature import StripeSignature

PAGE = 100
HISTORY: dict[str, Any] = {"cursor": Walk, "key": lambda thing: thing.id, "version": lambda thing: thing.digest()}
LATE = timedelta(hours=1)
"""How often lists are read whose objects no event brings with their customer."""


class Stripe(sdk.Connector[StripeConfig]):
    """Reads billing; the one thing it writes is a customer's metadata."""

    id = "stripe"
    name = "Stripe"
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
        cursor=EventsCursor,
        key=lambda event: event.id,
        version=lambda event: "1",
        emits=mapping.EMITS_OF_EVENT,
        interval=timedelta(minutes=1),
    )
    async def events(self, cursor: EventsCursor | None) -> AsyncIterator[sdk.Page]:
        """The last thirty days once, then what is newer; Stripe lists the newest first."""
        if cursor is None or cursor.after is not None or cursor.last is None:
            async for page in self._back_over_thirty_days(cursor or EventsCursor()):
                yield page
            return
        last = cursor.last
        while True:
            listed = await self._list("events", {"ending_before": last})
            if not listed["data"]:
                return
            last = listed["data"][0]["id"]
            yield sdk.Page(listed["data"][::-1], EventsCursor(last=last))
            if not listed["has_more"]:
                return

    async def _back_over_thirty_days(self, cursor: EventsCursor) -> AsyncIterator[sdk.Page]:
        last, after = cursor.last, cursor.after
        while True:
            listed = await self._list("events", {"starting_after": after} if after else {})
            last = last or (listed["data"][0]["id"] if listed["data"] else None)
            after = listed["data"][-1]["id"] if listed["data"] and listed["has_more"] else None
            yield sdk.Page(listed["data"], EventsCursor(last=last, after=after))
            if after is None:
                return

    @events.normalize
    def _(self, event: StripeEvent) -> Iterable[sdk.Event]:
        return mapping.of_event(event, self.config.group_metadata)

    @sdk.stream(record=Customer, emits=mapping.EMITS_OF_CUSTOMER, interval=None, **HISTORY)
    async def customers(self, cursor: Walk | None) -> AsyncIterator[sdk.Page]:
        """All customers, for history beyond thirty days."""
        async for page in self._walk("customers", cursor):
            yield page

    @customers.normalize
    def _(self, customer: Customer) -> Iterable[sdk.Event]:
        return mapping.of_customer(customer, self.config.group_metadata)

    @sdk.stream(record=Subscription, emits=mapping.EMITS_OF_SUBSCRIPTION, interval=None, **HISTORY)
    async def subscriptions(self, cursor: Walk | None) -> AsyncIterator[sdk.Page]:
        """All subscriptions, ended ones too."""
        async for page in self._walk("subscriptions", cursor, {"status": "all"}):
            yield page

    @subscriptions.normalize
    def _(self, subscription: Subscription) -> Iterable[sdk.Event]:
        return mapping.of_subscription(subscription)

    @sdk.stream(record=Invoice, emits=mapping.EMITS_OF_INVOICE, interval=None, **HISTORY)
    async def invoices(self, cursor: Walk | None) -> AsyncIterator[sdk.Page]:
        """All invoices."""
        async for page in self._walk("invoices", cursor):
            yield page

    @invoices.normalize
    def _(self, invoice: Invoice) -> Iterable[sdk.Event]:
        return mapping.of_invoice(invoice)

    @sdk.stream(record=Charge, emits=mapping.EMITS_OF_CHARGE, interval=None, **HISTORY)
    async def charges(self, cursor: Walk | None) -> AsyncIterator[sdk.Page]:
        """All charges."""
        async for page in self._walk("charges", cursor):
            yield page

    @charges.normalize
    def _(self, charge: Charge) -> Iterable[sdk.Event]:
        return mapping.of_charge(charge)

    @sdk.stream(record=CreditNote, emits={"credit.granted"}, interval=None, **HISTORY)
    async def credit_notes(self, cursor: Walk | None) -> AsyncIterator[sdk.Page]:
        """All credit notes."""
        async for page in self._walk("credit_notes", cursor):
            yield page

    @credit_notes.normalize
    def _(self, note: CreditNote) -> Iterable[sdk.Event]:
        return mapping.of_credit_note(note)

    @sdk.stream(record=OfCharge, emits={"payment.refunded"}, interval=LATE, **HISTORY)
    async def refunds(self, cursor: Walk | None) -> AsyncIterator[sdk.Page]:
        """All refunds, each with the customer of its charge."""
        async for page in self._walk("refunds", _again(cursor), of_charge=True):
            yield page

    @refunds.normalize
    def _(self, refund: OfCharge) -> Iterable[sdk.Event]:
        return mapping.of_charge_part("payment.refunded", refund)

    @sdk.stream(record=OfCharge, emits={"payment.disputed"}, interval=LATE, **HISTORY)
    async def disputes(self, cursor: Walk | None) -> AsyncIterator[sdk.Page]:
        """All disputes, each with the customer of its charge."""
        async for page in self._walk("disputes", _again(cursor), of_charge=True):
            yield page

    @disputes.normalize
    def _(self, dispute: OfCharge) -> Iterable[sdk.Event]:
        return mapping.of_charge_part("payment.disputed", dispute)

    @sdk.webhook(
        path="webhook",
        signature=StripeSignature(),
        secrets=lambda config: [
            secret.get_secret_value()
            for secret in (config.webhook_secret, config.previous_webhook_secret)
            if secret is not None
        ],
        delivery_id=lambda delivery: _event_id(delivery.body),
        handles={"events"},
    )
    def webhook(self, delivery: sdk.Delivery) -> Iterable[sdk.Received]:
        """A webhook endpoint with snapshot payloads."""
        event = orjson.loads(delivery.body)
        if not isinstance(event, dict) or event.get("object") != "event":
            raise ValueError("expected a snapshot event (object: event); thin v2 events need another destination")
        return [sdk.Received("events", event)]

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

    async def _walk(
        self, resource: str, cursor: Walk | None, params: dict[str, Any] | None = None, *, of_charge: bool = False
    ) -> AsyncIterator[sdk.Page]:
        cursor = cursor or Walk()
        while not cursor.done:
            after = {"starting_after": cursor.after} if cursor.after else {}
            listed = await self._list(resource, {**(params or {}), **after})
            rows = [await self._with_customer(row) for row in listed["data"]] if of_charge else listed["data"]
            cursor = Walk(after=rows[-1]["id"] if rows else cursor.after, done=not listed["has_more"])
            yield sdk.Page(rows, cursor)

    async def _with_customer(self, row: dict[str, Any]) -> dict[str, Any]:
        if not row.get("charge"):
            return row
        charge = await self._get(f"/v1/charges/{row['charge']}")
        return {**row, "customer": charge.get("customer")}

    async def _list(self, resource: str, params: dict[str, Any]) -> dict[str, Any]:
        return await self._get(f"/v1/{resource}", {"limit": PAGE, **params})

    async def _get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await self.http.get(path, params=params)
        if answer.is_error:
            if {"starting_after", "ending_before"} & set(params or ()):
                raise CursorExpired(f"Stripe no longer knows where {path} was left off: {_reason(answer)}")
            raise Misconfigured(f"Stripe refused {path}: {_reason(answer)}")
        try:
            body: dict[str, Any] = answer.json()
        except ValueError:
            raise Unavailable(f"{path} did not answer with JSON.", detail=answer.text[:200]) from None
        return body


def _again(cursor: Walk | None) -> Walk | None:
    """A finished walk starts over: the lists are short, and what is known already makes no work."""
    return None if cursor is None or cursor.done else cursor


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
