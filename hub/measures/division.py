"""Division that gives the same bits for one row and for many.

Polars multiplies by the reciprocal where the divisor is the same for all of several rows. That is a last digit off as
often as not, and is not done for a single row: an account would have other bits alone than among others.
"""

from __future__ import annotations

import polars as pl


def quotient(dividend: pl.Expr, divisor: pl.Expr | float) -> pl.Expr:
    """`dividend / divisor`, row by row and rounded as IEEE 754 says. An infinite dividend gives NaN."""
    # Made of the dividend, the divisor is no constant any more.
    return dividend / (dividend * 0.0 + divisor)
