"""Kinds of use: names of a product's events gathered in the blueprint, and true for the whole past."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

import pytest

from hub import sections
from hub.blueprint.problems import BlueprintInvalid
from hub.blueprint.service import Blueprint, read_text
from hub.kit.runtime import Kit
from hub.measures.definitions import Count
from hub.measures.section import Catalogue
from hub.measures.service import compute, series

from .past import DAY, NOW, Oracle, invent, store

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


FEATURES = ("API access", "api ", "apis", "API key", "Forecasting", "forecasting", "Forecasting 2", "Search", "", None)


@pytest.mark.parametrize("known_at", [None, NOW - 20 * DAY])
async def test_a_kind_of_use_counts_what_its_patterns_mean(kit: Kit, known_at: datetime | None) -> None:
    """Counted, by days and by people, against the patterns said in plain Python; also by the series of these days."""
    rng = Random(41)
    past = invent(rng, accounts=4, events=300)
    for row in past.events:
        row["attributes"] = {"feature": rng.choice(FEATURES)}
    async with kit.transaction() as session:
        await store(session, past)
    document = {
        **DOCUMENT,
        "measures": {
            name: {"kind": name, "of": [{"usage": "advanced"}], "window": "60d"} for name in ("count", "days", "people")
        },
    }
    catalogue = Blueprint(1, document).section("measures", Catalogue)
    async with kit.reading() as session:
        frame = await compute(session, catalogue, past.accounts, as_of=NOW, known_at=known_at)
        days = await series(session, catalogue, past.accounts, first=NOW - DAY, days=2, known_at=known_at)
    everything = [{"event": "report.viewed"}, {"event": "product.used"}]
    oracle, left_out = Oracle(past, {}, NOW, known_at), 0
    for found in frame.iter_rows(named=True):
        there = oracle.events(UUID(found["account_id"]), {"of": everything, "window": "60d"})
        meant = [row for row in there if row["kind"] == "report.viewed" or _advanced(row["attributes"]["feature"])]
        left_out += len(there) - len(meant)
        people = {oracle.person.get(one) or one for row in meant for one in row["people"]}
        dates = {row["occurred_at"].astimezone(UTC).date() for row in meant}
        assert (found["count"], found["days"], found["people"]) == (len(meant), len(dates), len(people))
    assert left_out > 0
    assert frame["count"].min() != frame["count"].max()
    assert days.filter(days["as_of"] == NOW).drop("as_of").equals(frame)


def _advanced(feature: str | None) -> bool:
    return feature is not None and (feature.lower().startswith("api ") or feature.lower() == "forecasting")
