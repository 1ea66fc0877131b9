"""Checking a document: every fault with its line and the nearest name that would have been right, all at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import pytest
from pydantic import Discriminator, Field, RootModel, Tag

from hub.blueprint.checking import Blueprint, check
from hub.blueprint.problems import BlueprintInvalid, Problem
from hub.blueprint.reading import read_text
from hub.blueprint.values import Duration, Entry, Name
from hub.measures.section import Catalogue

HEADER = "blueprint: 1\nname: test\n"


def problems_of(body: str, *, header: str = HEADER) -> list[str]:
    with pytest.raises(BlueprintInvalid) as raised:
        check(read_text(header + body, file="b.yaml"), {"measures": Catalogue})
    return [str(problem) for problem in raised.value.problems]


def one_measure(definition: str) -> str:
    return f"measures:\n  logins: {{kind: count, of: [person.signed_in]}}\n  m: {definition}\n"


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        ("{kind: coun, of: [product.used]}", "m.kind: 'coun' is not known; did you mean 'count'?"),
        ("{of: [product.used]}", "m.kind: is required"),
        ("{kind: count}", "m.of: is required"),
        ("{kind: count, of: []}", "m.of: must have at least 1 entry"),
        (
            "{kind: count, of: [product.usd]}",
            "m.of.0: 'product.usd' is not a kind of event; did you mean 'product.used'?",
        ),
        ("{kind: count, of: [product.used], windo: 28d}", "m.windo: is not known here; did you mean 'window'?"),
        ("{kind: count, of: [product.used], window: 28 days}", "m.window: write a span of time as a whole number of"),
        ("{kind: count, of: [product.used], window: 0d}", "m.window: must be longer than nothing"),
        ("{kind: count, of: [product.used], missing: none}", "m.missing: 'none' is not known"),
        (
            "{kind: count, of: [{event: product.used, wher: {}}]}",
            "m.of.0.wher: is not known here; did you mean 'where'?",
        ),
        ("{kind: count, of: [{event: product.used, where: {f: {}}}]}", "m.of.0.where.f: say any_of, at_least, at_most"),
        (
            "{kind: count, of: [{event: product.used, where: {f: {at_leas: 1}}}]}",
            "m.of.0.where.f.at_leas: is not known here; did you mean",
        ),
        ("{kind: things}", "m.type: is required"),
        ("{kind: things, type: invoice, state: []}", "m.state: must have at least 1 entry"),
        (
            "{kind: attribute, attribute: x, as: days_untill}",
            "m.as: 'days_untill' is not known; did you mean 'days_until'?",
        ),
        (
            "{kind: attribute, attribute: x, pick: lowest}",
            "m: state, where and pick choose among things: name their type",
        ),
        (
            "{kind: attribute, attribute: x, type: t, of: [product.used]}",
            "m: of names the events that tell the account's",
        ),
        (
            "{kind: ratio, numerator: logins, denominator: login}",
            "m.denominator: 'login' is not a measure; did you mean",
        ),
        ("{kind: change, measure: login, over: 1d}", "m.measure: 'login' is not a measure; did you mean 'logins'?"),
        ("{kind: change, measure: logins}", "m: needs over, because 'logins' has no window"),
        ("{kind: expression, expression: logins +}", "m.expression: cannot be read"),
        ("{kind: expression, expression: login * 2}", "m.expression: names 'login' at character 1, which is not known"),
        ("{kind: expression, expression: logins > 2}", "m.expression: is true or false, not a number"),
        ("{kind: expression, expression: m + 1}", "m: is made of itself: m → m"),
        ("just text", "m: must be a mapping of names to values"),
    ],
)
def test_a_faulty_measure_is_named_with_its_line(definition: str, problem: str) -> None:
    """Each way to write a measure wrongly gives the line of the part that is wrong, its path, and what was meant."""
    found = problems_of(one_measure(definition))
    assert len(found) == 1
    assert found[0].startswith(f"b.yaml:5: measures.{problem}")


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("name: test\n", "blueprint: must be 1, the only format there is"),
        ("blueprint: 2\nname: test\n", "b.yaml:1: blueprint: must be 1, the only format there is"),
        ("blueprint: true\nname: test\n", "b.yaml:1: blueprint: must be 1, the only format there is"),
        ("blueprint: 1\n", "name: must be the name of the blueprint, as text"),
        ("blueprint: 1\nname: 7\n", "b.yaml:2: name: must be the name of the blueprint, as text"),
        (HEADER + "measurs: {}\n", "b.yaml:3: measurs: is not a section; did you mean 'measures'?"),
        (HEADER + "measures: [1]\n", "b.yaml:3: measures: must be a mapping of names to values"),
        (HEADER + "measures:\n  Bad-Name: {}\n", "b.yaml:4: measures.Bad-Name: must be made of lower-case letters"),
    ],
)
def test_a_faulty_frame_is_named(header: str, problem: str) -> None:
    """The format, the name and the sections themselves are checked too."""
    assert any(problem in found for found in problems_of("", header=header))


def test_names_that_rules_cannot_use_are_refused() -> None:
    """A measure may not be called like a fact, nor like a word that a rule would read otherwise."""
    found = problems_of("measures:\n  stage: {kind: things, type: a}\n  case: {kind: things, type: a}\n")
    assert found == [
        "b.yaml:4: measures.stage: is a fact that rules know already; choose another name",
        "b.yaml:5: measures.case: is a word of the rule language; choose another name",
    ]


def test_all_problems_come_at_once_in_the_order_of_the_document() -> None:
    """One round of correcting is enough."""
    found = problems_of(
        "measurs: {}\nmeasures:\n  a: {kind: coun}\n  b: {kind: count, of: [x.y]}\n  c: {kind: ratio, numerator: 1}\n"
    )
    assert [problem.split(": ")[0] for problem in found] == ["b.yaml:3", "b.yaml:5", "b.yaml:6", "b.yaml:7", "b.yaml:7"]


def test_the_error_reads_as_a_list() -> None:
    """The command line prints the error as it is."""
    with pytest.raises(BlueprintInvalid) as raised:
        check(read_text("blueprint: 1\n", file="b.yaml"), {})
    assert str(raised.value) == (
        "The blueprint has 1 problem:\n  b.yaml:1: name: must be the name of the blueprint, as text\n"
        "Correct the document and apply it again."
    )


class Ask(Entry):
    ask: str
    limit: int = 1


class Wait(Entry):
    wait: Duration
    until: str | None = None


def _kind(value: object) -> str | None:
    return next((kind for kind in ("ask", "wait") if isinstance(value, dict) and kind in value), None)


class Deep(Entry):
    steps: list[Annotated[Annotated[Ask, Tag("ask")] | Annotated[Wait, Tag("wait")], Discriminator(_kind)]] = Field(
        default_factory=list
    )
    mood: Literal["good", "bad"] = "good"


class Section(RootModel[dict[Name, Deep]]):
    pass


def test_union_members_that_are_called_like_their_fields_keep_their_lines() -> None:
    """A step `{ask: …, limit: …}` is told apart by its key; an error in `limit` is on the line of `limit`."""
    steps = "      - ask: hello\n        limit: many\n      - wait:\n          x\n"
    text = f"{HEADER}plays:\n  p:\n    mood: god\n    steps:\n{steps}"
    with pytest.raises(BlueprintInvalid) as raised:
        check(read_text(text, file="b.yaml"), {"plays": Section})
    lines = [str(problem) for problem in raised.value.problems]
    assert lines[0] == "b.yaml:5: plays.p.mood: 'god' is not known; did you mean 'good'?"
    assert lines[1].startswith("b.yaml:8: plays.p.steps.0.limit: must be a valid integer")
    assert lines[2].startswith("b.yaml:9: plays.p.steps.1.wait: write a span of time")


def test_cross_checks_get_their_lines_and_see_what_is_sound() -> None:
    """A check over sections names the line it means, and looks at all that is not broken by itself."""

    def complain(blueprint: Blueprint) -> Iterable[Problem]:
        for name in blueprint.section("plays", Section).root:
            yield Problem(("plays", name, "mood"), "is a matter of taste")

    def of(text: str) -> list[str]:
        with pytest.raises(BlueprintInvalid) as raised:
            check(read_text(HEADER + text, file="b.yaml"), {"plays": Section}, [complain])
        return [str(problem) for problem in raised.value.problems]

    assert of("plays:\n  p:\n    mood: bad\n") == ["b.yaml:5: plays.p.mood: is a matter of taste"]
    assert of("plays:\n  q:\n    mood: [bad]\n  p:\n    mood: bad\n") == [
        "b.yaml:5: plays.q.mood: ['bad'] is not known; did you mean 'bad'?",
        "b.yaml:7: plays.p.mood: is a matter of taste",
    ]


def test_a_section_is_read_once() -> None:
    """Asking again gives the same object: a version never changes."""
    blueprint = check(read_text(HEADER + "plays: {p: {}}\n"), {"plays": Section})
    assert blueprint.section("plays", Section) is blueprint.section("plays", Section)
    assert blueprint.section("absent", Section).root == {}
