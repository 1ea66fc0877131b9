"""The same quotient for one row and for many."""

from __future__ import annotations

from random import Random

import polars as pl

from hub.measures.division import quotient
from hub.measures.rules import Formula


def test_many_rows_are_divided_as_one_is() -> None:
    """By numbers and by formulas, as Python divides; polars alone would not."""
    rng = Random(1)
    numbers = [float(rng.randint(1, 10**9)) for _ in range(200)]
    frame = pl.DataFrame({"x": numbers})
    for divisor in (7.0, 49.0, 1_000_000.0, 86_400.0):
        exact = [x / divisor for x in numbers]
        assert frame.select(quotient(pl.col("x"), divisor)).to_series().to_list() == exact
        formula = Formula.parse(f"x / {divisor:.0f}", {"x"})
        assert frame.select(formula.expression.alias("x")).to_series().to_list() == exact
        alone = frame.head(1).select(quotient(pl.col("x"), divisor)).item()
        assert alone == exact[0]
