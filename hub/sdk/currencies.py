"""ISO 4217: how many decimals the minor unit of a currency stands for. Data, because it changes with the standard."""

from __future__ import annotations

EXPONENTS: dict[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"), 0),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""The exponents that are not two."""


def exponent_of(currency: str) -> int:
    """The exponent of a currency (upper case); two where the standard names no other."""
    return EXPONENTS.get(currency, 2)
