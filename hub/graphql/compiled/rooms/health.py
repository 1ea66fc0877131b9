"""Health, scores, alerts and the watch list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from hub.graphql.compiled.forms import (
    KEY,
    Arguments,
    Bound,
    Column,
    Made,
    Many,
    One,
    everywhere,
    global_id,
    paged,
    shape,
)
from hub.graphql.compiled.rooms.owned import account_at
from hub.graphql.compiled.rooms.pages import few, page_of
from hub.graphql.scalars import money
from hub.graphql.types.alerts import Alert, WatchEntry, WatchReason, WatchStep, wanted_alerts, wanted_watches
from hub.graphql.types.health import BandOverride, Health
from hub.graphql.types.scores import MICRO, CapTerm, IndicatorScore, Score, points
from hub.health import queries as health
from hub.health.queries import Band

NOW = health.Health
KEPT = health.Score
SAID = health.BandOverride
ALERT = health.Alert
LISTED = health.Watch


def declare() -> None:
    """The forms of this room."""
    shape(
        Health,
        NOW,
        band=Made(_band, (NOW.band,)),
        points=Made(points, (NOW.micro_points,)),
        coverage=Made(_coverage, (NOW.coverage_ppm,)),
        segment=Made(_name, (NOW.segment,)),
        stage=Made(_name, (NOW.stage,)),
        score=One(key=NOW.score_id, at=KEPT.id),
        computed_band=Made(
            _computed_band,
            (NOW.band, select(KEPT.computed_band).where(KEPT.id == NOW.score_id).scalar_subquery()),
        ),
        override=One(key=KEY, at=SAID.account_id, where=(SAID.ended_at.is_(None),), keep=(_holds, SAID.until)),
        history=Many(KEY, _history_of),
    )
    shape(BandOverride, SAID, by=Column(SAID.made_by), since=Column(SAID.made_at))
    shape(
        Score,
        KEPT,
        id=global_id("scr", KEPT.id),
        known_at=Column(KEPT.recorded_at),
        points=Made(points, (KEPT.micro_points,)),
        coverage=Made(_coverage, (KEPT.coverage_ppm,)),
        segment=Made(_name, (KEPT.segment,)),
        stage=Made(_name, (KEPT.stage,)),
        profile=Made(_name, (KEPT.profile,)),
        indicators=Made(_indicators, (KEPT.terms,)),
        caps=Made(_caps, (KEPT.terms,)),
    )
    shape(Alert, ALERT, id=global_id("alt", ALERT.id), account=account_at(ALERT.account_id))
    shape(
        WatchEntry,
        LISTED,
        id=global_id("wat", LISTED.id),
        account=account_at(LISTED.account_id),
        reasons=Made(_reasons, (LISTED.reasons,)),
        revenue_at_risk=Made(money, (LISTED.revenue_at_risk_minor, LISTED.currency)),
        days_in_status=Made(_days, (LISTED.status_since, LISTED.ended_at), now=True),
        days_on_list=Made(_days, (LISTED.entered_at, LISTED.ended_at), now=True),
        history=Many(LISTED.id, _steps_of),
    )
    shape(WatchStep, health.WatchStep)


def alerts_of(given: Arguments) -> Bound:
    """A page of an account's alerts."""
    wanted = wanted_alerts(given.get("filter"))
    page = page_of(health.ALERTS, given)
    return paged(lambda key: health.select_alerts(wanted).where(ALERT.account_id == key), health.ALERTS, page)


def all_alerts(given: Arguments) -> Bound:
    """A page of the alerts of all accounts."""
    wanted = wanted_alerts(given.get("filter"))
    return paged(everywhere(health.select_alerts(wanted)), health.ALERTS, page_of(health.ALERTS, given))


def watch_list(given: Arguments) -> Bound:
    """A page of the watch list."""
    wanted = wanted_watches(given.get("filter"))
    return paged(everywhere(health.select_watches(wanted)), health.WATCH_LIST, page_of(health.WATCH_LIST, given))


def _history_of(given: Arguments) -> Bound:
    since, until = given.get("since"), given.get("until")
    page = page_of(health.HISTORY, given)
    return paged(lambda key: health.select_scores(key, since, until), health.HISTORY, page)


def _steps_of(given: Arguments) -> Bound:
    step = health.WatchStep
    return paged(lambda key: select(step).where(step.watch_id == key), health.WATCH_STEPS, few(100), spends=10)


def _band(band: str | None) -> str:
    return band or Band.UNKNOWN


def _computed_band(band: str | None, computed: str | None) -> str:
    return computed or band or Band.UNKNOWN


def _coverage(ppm: int | None) -> float:
    return 0.0 if ppm is None else ppm / MICRO


def _name(name: str | None) -> str | None:
    return name or None


def _holds(until: datetime, now: datetime) -> bool:
    return until > now


def _days(since: datetime, ended: datetime | None, now: datetime) -> int:
    return ((ended or now) - since).days


def _reasons(reasons: Sequence[Mapping[str, Any]]) -> list[WatchReason]:
    return [WatchReason.of(reason) for reason in reasons]


def _indicators(terms: Mapping[str, Any]) -> list[IndicatorScore]:
    return [IndicatorScore.of(term) for term in health.read_terms(terms).indicators()]


def _caps(terms: Mapping[str, Any]) -> list[CapTerm]:
    return [CapTerm.of(term) for term in health.read_terms(terms).caps]
