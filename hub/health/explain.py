"""Why a score is not what it was: the difference of any two scores as an exact sum of named terms.

The way from one to the other is walked in steps, each of which changes one thing, and the score is worked out after
each by the same function that scores accounts. What a step changed is its term, so the terms add up to the difference
without a remainder:

1. the blueprint: the profile that the new version has for the same segment and stage (a measure that only the new
   version has comes in here, with its new value);
2. the stage: the profile that applies now;
3. each measure in the order of the profile, from its old value to its new one. Where a value appears or vanishes, the
   weight of the others shifts too: the term is then one of coverage, the effect of knowing that measure, or not;
4. each cap: what it takes now less what it took then;
5. a person's override of the band: always 0 points, since it changes the band alone.

A score that is unknown because too little has a value still has computed points, and these are explained; where nothing
at all has a value they count as 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from uuid import UUID

import polars as pl

from hub.health.scoring import score
from hub.health.section import Profile, Profiles
from hub.health.terms import Override, Terms
from hub.health.vocabulary import Band


class Cause(StrEnum):
    """What a term is about."""

    BLUEPRINT = "blueprint"
    STAGE = "stage"
    MEASURE = "measure"
    COVERAGE = "coverage"
    CAP = "cap"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class ScoreAt:
    """A score as of one moment and as known at another (None: all that is known now). `micro_points` is None when the
    band is unknown; `score_id` is None for one that was worked out afterwards and never kept. `band` is the one in
    effect, `computed_band` what the score itself says."""

    score_id: UUID | None
    account_id: UUID
    as_of: datetime
    known_at: datetime | None
    blueprint_version: int
    segment: str
    stage: str
    profile: str
    micro_points: int | None
    coverage_ppm: int
    band: Band
    computed_band: Band
    terms: Terms

    @property
    def computed(self) -> int:
        """The micro-points after the caps, 0 when nothing has a value."""
        return self.terms.computed or 0


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a difference, in micro-points. `before` and `after` are what changed: versions of the blueprint,
    names of profiles, values of a measure (None: without one), what a cap took in micro-points, or the band that a
    person set, with the reason (None: nobody did). The evidence are the newest events behind each of the two."""

    cause: Cause
    name: str
    micro_points: int
    before: float | int | str | None
    after: float | int | str | None
    evidence_before: tuple[UUID, ...] = ()
    evidence_after: tuple[UUID, ...] = ()

    @property
    def evidence(self) -> tuple[UUID, ...]:
        """The events of both sides, those of the new value first, each once."""
        return tuple(dict.fromkeys(self.evidence_after + self.evidence_before))


@dataclass(frozen=True, slots=True)
class Rules:
    """What a version of the blueprint says about scores: its profiles, and which measures it knows."""

    profiles: Profiles
    measures: Collection[str]


def difference(before: ScoreAt, after: ScoreAt, then: Rules, now: Rules) -> list[Term]:
    """The terms of `after.computed - before.computed`, in the order above; those without any change are left out.

    `then` and `now` are the rules of the two versions of the blueprint.
    """
    terms = [*_steps(before, after, then, now), *_caps(before.terms, after.terms), _override(before.terms, after.terms)]
    return [term for term in terms if term.micro_points or term.before != term.after]


def _steps(before: ScoreAt, after: ScoreAt, then: Rules, now: Rules) -> list[Term]:
    new = _profile(now, after.profile)
    same_place = _profile(now, now.profiles.name_for(before.segment, before.stage) or after.profile)
    values = dict(before.terms.values)
    brought = {name: value for name, value in after.terms.values.items() if name not in then.measures}
    changes: list[tuple[Cause, str, float | int | str | None, float | int | str | None]] = [
        (Cause.BLUEPRINT, "blueprint", before.blueprint_version, after.blueprint_version),
        (Cause.STAGE, "stage", before.profile, after.profile),
    ]
    states = [(same_place, values | brought), (new, values | brought)]
    for name in dict.fromkeys(name for _, name, _ in new.measures()) if new else ():
        there, here = states[-1][1].get(name), after.terms.values.get(name)
        changes.append((Cause.COVERAGE if (there is None) != (here is None) else Cause.MEASURE, name, there, here))
        states.append((new, _with(states[-1][1], name, here)))
    # The ends are the kept numbers themselves: should later code round in another way, the sum still holds.
    points = [before.terms.uncapped or 0, *_points(states[:-1]), after.terms.uncapped or 0]
    return [
        Term(*change[:2], later - earlier, *change[2:])
        for change, (earlier, later) in zip(changes, pairwise(points), strict=True)
    ]


def _profile(rules: Rules, name: str) -> Profile | None:
    return rules.profiles.root.get(name)


def _with(values: Mapping[str, float], name: str, value: float | None) -> dict[str, float]:
    rest = {other: kept for other, kept in values.items() if other != name}
    return rest if value is None else rest | {name: value}


def _points(states: list[tuple[Profile | None, dict[str, float]]]) -> list[int]:
    """The uncapped micro-points of each state; one call of the scoring function for each profile."""
    points = [0] * len(states)
    profiles = {id(profile): profile for profile, _ in states if profile is not None}
    for key, profile in profiles.items():
        mine = [nth for nth, (other, _) in enumerate(states) if id(other) == key]
        names = sorted({name for _, name, _ in profile.measures()})
        columns = {name: [states[nth][1].get(name) for nth in mine] for name in names}
        scored = score(profile, pl.DataFrame(columns, schema=dict.fromkeys(names, pl.Float64)))
        for nth, found in zip(mine, scored["micro_points"], strict=True):
            points[nth] = found or 0
    return points


def _caps(before: Terms, after: Terms) -> list[Term]:
    took = {cap.name: cap.takes for cap in before.caps}
    takes = {cap.name: cap.takes for cap in after.caps}
    return [
        Term(Cause.CAP, name, takes.get(name, 0) - took.get(name, 0), took.get(name, 0), takes.get(name, 0))
        for name in dict.fromkeys([*took, *takes])
    ]


def _override(before: Terms, after: Terms) -> Term:
    return Term(Cause.OVERRIDE, "override", 0, _word(before.override), _word(after.override))


def _word(override: Override | None) -> str | None:
    return f"{override.band}: {override.reason} ({override.by})" if override else None
