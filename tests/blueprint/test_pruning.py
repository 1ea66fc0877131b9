"""One mistake does not hide the others, and is not told again by those who refer to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.blueprint.problems import BlueprintInvalid, Problem
from hub.blueprint.pruning import Remainder
from hub.blueprint.service import read_text
from hub.sections import check, read

DOCUMENT = {"a": {"x": {"list": [1, 2, 3], "y": 1}, "z": {}}, "b": 1}


def test_as_little_as_possible_is_left_out() -> None:
    """A value, an element of a list, and where nothing stands the part around it."""
    remainder = Remainder(DOCUMENT)
    remainder.leave_out([("a", "x", "list", 1), ("b",), ("a", "z", "missing")])
    assert remainder.document == {"a": {"x": {"list": [1, 3], "y": 1}}}
    assert DOCUMENT["b"] == 1


def test_lists_keep_their_numbers() -> None:
    """What is found at the second of what is left is told of where it stood."""
    remainder = Remainder(DOCUMENT)
    remainder.leave_out([("a", "x", "list", 0)])
    remainder.leave_out([("a", "x", "list", 0)])
    assert remainder.document["a"]["x"]["list"] == [3]
    (found,) = remainder.own([Problem(("a", "x", "list", 0), "is three")])
    assert found.path == ("a", "x", "list", 2)


def test_what_follows_from_a_mistake_is_not_told() -> None:
    """A name that was left out is not missing, and nothing inside a part that was left out is wrong twice."""
    remainder = Remainder(DOCUMENT)
    remainder.leave_out([("a", "x")])
    own = Problem(("a", "z"), "names 'w'; did you mean 'x'?")
    following = [
        Problem(("b",), "there is no 'x'"),
        Problem(("a", "x", "y"), "whatever"),
        Problem(("c", "x.stage"), "is neither a segment nor a segment.stage"),
    ]
    assert remainder.own([*following, own]) == [own]


def test_every_mistake_of_a_document_is_told_once() -> None:
    """Mistakes in several sections, and between them, come together and in the order of the lines."""
    text = """blueprint: 1
name: x
segments: {smb: {}}
journeys:
  smb:
    stages: {onboarding: {expected: soon}, established: {}}
    transitions:
      - {from: onboarding, to: establishd, when: "logins > 1"}
      - {from: onboarding, to: established, when: "login > 1"}
measures:
  visits: {kind: cont, of: [person.signed_in]}
  logins: {kind: count, of: [person.signed_in]}
  reports: {kind: count, of: [report.viewed]}
profiles:
  smb: {indicators: {product_engagement: {weight: 1, measures: {logins: {curve: [[0, 0], [1, 100]]}}}}}
alerts:
  few: {when: "logins < 1 OR visits < 1"}
  none: {when: "report < 1", severity: hgih}
plays:
  help: {trigger: {alert: none}, steps: [{task: Call}]}
  nothing: {trigger: {alert: nome}, steps: [{task: Call}]}
"""
    with pytest.raises(BlueprintInvalid) as raised:
        check(read_text(text, file="b.yaml"))
    assert [str(problem) for problem in raised.value.problems] == [
        "b.yaml:6: journeys.smb.stages.onboarding.expected: write a span of time as a whole number of hours, days or "
        "weeks: 36h, 28d or 2w",
        "b.yaml:8: journeys.smb.transitions.0.to: 'establishd' is not a stage; did you mean 'established'?",
        "b.yaml:9: journeys.smb.transitions.1.when: names 'login' at character 1, which is not known; did you mean "
        "'logins'?",
        "b.yaml:11: measures.visits.kind: 'cont' is not known; did you mean 'count'?",
        "b.yaml:18: alerts.none.when: names 'report' at character 1, which is not known; did you mean 'reports'?",
        "b.yaml:18: alerts.none.severity: 'hgih' is not known; did you mean 'high'?",
        "b.yaml:21: plays.nothing.trigger.alert: there is no alert 'nome'; did you mean 'none'?",
    ]


def test_bad_writing_and_bad_meaning_are_told_together(tmp_path: Path) -> None:
    """An entry that stands twice does not hide a misspelled name elsewhere; what cannot be read to its end does."""
    file = tmp_path / "b.yaml"
    head = "blueprint: 1\nname: x\nalerts:\n  a: {when: 'score < 1'}\n  a: {when: 'score < 2'}\n"
    file.write_text(head + "  b: {when: 'scor < 2'}\n")
    with pytest.raises(BlueprintInvalid) as raised:
        read(file)
    assert [str(problem).removeprefix(f"{file}:") for problem in raised.value.problems] == [
        "5: alerts.a: stands already on line 4",
        "6: alerts.b.when: names 'scor' at character 1, which is not known; did you mean 'score'?",
    ]
    file.write_text(head + "  b: {when: 'scor < 2'\n")
    with pytest.raises(BlueprintInvalid) as raised:
        read(file)
    assert [problem.message[:11] for problem in raised.value.problems] == ["stands alre", "is not YAML"]
