"""Profiles and alerts of a blueprint with their rules parsed, ready to be held against accounts; and what is wrong
there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hub.blueprint.problems import Path, Problem, did_you_mean
from hub.blueprint.service import Blueprint
from hub.health.section import AlertRule, Alerts, Cap, Profile, Profiles
from hub.journeys.rules import known_names, unreadable
from hub.journeys.section import CHURNED, Journeys, Segments
from hub.measures.rules import Rule
from hub.measures.section import Catalogue


@dataclass(frozen=True, slots=True)
class ReadyProfile:
    """A profile with the rules of its caps and of purple."""

    name: str
    definition: Profile
    caps: tuple[tuple[Cap, Rule], ...]
    purple: Rule | None


@dataclass(frozen=True, slots=True)
class ReadyAlert:
    """An alert with its rule."""

    name: str
    definition: AlertRule
    rule: Rule


@dataclass(frozen=True, slots=True)
class ReadyHealth:
    """All that a version of the blueprint says about health."""

    profiles: Mapping[str, ReadyProfile]
    alerts: tuple[ReadyAlert, ...]


@lru_cache(maxsize=16)
def ready(blueprint: Blueprint) -> ReadyHealth:
    """The health of a checked blueprint."""
    names = known_names(blueprint)
    profiles = blueprint.section("profiles", Profiles).root
    alerts = blueprint.section("alerts", Alerts).root
    return ReadyHealth(
        {name: _ready(name, profile, names) for name, profile in profiles.items()},
        tuple(ReadyAlert(name, alert, Rule.parse(alert.when, names)) for name, alert in alerts.items()),
    )


def _ready(name: str, profile: Profile, names: frozenset[str]) -> ReadyProfile:
    return ReadyProfile(
        name,
        profile,
        tuple((cap, Rule.parse(cap.when, names)) for cap in profile.caps),
        Rule.parse(profile.purple, names) if profile.purple else None,
    )


def problems(blueprint: Blueprint) -> Iterator[Problem]:
    """What is wrong between the sections `profiles` and `alerts` and the journeys and measures that they name."""
    profiles = blueprint.section("profiles", Profiles).root
    for path, message in _misplaced(profiles, blueprint):
        yield Problem(("profiles", *path), message)
    for path, message in _unknown_measures(profiles, blueprint.section("measures", Catalogue).names):
        yield Problem(("profiles", *path), message)
    names = known_names(blueprint)
    yield from unreadable("profiles", _profile_rules(profiles), names)
    alerts = blueprint.section("alerts", Alerts).root
    yield from unreadable("alerts", (((name, "when"), alert.when) for name, alert in alerts.items()), names)


def _misplaced(profiles: Mapping[str, Profile], blueprint: Blueprint) -> Iterator[tuple[Path, str]]:
    """Profiles of segments or stages that do not exist, and segments without any profile."""
    segments = blueprint.section("segments", Segments).root
    journeys = blueprint.section("journeys", Journeys).root
    places = set(segments)
    for segment, journey in journeys.items():
        places |= {f"{segment}.{stage}" for stage in (*journey.stages, CHURNED)}
    for name in profiles:
        if name not in places:
            yield (name,), f"is neither a segment nor a segment.stage{did_you_mean(name, places)}"
    covered = {name.partition(".")[0] for name in profiles}
    for segment in segments:
        if segment not in covered:
            yield (segment,), "is missing: every segment needs a profile"


def _unknown_measures(profiles: Mapping[str, Profile], known: frozenset[str]) -> Iterator[tuple[Path, str]]:
    for name, profile in profiles.items():
        for indicator, measure, _ in profile.measures():
            if measure not in known:
                path = (name, "indicators", str(indicator), "measures", measure)
                yield path, f"is not a measure{did_you_mean(measure, known)}"


def _profile_rules(profiles: Mapping[str, Profile]) -> Iterator[tuple[Path, str]]:
    for name, profile in profiles.items():
        for nth, cap in enumerate(profile.caps):
            yield (name, "caps", nth, "when"), cap.when
        if profile.purple is not None:
            yield (name, "purple"), profile.purple
