"""The Stripe account of the base: consistent with itself, with the stories, and with both shapes of the API."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from hub.sandbox import CompanyBase, Story, invent_books
from hub.sandbox.billing import customer_id, seconds, subscription_id
from hub.sandbox.books import (
    Books,
    Charge,
    CreditNote,
    Customer,
    Dispute,
    Event,
    Invoice,
    Refund,
    Resource,
    Subscription,
)
from hub.sandbox.shapes import CURRENT, OLDER, changes, render


@pytest.fixture(scope="module")
def books(base: CompanyBase) -> Books:
    return invent_books(base)


def test_everything_belongs_to_something(books: Books) -> None:
    """Each invoice has its customer and subscription, each charge its invoice, and what undoes them their charge."""
    for subscription in books.newest(Subscription):
        assert books.find(Customer, subscription.customer)
    for invoice in books.newest(Invoice):
        assert books.find(Customer, invoice.customer)
        assert books.find(Subscription, invoice.subscription or "")
    for charge in books.newest(Charge):
        assert books.find(Invoice, charge.invoice or "")
    undone = [(one.charge, one.created) for one in books.newest(Refund)]
    undone += [(one.charge, one.created) for one in books.newest(Dispute)]
    for name, created in undone:
        found = books.find(Charge, name)
        assert found
        assert found.created <= created
    for note in books.newest(CreditNote):
        assert books.find(Invoice, note.invoice)
    assert all(len(shelf) for shelf in books.shelves.values())


def test_nothing_happens_after_the_end(base: CompanyBase, books: Books) -> None:
    """The history stops at its end; events go back thirty days and no further."""
    until = seconds(base.until)
    for resource in Resource:
        shelf = books.shelves[resource]
        assert all(shelf.at(place).created <= until for place in range(len(shelf)))
    assert min(event.created for event in books.newest(Event)) >= until - 30 * 86_400


def test_each_company_pays_by_its_story(base: CompanyBase, books: Books) -> None:
    """Who cannot pay is past due with open invoices, who left is cancelled, everybody else is active and has paid."""
    for company in base.companies:
        subscription = books.find(Subscription, subscription_id(base, company))
        assert subscription
        invoices = [one for one in books.newest(Invoice) if one.subscription == subscription.id]
        unpaid = [one for one in invoices if one.status == "open"]
        if company.story is Story.FAILING_PAYMENTS:
            assert subscription.status == "past_due"
            assert unpaid
            assert all(one.attempts >= 1 for one in unpaid)
        else:
            assert not unpaid
            assert subscription.status == ("canceled" if company.story is Story.CHURNED else "active")
    paid = {company.id for company in base.told(Story.REFERENCEABLE)}
    failed = {charge.customer for charge in books.newest(Charge) if charge.failure}
    assert failed.isdisjoint(customer_id(base, company) for company in base.companies if company.id in paid)


def test_amounts_are_the_plan_times_licences(base: CompanyBase, books: Books) -> None:
    """An invoice's amount is the licences at its time, at the price of the plan for the interval."""
    for company in base.companies:
        subscription = books.find(Subscription, subscription_id(base, company))
        assert subscription
        months = 12 if subscription.interval == "year" else 1
        assert subscription.unit_amount == company.unit_price * months
        assert subscription.quantity == company.licences
        for invoice in books.newest(Invoice):
            if invoice.subscription == subscription.id:
                assert invoice.amount == subscription.unit_amount * invoice.quantity
    assert {"usd", "eur", "jpy"} == {one.currency for one in books.newest(Subscription)}


def test_the_expanding_grow(base: CompanyBase, books: Books) -> None:
    """Their first invoice is over fewer licences than their last."""
    for company in base.told(Story.EXPANDING):
        invoices = [one for one in books.newest(Invoice) if one.customer == customer_id(base, company)]
        assert invoices[-1].quantity < invoices[0].quantity


