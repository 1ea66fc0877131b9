"""The catalogue: the blueprint's section `measures`, each entry one number about an account.

```yaml
measures:
  active_people_28d: {kind: people, of: [product.used, person.signed_in], window: 28d}
  administrators:    {kind: people, of: [person.signed_in], by: {role: [administrator]}, window: 28d}
  days_with_reports: {kind: days, of: [report.viewed], window: 7d}
  forecasts_28d:     {kind: count, of: [{event: product.used, where: {feature: forecasting}}], window: 28d}
  paid_90d:          {kind: sum, of: [invoice.paid], field: amount, window: 90d}
  days_since_use:    {kind: days_since, of: [product.used]}
  nps:               {kind: last, of: [survey.answered], valid_for: 180d}
  open_invoices:     {kind: things, type: invoice, state: [open, past_due]}
  mrr:               {kind: things, type: subscription, state: [active, past_due], sum: mrr_minor}
  renews_in_days:    {kind: attribute, type: subscription, attribute: current_period_end, as: days_until}
  employees:         {kind: attribute, attribute: employees}
  licence_use:       {kind: ratio, numerator: active_people_28d, denominator: licences}
  active_change:     {kind: change, measure: active_people_28d}
  failed_share:      {kind: expression, expression: "failed / coalesce(failed + paid, 1)"}
```

A window of 28 days at time t holds what happened after t - 28d, up to and including t; `shift: 28d` moves it
back, so that two neighbours never share an event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from pydantic import RootModel

from hub.blueprint.checking import Coherent
from hub.blueprint.problems import Path, did_you_mean
from hub.blueprint.values import Name
from hub.measures.definitions import (
    Change,
    Count,
    Days,
    DerivedMeasure,
    Expression,
    Measure,
    People,
    Ratio,
    ReadMeasure,
    Sum,
)
from hub.measures.rules import FACTS, Formula, RuleInvalid


class Catalogue(RootModel[dict[Name, Measure]], Coherent):
    """All measures by name, in the document's order."""

    def __getitem__(self, name: str) -> ReadMeasure | DerivedMeasure:
        return self.root[name]

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # a catalogue is its names, as a dict is
        return iter(self.root)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.root)

    def read(self, name: str) -> ReadMeasure:
        """A measure that is read from events. Raises ValueError for one that is made of others."""
        measure = self.root[name]
        if isinstance(measure, Ratio | Change | Expression):
            raise ValueError(f"{name} is made of other measures")
        return measure

    def only(self, names: Collection[str]) -> Catalogue:
        """The part of the catalogue that has these names."""
        return Catalogue({name: measure for name, measure in self.root.items() if name in names})

    def formula(self, expression: Expression) -> Formula:
        """The parsed formula of one of the entries. Raises `RuleInvalid`."""
        return Formula.parse(expression.expression, self.names)

    def inputs(self, name: str) -> list[tuple[str, str]]:
        """The measures that this one is made of, each with the field that names it. Raises `RuleInvalid`."""
        match self.root[name]:
            case Ratio() as ratio:
                return [("numerator", ratio.numerator), ("denominator", ratio.denominator)]
            case Change() as change:
                return [("measure", change.measure)]
            case Expression() as expression:
                return [("expression", used) for used in sorted(self.formula(expression).names)]
            case _:
                return []

    def in_order(self) -> list[str]:
        """Every name after all that it is made of. Raises `graphlib.CycleError`."""
        graph = {name: [used for _, used in self.inputs(name)] for name in self.root}
        return list(TopologicalSorter(graph).static_order())

    def problems(self) -> Iterable[tuple[Path, str]]:
        """What is wrong between the entries: names that do not exist, circles, words that rules cannot use."""
        found = [problem for name in self.root for problem in self._problems_of(name)]
        if not found:
            try:
                self.in_order()
            except CycleError as circle:
                found = [((circle.args[1][0],), f"is made of itself: {' → '.join(reversed(circle.args[1]))}")]
        return found

    def _problems_of(self, name: str) -> Iterator[tuple[Path, str]]:
        if name in FACTS:
            yield (name,), "is a fact that rules know already; choose another name"
        elif not _usable_in_rules(name):
            yield (name,), "is a word of the rule language; choose another name"
        try:
            inputs = self.inputs(name)
        except RuleInvalid as invalid:
            yield (name, "expression"), invalid.message
            return
        for field, used in inputs:
            if used not in self.root:
                yield (name, field), f"{used!r} is not a measure{did_you_mean(used, self.root)}"
        measure = self.root[name]
        if isinstance(measure, Change) and measure.measure in self.root:
            yield from self._problems_of_change(name, measure)

    def _problems_of_change(self, name: str, change: Change) -> Iterator[tuple[Path, str]]:
        measure = self.root[change.measure]
        if isinstance(measure, Ratio | Change | Expression):
            yield (name, "measure"), "must be read from events or things, not made of other measures"
        elif change_over(change, measure) is None:
            yield (name,), f"needs over, because {change.measure!r} has no window"


def change_over(change: Change, measure: ReadMeasure) -> timedelta | None:
    """How far back a change looks."""
    return change.over or (measure.window if isinstance(measure, Count | Days | People | Sum) else None)


def _usable_in_rules(name: str) -> bool:
    try:
        return Formula.parse(name, {name}).names == {name}
    except RuleInvalid:
        return False
