"""Rules mean what SQL means by them, and anything that could do harm or be misread is refused."""

from __future__ import annotations

import time
from random import Random

import polars as pl
import pytest
from sqlalchemy import text

from hub.kit.runtime import Kit
from hub.measures.rules import FACTS, Formula, Rule, RuleInvalid

NAMES = {"a", "b", "c", "active_people_28d", *FACTS}
FRAME = pl.DataFrame(
    {
        "a": [1.0, 0.0, None, 5.0],
        "b": [0.0, 0.0, 1.0, 2.0],
        "stage": ["onboarding", None, "established", "pre_renewal"],
        "days_in_stage": [3, 40, None, 7],
    }
)


def holds(rule: str) -> list[bool]:
    return Rule.parse(rule, NAMES).holds(FRAME).to_list()


def values(formula: str) -> list[float | None]:
    return FRAME.with_columns(Formula.parse(formula, NAMES).expression.alias("value"))["value"].to_list()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("a > 0", [True, False, False, True]),
        ("NOT a > 0", [False, True, False, False]),
        ("a > 0 OR b > 0", [True, False, True, True]),
        ("a > 0 AND NOT b > 0", [True, False, False, False]),
        ("a IS NULL", [False, False, True, False]),
        ("a IS NOT NULL AND a = 0", [False, True, False, False]),
        ("a = b", [False, True, False, False]),
        ("a <> b", [True, False, False, True]),
        ("a != 1", [False, True, False, True]),
        ("stage = 'onboarding'", [True, False, False, False]),
        ("stage IN ('onboarding', 'established')", [True, False, True, False]),
        ("stage NOT IN ('onboarding')", [False, False, True, True]),
        ("stage LIKE 'pre\\_%'", [False, False, False, True]),
        ("stage NOT LIKE '%o%'", [False, False, True, True]),
        ("stage ILIKE 'ON%'", [True, False, False, False]),
        ("a BETWEEN 1 AND 5", [True, False, False, True]),
        ("a NOT BETWEEN 1 AND 5", [False, True, False, False]),
        ("(a > 1) IS TRUE", [False, False, False, True]),
        ("(a > 1) IS NOT TRUE", [True, True, True, False]),
        ("coalesce(a, 9) > 4", [False, False, True, True]),
        ("a / b > 0", [False, False, False, True]),
        ("NOT a / b > 0", [False, False, False, False]),
        ("a / b IS NULL", [True, True, True, False]),
        ("nullif(a, 0) IS NULL", [False, True, True, False]),
        ("greatest(a, b) = 1", [True, False, True, False]),
        ("least(a, b, 1) >= 1", [False, False, True, True]),
        ("CASE WHEN a > 1 THEN b WHEN b > 0 THEN 7 END > 1", [False, False, True, True]),
        ("CASE stage WHEN 'established' THEN true ELSE false END", [False, False, True, False]),
        ("days_in_stage >= 7", [False, True, False, True]),
        ("1 = 1", [True, True, True, True]),
        ("FALSE", [False, False, False, False]),
    ],
)
def test_a_rule_holds_where_sql_would_say_true(rule: str, expected: list[bool]) -> None:
    """NULL is not true, and neither is NOT NULL; a division by nought is NULL."""
    assert holds(rule) == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("a + b * 2", [1.0, 0.0, None, 9.0]),
        ("(a + b) * 2", [2.0, 0.0, None, 14.0]),
        ("a - b - 1", [0.0, -1.0, None, 2.0]),
        ("-a", [-1.0, -0.0, None, -5.0]),
        ("10 / 4", [2.5, 2.5, 2.5, 2.5]),
        ("round(a / 2)", [1.0, 0.0, None, 3.0]),
        ("round(a / 3, 2)", [0.33, 0.0, None, 1.67]),
        ("floor(a / 2) + ceil(a / 2)", [1.0, 0.0, None, 5.0]),
        ("abs(b - a)", [1.0, 0.0, None, 3.0]),
        ("1.5e2", [150.0, 150.0, 150.0, 150.0]),
        ("a * 1e300 * 1e300", [None, 0.0, None, None]),
        ("CASE WHEN b > 0 THEN a / b END", [None, None, None, 2.5]),
    ],
)
def test_a_formula_gives_numbers_or_nothing(formula: str, expected: list[float | None]) -> None:
    """A result that is no finite number is none at all."""
    assert values(formula) == expected


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "active_peple_28d > 3",
            "names 'active_peple_28d' at character 1, which is not known; did you mean 'active_people_28d'?",
        ),
        ("a > 1 AND stag = 'x'", "names 'stag' at character 11, which is not known; did you mean 'stage'?"),
        ("", "cannot be read: it is empty"),
        ("a >", "cannot be read at character 3: a >"),
        ("a > 1 limit 5", "cannot be read at character"),
        ("a AS b", "cannot be read"),
        ("a, b", "cannot be read"),
        ("a > 'b", "cannot be read"),
        ("a > 1; DROP TABLE account", "cannot be read"),
        ("SELECT 1", "cannot be read"),
        ("DELETE FROM account", "cannot be read"),
        ("a > (SELECT 1)", "may not use '(SELECT 1)'"),
        ("a IN (SELECT b)", "may not use"),
        ("EXISTS(SELECT 1)", "may not use"),
        ("a = ANY(ARRAY[1])", "may not use"),
        ("pg_sleep(10) IS NULL", "may not use 'PG_SLEEP(10)'"),
        ("read_csv('/etc/passwd') IS NULL", "may not use"),
        ("count(a) > 1", "may not use"),
        ("sum(a) OVER () > 1", "may not use"),
        ("abs(a) FILTER (WHERE a > 1) > 1", "may not use"),
        ("a::text = '1'", "may not use 'CAST(a AS TEXT)'"),
        ("current_date IS NULL", "may not use"),
        ("t.a > 1", "may not use 't.a'"),
        ("* IS NULL", "may not use"),
        ("$1 > 1", "may not use"),
        ("? > 1", "may not use"),
        (":x > 1", "may not use"),
        ("a % 2 = 0", "may not use 'a % 2'"),
        ("a ^ 2 > 4", "may not use"),
        ("stage || 'x' = 'y'", "may not use"),
        ("stage ~ 'x'", "may not use"),
        ("a BETWEEN SYMMETRIC 5 AND 1", "may not use"),
        ("stage LIKE 'x' ESCAPE '!'", "may not use"),
        ("stage LIKE stage", "needs a text in quotes after LIKE"),
        ("round(a, b) > 1", "needs a digit for the number of decimals"),
        ("a", "is a number, not a condition"),
        ("stage", "is text, not a condition"),
        ("NULL", "is always unknown, not a condition"),
        ("a = NULL", "compares with NULL in 'a = NULL', which never holds; write IS NULL"),
        ("a IN (1, NULL)", "compares with NULL"),
        ("stage < 5", "compares text with a number in 'stage < 5'"),
        ("a = 'five'", "compares a number with text"),
        ("a AND b > 1", "needs true or false where it says 'a', which is a number"),
        ("NOT stage", "needs true or false where it says 'stage', which is text"),
        ("stage + 1 > 2", "needs a number where it says 'stage', which is text"),
        ("CASE WHEN a > 1 THEN 'x' ELSE 1 END = 1", "gives now a number and now text"),
        ("a > 1e999", "has a number that is too big: 1e999"),
        ("a IS b", "IS goes with NULL, TRUE and FALSE"),
        ("(" * 500 + "a > 1" + ")" * 500, "has more than 400 words"),
        ("(" * 150 + "a > 1" + ")" * 150, "is nested too deeply"),
        ("NOT " * 350 + "a > 1", "is nested too deeply"),
        (" OR ".join(["a > 1"] * 101), "has more than 400 words and signs"),
        ("a > 1 OR " + " " * 2000 + "b > 1", "characters; at most 2,000 are read"),
    ],
)
def test_what_is_not_a_rule_is_refused_with_a_reason(rule: str, message: str) -> None:
    """Statements, sub-queries, unknown functions and names, mixed sorts, and whatever is too long."""
    with pytest.raises(RuleInvalid) as raised:
        Rule.parse(rule, NAMES)
    assert message in str(raised.value)


