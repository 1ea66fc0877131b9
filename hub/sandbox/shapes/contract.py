"""The shapes of a contract: the customer, the subscription and what it consists of."""

from hub.sandbox import books
from hub.sandbox.shapes.version import Json, moved


def customer(fact: books.Customer) -> Json:
    if fact.deleted:
        return {"id": fact.id, "object": "customer", "deleted": True}
    return {
        "id": fact.id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": fact.created,
        "currency": fact.currency,
        "default_source": None,
        "delinquent": fact.delinquent,
        "description": None,
        "email": fact.email,
        "invoice_prefix": fact.id[-8:].upper(),
        "invoice_settings": {"custom_fields": None, "default_payment_method": None, "footer": None},
        "livemode": False,
        "metadata": dict(fact.metadata),
        "name": fact.name,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def subscription(fact: books.Subscription, version: str) -> Json:
    period = {"current_period_end": fact.period_end, "current_period_start": fact.period_start}
    item = {
        "id": fact.item,
        "object": "subscription_item",
        "created": fact.created,
        "metadata": {},
        "plan": _plan(fact),
        "price": _price(fact),
        "quantity": fact.quantity,
        "subscription": fact.id,
        "tax_rates": [],
    }
    shape: Json = {
        "id": fact.id,
        "object": "subscription",
        "billing_cycle_anchor": fact.created,
        "cancel_at": fact.period_end if fact.cancel_at_period_end else None,
        "cancel_at_period_end": fact.cancel_at_period_end,
        "canceled_at": fact.canceled_at,
        "collection_method": "charge_automatically",
        "created": fact.created,
        "currency": fact.currency,
        "customer": fact.customer,
        "ended_at": fact.canceled_at if fact.status == "canceled" else None,
        "items": {
            "object": "list",
            "data": [item],
            "has_more": False,
            "total_count": 1,
            "url": f"/v1/subscription_items?subscription={fact.id}",
        },
        "latest_invoice": fact.latest_invoice,
        "livemode": False,
        "metadata": dict(fact.metadata),
        "start_date": fact.created,
        "status": fact.status,
        "trial_end": None,
        "trial_start": None,
    }
    if moved(version):
        item |= period | {"discounts": []}
        return shape | {"billing_mode": {"type": "classic"}, "discounts": []}
    return shape | period | {"discount": None, "plan": _plan(fact), "quantity": fact.quantity}


def _price(fact: books.Subscription) -> Json:
    return {
        "id": f"price_{fact.product[5:]}",
        "object": "price",
        "active": True,
        "currency": fact.currency,
        "product": fact.product,
        "recurring": {"interval": fact.interval.value, "interval_count": 1, "usage_type": "licensed"},
        "type": "recurring",
        "unit_amount": fact.unit_amount,
        "unit_amount_decimal": str(fact.unit_amount),
    }


def _plan(fact: books.Subscription) -> Json:
    return {
        "id": f"price_{fact.product[5:]}",
        "object": "plan",
        "active": True,
        "amount": fact.unit_amount,
        "currency": fact.currency,
        "interval": fact.interval.value,
        "interval_count": 1,
        "product": fact.product,
    }
