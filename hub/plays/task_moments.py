"""What time does to open tasks: their owners are reminded, and when they are late somebody else is told.

Each task that has such moments is an entry of a work list, due at the next of them; one that has ended meanwhile is
taken off it in silence. Several moments that have passed at once are one reminder.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint import service as blueprints
from hub.kit import work
from hub.kit.paging import among
from hub.kit.runtime import Kit
from hub.plays import announcements
from hub.plays.audience import accounts_of
from hub.plays.model import Task, TaskStatus
from hub.plays.team import Team

TO_FOLLOW: Final = "tasks_to_follow"
"""The work list of tasks with a moment to come; its keys are their ids."""

BATCH: Final = 200
LEASE: Final = timedelta(seconds=60)


def next_moment(task: Task) -> datetime | None:
    """When the task is to be looked at next; None when time does nothing to it any more."""
    if task.status != TaskStatus.OPEN:
        return None
    moments = [datetime.fromisoformat(moment) for moment in task.reminders]
    if task.escalation is not None and task.escalated_at is None:
        moments.append(datetime.fromisoformat(task.escalation["at"]))
    return min(moments, default=None)


async def drain_tasks_to_follow(kit: Kit) -> int:
    """Remind and escalate where it is time, one batch; returns how many tasks. A few statements, whatever their
    number."""
    async with kit.transaction() as session:
        now = kit.clock.now()
        claims = await work.claim(session, TO_FOLLOW, limit=BATCH, now=now, lease=LEASE)
        if not claims:
            return 0
        found = await session.execute(
            select(Task)
            .where(among(Task.id, [UUID(claim.key) for claim in claims]), Task.status == TaskStatus.OPEN)
            .order_by(Task.id)
            .with_for_update()
        )
        tasks = {str(task.id): task for task in found.scalars()}
        owners = {
            id_: account.owner
            for id_, account in (await accounts_of(session, {task.account_id for task in tasks.values()})).items()
        }
        team = (await blueprints.current(session)).section("team", Team)
        later: dict[work.Claim, tuple[datetime, str | None]] = {}
        async with announcements.gathered(session, now=now):
            for claim in claims:
                task = tasks.get(claim.key)
                if task is None:
                    continue
                await _follow(session, task, team, owners.get(task.account_id), now)
                if (moment := next_moment(task)) is not None:
                    later[claim] = moment, None
        await work.finish(session, [claim for claim in claims if claim not in later])
        await work.postpone_each(session, later)
    return len(claims)


async def _follow(session: AsyncSession, task: Task, team: Team, owner: str | None, now: datetime) -> None:
    to_come = [moment for moment in task.reminders if datetime.fromisoformat(moment) > now]
    if len(to_come) < len(task.reminders):
        task.reminders = to_come
        await announcements.task_reminded(session, task, now=now)
    late = task.escalation if task.escalated_at is None else None
    if late is not None and datetime.fromisoformat(late["at"]) <= now:
        task.escalated_at = now
        task.escalation = {**late, "who": team.who(late["to"], owner)}
        await announcements.task_escalated(session, task, now=now)
