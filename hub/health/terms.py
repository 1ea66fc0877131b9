"""Everything that a score was made from, as it is kept beside it.

A score can be explained and made again from its terms alone: the values of all measures, what each weighed measure gave
under which weight, what each cap took, the computed band before (on which hysteresis depends), and a person's word
against the band. Stored as lists side by side,
in the order of the profile, because JSONB does not keep the order of an object's keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from hub.health.section import Indicator
from hub.health.vocabulary import Band
from hub.kit.db import json_text


@dataclass(frozen=True, slots=True)
class MeasureTerm:
    """What one measure gave to a score.

    `points` is what its curve made of `value` (micro-points, 0 to 100 million), `weight` the weight that counted (parts
    per billion, after the weight of what has no value was shared out), `part` its part of the score (micro-points).
    Without a value: None, None, 0, 0.
    """

    indicator: Indicator
    measure: str
    value: float | None
    points: int | None
    weight: int
    part: int


@dataclass(frozen=True, slots=True)
class IndicatorTerm:
    """One indicator's own score (`micro_points`, 0 to 100 million; None without any value), weight and part."""

    indicator: Indicator
    micro_points: int | None
    weight: int
    part: int
    measures: tuple[MeasureTerm, ...]


@dataclass(frozen=True, slots=True)
class CapTerm:
    """A cap of the profile: its limit in micro-points, whether it held, and what it took (0 or less)."""

    name: str
    at_most: int
    holds: bool
    takes: int


@dataclass(frozen=True, slots=True)
class Override:
    """A person's word against the computed band: which band, why, by whom, since when and until when."""

    id: UUID
    band: Band
    reason: str
    by: str
    since: datetime
    until: datetime

    def stored(self) -> str:
        """As JSON, the way it stands in `Score.terms`."""
        return json_text(asdict(self))

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Override:
        """From `Score.terms`."""
        return cls(
            UUID(stored["id"]),
            Band(stored["band"]),
            stored["reason"],
            stored["by"],
            datetime.fromisoformat(stored["since"]),
            datetime.fromisoformat(stored["until"]),
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """All terms of one score. `uncapped` and `computed` are the micro-points before and after the caps, known even when
    the band is unknown because too little has a value; None only when nothing has."""

    uncapped: int | None
    computed: int | None
    previous_band: str | None
    purple: bool
    measures: tuple[MeasureTerm, ...]
    caps: tuple[CapTerm, ...]
    values: Mapping[str, float]
    override: Override | None = None

    def indicators(self) -> list[IndicatorTerm]:
        """The same by indicator, in the order of the profile."""
        return [
            _summed(indicator, tuple(terms))
            for indicator, terms in groupby(self.measures, key=lambda term: term.indicator)
        ]


def read_terms(stored: Mapping[str, Any]) -> Terms:
    """`Score.terms` as terms."""
    values = {name: float(value) for name, value in stored["values"].items() if value is not None}
    measures = zip(
        stored["indicators"], stored["measures"], stored["points"], stored["weights"], stored["parts"], strict=True
    )
    caps = zip(stored["caps"], stored["at_most"], stored["holds"], stored["takes"], strict=True)
    return Terms(
        uncapped=stored["uncapped"],
        computed=stored["computed"],
        previous_band=stored["previous_band"],
        purple=stored["purple"],
        measures=tuple(
            MeasureTerm(Indicator(indicator), measure, values.get(measure), points, weight, part)
            for indicator, measure, points, weight, part in measures
        ),
        caps=tuple(CapTerm(*cap) for cap in caps),
        values=values,
        override=Override.read(stored["override"]) if stored.get("override") else None,
    )


def _summed(indicator: Indicator, terms: tuple[MeasureTerm, ...]) -> IndicatorTerm:
    weight = sum(term.weight for term in terms)
    weighed = sum(term.weight * (term.points or 0) for term in terms)
    own = (weighed + weight // 2) // weight if weight else None
    return IndicatorTerm(indicator, own, weight, sum(term.part for term in terms), terms)
