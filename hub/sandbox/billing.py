"""Billing: each invented company's contract, lived through with Stripe until the end of the history.

Periods are invoiced as they begin; an invoice is finalised and charged about an hour later, as Stripe does.
The account moved to the present API version ten days before the end, so the events of the last thirty days
come in both shapes. Then come the incidents that a hub has to get right: refunds, a dispute, a credit note,
an add-on that is dropped while the main subscription goes on, a duplicate customer that is deleted.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from hub.sandbox.books import Books, Charge, Customer, Invoice, Subscription, empty_shelves, stripe_id
from hub.sandbox.chance import seeded
from hub.sandbox.clerk import Clerk
from hub.sandbox.companies import Company, CompanyBase, add_months
from hub.sandbox.shapes import CURRENT, OLDER
from hub.sandbox.stories import Interval, Story

DAY: Final = 86_400
KEPT: Final = 30 * DAY
"""How far back Stripe's event list goes."""

_RETRIES: Final = (3 * DAY, 5 * DAY, 7 * DAY)
_FINALIZED_AFTER: Final = 3_600


def invent_books(base: CompanyBase) -> Books:
    """The Stripe account of this base, as it stands at the end of its history."""
    until = seconds(base.until)
    books = Books(
        account=stripe_id(seeded(base.seed, "account"), "acct_1", 16),
        shelves=empty_shelves(),
        version=CURRENT,
        older_version=OLDER,
        upgraded_at=until - 10 * DAY,
    )
    for company in base.companies:
        rng = seeded(base.seed, company.id, "stripe")
        _Contract(base, company, Clerk(books, rng, tell_from=until - KEPT)).live_through()
    _incidents(base, books, until)
    return books


def seconds(at: datetime) -> int:
    """The unix second of a moment."""
    return int(at.timestamp())


def product_id(base: CompanyBase, *names: str) -> str:
    """The id of what is sold under these names, the same wherever it is asked for."""
    return stripe_id(seeded(base.seed, "product", *names), "prod_", 14)


def customer_id(base: CompanyBase, company: Company) -> str:
    """The id under which Stripe knows this company."""
    return stripe_id(seeded(base.seed, company.id, "customer"), "cus_", 14)


def subscription_id(base: CompanyBase, company: Company) -> str:
    """The id of the company's main subscription."""
    return stripe_id(seeded(base.seed, company.id, "subscription"), "sub_1")


class _Contract:
    """One company's subscription from its first day to the end of the history."""

    def __init__(self, base: CompanyBase, company: Company, clerk: Clerk) -> None:
        self.base = base
        self.company = company
        self.clerk = clerk
        self.until = seconds(base.until)
        self.ends = company.churned_at or base.until
        self.periods = list(self._periods())

    def _periods(self) -> Iterator[tuple[datetime, datetime]]:
        months = 12 if self.company.interval is Interval.YEAR else 1
        start, number = self.company.since, 0
        while start < self.ends:
            number += 1
            end = add_months(self.company.since, months * number)
            yield start, end
            start = end

    def live_through(self) -> None:
        start, end = self.periods[0]
        customer = self.clerk.open_customer(self.company, customer_id(self.base, self.company), seconds(start))
        subscription = self.clerk.subscribe(
            customer,
            self.company,
            subscription_id(self.base, self.company),
            (seconds(start), seconds(end)),
            product=product_id(self.base, self.company.plan, self.company.interval),
            quantity=self.company.licences_at(start),
        )
        for number, (start, end) in enumerate(self.periods):
            subscription = self._period(customer, subscription, number, start, end)
        if self.company.churned_at is not None:
            at = seconds(self.company.churned_at)
            self.clerk.amend(subscription, at, status="canceled", canceled_at=at)

    def _period(
        self, customer: Customer, subscription: Subscription, number: int, start: datetime, end: datetime
    ) -> Subscription:
        at = seconds(start)
        if number:
            subscription = self.clerk.amend(subscription, at, period_start=at, period_end=seconds(end))
        reason = "subscription_cycle" if number else "subscription_create"
        invoice = self.clerk.draft(customer, subscription, number + 1, reason, at)
        subscription = replace(subscription, latest_invoice=invoice.id)
        self.clerk.books.put(subscription)
        due = at + (_FINALIZED_AFTER if number else 0)
        if due < self.until - 60:
            invoice = self.clerk.finalize(invoice, due)
            subscription = self._settle(customer, subscription, invoice, number, due + 5)
        return self._grow(subscription, start, end)

    def _settle(
        self, customer: Customer, subscription: Subscription, invoice: Invoice, number: int, at: int
    ) -> Subscription:
        """The charge succeeds; it is declined for good in the last two periods of a company that cannot pay."""
        if self.company.story is Story.FAILING_PAYMENTS and number >= len(self.periods) - 2:
            return self._fail(customer, subscription, invoice, at)
        retried = at + _RETRIES[0]
        steady = self.company.story is Story.REFERENCEABLE
        if not steady and retried < self.until and self.clerk.rng.random() < 0.03:
            invoice = self.clerk.decline(invoice, at, retried)
            at = retried
        self.clerk.collect(invoice, at)
        return subscription

    def _fail(self, customer: Customer, subscription: Subscription, invoice: Invoice, at: int) -> Subscription:
        attempts = [at, *(at + delay for delay in _RETRIES)]
        for attempt, following in zip(attempts, [*attempts[1:], None], strict=True):
            if attempt < self.until:
                invoice = self.clerk.decline(invoice, attempt, following)
        if subscription.status == "past_due":
            return subscription
        self.clerk.amend_customer(customer, at, delinquent=True)
        return self.clerk.amend(subscription, at, status="past_due")

    def _grow(self, subscription: Subscription, start: datetime, end: datetime) -> Subscription:
        if self.company.story is not Story.EXPANDING:
            return subscription
        for person in self.company.people:
            if start < person.joined < min(end, self.base.until):
                quantity = self.company.licences_at(person.joined)
                subscription = self.clerk.amend(subscription, seconds(person.joined), quantity=quantity)
        return subscription


