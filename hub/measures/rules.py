"""Rules: SQL conditions over measures and facts of an account, e.g. `active_people_28d < 5 AND stage =
'established'`.

Everything that decides in a blueprint is such a rule, so it has to be safe to take from a stranger's file and
exact in its meaning. sqlglot parses it, and the walk over its tree that checks every node against a short
list also makes the polars expression that is evaluated (see `expressions`): what was checked is what runs,
there is no second reader. Unknown follows SQL: a comparison with NULL is NULL, and NULL is not true.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from hub.measures.expressions import FACTS, RuleInvalid, Sort, read_expression

__all__ = ["FACTS", "Formula", "Rule", "RuleInvalid"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition, ready to be asked of many accounts at once; `names` are the measures and facts it looks
    at.
    """

    text: str
    names: frozenset[str]
    expression: pl.Expr

    @staticmethod
    def parse(text: str, known_names: Collection[str]) -> Rule:
        """Read a condition that may use `known_names`. Raises `RuleInvalid`."""
        term, names = read_expression(text, frozenset(known_names))
        if term.sort is not Sort.BOOLEAN:
            raise RuleInvalid(f"is {term.sort or 'always unknown'}, not a condition that holds or not: {text.strip()}")
        return Rule(text, names, term.expression)

    def holds(self, frame: pl.DataFrame) -> pl.Series:
        """For each row whether the rule is true (never null: unknown is not true).

        `frame` has a column for each of `names`: Float64 for measures and numbers, String for text.
        """
        answer = frame.with_columns(self.expression.fill_null(False).cast(pl.Boolean).alias("holds"))
        return answer.get_column("holds")

    def values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Of one account's row the values that the rule looked at, by name: why it held or did not."""
        return {name: row.get(name) for name in sorted(self.names)}


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression that gives a number, e.g. `failed / (failed + paid)`."""

    text: str
    names: frozenset[str]
    expression: pl.Expr

    @staticmethod
    def parse(text: str, known_names: Collection[str]) -> Formula:
        """Read a formula that may use `known_names`. Raises `RuleInvalid`."""
        term, names = read_expression(text, frozenset(known_names))
        if term.sort is not Sort.NUMBER:
            raise RuleInvalid(f"is {term.sort or 'always unknown'}, not a number: {text.strip()}")
        return Formula(text, names, term.expression)
