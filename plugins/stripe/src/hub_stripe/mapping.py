"""What Stripe's objects and events mean on the account timeline.

A fact that both an event and a resource report (an invoice was paid) carries a natural key and is built from what
never changes in the object, so it is one event whichever came first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from hub import sdk
from hub_stripe.models import Charge, CreditNote, Customer, Invoice, OfCharge, StripeEvent, Subscription, moment
from hub_stripe.money import discounts, items, monthly_minor, quantity

FREE_STATES = frozenset({"canceled", "incomplete_expired"})

EMITS_OF_SUBSCRIPTION = frozenset(
    {"subscription.started", "subscription.changed", "subscription.canceled", "trial.started", "trial.ended"}
)
COMPARED = ("plan", "interval", "quantity", "mrr_minor", "current_period_end", "cancel_at_period_end")
"""Attributes of a subscription whose change an event names."""
EMITS_OF_INVOICE = frozenset({"invoice.created", "invoice.paid", "invoice.voided"})
EMITS_OF_CHARGE = frozenset({"payment.succeeded", "payment.failed"})
EMITS_OF_EVENT = frozenset(
    {
        *EMITS_OF_SUBSCRIPTION,
        *EMITS_OF_INVOICE,
        *EMITS_OF_CHARGE,
        "invoice.payment_failed",
        "customer.created",
        "customer.updated",
        "customer.deleted",
        "credit.granted",
    }
)


def place(customer: str) -> sdk.Account:
    """The customer's place, as other objects know it."""
    return sdk.Account(f"customer:{customer}", (sdk.keys.external("stripe.customer", customer),))


def customer_account(customer: Customer, group_metadata: str, at: int) -> sdk.Account:
    """The customer's place with everything that tells whose it is; `at` (unix seconds) is when that was so."""
    keys = [sdk.keys.external("stripe.customer", customer.id)]
    group = customer.metadata.get(group_metadata)
    if group:
        keys.append(sdk.keys.group(group))
    profile: dict[str, Any] = {"name": customer.name} if customer.name else {}
    if customer.email and "@" in customer.email:
        keys.append(sdk.keys.domain(customer.email.rpartition("@")[2]))
    return sdk.Account(f"customer:{customer.id}", tuple(keys), profile, moment(at))


def of_customer(customer: Customer, group_metadata: str, at: int | None = None) -> Iterable[sdk.Event]:
    """`customer.created`."""
    account = customer_account(customer, group_metadata, at or customer.created)
    yield sdk.Event(
        kind="customer.created",
        occurred_at=customer.made_at,
        account=account,
        natural_key=f"customer.created:{customer.id}",
        attributes={"customer": customer.id},
    )


def of_subscription(subscription: Subscription) -> Iterable[sdk.Event]:
    """Its start, its state as it is now, and its end: what a backfill can know of it."""
    started = subscription.start_date or subscription.created
    account = place(subscription.customer)
    yield _started(subscription)
    now = max(started, period(subscription)[0] or 0)
    subject = subscription_subject(subscription)
    if subscription.status not in FREE_STATES:
        amount = sdk.Amount(monthly_minor(subscription.model_dump()), subscription.currency.upper())
        yield sdk.Event(
            kind="subscription.changed",
            occurred_at=moment(now),
            account=account,
            subject=subject,
            amount=amount,
            natural_key=f"subscription.observed:{subscription.id}:{_digest(now, subject, amount)}",
        )
    yield from _canceled(subscription)
    yield from _trial(subscription)


def _trial(subscription: Subscription) -> Iterable[sdk.Event]:
    """When it began to be tried, and, once that is over, when it ended: at its end, or with the subscription."""
    if subscription.trial_start:
        yield _of_trial("trial.started", subscription, subscription.trial_start)
    if subscription.trial_end and subscription.status != "trialing":
        yield _of_trial("trial.ended", subscription, min(subscription.trial_end, subscription.ended_at or 2**40))


def _of_trial(kind: str, subscription: Subscription, at: int) -> sdk.Event:
    return sdk.Event(
        kind=kind,
        occurred_at=moment(at),
        account=place(subscription.customer),
        attributes={"subscription": subscription.id},
        natural_key=f"{kind}:{subscription.id}",
    )