def _incidents(base: CompanyBase, books: Books, until: int) -> None:
    clerk = Clerk(books, seeded(base.seed, "incidents"), tell_from=until - KEPT)
    healthy, declining, renewing = (base.told(story) for story in (Story.HEALTHY, Story.DECLINING, Story.PRE_RENEWAL))
    for company, days_ago in zip(sorted(healthy, key=lambda one: one.since), (4, 60, 150), strict=False):
        for charge in _last_charge(base, books, company, before=until - days_ago * DAY):
            clerk.refund(charge, charge.amount // 4, until - days_ago * DAY)
    for company in declining[:1]:
        for charge in _last_charge(base, books, company, before=until - 6 * DAY):
            clerk.dispute(charge, until - 6 * DAY)
        _drop_an_add_on(base, clerk, company, until)
    for company in declining[1:2]:
        subscription = books.find(Subscription, subscription_id(base, company))
        if subscription is not None:
            at = until - 3 * DAY
            clerk.amend(subscription, at, cancel_at_period_end=True, canceled_at=at)
    for company in renewing[:1]:
        for charge in _last_charge(base, books, company, before=until - 12 * DAY):
            invoice = books.find(Invoice, charge.invoice or "")
            if invoice is not None:
                clerk.credit(invoice, invoice.amount // 10, until - 12 * DAY)
    _delete_a_duplicate(base, clerk, until)


def _drop_an_add_on(base: CompanyBase, clerk: Clerk, company: Company, until: int) -> None:
    customer = clerk.books.find(Customer, customer_id(base, company))
    if customer is None:
        return
    began = base.until - timedelta(days=170)
    add_on = clerk.subscribe(
        customer,
        company,
        stripe_id(clerk.rng, "sub_1"),
        (seconds(began), seconds(add_months(began, 6))),
        product=product_id(base, "analytics add-on"),
        quantity=1,
    )
    dropped = until - 8 * DAY
    clerk.amend(add_on, dropped, status="canceled", canceled_at=dropped)


def _delete_a_duplicate(base: CompanyBase, clerk: Clerk, until: int) -> None:
    twin = clerk.open_customer(base.companies[-1], stripe_id(clerk.rng, "cus_", 14), until - 20 * DAY)
    clerk.amend_customer(twin, until - 19 * DAY, deleted=True)


def _last_charge(base: CompanyBase, books: Books, company: Company, *, before: int) -> list[Charge]:
    """The company's latest charge before this second that went through, if there is one."""
    customer = customer_id(base, company)
    charges = (
        charge for charge in books.newest(Charge, before) if charge.customer == customer and charge.failure is None
    )
    return list(islice(charges, 1))
