"""Journeys in the blueprint: which accounts belong together (`segments`), and which way each sort goes (`journeys`).

```yaml
segments:                  # the first whose rule holds; the last may have none, then every account has a segment
  enterprise: {when: "mrr >= 500000"}
  smb: {}
journeys:
  smb:
    stages:                # an account enters the first one when it is first seen
      onboarding: {expected: 90d, milestones: {setup_completed: {event: setup.completed, expected: 14d}}}
      established: {}
    transitions:           # the first that holds is taken
      - {from: onboarding, to: established, when: "days_known >= 90"}
      - {from: any, to: churned, when: "days_since_cancel >= 1"}
```

`churned` is a stage of every journey and need not be declared.

A new version of the document finds accounts on their way. Whatever it says, no stay is lost:

```yaml
  smb:
    in_flight: keep                  # or move
    renamed: {onboarding: launch}    # stages that are called otherwise than in earlier versions
    stages: {launch: {}, established: {}}
```

- A renamed stage goes on under its new name: nobody leaves or enters anything. The entry stays in the document for as
  long as somebody may be in a stage that was entered under the old name.
- `keep` (unless said otherwise): stays go on as they began, with the milestones that they had, each expected when it
  was; new milestones begin with the next stay. An account in a stage that is gone stays in it until a transition from
  `any` holds.
- `move`: stays follow the new version at once. Milestones that it adds belong to them too, expected from when the stay
  began, and those still open are expected when it says. An account in a stage that is gone enters the first stage, and
  goes on from there as far as the rules lead.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, RootModel, model_validator

from hub.blueprint.checking import Coherent
from hub.blueprint.problems import Path, did_you_mean
from hub.blueprint.values import Duration, Entry, Name
from hub.measures.definitions import EventKind, Where

CHURNED: Final = "churned"
"""The end of every journey: the account is no longer a customer."""

ANY: Final = "any"


class Segment(Entry):
    """A group of accounts that follow one journey; without a rule, all that no earlier segment took."""

    when: str | None = None


class Milestone(Entry):
    """A proof of value: an event of the kind `event` (with the attributes that `where` names), or a rule that holds.
    Overdue when `expected` has passed."""

    event: EventKind | None = None
    where: Where = Field(default_factory=dict)
    when: str | None = None
    expected: Duration | None = None
    required: bool = True

    @model_validator(mode="after")
    def _one_way_to_reach_it(self) -> Self:
        if (self.event is None) == (self.when is None):
            raise ValueError("say either `event` or `when`, and not both")
        if self.where and self.event is None:
            raise ValueError("`where` chooses among events: name the `event`")
        return self


class Stage(Entry):
    """A phase of a journey. A stay longer than `behind_after` (unless said otherwise: `expected`) is behind, one longer
    than `stuck_after` (twice as long) is stuck; without any of them time alone says nothing."""

    expected: Duration | None = None
    behind_after: Duration | None = None
    stuck_after: Duration | None = None
    milestones: dict[Name, Milestone] = Field(default_factory=dict)

    def limits(self) -> tuple[timedelta | None, timedelta | None]:
        """(behind after, stuck after) with the defaults filled in."""
        behind = self.behind_after or self.expected
        return behind, self.stuck_after or (behind * 2 if behind else None)


class Transition(Entry):
    """From a stage (or from any other) to a stage, when a rule holds."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    when: str


class InFlight(StrEnum):
    """What a new version does with accounts on their way: let them keep their stays, or move them to its own."""

    KEEP = "keep"
    MOVE = "move"


class Journey(Entry):
    """Stages in their order, and the ways between them; and what becomes of accounts on their way (see the module)."""

    stages: Annotated[dict[Name, Stage], Field(min_length=1)]
    transitions: tuple[Transition, ...] = ()
    in_flight: InFlight = InFlight.KEEP
    renamed: dict[Name, Name] = Field(default_factory=dict)

    @property
    def first(self) -> str:
        """The stage that an account enters first."""
        return next(iter(self.stages))

    def problems(self) -> Iterator[tuple[Path, str]]:
        """Transitions that lead from or to a stage that does not exist."""
        known = {*self.stages, CHURNED}
        for nth, transition in enumerate(self.transitions):
            if transition.from_ not in {*known, ANY}:
                yield ("transitions", nth, "from"), _no_stage(transition.from_, {*known, ANY})
            if transition.to not in known:
                yield ("transitions", nth, "to"), _no_stage(transition.to, known)
            if transition.from_ == transition.to:
                yield ("transitions", nth, "to"), "leads back to where it comes from"
        for old, new in self.renamed.items():
            if new not in known:
                yield ("renamed", old), _no_stage(new, known)
            if old in known:
                yield ("renamed", old), "is a stage of this version: only names that are gone can be renamed"

    def called(self, stage: str) -> str:
        """What a stage of an earlier version is called in this one."""
        return self.renamed.get(stage, stage)

    def has(self, stage: str) -> bool:
        """Whether a stage is part of the journey."""
        return stage in self.stages or stage == CHURNED


class Segments(RootModel[dict[Name, Segment]], Coherent):
    """The section `segments`."""

    root: dict[Name, Segment] = {}

    def problems(self) -> Iterator[tuple[Path, str]]:
        """A segment that no account can reach, because an earlier one takes all that come."""
        takes_all: str | None = None
        for name, segment in self.root.items():
            if takes_all is not None:
                yield (name,), f"is never reached: {takes_all!r} has no rule and takes every account"
            elif segment.when is None:
                takes_all = name

    def rules(self) -> Iterator[tuple[Path, str]]:
        """Every rule with its place in the section."""
        yield from (((name, "when"), segment.when) for name, segment in self.root.items() if segment.when is not None)


class Journeys(RootModel[dict[Name, Journey]], Coherent):
    """The section `journeys`, by segment."""

    root: dict[Name, Journey] = {}

    def problems(self) -> Iterator[tuple[Path, str]]:
        """What is wrong within the journeys."""
        for name, journey in self.root.items():
            yield from (((name, *path), message) for path, message in journey.problems())

    def strangers(self, segments: Segments) -> Iterator[tuple[Path, str]]:
        """Segments without a journey, and journeys without a segment."""
        for name in segments.root:
            if name not in self.root:
                yield (name,), "is missing: every segment needs a journey"
        for name in self.root:
            if name not in segments.root:
                yield (name,), f"is the journey of no segment{did_you_mean(name, segments.root)}"

    def rules(self) -> Iterator[tuple[Path, str]]:
        """Every rule with its place in the section."""
        for name, journey in self.root.items():
            for stage_name, stage in journey.stages.items():
                for milestone_name, milestone in stage.milestones.items():
                    if milestone.when is not None:
                        yield (name, "stages", stage_name, "milestones", milestone_name, "when"), milestone.when
            for nth, transition in enumerate(journey.transitions):
                yield (name, "transitions", nth, "when"), transition.when


def _no_stage(name: str, known: set[str]) -> str:
    return f"{name!r} is not a stage{did_you_mean(name, known)}"
