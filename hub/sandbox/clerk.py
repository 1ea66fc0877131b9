"""The clerk: keeps the books the way Stripe does, where every act leaves a thing in a new state and an event of it.

The invented history and the live traffic after it are written by the same acts, so a webhook that is sent
today and an object that was listed yesterday can not contradict each other. Times are unix seconds, money is
in minor units.
"""

from dataclasses import replace
from random import Random
from typing import Any

from hub.sandbox.books import (
    Books,
    Charge,
    CreditNote,
    Customer,
    Dispute,
    Event,
    Invoice,
    Refund,
    Subscription,
    Thing,
    stripe_id,
)
from hub.sandbox.companies import Company
from hub.sandbox.stories import Interval


class Clerk:
    """Writes into `books`, with ids drawn from `rng`. Of what happened before `tell_from` no event is kept.

    `request` and `idempotency_key` name the API request that the acts belong to, if there is one. `told`
    holds the events of this clerk's acts, in order; whoever sends webhooks takes them from there.
    """

    def __init__(
        self,
        books: Books,
        rng: Random,
        *,
        tell_from: int = 0,
        request: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        self.books = books
        self.rng = rng
        self.tell_from = tell_from
        self.request = request
        self.idempotency_key = idempotency_key
        self.told: list[Event] = []

    def tell(self, kind: str, thing: Thing, at: int, before: Thing | None = None) -> None:
        """Keeps the thing and, if it is recent enough, the event of this kind about it."""
        self.books.put(thing)
        if at < self.tell_from:
            return
        event = Event(
            id=stripe_id(self.rng, "evt_1"),
            created=at,
            type=kind,
            api_version=self.books.version_at(at),
            thing=thing,
            before=before,
            request=self.request,
            idempotency_key=self.idempotency_key,
        )
        self.books.put(event)
        self.told.append(event)

    def open_customer(self, company: Company, customer_id: str, at: int) -> Customer:
        contact = company.billing
        customer = Customer(
            id=customer_id,
            created=at,
            name=company.name,
            email=contact.email,
            currency=company.currency,
            metadata={"group_id": company.id} if contact.carries_group_id else {},
        )
        self.tell("customer.created", customer, at)
        return customer

    def amend_customer(self, customer: Customer, at: int, **changed: Any) -> Customer:
        after = replace(customer, **changed)
        self.tell("customer.deleted" if after.deleted else "customer.updated", after, at, customer)
        return after

    def subscribe(
        self,
        customer: Customer,
        company: Company,
        subscription_id: str,
        period: tuple[int, int],
        *,
        product: str,
        quantity: int,
    ) -> Subscription:
        """A subscription at the price of the company's plan; `period` is the first one, whose start is now."""
        at, end = period
        months = 12 if company.interval is Interval.YEAR else 1
        subscription = Subscription(
            id=subscription_id,
            created=at,
            customer=customer.id,
            item=stripe_id(self.rng, "si_", 14),
            product=product,
            interval=company.interval,
            currency=company.currency,
            unit_amount=company.unit_price * months,
            quantity=quantity,
            period_start=at,
            period_end=end,
            metadata={"plan": company.plan.value, "renews_on": company.renews_on.isoformat()},
        )
        self.tell("customer.subscription.created", subscription, at)
        return subscription

    def amend(self, subscription: Subscription, at: int, **changed: Any) -> Subscription:
        """A new period, another quantity, a cancellation: an update, or the end if its status is `canceled` now."""
        after = replace(subscription, **changed)
        kind = "deleted" if after.status == "canceled" else "updated"
        self.tell(f"customer.subscription.{kind}", after, at, None if kind == "deleted" else subscription)
        return after

    def draft(self, customer: Customer, subscription: Subscription, number: int, reason: str, at: int) -> Invoice:
        """An invoice over the subscription's present period; one with the reason `manual` stands for itself."""
        by_hand = reason == "manual"
        quantity = 1 if by_hand else subscription.quantity
        invoice = Invoice(
            id=stripe_id(self.rng, "in_1"),
            created=at,
            customer=customer.id,
            customer_name=customer.name,
            customer_email=customer.email,
            subscription=None if by_hand else subscription.id,
            product=subscription.product,
            number=f"{customer.id[-8:].upper()}-{number:04}",
            currency=subscription.currency,
            amount=subscription.unit_amount * quantity,
            quantity=quantity,
            period_start=subscription.period_start,
            period_end=subscription.period_end,
            reason=reason,
            payment_intent=stripe_id(self.rng, "pi_3"),
        )
        self.tell("invoice.created", invoice, at)
        return invoice

    def finalize(self, invoice: Invoice, at: int) -> Invoice:
        after = replace(invoice, status="open", next_attempt=at)
        self.tell("invoice.finalized", after, at, invoice)
        return after

    def collect(self, invoice: Invoice, at: int) -> Invoice:
        """The charge succeeds. Stripe tells of it twice, as `invoice.paid` and as `invoice.payment_succeeded`."""
        charge = self._charge(invoice, at, None)
        after = replace(
            invoice,
            status="paid",
            charge=charge.id,
            attempts=invoice.attempts + 1,
            next_attempt=None,
            paid_at=at,
        )
        self.tell("invoice.paid", after, at)
        self.tell("invoice.payment_succeeded", after, at)
        return after

    def decline(self, invoice: Invoice, at: int, next_attempt: int | None) -> Invoice:
        """The charge fails; `next_attempt` is when Stripe will try again, None if never."""
        charge = self._charge(invoice, at, "Your card was declined.")
        after = replace(invoice, charge=charge.id, attempts=invoice.attempts + 1, next_attempt=next_attempt)
        self.tell("invoice.payment_failed", after, at)
        return after

    def refund(self, charge: Charge, amount: int, at: int) -> Refund:
        refund = Refund(
            id=stripe_id(self.rng, "re_3"),
            created=at,
            charge=charge.id,
            payment_intent=charge.payment_intent,
            currency=charge.currency,
            amount=amount,
        )
        after = replace(charge, amount_refunded=charge.amount_refunded + amount)
        self.tell("charge.refunded", after, at, charge)
        self.tell("refund.created", refund, at)
        return refund

    def dispute(self, charge: Charge, at: int) -> Dispute:
        dispute = Dispute(
            id=stripe_id(self.rng, "du_1"),
            created=at,
            charge=charge.id,
            payment_intent=charge.payment_intent,
            currency=charge.currency,
            amount=charge.amount,
        )
        self.books.put(replace(charge, disputed=True))
        self.tell("charge.dispute.created", dispute, at)
        return dispute

    def credit(self, invoice: Invoice, amount: int, at: int) -> CreditNote:
        note = CreditNote(
            id=stripe_id(self.rng, "cn_1"),
            created=at,
            customer=invoice.customer,
            invoice=invoice.id,
            number=f"{invoice.number}-CN-01",
            currency=invoice.currency,
            amount=amount,
        )
        self.tell("credit_note.created", note, at)
        return note

    def _charge(self, invoice: Invoice, at: int, failure: str | None) -> Charge:
        charge = Charge(
            id=stripe_id(self.rng, "ch_3"),
            created=at,
            customer=invoice.customer,
            invoice=invoice.id,
            payment_intent=invoice.payment_intent,
            currency=invoice.currency,
            amount=invoice.amount,
            email=invoice.customer_email,
            failure=failure,
        )
        self.tell("charge.failed" if failure else "charge.succeeded", charge, at)
        return charge
