"""The `plays` section of the blueprint: what starts a play, whom it addresses, and what it does, step by step.

```yaml
plays:
  onboarding_help:
    trigger: {milestone_overdue: setup_completed}
    steps:
      - action: inapp.send_message
        to: {role: administrator}
        input: {title: "May we help?", body: "Hello {{ person.name or 'there' }}, …"}
      - wait: {business: 3d}
        until: {event: message.clicked}
      - task: "Call {{ account.name }}"
        due: 2d
```

A run keeps the definition it was started with, as JSON of these models: they may gain optional fields, and never lose
or rename one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, RootModel

from hub.blueprint.problems import Path, did_you_mean
from hub.blueprint.values import Duration, Entry, Name
from hub.health.section import Alerts
from hub.journeys.section import CHURNED, Journeys
from hub.plays.step_kinds import (
    MOST_STEPS,
    ApproveStep,
    BranchStep,
    NotifyStep,
    Step,
    TaskStep,
    WaitStep,
    texts_without_person,
    walk,
)
from hub.plays.step_kinds import Audience as People
from hub.plays.team import Team
from hub.plays.templates import check_template
from hub.plays.trigger_kinds import Calendar, RuleEntered, RuleExited, Scheduled, Trigger


class Level(StrEnum):
    """How a play reaches people: one account at a time by somebody, or many at once by the product and by mail."""

    ONE_TO_ONE = "1:1"
    ONE_TO_MANY = "1:M"


class Frequency(Entry):
    """At most so many runs on one account in so much time."""

    at_most: Annotated[int, Field(ge=1, le=1000)]
    every: Duration


class Goal(Entry):
    """What the play is for: a rule that shall hold within a time from its start."""

    when: str
    within: Duration


class Play(Entry):
    """A defined engagement."""

    description: str = ""
    """What it is for."""
    enabled: bool = True
    """Whether it starts at all. A play that is declared only is checked like any other, and never started."""
    level: Level = Level.ONE_TO_ONE
    """How it reaches people."""
    trigger: Trigger
    """What starts it."""
    audience: str | None = None
    """A rule: only accounts for which it holds when the play would start."""
    each: People | None = None
    """Where it is given, the play runs once for each of these people instead of once for the account: `to` then narrows
    to the person, and every text may name them."""
    frequency: Literal["once"] | Frequency | None = None
    """`once` for an account, or at most so many runs in so much time; by default once for each occurrence of its
    trigger."""
    cool_down: Duration | None = None
    """How long after a run the account is left alone by this play."""
    priority: Annotated[int, Field(ge=1, le=100)] = 50
    """Of two plays that want the same person, the one with the higher number goes first."""
    not_with: tuple[Name, ...] = ()
    """It does not start on an account on which one of these plays is under way."""
    exit: str | None = None
    """A rule: when it holds, a run ends wherever it stands."""
    goal: Goal | None = None
    """What it is for, so that its effect can be measured."""
    holdout: Annotated[Decimal, Field(gt=0, lt=1, decimal_places=4)] | None = None
    """The share of accounts that are left out, to compare with."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MOST_STEPS)]
    """What it does, in order."""

    def rules(self) -> Iterator[tuple[Path, str]]:
        """Every rule with its way inside the play."""
        match self.trigger:
            case RuleEntered():
                yield ("trigger", "rule_enters"), self.trigger.rule_enters
            case RuleExited():
                yield ("trigger", "rule_exits"), self.trigger.rule_exits
            case Scheduled(when=str() as when) | Calendar(when=str() as when):
                yield ("trigger", "when"), when
            case _:
                pass
        yield from (((name,), rule) for name in ("audience", "exit") if (rule := getattr(self, name)) is not None)
        if self.goal is not None:
            yield ("goal", "when"), self.goal.when
        for way, step in walk(self.steps):
            match step:
                case WaitStep(until=str() as until):
                    yield (*way, "until"), until
                case BranchStep():
                    yield (*way, "branch"), step.branch
                case _:
                    pass


@lru_cache(maxsize=256)
def kept(definition: bytes) -> Play:
    """A play as it was kept with a run, from its JSON; the many runs of one play share it."""
    return Play.model_validate_json(definition)


class Plays(RootModel[dict[Name, Play]]):
    """The section: plays by name."""

    root: dict[Name, Play] = {}

    def rules(self) -> Iterator[tuple[Path, str]]:
        """Every rule with its place in the section."""
        for name, play in self.root.items():
            yield from (((name, *way), rule) for way, rule in play.rules())

    def problems(self, alerts: Alerts, journeys: Journeys, team: Team) -> Iterator[tuple[Path, str]]:
        """Triggers that wait for something that the other sections do not have, work for roles that nobody has, and
        plays that name others that there are not, each with its place in the section."""
        for name, play in self.root.items():
            yield from (((name, *way), message) for way, message in _unknown(play, alerts, journeys))
            for way, role in _work_for(play):
                if role not in team.roles:
                    hint = did_you_mean(role, team.roles)
                    yield (name, *way), f"nobody has the role {role!r}{hint}; the section `team` says who has one"
            for nth, other in enumerate(play.not_with):
                if other not in self.root:
                    yield (name, "not_with", nth), f"there is no play {other!r}{did_you_mean(other, self.root)}"
            if play.each is None:
                yield from (((name, *way), message) for way, message in _nobody_named(play))


def _nobody_named(play: Play) -> Iterator[tuple[Path, str]]:
    """Texts that name a person where the play runs for the account."""
    for way, step in walk(play.steps):
        for key, text in texts_without_person(step).items():
            try:
                check_template(text, person=False, facts=True)
            except ValueError as error:
                yield (*way, key), str(error)


def _work_for(play: Play) -> Iterator[tuple[Path, str]]:
    for way, step in walk(play.steps):
        match step:
            case TaskStep() | ApproveStep():
                yield (*way, "owner"), step.owner
            case NotifyStep():
                yield (*way, "to"), step.to
            case _:
                pass
        if isinstance(step, TaskStep) and step.escalate is not None:
            yield (*way, "escalate", "to"), step.escalate.to


def _unknown(play: Play, alerts: Alerts, journeys: Journeys) -> Iterator[tuple[Path, str]]:
    stages = {CHURNED, *(stage for journey in journeys.root.values() for stage in journey.stages)}
    milestones = {
        milestone
        for journey in journeys.root.values()
        for stage in journey.stages.values()
        for milestone in stage.milestones
    }
    known: dict[str, Collection[str]] = {
        "alert": alerts.root,
        "stage": stages,
        "segment": journeys.root,
        "milestone_reached": milestones,
        "milestone_overdue": milestones,
    }
    for key, names in known.items():
        named = getattr(play.trigger, key, None)
        if named is not None and named not in names:
            what = key.partition("_")[0]
            yield ("trigger", key), f"there is no {what} {named!r}{did_you_mean(named, names)}"
