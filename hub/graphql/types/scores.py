"""A score with everything that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry

from hub.graphql.declare import about, output, resolved, vocabulary
from hub.graphql.types.bands import Band
from hub.health import queries as health
from hub.health.queries import Indicator

MICRO = 1_000_000
PPB = 1_000_000_000

vocabulary(
    Indicator,
    BUSINESS_OUTCOMES="What the customer bought it for. Primary.",
    PRODUCT_ENGAGEMENT="How much and how widely it is used. Primary.",
    SERVICE_UTILISATION="Whether the services that were bought are taken up. Primary.",
    CUSTOMER_SATISFACTION="What they say of it. Secondary.",
    SUPPORT_OPERATIONS="Trouble, open questions, payments. Secondary.",
)


@output
class MeasureScore:
    """What one measure gave to a score."""

    measure: str = about("The measure's name in the blueprint.")
    value: float | None = about("Its value; null when it had none.")
    points: float | None = about("What the curve of the profile made of the value, 0 to 100; null without a value.")
    weight: float = about("The share of the score that it counted for, 0 to 1; 0 without a value.")
    part_micro_points: int = about("Its part of the score before caps, in millionths of a point. The parts add up.")

    @classmethod
    def of(cls, term: health.MeasureTerm) -> MeasureScore:
        """The term as the API shows it."""
        return cls(
            measure=term.measure,
            value=term.value,
            points=points(term.points),
            weight=term.weight / PPB,
            part_micro_points=term.part,
        )


@output
class IndicatorScore:
    """What one of the five factors gave to a score."""

    indicator: Indicator = about("The factor.")
    points: float | None = about("Its own score, 0 to 100; null when none of its measures had a value.")
    weight: float = about("The share of the score that it counted for, 0 to 1.")
    part_micro_points: int = about("Its part of the score before caps, in millionths of a point. The parts add up.")
    measures: list[MeasureScore] = about("What it was made from.")

    @classmethod
    def of(cls, term: health.IndicatorTerm) -> IndicatorScore:
        """The term as the API shows it."""
        return cls(
            indicator=term.indicator,
            points=points(term.micro_points),
            weight=term.weight / PPB,
            part_micro_points=term.part,
            measures=[MeasureScore.of(measure) for measure in term.measures],
        )


@output
class CapTerm:
    """A limit of the profile that counts while its rule holds."""

    name: str = about("Its name in the blueprint.")
    at_most: float = about("The highest score while it holds.")
    holds: bool = about("Whether its rule held.")
    takes_micro_points: int = about("What it took from the score, in millionths of a point: 0 or less.")

    @classmethod
    def of(cls, term: health.CapTerm) -> CapTerm:
        """The cap as the API shows it."""
        return cls(name=term.name, at_most=term.at_most / MICRO, holds=term.holds, takes_micro_points=term.takes)


@output
class Score:
    """A score of an account as of one moment, from what was known at another, with everything it was made from."""

    terms: strawberry.Private[Mapping[str, Any] | health.Terms]
    id: strawberry.ID | None = about("Null for a score that was worked out afterwards and never kept.")
    as_of: datetime = about("The moment that it describes.")
    known_at: datetime | None = about("What was known then counts in it; null: all that is known by now.")
    points: float | None = about("0 to 100; null while the band is unknown.")
    micro_points: int | None = about("The same, exact, in millionths of a point.")
    band: Band = about("What the score means, or what a person says it means: the band in effect.")
    computed_band: Band = about("What the score alone says. It differs from `band` while a person has overridden it.")
    coverage: float = about("The share of weight that had a value, 0 to 1.")
    segment: str | None = about("The segment then; null before the account was in any.")
    stage: str | None = about("The stage then; null before the account was in any.")
    profile: str | None = about("The health profile that applied; null when none did.")
    blueprint_version: int = about("The version of the blueprint that it was made by.")

    @resolved
    def indicators(self) -> list[IndicatorScore]:
        """What it was made from, factor by factor, in the order of the profile."""
        return [IndicatorScore.of(term) for term in self._read().indicators()]

    @resolved
    def caps(self) -> list[CapTerm]:
        """The limits of the profile, in the order in which they were applied."""
        return [CapTerm.of(term) for term in self._read().caps]

    def _read(self) -> health.Terms:
        return self.terms if isinstance(self.terms, health.Terms) else health.read_terms(self.terms)

    @classmethod
    def of(cls, row: health.Score | health.ScoreAt) -> Score:
        """The score as the API shows it: one that was kept, or one that was worked out."""
        id_ = row.id if isinstance(row, health.Score) else row.score_id
        return cls(
            terms=row.terms,
            id=strawberry.ID(f"scr_{id_.hex}") if id_ else None,
            as_of=row.as_of,
            known_at=row.recorded_at if isinstance(row, health.Score) else row.known_at,
            points=points(row.micro_points),
            micro_points=row.micro_points,
            band=Band(row.band),
            computed_band=Band(row.computed_band),
            coverage=row.coverage_ppm / MICRO,
            segment=row.segment or None,
            stage=row.stage or None,
            profile=row.profile or None,
            blueprint_version=row.blueprint_version,
        )


def points(micro_points: int | None) -> float | None:
    """Micro-points as points."""
    return None if micro_points is None else micro_points / MICRO