def test_yearly_periods_end_at_the_renewal(base: CompanyBase, books: Books) -> None:
    """The present period of a yearly contract ends on the day of its renewal."""
    for company in base.told(Story.PRE_RENEWAL):
        subscription = books.find(Subscription, subscription_id(base, company))
        assert subscription
        days = timedelta(seconds=subscription.period_end - seconds(base.until)).days
        assert abs(days - (company.renews_on - base.until.date()).days) <= 1


def test_incidents_happen(books: Books) -> None:
    """A few refunds, one dispute, one credit note, one deleted duplicate, one dropped add-on, one leave announced."""
    kinds = Counter(event.type for event in books.newest(Event))
    for kind in ("charge.refunded", "charge.dispute.created", "credit_note.created", "customer.deleted"):
        assert kinds[kind] == 1, kind
    assert kinds["customer.subscription.deleted"] == 1
    assert kinds["invoice.payment_failed"] == kinds["charge.failed"] > 0
    assert sum(customer.deleted for customer in books.newest(Customer)) == 1
    assert sum(one.cancel_at_period_end for one in books.newest(Subscription)) == 1


def test_events_keep_the_version_of_their_day(base: CompanyBase, books: Books) -> None:
    """The account moved to the present version ten days before the end, and each event shows what it was then."""
    moved_at = seconds(base.until - timedelta(days=10))
    versions = Counter(event.api_version for event in books.newest(Event))
    assert set(versions) == {OLDER, CURRENT}
    for event in books.newest(Event):
        assert event.api_version == (CURRENT if event.created >= moved_at else OLDER)


def test_the_shapes_moved(base: CompanyBase, books: Books) -> None:
    """The period moved to the items, an invoice's subscription under its parent, and a charge forgot its invoice."""
    subscription, invoice = next(books.newest(Subscription)), next(books.newest(Invoice))
    charge, note = next(books.newest(Charge)), next(books.newest(CreditNote))
    new, old = render(subscription, CURRENT), render(subscription, OLDER)
    assert "current_period_end" not in new
    assert new["items"]["data"][0]["current_period_end"] == old["current_period_end"] == subscription.period_end
    assert "current_period_end" not in old["items"]["data"][0]

    new, old = render(invoice, CURRENT), render(invoice, OLDER)
    assert new["parent"]["subscription_details"]["subscription"] == old["subscription"] == invoice.subscription
    assert not {"subscription", "charge", "paid", "payment_intent"} & new.keys()
    assert {"charge", "paid", "payment_intent"} <= old.keys()
    assert "parent" not in old

    assert "invoice" not in render(charge, CURRENT)
    assert render(charge, OLDER)["invoice"] == charge.invoice
    assert "refunds" in render(note, CURRENT)
    assert not any("customer" in render(one, version) for one in books.newest(Dispute) for version in (OLDER, CURRENT))


def test_an_update_tells_what_was_before(books: Books) -> None:
    """`previous_attributes` holds the changed keys only: the period at its place in each version, lists as a whole."""
    for event in books.newest(Event):
        if event.type != "customer.subscription.updated" or event.before is None:
            continue
        shown = render(event, CURRENT)
        before, after = render(event.before, event.api_version), shown["data"]["object"]
        previous = shown["data"]["previous_attributes"]
        assert previous
        assert all(before[key] != after.get(key) for key in previous)
        if event.api_version == OLDER and "current_period_end" in previous:
            assert previous["current_period_end"] < after["current_period_end"]


def test_changes_inside_an_object_are_told_by_key() -> None:
    """Inner objects are compared key by key, and a new key was null before."""
    before = {"metadata": {"a": "1", "b": "2"}, "name": "x", "items": [1]}
    after = {"metadata": {"a": "1", "b": "3", "c": "4"}, "name": "x", "items": [1, 2]}
    assert changes(before, after) == {"items": [1], "metadata": {"b": "2", "c": None}}
