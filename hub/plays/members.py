"""Who is where a play's trigger leads already when the play is switched on: in the stage, in the band, with the alert
or the milestone. Their starts are put aside under the occurrence that the fact itself had: whom the play started on
then is not started on again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.plays.trigger_kinds import (
    AlertOpened,
    BandChanged,
    MilestoneOverdue,
    MilestoneReached,
    StageEntered,
    Trigger,
)

_MILESTONE = "milestone_progress f JOIN stay s ON s.id = f.stay_id AND s.left_at IS NULL"


async def put_members_aside(session: AsyncSession, play: str, trigger: Trigger, now: datetime) -> int:
    """Put aside a start for each account that is there already; returns how many. One statement.

    Of rules, events and times there is nobody here: whom a rule holds for is found when accounts are looked at.
    """
    found = _where(trigger)
    if found is None:
        return 0
    source, occurrence, values = found
    put = await session.execute(
        text(
            "INSERT INTO collected_start (play, account_id, occurrence, trigger, collected_at) "
            f"SELECT :play, f.account_id, {occurrence}, CAST(:trigger AS jsonb), :now FROM {source} "
            "AND EXISTS (SELECT 1 FROM account a WHERE a.id = f.account_id AND a.merged_into IS NULL) "
            "ORDER BY f.account_id ON CONFLICT DO NOTHING RETURNING 1"
        ),
        {"play": play, "trigger": '{"topic": "existing"}', "now": now, **values},
    )
    return len(put.all())


def _where(trigger: Trigger) -> tuple[str, str, dict[str, Any]] | None:
    """The rows (`f`) of those who are there, the text that tells their occurrence, and the parameters."""
    match trigger:
        case StageEntered(stage=stage, segment=segment):
            rows = "stay f WHERE f.left_at IS NULL AND f.stage = :stage"
            rows += "" if segment is None else " AND f.segment = :segment"
            return rows, "'stay:' || f.id", {"stage": stage} | ({} if segment is None else {"segment": segment})
        case BandChanged(band=bands):
            return (
                "health f WHERE f.band = ANY(CAST(:bands AS text[]))",
                "'score:' || f.score_id",
                {"bands": [str(one) for one in bands]},
            )
        case AlertOpened(alert=rule):
            return "alert f WHERE f.rule = :rule AND f.status <> 'resolved'", "'alert:' || f.id", {"rule": rule}
        case MilestoneReached(milestone_reached=name):
            rows = f"{_MILESTONE} WHERE f.milestone = :name AND f.reached_at IS NOT NULL"
            return rows, "'milestone_reached:' || f.stay_id || ':' || f.milestone", {"name": name}
        case MilestoneOverdue(milestone_overdue=name):
            rows = f"{_MILESTONE} WHERE f.milestone = :name AND f.overdue_at IS NOT NULL AND f.reached_at IS NULL"
            return rows, "'milestone_overdue:' || f.stay_id || ':' || f.milestone", {"name": name}
        case _:
            return None
