"""Health of several accounts together, weighted by what a year of each is worth."""

from __future__ import annotations

from hub.graphql.declare import about, output
from hub.graphql.scalars import BigInt
from hub.graphql.types.scores import points
from hub.health import rollups


@output
class HealthRollUp:
    """The health of several accounts together: the mean of their scores, weighted by their yearly revenue.

    What has no value is not guessed: it is left out of the sums, and counted.
    """

    points: float | None = about("The weighted mean, 0 to 100; null when no account has both a score and a revenue.")
    micro_points: int | None = about("The same in millionths of a point, rounded half up.")
    weighted_sum: str = about("The exact sum of millionths of a point times revenue, as the digits of a whole number.")
    revenue_minor: BigInt = about("The sum of the revenues that weigh, in minor units a year.")
    accounts: int = about("How many accounts there are.")
    weighed: int = about("How many of them have both a score and a revenue: these make the mean.")
    unscored: int = about("How many have a revenue and no score.")
    unscored_revenue_minor: BigInt = about("What these are worth together, in minor units a year.")
    unvalued: int = about("How many have a score, and no revenue that is known.")
    red: int = about("How many are red.")
    yellow: int = about("How many are yellow.")
    green: int = about("How many are green.")
    purple: int = about("How many are purple.")
    unknown: int = about("How many are unknown, or were never scored.")

    @classmethod
    def of(cls, found: rollups.RollUp) -> HealthRollUp:
        """The roll-up as the API shows it."""
        return cls(
            points=points(found.micro_points),
            micro_points=found.micro_points,
            weighted_sum=str(found.weighted),
            revenue_minor=BigInt(found.revenue_minor),
            accounts=found.accounts,
            weighed=found.weighed,
            unscored=found.unscored,
            unscored_revenue_minor=BigInt(found.unscored_revenue_minor),
            unvalued=found.unvalued,
            red=found.red,
            yellow=found.yellow,
            green=found.green,
            purple=found.purple,
            unknown=found.unknown,
        )


@output
class SegmentHealth:
    """The health of a segment."""

    segment: str | None = about("The segment's name; null for the accounts that are in none.")
    health: HealthRollUp = about("The health of its accounts together.")

    @classmethod
    def of(cls, name: str, found: rollups.RollUp) -> SegmentHealth:
        """The segment as the API shows it."""
        return cls(segment=name or None, health=HealthRollUp.of(found))
