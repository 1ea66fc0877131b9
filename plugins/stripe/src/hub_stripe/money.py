"""Monthly recurring revenue of a subscription, in minor units.

https://docs.stripe.com/billing/subscriptions/metrics-mrr: prorations are not part of it, nor are metered prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

MONTHS: Mapping[str, Fraction] = {
    "day": Fraction(12, 365),
    "week": Fraction(12 * 7, 365),
    "month": Fraction(1),
    "year": Fraction(12),
}
"""Length of a billing interval in months, a year having 365 days."""

BRINGS_NOTHING = frozenset({"trialing", "paused", "incomplete", "incomplete_expired", "canceled"})
"""States in which nothing is charged."""


def monthly_minor(subscription: Mapping[str, Any]) -> int:
    """What the subscription brings in a month, after its lasting discounts, without metered prices; 0 while it is free.

    Sum over items of `unit_amount × quantity ÷ months in the interval`, less the item's and then the subscription's
    discounts, rounded half to even once at the end. An amount off is taken off each invoice, and so shared by the
    months that one covers. A discount that is given once is none.
    """
    if subscription.get("status") in BRINGS_NOTHING or subscription.get("pause_collection"):
        return 0
    charged = items(subscription)
    invoiced = _months(charged[0]) if charged else Fraction(1)
    an_invoice = sum((_item(item) for item in charged), Fraction(0)) * invoiced
    total = _discounted(an_invoice, discounts(subscription)) / invoiced
    exact = Decimal(total.numerator) / Decimal(total.denominator)
    return int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))


def items(subscription: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The subscription's items."""
    return list((subscription.get("items") or {}).get("data") or [])


def discounts(thing: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Discounts in the shape of either API: one `discount`, or a list of expanded `discounts`."""
    found = [*(thing.get("discounts") or []), thing.get("discount")]
    return [discount for discount in found if isinstance(discount, dict)]


def unknown_discounts(subscription: Mapping[str, Any]) -> bool:
    """Whether it names discounts without saying what they are, as newer events do."""
    named = [*(subscription.get("discounts") or [])]
    for item in items(subscription):
        named += item.get("discounts") or []
    return any(isinstance(discount, str) or coupon(discount) is None for discount in named)


def coupon(discount: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a discount takes off: under `source` since clover, beside it before; None where only its id is told."""
    found = discount.get("coupon") or (discount.get("source") or {}).get("coupon")
    return found if isinstance(found, dict) else None


def quantity(item: Mapping[str, Any]) -> int:
    """How many; one where the price has no quantity."""
    given = item.get("quantity")
    return 1 if given is None else int(given)


def _item(item: Mapping[str, Any]) -> Fraction:
    price, recurring = _price(item)
    if recurring.get("usage_type") == "metered":
        return Fraction(0)
    amount = price.get("unit_amount_decimal") or price.get("unit_amount") or price.get("amount") or 0
    charged = _discounted(Fraction(str(amount)) * quantity(item), discounts(item))
    return charged / _months(item)


def _price(item: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The price, and how often it is charged; older shapes have both in the plan."""
    price = item.get("price") or item.get("plan") or {}
    return price, price.get("recurring") or price


def _months(item: Mapping[str, Any]) -> Fraction:
    """How many months an invoice covers."""
    _, recurring = _price(item)
    return MONTHS.get(recurring.get("interval", "month"), Fraction(1)) * int(recurring.get("interval_count") or 1)


def _discounted(total: Fraction, taken: Iterable[Mapping[str, Any]]) -> Fraction:
    for discount in taken:
        off = coupon(discount) or {}
        if off.get("duration") == "once":
            continue
        if off.get("percent_off"):
            total *= 1 - Fraction(str(off["percent_off"])) / 100
        else:
            total = max(Fraction(0), total - Fraction(off.get("amount_off") or 0))
    return total
