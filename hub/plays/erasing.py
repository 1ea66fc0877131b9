"""What plays wrote to and about a person who is erased: the words go, that they were contacted stays counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections.service import freed


async def erase_person(
    session: AsyncSession, person_id: UUID, words: tuple[str, ...], places: Sequence[UUID], *, now: datetime
) -> dict[str, int]:
    """Drop the calls that wait for the person, and take them out of what was sent and of tasks. `places` are the
    source accounts where they were seen."""
    dropped = await session.execute(
        text(
            "UPDATE step_call SET status = 'dropped', problem = 'The person was erased.', waiting_since = NULL, "
            "finished_at = :now WHERE person_id = :person AND status = 'pending' RETURNING 1"
        ),
        {"person": person_id, "now": now},
    )
    calls = await session.execute(
        text("UPDATE step_call SET input = '{}' WHERE person_id = :person AND input <> '{}' RETURNING 1"),
        {"person": person_id},
    )
    rows = await session.execute(
        text(
            "SELECT t.id, t.title, t.details, t.outcome FROM task t JOIN (SELECT DISTINCT account_id "
            "FROM source_account WHERE id = ANY(CAST(:places AS uuid[]))) AS a ON a.account_id = t.account_id"
        ),
        {"places": list(places)},
    )
    tasks = 0
    for row in rows.all():
        told = {"title": row.title, "details": row.details, "outcome": row.outcome}
        left = freed(told, words)
        if left != told:
            tasks += 1
            await session.execute(
                text("UPDATE task SET title = :title, details = :details, outcome = :outcome WHERE id = :id"),
                left | {"id": row.id},
            )
    return {"calls_dropped": len(dropped.all()), "calls": len(calls.all()), "tasks": tasks}
