"""Shapes: a fact of the books as the JSON that Stripe sends, in the API version that is asked for.

Version `2025-03-31.basil` moved things: the period went from the subscription to its items, an invoice names
its subscription under `parent` and lost `subscription`, `charge`, `payment_intent` and `paid`, a charge lost
`invoice`. An event is rendered in its own version whoever asks, so one list holds both shapes. Source:
https://docs.stripe.com/changelog/basil
"""

from hub.sandbox import books
from hub.sandbox.shapes import contract, payment
from hub.sandbox.shapes.version import CURRENT, OLDER, Json, moved

__all__ = ["CURRENT", "OLDER", "Json", "changes", "event", "moved", "render"]


def render(fact: books.Fact, version: str) -> Json:
    """The fact as Stripe's JSON object in this API version."""
    match fact:
        case books.Customer():
            return contract.customer(fact)
        case books.Subscription():
            return contract.subscription(fact, version)
        case books.Invoice():
            return payment.invoice(fact, version)
        case books.Charge():
            return payment.charge(fact, version)
        case books.Refund():
            return payment.refund(fact)
        case books.Dispute():
            return payment.dispute(fact)
        case books.CreditNote():
            return payment.credit_note(fact, version)
        case books.Event():
            return event(fact)


def event(fact: books.Event) -> Json:
    after = render(fact.thing, fact.api_version)
    if isinstance(fact.thing, books.Customer) and fact.type == "customer.deleted":
        # The event tells the whole of what was deleted; only the object itself is a tombstone from now on.
        after = render(fact.before or fact.thing, fact.api_version)
    data: Json = {"object": after}
    if fact.before is not None and fact.type != "customer.deleted":
        data["previous_attributes"] = changes(render(fact.before, fact.api_version), after)
    return {
        "id": fact.id,
        "object": "event",
        "api_version": fact.api_version,
        "created": fact.created,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": fact.request, "idempotency_key": fact.idempotency_key},
        "type": fact.type,
    }


def changes(before: Json, after: Json) -> Json:
    """What the changed keys held before: inner objects by their changed keys only, lists whole, as Stripe does."""
    changed: Json = {}
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        changed[key] = changes(old, new) if isinstance(old, dict) and isinstance(new, dict) else old
    return dict(sorted(changed.items()))
