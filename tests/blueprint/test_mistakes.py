"""Whatever somebody writes into a document, the check answers: it is right, or what is wrong and where."""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import sections
from hub.blueprint.problems import BlueprintInvalid, Path, Problem
from hub.blueprint.service import as_yaml, read_text

EXAMPLES = int(os.environ.get("HUB_TEST_EXAMPLES", "100"))

GOOD: dict[str, Any] = {
    "blueprint": 1,
    "name": "good",
    "segments": {"large": {"when": "employees > 9"}, "smb": {}},
    "journeys": {
        name: {
            "stages": {
                "onboarding": {
                    "expected": "90d",
                    "milestones": {"set_up": {"event": "setup.completed", "expected": "9d"}},
                },
                "established": {"milestones": {"busy": {"when": "logins > 9"}}},
            },
            "transitions": [
                {"from": "onboarding", "to": "established", "when": "days_known >= 90"},
                {"from": "any", "to": "churned", "when": "share < 0.1"},
            ],
        }
        for name in ("large", "smb")
    },
    "measures": {
        "logins": {"kind": "count", "of": ["person.signed_in"], "window": "28d"},
        "people": {"kind": "people", "of": ["product.used"], "by": {"role": "administrator"}},
        "share": {"kind": "ratio", "numerator": "logins", "denominator": "people"},
        "change": {"kind": "change", "measure": "logins"},
        "employees": {"kind": "attribute", "attribute": "employees"},
        "twice": {"kind": "expression", "expression": "logins * 2"},
    },
    "profiles": {
        name: {
            "indicators": {"product_engagement": {"weight": 1, "measures": {"logins": {"curve": [[0, 0], [9, 100]]}}}},
            "caps": [{"name": "low", "when": "twice < 2", "at_most": 40}],
            "purple": "score > 90",
        }
        for name in ("large", "smb.onboarding", "smb")
    },
    "alerts": {"quiet": {"when": "change < -20", "severity": "high", "watch": True}},
    "plays": {
        "call": {
            "trigger": {"alert": "quiet"},
            "steps": [
                {"task": "Call {{ account.name }}", "due": "3d"},
                {"action": "inapp.send", "to": {"role": "any"}},
            ],
        },
        "later": {
            "enabled": False,
            "trigger": {"schedule": "7d", "when": "stage = 'onboarding'"},
            "goal": {"when": "score > 50", "within": "30d"},
            "steps": [{"branch": "score < 50", "then": [{"wait": "1d", "until": "logins > 1"}]}],
        },
    },
}

JUNK = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1e9,
        "",
        "x",
        "logins",
        "28d",
        "{{ person.name }}",
        "score >",
        "a.b",
        [],
        {},
        [[]],
        {"x": {}},
        ["x"],
    ]
)


def ways(part: Any, way: Path = ()) -> Iterator[Path]:
    """The way to every part."""
    if way:
        yield way
    for step in part if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ():
        yield from ways(part[step], (*way, step))


WAYS = list(ways(GOOD))


@given(
    st.lists(st.tuples(st.sampled_from(WAYS), st.sampled_from(["set", "drop", "rename"]), JUNK), min_size=1, max_size=4)
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_document_is_right_or_told_what_is_wrong(mistakes: list[tuple[Path, str, Any]]) -> None:
    """Up to four mistakes anywhere: never another error, and each problem once and with a line."""
    document = deepcopy(GOOD)
    for way, what, junk in mistakes:
        _make(document, way, what, junk)
    text = as_yaml(document)
    problems = _problems(text)
    assert len(set(problems)) == len(problems)
    lines = [problem.place.line for problem in problems if problem.place]
    assert len(lines) == len(problems) or not document
    assert lines == sorted(lines)


def _problems(text: str) -> tuple[Problem, ...]:
    try:
        sections.checked(lambda: read_text(text, file="b.yaml"))
    except BlueprintInvalid as invalid:
        return invalid.problems
    return ()


def test_the_good_one_is_right() -> None:
    """Otherwise the test above would prove nothing."""
    sections.check(GOOD)


def _make(document: dict[str, Any], way: Path, what: str, junk: Any) -> None:
    around: Any = document
    for step in way[:-1]:
        try:
            around = around[step]
        except (KeyError, IndexError, TypeError):
            return
    last = way[-1]
    here = isinstance(around, dict) and last in around
    if not here and not (isinstance(around, list) and isinstance(last, int) and last < len(around)):
        return
    if what == "set":
        around[last] = junk
    elif what == "drop":
        del around[last]
    elif isinstance(around, dict):
        around[f"{last}x"] = around.pop(last)
