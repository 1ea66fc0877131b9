"""Monthly recurring revenue of a subscription, in minor units."""

from __future__ import annotations

from collections.abc import Mapping
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


def monthly_minor(subscription: Mapping[str, Any]) -> int:
    """What the subscription brings in a month, after its discounts, without metered prices; 0 while it is a trial.

    Sum over items of `unit_amount × quantity ÷ months in the interval`, rounded half to even once at the end.
    """
    if subscription.get("status") == "trialing":
        return 0
    total = sum((_item(item) for item in items(subscription)), Fraction(0))
    for discount in discounts(subscription):
        total = _discounted(total, discount)
    exact = Decimal(total.numerator) / Decimal(total.denominator)
    return int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))


def items(subscription: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The subscription's items."""
    return list((subscription.get("items") or {}).get("data") or [])


def discounts(subscription: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Discounts in the shape of either API: one `discount`, or a list of expanded `discounts`."""
    found = [*(subscription.get("discounts") or []), subscription.get("discount")]
    return [discount for discount in found if isinstance(discount, dict)]


def _item(item: Mapping[str, Any]) -> Fraction:
    price = item.get("price") or item.get("plan") or {}
    recurring = price.get("recurring") or price
    if recurring.get("usage_type") == "metered":
        return Fraction(0)
    amount = price.get("unit_amount_decimal") or price.get("unit_amount") or price.get("amount") or 0
    months = MONTHS.get(recurring.get("interval", "month"), Fraction(1)) * int(recurring.get("interval_count") or 1)
    return Fraction(str(amount)) * int(item.get("quantity") or 1) / months


def _discounted(total: Fraction, discount: Mapping[str, Any]) -> Fraction:
    coupon = discount.get("coupon") or {}
    if coupon.get("percent_off"):
        return total * (1 - Fraction(str(coupon["percent_off"])) / 100)
    return max(Fraction(0), total - Fraction(coupon.get("amount_off") or 0))