def test_a_hostile_text_is_refused_at_once() -> None:
    """Depth and length cost nothing: each refusal takes well under a second."""
    hostile = ["(" * 100_000, "NOT " * 400, "-" * 2_000, "CASE WHEN " * 190, "a IN (" * 300, "'" * 1_999, "/*" * 900]
    started = time.process_time()
    for rule in hostile:
        with pytest.raises(RuleInvalid):
            Rule.parse(rule, NAMES)
    assert time.process_time() - started < 5


def test_a_rule_of_the_greatest_length_is_read() -> None:
    """What is allowed works: a hundred alternatives in a row."""
    assert holds(" OR ".join(["a > 4"] * 99)) == [False, False, False, True]


def test_a_rule_tells_what_it_looked_at() -> None:
    """The names it uses, and their values in a row, explain why it held."""
    rule = Rule.parse("a > 0 AND stage = 'established'", NAMES)
    assert rule.names == {"a", "stage"}
    row = {"a": 1.0, "b": 2.0, "stage": "established"}
    assert rule.values(row) == {"a": 1.0, "stage": "established"}


def test_a_formula_must_give_a_number() -> None:
    """A condition or a text is not one."""
    for formula in ("a > 1", "stage", "NULL"):
        with pytest.raises(RuleInvalid, match="not a number"):
            Formula.parse(formula, NAMES)


