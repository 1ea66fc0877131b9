"""Kinds of use: names of a product's events gathered in the blueprint, and true for the whole past."""

from __future__ import annotations

from typing import Any

import pytest

from hub import sections
from hub.blueprint.problems import BlueprintInvalid
from hub.blueprint.service import Blueprint, read_text
from hub.measures.definitions import Count
from hub.measures.section import Catalogue

DOCUMENT: dict[str, Any] = read_text(
    """
    blueprint: 1
    name: test
    usage:
      advanced: [report.viewed, "API *", Forecasting]
    measures:
      advanced: {kind: count, of: [{usage: advanced}, person.signed_in], window: 28d}
    """
)


def test_a_kind_of_use_stands_for_its_events() -> None:
    """Kinds of events are themselves, the other entries are patterns over the feature."""
    measure = Blueprint(1, DOCUMENT).section("measures", Catalogue)["advanced"]
    assert isinstance(measure, Count)
    assert [(selection.event, selection.where) for selection in measure.of if not selection.where] == [
        ("report.viewed", {}),
        ("person.signed_in", {}),
    ]
    [pattern] = [selection for selection in measure.of if selection.where]
    assert pattern.event == "product.used"
    assert pattern.where["feature"].like == ("API *", "Forecasting")


def test_a_kind_of_use_that_nobody_named_is_a_fault_with_its_place() -> None:
    """The nearest name is told."""
    broken = {**DOCUMENT, "measures": {"a": {"kind": "count", "of": [{"usage": "advnced"}]}}}
    with pytest.raises(BlueprintInvalid) as invalid:
        sections.check(broken)
    [problem] = invalid.value.problems
    assert problem.path[:3] == ("measures", "a", "of")
    assert "advnced" in problem.message
    assert "advanced" in problem.message
