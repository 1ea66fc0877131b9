"""Health in the blueprint: how measures become a score and a band (`profiles`), what calls for attention (`alerts`).

```yaml
profiles:
  smb:                      # a segment, or a segment and stage: smb.onboarding
    indicators:
      product_engagement: {weight: 30, measures: {active_people_28d: {weight: 2, curve: [[0, 0], [10, 80], [25, 100]]}}}
    caps: [{name: payment_failed, when: "failed_payments_28d > 0", at_most: 60}]
    floor: 0.5              # the share of weight that must have a value; below it the band is unknown
    bands: {red_below: 50, green_from: 75, hysteresis: 2}
    purple: "nps >= 9"      # green and this: referenceable
alerts:
  active_people_decline: {when: "active_people_28d < 0.8 * active_people_prev_28d", severity: high, watch: true}
  score_falls: {when: "score_change_30d <= -15", rearm: 7d}   # quiet for a week after somebody dealt with it
```
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, RootModel, model_validator

from hub.blueprint.values import Duration, Entry, Name

MOST_MEASURES = 60
"""How many measures a profile may weigh: which of them have a value is kept as the bits of one integer."""


SMALLEST_STEP = 1e-6
"""Between two values of a curve: far from where floating point loses its footing."""


class Indicator(StrEnum):
    """The five factors of health."""

    BUSINESS_OUTCOMES = "business_outcomes"
    PRODUCT_ENGAGEMENT = "product_engagement"
    SERVICE_UTILISATION = "service_utilisation"
    CUSTOMER_SATISFACTION = "customer_satisfaction"
    SUPPORT_OPERATIONS = "support_operations"


class Severity(StrEnum):
    """How much an alert matters."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


Points = Annotated[Decimal, Field(ge=0, le=100, decimal_places=6)]
"""0 to 100, to the micro-point."""

Weight = Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=6)]
"""Any positive number: only the ratio to its siblings matters."""


def _rises(curve: tuple[tuple[float, Points], ...]) -> tuple[tuple[float, Points], ...]:
    if any(after[0] - before[0] < SMALLEST_STEP for before, after in pairwise(curve)):
        raise ValueError(
            f"the values (first numbers) of a curve must rise by {SMALLEST_STEP} or more from pair to pair"
        )
    return curve


Curve = Annotated[
    tuple[tuple[Annotated[float, Field(ge=-1e12, le=1e12)], Points], ...],
    Field(min_length=2, max_length=50),
    AfterValidator(_rises),
]
"""Pairs of (value of the measure, points), straight lines between them, level beyond both ends."""


class WeighedMeasure(Entry):
    """How one measure counts inside its indicator."""

    weight: Weight = Decimal(1)
    curve: Curve


class WeighedIndicator(Entry):
    """How one indicator counts in the score, and what it is made of."""

    weight: Weight
    measures: Annotated[dict[Name, WeighedMeasure], Field(min_length=1)]


class Cap(Entry):
    """While `when` holds, the score is at most `at_most` points."""

    name: Name
    when: str
    at_most: Points


class Bands(Entry):
    """Red is entered below `red_below` and left at `hysteresis` above it; green is entered at `green_from` and left
    below `hysteresis` under it. So a score that trembles around a threshold does not change its band."""

    red_below: Points = Decimal(50)
    green_from: Points = Decimal(75)
    hysteresis: Points = Decimal(2)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.red_below + self.hysteresis > self.green_from or self.red_below > self.green_from - self.hysteresis:
            raise ValueError("red_below and green_from must be at least `hysteresis` apart")
        return self


class Profile(Entry):
    """How the health of a segment, or of one of its stages, is scored."""

    indicators: Annotated[dict[Indicator, WeighedIndicator], Field(min_length=1)]
    caps: tuple[Cap, ...] = ()
    floor: Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)] = Decimal("0.5")
    bands: Bands = Bands()
    purple: str | None = None

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if sum(len(indicator.measures) for indicator in self.indicators.values()) > MOST_MEASURES:
            raise ValueError(f"a profile weighs at most {MOST_MEASURES} measures")
        if len({cap.name for cap in self.caps}) < len(self.caps):
            raise ValueError("two caps have the same name")
        return self

    def measures(self) -> Iterator[tuple[Indicator, str, WeighedMeasure]]:
        """(indicator, name, measure) in the order of the document, which is the order of every list of terms."""
        for indicator, weighed in self.indicators.items():
            for name, measure in weighed.measures.items():
                yield indicator, name, measure


class Rearm(Entry):
    """When a resolved alert is armed again, so that its rule may open another one; until then it stays quiet.

    `ceased_for`: its rule has not held for so long. `after`: it was resolved so long ago, whether or not the rule has
    ceased to hold. `by_hand`: a person says so. With none of them: as soon as the rule has ceased to hold.
    """

    ceased_for: Duration | None = None
    after: Duration | None = None
    by_hand: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.ceased_for is not None) + (self.after is not None) + self.by_hand > 1:
            raise ValueError("say one of ceased_for, after and by_hand")
        return self

    def arms(self, resolved_at: datetime, ceased_at: datetime | None, now: datetime) -> bool:
        """Whether an alert, resolved then, whose rule has not held since `ceased_at` (None: it holds), is armed now."""
        if self.by_hand:
            return False
        if self.after is not None:
            return now >= resolved_at + self.after
        return ceased_at is not None and now >= ceased_at + (self.ceased_for or timedelta(0))


def _as_rearm(value: Any) -> Any:
    """`7d` is short for `{after: 7d}`, `by_hand` for `{by_hand: true}`, `ceased` for `{}`."""
    if isinstance(value, str):
        return {"ceased": {}, "by_hand": {"by_hand": True}}.get(value, {"after": value})
    return value


class AlertRule(Entry):
    """While `when` holds, an alert is open; with `watch` the account is on the watch list meanwhile.

    `owner` is who looks after it; without one it is the account's owner. `rearm` is when it may open again.
    """

    when: str
    severity: Severity = Severity.MEDIUM
    watch: bool = False
    owner: str | None = None
    rearm: Annotated[Rearm, BeforeValidator(_as_rearm, json_schema_input_type=str | Rearm)] = Rearm()


class Profiles(RootModel[dict[str, Profile]]):
    """The section `profiles`: by segment, or by `segment.stage`."""

    root: dict[str, Profile] = {}

    def name_for(self, segment: str | None, stage: str | None) -> str | None:
        """The profile that applies to an account: of its stage, else of its segment, else none."""
        return next((name for name in (f"{segment}.{stage}", segment) if name in self.root), None)


class Alerts(RootModel[dict[Name, AlertRule]]):
    """The section `alerts`."""

    root: dict[Name, AlertRule] = {}