def test_one_frame_may_have_columns_of_nothing() -> None:
    """A column in which nobody has a value, and whole numbers, are read like any other."""
    frame = pl.DataFrame({"owner": [None, None], "a": [1, 2]})
    assert Rule.parse("owner = 'ada' OR a = 2", NAMES).holds(frame).to_list() == [False, True]


class Invention:
    """Random expressions in the language that rules and PostgreSQL share (no division: there it is an error)."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)

    def condition(self, depth: int) -> str:
        if depth == 0:
            return self.rng.choice(["a > b", "stage = 'x'", "TRUE", "FALSE", "c IS NULL", "stage LIKE 'x_%'", "b <> c"])
        pick = self.rng.randrange(9)
        if pick < 3:
            return f"({self.condition(depth - 1)} {self.rng.choice(['AND', 'OR'])} {self.condition(depth - 1)})"
        if pick == 3:
            return f"NOT {self.condition(depth - 1)}"
        if pick == 4:
            sign = self.rng.choice(["<", "<=", "=", "<>", ">=", ">"])
            return f"{self.number(depth - 1)} {sign} {self.number(depth - 1)}"
        if pick == 5:
            return (
                f"{self.number(depth - 1)} {self.rng.choice(['', 'NOT '])}BETWEEN {self.number(0)} AND {self.number(0)}"
            )
        if pick == 6:
            return f"{self.number(depth - 1)} {self.rng.choice(['', 'NOT '])}IN (0, 1, -2)"
        if pick == 7:
            answer = self.rng.choice(["TRUE", "FALSE", "NULL", "NOT TRUE", "NOT FALSE", "NOT NULL"])
            return f"({self.condition(depth - 1)}) IS {answer}"
        like = self.rng.choice(["LIKE", "NOT LIKE", "ILIKE"])
        return f"stage {like} '{self.rng.choice(['x%', '%Y', '_', 'x.y', '%'])}'"

    def number(self, depth: int) -> str:
        if depth == 0:
            return self.rng.choice(["a", "b", "c", "1", "0.5", "-2", "3"])
        pick = self.rng.randrange(6)
        if pick < 2:
            return f"({self.number(depth - 1)} {self.rng.choice('+-*')} {self.number(depth - 1)})"
        if pick == 2:
            default = self.rng.choice(["", f" ELSE {self.number(depth - 1)}"])
            return f"CASE WHEN {self.condition(depth - 1)} THEN {self.number(depth - 1)}{default} END"
        if pick == 3:
            function = self.rng.choice(["coalesce", "greatest", "least", "nullif"])
            return f"{function}({self.number(depth - 1)}, {self.number(depth - 1)})"
        if pick == 4:
            return f"{self.rng.choice(['abs', 'floor', 'ceil'])}({self.number(depth - 1)})"
        return f"-({self.number(0)})"


@pytest.mark.parametrize("seed", range(4))
async def test_random_rules_are_true_exactly_where_postgresql_says_so(kit: Kit, seed: int) -> None:
    """A hundred invented rules over sixty rows with gaps: the same rows as the database's own evaluation."""
    invention = Invention(seed)
    rules = [invention.condition(invention.rng.randint(1, 4)) for _ in range(100)]
    numbers = [None, 0.0, 1.0, 0.5, -2.0, 3.0]
    texts = [None, "x", "xy", "X", "", "x.y", "xzy", "Y"]
    rows = [(*(invention.rng.choice(numbers) for _ in range(3)), invention.rng.choice(texts)) for _ in range(60)]
    frame = pl.DataFrame(
        rows, schema={"a": pl.Float64, "b": pl.Float64, "c": pl.Float64, "stage": pl.String}, orient="row"
    )
    async with kit.reading() as session:
        await session.execute(text("CREATE TEMPORARY TABLE t (n int, a float8, b float8, c float8, stage text)"))
        await session.execute(
            text("INSERT INTO t VALUES (:n, :a, :b, :c, :stage)"),
            [{"n": n, "a": a, "b": b, "c": c, "stage": stage} for n, (a, b, c, stage) in enumerate(rows)],
        )
        for rule in rules:
            statement = text(f"SELECT coalesce(({rule}), false) FROM t ORDER BY n".replace(":", r"\:"))
            expected = (await session.execute(statement)).scalars().all()
            assert Rule.parse(rule, NAMES).holds(frame).to_list() == list(expected), rule
