"""The journeys of a blueprint with their rules parsed, ready to be held against accounts; and what is wrong with
them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from hub.blueprint.problems import Path, Problem
from hub.blueprint.service import Blueprint
from hub.journeys.section import Journey, Journeys, Milestone, Segments, Transition
from hub.journeys.stays import Staying
from hub.measures.rules import FACTS, Rule, RuleInvalid
from hub.measures.section import Catalogue


@dataclass(frozen=True, slots=True)
class ReadyMilestone:
    """A milestone with its rule, where it has one."""

    name: str
    definition: Milestone
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class ReadyJourney:
    """A journey with its rules; `milestones` are by stage."""

    definition: Journey
    transitions: tuple[tuple[Transition, Rule], ...]
    milestones: Mapping[str, tuple[ReadyMilestone, ...]]


@dataclass(frozen=True, slots=True)
class ReadyMap:
    """All segments in their order with their rules (None: takes every account), and the journey of each."""

    segments: tuple[tuple[str, Rule | None], ...]
    journeys: Mapping[str, ReadyJourney]
    version: int

    def renamed(self, stay: Staying) -> Staying:
        """A stay under the name that its stage has in this version."""
        journey = self.journeys.get(stay.segment)
        stage = journey.definition.called(stay.stage) if journey else stay.stage
        return stay if stage == stay.stage else replace(stay, stage=stage)


def known_names(blueprint: Blueprint) -> frozenset[str]:
    """Everything that a rule of this blueprint may name: facts, and its measures."""
    return blueprint.section("measures", Catalogue).names | FACTS.keys()


@lru_cache(maxsize=16)
def measures_needed(blueprint: Blueprint) -> Catalogue:
    """The measures that segments and journeys ask, with all that those are made of."""
    catalogue = blueprint.section("measures", Catalogue)
    world = ready(blueprint)
    rules = [rule for _, rule in world.segments if rule is not None]
    for journey in world.journeys.values():
        rules += [rule for _, rule in journey.transitions]
        rules += [one.rule for stage in journey.milestones.values() for one in stage if one.rule is not None]
    needed = {name for rule in rules for name in rule.names} & catalogue.names
    waiting = list(needed)
    while waiting:
        inputs = {used for _, used in catalogue.inputs(waiting.pop())} - needed
        needed |= inputs
        waiting += inputs
    return catalogue.only(needed)


@lru_cache(maxsize=16)
def ready(blueprint: Blueprint) -> ReadyMap:
    """The journeys of a checked blueprint."""
    names = known_names(blueprint)
    segments = blueprint.section("segments", Segments).root
    journeys = blueprint.section("journeys", Journeys).root
    return ReadyMap(
        tuple((name, Rule.parse(entry.when, names) if entry.when else None) for name, entry in segments.items()),
        {name: _ready(journey, names) for name, journey in journeys.items()},
        blueprint.version,
    )


def _ready(journey: Journey, names: frozenset[str]) -> ReadyJourney:
    return ReadyJourney(
        journey,
        tuple((transition, Rule.parse(transition.when, names)) for transition in journey.transitions),
        {
            stage_name: tuple(
                ReadyMilestone(name, milestone, Rule.parse(milestone.when, names) if milestone.when else None)
                for name, milestone in stage.milestones.items()
            )
            for stage_name, stage in journey.stages.items()
        },
    )


def problems(blueprint: Blueprint) -> Iterator[Problem]:
    """What is wrong between the sections `segments` and `journeys`, and between their rules and the measures."""
    segments = blueprint.section("segments", Segments)
    journeys = blueprint.section("journeys", Journeys)
    for path, message in journeys.strangers(segments):
        yield Problem(("journeys", *path), message)
    names = known_names(blueprint)
    yield from unreadable("segments", segments.rules(), names)
    yield from unreadable("journeys", journeys.rules(), names)


def unreadable(section: str, rules: Iterator[tuple[Path, str]], names: frozenset[str]) -> Iterator[Problem]:
    """The rules of a section that cannot be read, each with its place."""
    for path, text in rules:
        try:
            Rule.parse(text, names)
        except RuleInvalid as invalid:
            yield Problem((section, *path), invalid.message)