def _digest(at: int, subject: sdk.Subject, amount: sdk.Amount) -> str:
    """Of what the event says, not of the object: a field that Stripe adds one day is no change of the subscription."""
    said = orjson.dumps((at, subject, amount), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(said).hexdigest()[:24]


def _started(subscription: Subscription) -> sdk.Event:
    return sdk.Event(
        kind="subscription.started",
        occurred_at=moment(subscription.start_date or subscription.created),
        account=place(subscription.customer),
        natural_key=f"subscription.started:{subscription.id}",
        attributes={"subscription": subscription.id},
    )


def _canceled(subscription: Subscription) -> Iterable[sdk.Event]:
    ended = subscription.ended_at or subscription.canceled_at
    if subscription.status == "canceled" and ended:
        yield sdk.Event(
            kind="subscription.canceled",
            occurred_at=moment(ended),
            account=place(subscription.customer),
            subject=sdk.Subject("subscription", subscription.id, "canceled", {"mrr_minor": 0}),
            natural_key=f"subscription.canceled:{subscription.id}",
        )


def period(subscription: Subscription) -> tuple[int | None, int | None]:
    """Start and end of the current period: on the items since 2025, on the subscription before."""
    first = next(iter(items(subscription.model_dump())), {})
    return (
        first.get("current_period_start") or subscription.current_period_start,
        first.get("current_period_end") or subscription.current_period_end,
    )


def subscription_subject(subscription: Subscription) -> sdk.Subject:
    """The subscription with all that measures ask of it."""
    own = items(subscription.model_dump())
    price = (own[0].get("price") or own[0].get("plan") or {}) if own else {}
    end = period(subscription)[1]
    attributes = {
        "plan": price.get("nickname") or price.get("id"),
        "interval": (price.get("recurring") or price).get("interval"),
        "quantity": sum(quantity(item) for item in own),
        "mrr_minor": monthly_minor(subscription.model_dump()),
        "currency": subscription.currency.upper(),
        "current_period_end": moment(end).isoformat() if end else None,
        "cancel_at_period_end": subscription.cancel_at_period_end,
    }
    if price_interval_count(price) > 1:
        attributes["interval_count"] = price_interval_count(price)
    if discounts(subscription.model_dump()):
        attributes["discounted"] = True
    if subscription.trial_end:
        attributes["trial_end"] = moment(subscription.trial_end).isoformat()
    if subscription.canceled_at:
        attributes["canceled_at"] = moment(subscription.canceled_at).isoformat()
    return sdk.Subject("subscription", subscription.id, subscription.status, attributes)


def price_interval_count(price: Mapping[str, Any]) -> int:
    """How many intervals one billing period has: 3 months are a quarter."""
    return int((price.get("recurring") or price).get("interval_count") or 1)


def of_invoice(invoice: Invoice) -> Iterable[sdk.Event]:
    """When it was issued, paid, voided or written off."""
    times = invoice.status_transitions
    if invoice.status != "draft":
        yield _invoice_event(invoice, "created", "open", times.get("finalized_at") or invoice.created)
    if invoice.status == "paid" and times.get("paid_at"):
        yield _invoice_event(invoice, "paid", "paid", times["paid_at"])
    for state, time in (("void", "voided_at"), ("uncollectible", "marked_uncollectible_at")):
        if invoice.status == state and times.get(time):
            yield _invoice_event(invoice, "voided", state, times[time])


def _invoice_event(invoice: Invoice, action: str, state: str, at: int | None) -> sdk.Event:
    amount = invoice.amount_paid if state == "paid" else invoice.amount_due
    return sdk.Event(
        kind=f"invoice.{action}",
        occurred_at=moment(at or invoice.created),
        account=place(invoice.customer),
        subject=sdk.Subject("invoice", invoice.id, state, _invoice_facts(invoice)),
        amount=sdk.Amount(amount, invoice.currency.upper()),
        natural_key=f"invoice.{action}:{invoice.id}",
    )


def _invoice_facts(invoice: Invoice) -> dict[str, Any]:
    details = (invoice.parent or {}).get("subscription_details") or {}
    return {"number": invoice.number, "subscription": invoice.subscription or details.get("subscription")}


def of_charge(charge: Charge) -> Iterable[sdk.Event]:
    """A payment that went through, or did not; one still pending says nothing yet."""
    if charge.customer and charge.status in {"succeeded", "failed"}:
        yield sdk.Event(
            kind=f"payment.{charge.status}",
            occurred_at=charge.made_at,
            account=place(charge.customer),
            amount=sdk.Amount(charge.amount, charge.currency.upper()),
            attributes={"charge": charge.id, "failure_code": charge.failure_code},
            natural_key=f"payment:{charge.id}",
        )


def of_charge_part(kind: str, part: OfCharge) -> Iterable[sdk.Event]:
    """A refund or a dispute, at the customer of its charge."""
    if part.customer:
        yield sdk.Event(
            kind=kind,
            occurred_at=part.made_at,
            account=place(part.customer),
            amount=sdk.Amount(part.amount, part.currency.upper()),
            attributes={"charge": part.charge, "reason": part.reason},
            natural_key=f"{kind}:{part.id}",
        )


def of_credit_note(note: CreditNote) -> Iterable[sdk.Event]:
    """`credit.granted`."""
    yield sdk.Event(
        kind="credit.granted",
        occurred_at=note.made_at,
        account=place(note.customer),
        amount=sdk.Amount(note.amount, note.currency.upper()),
        attributes={"invoice": note.invoice, "reason": note.reason},
        natural_key=f"credit.granted:{note.id}",
    )


def of_event(event: StripeEvent, group_metadata: str) -> Iterable[sdk.Event]:
    """The timeline events of a Stripe event; types that say nothing about an account's health give none.

    Refunds and disputes name no customer, so their own streams look it up.
    """
    data = event.data.object
    match event.type:
        case "customer.created":
            return of_customer(Customer.model_validate(data), group_metadata, event.created)
        case "customer.updated":
            return [_customer_updated(event, Customer.model_validate(data), group_metadata)]
        case "customer.deleted":
            return [_customer_deleted(event, str(data["id"]))]
        case "customer.subscription.created" | "customer.subscription.updated":
            return _subscription_changed(event, Subscription.model_validate(data))
        case "customer.subscription.deleted":
            ended = Subscription.model_validate(data)
            return [*_canceled(ended), *_trial(ended)]
        case "customer.subscription.paused" | "customer.subscription.resumed":
            return _subscription_changed(event, Subscription.model_validate(data))
        case "invoice.finalized" | "invoice.paid" | "invoice.voided" | "invoice.marked_uncollectible":
            return of_invoice(Invoice.model_validate(data))
        case "invoice.payment_failed":
            return [_payment_failed(event, Invoice.model_validate(data))]
        case "charge.succeeded" | "charge.failed":
            return of_charge(Charge.model_validate(data))
        case "credit_note.created":
            return of_credit_note(CreditNote.model_validate(data))
        case _:
            return ()


def _customer_updated(event: StripeEvent, customer: Customer, group_metadata: str) -> sdk.Event:
    return sdk.Event(
        kind="customer.updated",
        occurred_at=event.happened_at,
        account=customer_account(customer, group_metadata, event.created),
        attributes={"customer": customer.id, "changed": sorted(event.data.previous_attributes)},
    )


def _customer_deleted(event: StripeEvent, customer: str) -> sdk.Event:
    return sdk.Event(
        kind="customer.deleted",
        occurred_at=event.happened_at,
        account=place(customer),
        natural_key=f"customer.deleted:{customer}",
        attributes={"customer": customer},
    )


def _subscription_changed(event: StripeEvent, subscription: Subscription) -> Iterable[sdk.Event]:
    if event.type == "customer.subscription.created":
        yield _started(subscription)
    subject = subscription_subject(subscription)
    yield sdk.Event(
        kind="subscription.changed",
        occurred_at=event.happened_at,
        account=place(subscription.customer),
        subject=sdk.Subject(subject.type, subject.id, subject.state, subject.attributes, _changes(event, subject)),
        amount=sdk.Amount(subject.attributes["mrr_minor"], subscription.currency.upper()),
    )
    yield from _trial(subscription)


def _changes(event: StripeEvent, now: sdk.Subject) -> dict[str, sdk.Change]:
    """What the event changed, in our words: the subscription as it was is the object with what it held before."""
    held = event.data.previous_attributes
    if not held:
        return {}
    former = {**event.data.object, **held}
    if isinstance(held.get("items"), dict):
        former["items"] = {**event.data.object.get("items", {}), **held["items"]}
    try:
        before = subscription_subject(Subscription.model_validate(former))
    except ValueError:  # what it held before is of a shape that cannot be put together: the state after it counts
        return {}
    changes = {
        name: sdk.Change(before.attributes.get(name), now.attributes.get(name))
        for name in COMPARED
        if before.attributes.get(name) != now.attributes.get(name)
    }
    if "quantity" in held and "quantity" not in changes:  # the older shape tells it beside the items
        changes["quantity"] = sdk.Change(held["quantity"], now.attributes.get("quantity"))
    return changes if before.state == now.state else {"status": sdk.Change(before.state, now.state), **changes}


def _payment_failed(event: StripeEvent, invoice: Invoice) -> sdk.Event:
    return sdk.Event(
        kind="invoice.payment_failed",
        occurred_at=event.happened_at,
        account=place(invoice.customer),
        subject=sdk.Subject("invoice", invoice.id, "past_due", _invoice_facts(invoice)),
        amount=sdk.Amount(invoice.amount_due, invoice.currency.upper()),
        natural_key=f"invoice.payment_failed:{invoice.id}:{invoice.attempt_count}",
    )
