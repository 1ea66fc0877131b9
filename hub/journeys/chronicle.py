"""What happens on a journey, as facts for the account's timeline and for whoever reacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.journeys.milestones import Progress
from hub.journeys.stays import Staying
from hub.journeys.telling import Told


def facts_of(
    entered: Iterable[Staying],
    milestones: Iterable[Progress],
    stays: Mapping[UUID, Staying],
    *,
    news_since: datetime | None = None,
) -> list[Told]:
    """Stays that were entered, and milestones that were reached or have become overdue, of the `stays`.

    All stand on the timeline. What is over already (a stage that was passed through) is not announced, and with
    `news_since` neither is what happened before that moment.
    """
    told = [_entered(stay, news_since) for stay in entered]
    for one in milestones:
        if one.overdue_at is not None and (one.reached_at is None or news_since is not None):
            told.append(_milestone("milestone.overdue", one, stays[one.stay_id], news_since))
        if one.reached_at is not None:
            told.append(_milestone("milestone.reached", one, stays[one.stay_id], news_since))
    return told


def _entered(stay: Staying, news_since: datetime | None) -> Told:
    facts = {
        "segment": stay.segment,
        "stage": stay.stage,
        "stay_id": str(stay.id),
        "from": stay.because.get("from"),
        "reason": stay.because["reason"],
    }
    return Told(
        "stage.entered",
        stay.account_id,
        occurred_at=stay.entered_at,
        natural_key=f"stay:{stay.id}",
        title=f"Entered the stage {stay.stage}",
        attributes=facts,
        payload=_announced(stay, stay.entered_at, facts, news_since),
    )


def _milestone(kind: str, one: Progress, stay: Staying, news_since: datetime | None) -> Told:
    is_reached = kind == "milestone.reached"
    at = (one.reached_at if is_reached else one.expected_at) or stay.entered_at
    facts = {
        "milestone": one.milestone,
        "stage": stay.stage,
        "segment": stay.segment,
        "stay_id": str(stay.id),
        "expected_at": one.expected_at.isoformat() if one.expected_at else None,
    }
    name = one.milestone
    return Told(
        kind,
        one.account_id,
        occurred_at=at,
        natural_key=f"{kind}:{stay.id}:{name}",
        title=f"Reached the milestone {name}" if is_reached else f"The milestone {name} is overdue",
        attributes=facts,
        payload=_announced(stay, at, facts, news_since),
    )


def _announced(
    stay: Staying, at: datetime, facts: Mapping[str, Any], news_since: datetime | None
) -> Mapping[str, Any] | None:
    is_old = news_since is not None and at < news_since
    return None if is_old or stay.left_at is not None else facts
