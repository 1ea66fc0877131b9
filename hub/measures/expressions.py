"""The language of rules: which SQL expressions are understood, and what they mean in polars.

Allowed: names, numbers, text, TRUE, FALSE; `= <> < <= > >=`, AND, OR, NOT, BETWEEN, IN, LIKE, ILIKE, IS [NOT]
NULL, IS [NOT] TRUE; `+ - * /`; CASE, COALESCE, NULLIF, GREATEST, LEAST, ABS, ROUND, FLOOR, CEIL. Arithmetic
that has no finite result (a division by nought) is NULL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, reduce
from operator import add, and_, eq, ge, gt, le, lt, mul, ne, or_, sub
from typing import Any, Final, cast

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from hub.blueprint.problems import did_you_mean
from hub.kit.errors import Invalid
from hub.measures.division import quotient

MAX_LENGTH: Final = 2_000
MAX_TOKENS: Final = 400


class RuleInvalid(Invalid):
    """A rule or formula cannot be read; the message says what is wrong in it and what may have been meant."""


class Sort(StrEnum):
    """What an expression gives. NULL alone has no sort and goes with any."""

    NUMBER = "a number"
    TEXT = "text"
    BOOLEAN = "true or false"


FACTS: Final[Mapping[str, Sort]] = {
    "segment": Sort.TEXT,
    "stage": Sort.TEXT,
    "band": Sort.TEXT,
    "owner": Sort.TEXT,
    "days_in_stage": Sort.NUMBER,
    "days_known": Sort.NUMBER,
    "score": Sort.NUMBER,
    "score_change_7d": Sort.NUMBER,
    "score_change_30d": Sort.NUMBER,
    "score_change_90d": Sort.NUMBER,
}
"""What rules can know of an account besides its measures. Every other name is a measure, and so a number."""


@dataclass(frozen=True, slots=True)
class Term:
    """A checked expression and what it gives."""

    sort: Sort | None
    expression: pl.Expr


@lru_cache(maxsize=4096)
def read_expression(text: str, known_names: frozenset[str]) -> tuple[Term, frozenset[str]]:
    """The expression, and the names that it uses out of the known ones. Raises `RuleInvalid`."""
    if len(text) > MAX_LENGTH:
        raise RuleInvalid(f"has {len(text):,} characters; at most {MAX_LENGTH:,} are read")
    try:
        if len(sqlglot.tokenize(text, dialect="postgres")) > MAX_TOKENS:
            raise RuleInvalid(f"has more than {MAX_TOKENS} words and signs; split it into measures")
        tree = sqlglot.parse_one(text, into=exp.Condition, dialect="postgres")
        walk = _Walk(known_names)
        return walk.term(cast(exp.Expression, tree)), frozenset(walk.names)
    except ParseError as error:
        raise RuleInvalid(f"cannot be read{_position(error)}: {text.strip() or 'it is empty'}") from None
    except SqlglotError:
        raise RuleInvalid(f"cannot be read: {text.strip()}") from None
    except RecursionError:
        raise RuleInvalid("is nested too deeply") from None


def _position(error: ParseError) -> str:
    first = error.errors[0] if error.errors else {}
    return f" at character {first['col']}" if first.get("line") == 1 and first.get("col") else ""


_COMPARISONS: Final[Mapping[type[exp.Expression], Callable[[Any, Any], Any]]] = {
    exp.EQ: eq,
    exp.NEQ: ne,
    exp.LT: lt,
    exp.LTE: le,
    exp.GT: gt,
    exp.GTE: ge,
}
_ARITHMETIC: Final[Mapping[type[exp.Expression], Callable[[Any, Any], Any]]] = {
    exp.Add: add,
    exp.Sub: sub,
    exp.Mul: mul,
    exp.Div: quotient,
}
_JUNCTIONS: Final[Mapping[type[exp.Expression], Callable[[Any, Any], Any]]] = {exp.And: and_, exp.Or: or_}

_UNDERSTOOD: Final[Mapping[type[exp.Expression], frozenset[str]]] = {
    **{kind: frozenset({"this", "expression"}) for kind in (*_COMPARISONS, *_JUNCTIONS, exp.Add, exp.Sub, exp.Mul)},
    # `typed` and `safe` say how a dialect divides integers; all numbers here are floating point.
    exp.Div: frozenset({"this", "expression", "typed", "safe"}),
    exp.Paren: frozenset({"this"}),
    exp.Not: frozenset({"this"}),
    exp.Neg: frozenset({"this"}),
    exp.Column: frozenset({"this"}),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Boolean: frozenset({"this"}),
    exp.Null: frozenset(),
    exp.Is: frozenset({"this", "expression", "negate"}),
    exp.Like: frozenset({"this", "expression", "negate"}),
    exp.ILike: frozenset({"this", "expression", "negate"}),
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: frozenset({"this", "expressions"}),
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.Coalesce: frozenset({"this", "expressions"}),
    exp.Nullif: frozenset({"this", "expression"}),
    # SQL's GREATEST and LEAST pass over NULL, and so do those of polars.
    exp.Greatest: frozenset({"this", "expressions", "ignore_nulls"}),
    exp.Least: frozenset({"this", "expressions", "ignore_nulls"}),
    exp.Abs: frozenset({"this"}),
    exp.Round: frozenset({"this", "decimals"}),
    exp.Floor: frozenset({"this"}),
    exp.Ceil: frozenset({"this"}),
}
"""The nodes that may stand in a rule, each with the parts that are understood: anything more is refused, so a
parser that learns new syntax cannot change what a rule means."""


class _Walk:
    """One walk over a tree: checks each node and builds the polars expression; `names` are those met on the
    way.
    """

    def __init__(self, known_names: frozenset[str]) -> None:
        self.known = known_names
        self.names: set[str] = set()

    def term(self, node: exp.Expression) -> Term:
        understood = _UNDERSTOOD.get(type(node))
        if understood is None or any(part for key, part in node.args.items() if key not in understood and part):
            raise RuleInvalid(f"may not use {_shown(node)}; see the list of what rules understand")
        if type(node) in _COMPARISONS:
            left, right = self._alike(node, node.this, node.expression)
            return Term(Sort.BOOLEAN, _COMPARISONS[type(node)](left.expression, right.expression))
        if type(node) in _ARITHMETIC:
            numbers = self.number(node.this), self.number(node.expression)
            return Term(Sort.NUMBER, _finite(_ARITHMETIC[type(node)](*numbers)))
        if type(node) in _JUNCTIONS:
            both = self.condition(node.this), self.condition(node.expression)
            return Term(Sort.BOOLEAN, _JUNCTIONS[type(node)](*both))
        return self._other(node)

    def number(self, node: exp.Expression) -> pl.Expr:
        return self._of_sort(Sort.NUMBER, node)

    def condition(self, node: exp.Expression) -> pl.Expr:
        return self._of_sort(Sort.BOOLEAN, node)

    def _of_sort(self, sort: Sort, node: exp.Expression) -> pl.Expr:
        term = self.term(node)
        if term.sort not in (sort, None):
            raise RuleInvalid(f"needs {sort} where it says {_shown(node)}, which is {term.sort}")
        return term.expression

    def _alike(self, where: exp.Expression, *nodes: exp.Expression) -> list[Term]:
        """Terms that can be compared with one another: of one sort, and none of them always NULL."""
        terms = [self.term(node) for node in nodes]
        if any(term.sort is None for term in terms):
            raise RuleInvalid(f"compares with NULL in {_shown(where)}, which never holds; write IS NULL")
        if len({term.sort for term in terms}) > 1:
            raise RuleInvalid(f"compares {terms[0].sort} with {terms[1].sort} in {_shown(where)}")
        return terms

    def _other(self, node: exp.Expression) -> Term:
        match node:
            case exp.Paren():
                return self.term(node.this)
            case exp.Column():
                return self._name(node)
            case exp.Literal():
                return _literal(node)
            case exp.Boolean():
                return Term(Sort.BOOLEAN, pl.lit(bool(node.this)))
            case exp.Null():
                return Term(None, pl.lit(None))
            case exp.Not():
                return Term(Sort.BOOLEAN, ~self.condition(node.this))
            case exp.Neg():
                return Term(Sort.NUMBER, -self.number(node.this))
            case exp.Is():
                return self._is(node)
            case exp.Like() | exp.ILike():
                return self._like(node)
            case exp.Between():
                value, low, high = self._alike(node, node.this, node.args["low"], node.args["high"])
                inside = (value.expression >= low.expression) & (value.expression <= high.expression)
                return Term(Sort.BOOLEAN, inside)
            case exp.In():
                value, *listed = self._alike(node, node.this, *node.expressions)
                return Term(Sort.BOOLEAN, reduce(or_, [value.expression == one.expression for one in listed]))
            case exp.Case():
                return self._case(node)
            case _:
                return self._function(node)

    def _name(self, node: exp.Column) -> Term:
        name, position = node.name, node.this.meta.get("start", 0) + 1
        if name not in self.known:
            raise RuleInvalid(
                f"names {name!r} at character {position}, which is not known{did_you_mean(name, self.known)}"
            )
        self.names.add(name)
        sort = FACTS.get(name, Sort.NUMBER)
        return Term(sort, pl.col(name).cast(pl.Float64 if sort is Sort.NUMBER else pl.String))

    def _is(self, node: exp.Is) -> Term:
        if isinstance(node.expression, exp.Null):
            answer = self.term(node.this).expression.is_null()
        elif isinstance(node.expression, exp.Boolean):
            answer = self.condition(node.this).eq_missing(pl.lit(bool(node.expression.this)))
        else:
            raise RuleInvalid(f"may not use {_shown(node)}; IS goes with NULL, TRUE and FALSE")
        return Term(Sort.BOOLEAN, ~answer if node.args.get("negate") else answer)

    def _like(self, node: exp.Like | exp.ILike) -> Term:
        pattern = node.expression
        if not (isinstance(pattern, exp.Literal) and pattern.is_string):
            raise RuleInvalid(f"needs a text in quotes after LIKE in {_shown(node)}")
        flags = "(?is)" if isinstance(node, exp.ILike) else "(?s)"
        answer = self._of_sort(Sort.TEXT, node.this).str.contains(f"{flags}^{_as_regex(pattern.name)}$")
        return Term(Sort.BOOLEAN, ~answer if node.args.get("negate") else answer)

    def _case(self, node: exp.Case) -> Term:
        branches = [(self._case_condition(node, when), self.term(when.args["true"])) for when in node.args["ifs"]]
        default = self.term(node.args["default"]) if node.args.get("default") else Term(None, pl.lit(None))
        sort = self._common_sort(node, [*(branch for _, branch in branches), default])
        answer = default.expression
        for condition, branch in reversed(branches):
            answer = pl.when(condition).then(branch.expression).otherwise(answer)
        return Term(sort, answer)

    def _case_condition(self, node: exp.Case, when: exp.If) -> pl.Expr:
        if node.this is None:
            return self.condition(when.this)
        left, right = self._alike(node, node.this, when.this)
        return left.expression == right.expression

    def _common_sort(self, node: exp.Expression, terms: list[Term]) -> Sort | None:
        sorts = {term.sort for term in terms if term.sort is not None}
        if len(sorts) > 1:
            raise RuleInvalid(f"gives now {' and now '.join(sorted(sorts))} in {_shown(node)}")
        return sorts.pop() if sorts else None

    def _function(self, node: exp.Expression) -> Term:
        match node:
            case exp.Coalesce():
                terms = [self.term(one) for one in (node.this, *node.expressions)]
                return Term(self._common_sort(node, terms), pl.coalesce([term.expression for term in terms]))
            case exp.Nullif():
                value, other = self._alike(node, node.this, node.expression)
                return Term(
                    value.sort,
                    pl.when((value.expression != other.expression).fill_null(True)).then(value.expression),
                )
            case exp.Greatest():
                return Term(
                    Sort.NUMBER,
                    pl.max_horizontal([self.number(one) for one in (node.this, *node.expressions)]),
                )
            case exp.Least():
                return Term(
                    Sort.NUMBER,
                    pl.min_horizontal([self.number(one) for one in (node.this, *node.expressions)]),
                )
            case exp.Abs():
                return Term(Sort.NUMBER, self.number(node.this).abs())
            case exp.Round():
                return Term(Sort.NUMBER, self.number(node.this).round(_decimals(node), mode="half_away_from_zero"))
            case exp.Floor():
                return Term(Sort.NUMBER, self.number(node.this).floor())
            case exp.Ceil():
                return Term(Sort.NUMBER, self.number(node.this).ceil())
            case _:
                raise RuleInvalid(f"may not use {_shown(node)}")


def _finite(expression: pl.Expr) -> pl.Expr:
    return pl.when(expression.is_finite()).then(expression)


def _literal(node: exp.Literal) -> Term:
    if node.is_string:
        return Term(Sort.TEXT, pl.lit(node.name))
    number = float(node.name)
    if not math.isfinite(number):
        raise RuleInvalid(f"has a number that is too big: {node.name}")
    return Term(Sort.NUMBER, pl.lit(number))


def _decimals(node: exp.Round) -> int:
    decimals = node.args.get("decimals")
    if decimals is None:
        return 0
    if not (isinstance(decimals, exp.Literal) and not decimals.is_string and decimals.name in set("0123456789")):
        raise RuleInvalid(f"needs a digit for the number of decimals in {_shown(node)}")
    return int(decimals.name)


def _as_regex(pattern: str) -> str:
    """A LIKE pattern as a regular expression: `%` any text, `_` one character, a backslash before either
    takes it as it is."""
    signs = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join(re.escape(part[1]) if len(part) > 1 else signs.get(part, re.escape(part)) for part in parts)


def _shown(node: exp.Expression) -> str:
    text = node.sql(dialect="postgres", comments=False)
    return repr(text if len(text) <= 60 else f"{text[:57]}…")
