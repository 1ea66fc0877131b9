"""What plays wrote to and about a person who is erased: the words go, that they were contacted stays counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.connections.service import freed
from hub.kit.db import json_text


async def erase_person(
    session: AsyncSession, person_id: UUID, words: tuple[str, ...], places: Sequence[UUID], *, now: datetime
) -> dict[str, int]:
    """Drop the calls that wait for the person, and take them out of what was sent, of tasks, and of what was said of
    those. `places` are the source accounts where they were seen."""
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
    at_account = (
        "JOIN (SELECT DISTINCT account_id FROM source_account WHERE id = ANY(CAST(:places AS uuid[]))) AS a "
        "ON a.account_id = t.account_id"
    )
    rows = await session.execute(
        text(f"SELECT t.id, t.title, t.details, t.outcome, t.checklist FROM task t {at_account}"),
        {"places": list(places)},
    )
    tasks = 0
    for row in rows.all():
        told = {"title": row.title, "details": row.details, "outcome": row.outcome, "checklist": row.checklist}
        left = freed(told, words)
        if left != told:
            tasks += 1
            await session.execute(
                text(
                    "UPDATE task SET title = :title, details = :details, outcome = :outcome, "
                    "checklist = CAST(:checklist AS jsonb) WHERE id = :id"
                ),
                left | {"id": row.id, "checklist": json_text(left["checklist"])},
            )
    said = await session.execute(
        text(f"SELECT t.id, t.body FROM task_comment t {at_account}"), {"places": list(places)}
    )
    for comment in said.all():
        if (body := freed(comment.body, words)) != comment.body:
            await session.execute(
                text("UPDATE task_comment SET body = :body WHERE id = :id"), {"body": body, "id": comment.id}
            )
    return {"calls_dropped": len(dropped.all()), "calls": len(calls.all()), "tasks": tasks}
