"""Exact money: a decimal number of a currency as whole minor units, and what a contract brings in a month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

EXPONENTS: Mapping[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"), 0),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Decimal places of the currencies that do not have two (ISO 4217)."""

DAYS_IN_A_MONTH = Fraction(365, 12)


def minor(amount: Decimal, currency: str) -> int:
    """The amount in minor units. Raises `ValueError` for more decimal places than the currency has."""
    places = EXPONENTS.get(currency, 2)
    scaled = amount.scaleb(places)
    if scaled != scaled.to_integral_value():
        raise ValueError(
            f"{amount} {currency} has more than {places} decimal places: correct the amount or the currency"
        )
    return int(scaled)


def monthly_minor(amount: Decimal, currency: str, per: str, starts: datetime, ends: datetime | None) -> int:
    """What a contract brings in a month, in minor units, rounded half to even once at the end.

    A year is 12 months and 365 days. Raises `ValueError` for an amount per term without an end behind its start.
    """
    exact = Fraction(minor(amount, currency))
    if per == "year":
        exact /= 12
    elif per == "term":
        if ends is None or ends <= starts:
            raise ValueError(
                "an amount per term needs an end behind its start: map ends_at, or set per to year or month"
            )
        seconds = Fraction((ends - starts) // (ends - starts).resolution, 1_000_000)
        exact /= seconds / 86_400 / DAYS_IN_A_MONTH
    return int((Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal(1), ROUND_HALF_EVEN))
