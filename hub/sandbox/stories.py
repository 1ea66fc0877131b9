"""Stories: what is going on at an invented company, as numbers.

A sandbox of sixty healthy companies would prove nothing: the hub must find the one that is quietly leaving.
So each company follows one story, and everything it does (usage, invoices, survey answers) is drawn from that
story's arc.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Plan(StrEnum):
    STARTER = "starter"
    GROWTH = "growth"
    SCALE = "scale"


class Interval(StrEnum):
    """How often a company is invoiced."""

    MONTH = "month"
    YEAR = "year"


class Story(StrEnum):
    HEALTHY = "healthy"
    DECLINING = "declining"
    CHURNED = "churned"
    EXPANDING = "expanding"
    REFERENCEABLE = "referenceable"
    SILENT = "silent"
    NEW = "new"
    FAILING_PAYMENTS = "failing_payments"
    PRE_RENEWAL = "pre_renewal"


@dataclass(frozen=True, slots=True)
class Arc:
    """The ranges from which a company with this story is drawn; both ends of each are included.

    weight: companies out of sixty. people: how many of its people are known. years: contract years completed
    at the next renewal. renewal_in: days to that renewal. active: share of its people who are at work in a
    usual week. sessions: visits a week of each of them in recent weeks. spare: licences bought for each
    person known. nps: answers to the survey. advanced: how often a used feature is an advanced one.
    """

    weight: int
    people: tuple[int, int]
    years: tuple[int, int]
    renewal_in: tuple[int, int]
    active: tuple[float, float]
    sessions: tuple[int, int]
    spare: tuple[float, float]
    nps: tuple[int, int]
    advanced: float
    plans: tuple[Plan, ...]
    intervals: tuple[Interval, ...]


_ANY_PLAN: Final = (Plan.STARTER, Plan.GROWTH, Plan.SCALE)
_EITHER: Final = (Interval.MONTH, Interval.MONTH, Interval.YEAR)

ARCS: Final[Mapping[Story, Arc]] = {
    Story.HEALTHY: Arc(
        weight=23, people=(4, 9), years=(1, 2), renewal_in=(100, 240), active=(0.6, 1.0), sessions=(1, 2),
        spare=(1.0, 1.4), nps=(6, 9), advanced=0.2, plans=_ANY_PLAN, intervals=_EITHER,
    ),
    Story.DECLINING: Arc(
        weight=6, people=(7, 12), years=(1, 2), renewal_in=(100, 240), active=(1.0, 1.0), sessions=(1, 2),
        spare=(1.1, 1.6), nps=(3, 6), advanced=0.1, plans=(Plan.GROWTH, Plan.SCALE), intervals=_EITHER,
    ),
    Story.CHURNED: Arc(
        weight=4, people=(3, 7), years=(2, 2), renewal_in=(100, 200), active=(0.5, 0.8), sessions=(1, 1),
        spare=(1.3, 2.0), nps=(1, 5), advanced=0.05, plans=(Plan.STARTER, Plan.GROWTH), intervals=(Interval.MONTH,),
    ),
    Story.EXPANDING: Arc(
        weight=6, people=(8, 12), years=(1, 2), renewal_in=(100, 180), active=(0.85, 1.0), sessions=(1, 3),
        spare=(1.0, 1.1), nps=(7, 10), advanced=0.3, plans=(Plan.GROWTH, Plan.SCALE), intervals=(Interval.MONTH,),
    ),
    Story.REFERENCEABLE: Arc(
        weight=4, people=(9, 12), years=(2, 2), renewal_in=(100, 170), active=(1.0, 1.0), sessions=(2, 4),
        spare=(1.0, 1.05), nps=(9, 10), advanced=0.55, plans=(Plan.SCALE,), intervals=_EITHER,
    ),
    Story.SILENT: Arc(
        weight=3, people=(3, 6), years=(1, 2), renewal_in=(100, 180), active=(0.5, 0.8), sessions=(1, 1),
        spare=(1.4, 2.0), nps=(4, 7), advanced=0.05, plans=(Plan.STARTER, Plan.GROWTH), intervals=_EITHER,
    ),
    Story.NEW: Arc(
        weight=6, people=(3, 8), years=(1, 1), renewal_in=(315, 355), active=(1.0, 1.0), sessions=(1, 3),
        spare=(1.0, 1.5), nps=(7, 9), advanced=0.1, plans=_ANY_PLAN, intervals=_EITHER,
    ),
    Story.FAILING_PAYMENTS: Arc(
        weight=3, people=(4, 8), years=(1, 2), renewal_in=(100, 240), active=(0.6, 0.9), sessions=(1, 2),
        spare=(1.1, 1.5), nps=(5, 8), advanced=0.1, plans=(Plan.STARTER, Plan.GROWTH), intervals=(Interval.MONTH,),
    ),
    Story.PRE_RENEWAL: Arc(
        weight=5, people=(4, 10), years=(1, 2), renewal_in=(12, 84), active=(0.5, 0.95), sessions=(1, 2),
        spare=(1.0, 1.6), nps=(5, 9), advanced=0.2, plans=(Plan.GROWTH, Plan.SCALE), intervals=(Interval.YEAR,),
    ),
}  # fmt: skip

# When there is not room for every story, the ones that a first look should show come first.
_MOST_TELLING: Final = (
    Story.HEALTHY,
    Story.DECLINING,
    Story.REFERENCEABLE,
    Story.FAILING_PAYMENTS,
    Story.NEW,
    Story.EXPANDING,
    Story.CHURNED,
    Story.PRE_RENEWAL,
    Story.SILENT,
)


def cast(accounts: int) -> list[Story]:
    """One story for each of `accounts` companies, in the proportions of the arcs; from nine on, every story occurs."""
    if accounts < len(Story):
        return list(_MOST_TELLING[:accounts])
    whole = sum(arc.weight for arc in ARCS.values())
    parts = {story: max(1, round(arc.weight * accounts / whole)) for story, arc in ARCS.items()}
    parts[Story.HEALTHY] += accounts - sum(parts.values())
    return [story for story, count in parts.items() for _ in range(count)]


def share_at_work(story: Story, usual: float, days_before: float) -> float:
    """The share (0–1) of a company's people who are at work `days_before` the end of the history.

    A declining company loses half of them at once four weeks before the end, and more in the last two.
    """
    if story is not Story.DECLINING or days_before > 28:
        return usual
    return usual * (0.5 if days_before > 14 else 0.4)
