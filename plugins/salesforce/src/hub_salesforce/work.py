"""Cases, tasks and meetings: what is done for and with the people of an account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import sdk
from hub_salesforce import models
from hub_salesforce.config import SalesforceConfig
from hub_salesforce.places import people, url_of, whereabouts

EMITS_OF_CASE = frozenset({"ticket.created", "ticket.updated", "ticket.solved"})
EMITS_OF_TASK = frozenset({"task.created", "task.updated", "task.completed"})
EMITS_OF_MEETING = frozenset({"meeting.scheduled", "meeting.held"})


def of_case(case: models.Case, config: SalesforceConfig) -> Iterable[sdk.Event]:
    """A ticket was opened, how it is after this change, and when it was solved."""
    account, who = whereabouts(case.account, case.contact), people(case.contact)
    if account is None:
        return
    known = {"ticket": case.id, "number": case.number}
    yield sdk.Event(
        kind="ticket.created",
        occurred_at=case.created,
        account=account,
        people=who,
        natural_key=f"ticket.created:{case.id}",
        attributes=known,
    )
    facts = {
        "number": case.number,
        "status": case.status,
        "priority": case.priority,
        "channel": case.origin,
        "escalated": case.is_escalated,
        "assignee": case.owner_email,
    }
    yield sdk.Event(
        kind="ticket.updated",
        occurred_at=case.modified,
        account=account,
        people=who,
        subject=sdk.Subject("ticket", case.id, "solved" if case.is_closed else "open", facts),
        title=case.subject,
        url=url_of(config, case.id),
    )
    if case.is_closed and case.closed:
        yield sdk.Event(
            kind="ticket.solved",
            occurred_at=case.closed,
            account=account,
            people=who,
            natural_key=f"ticket.solved:{case.id}:{case.closed.isoformat()}",
            attributes=known,
        )


def of_task(task: models.Task) -> Iterable[sdk.Event]:
    """Something to do was noted, how it is after this change, and that it was done."""
    account, who = whereabouts(task.account, task.who), people(task.who)
    if account is None:
        return
    done = (task.completed or task.modified) if task.is_closed else None
    facts = {
        "status": task.status,
        "priority": task.priority,
        "type": task.subtype,
        "due": task.due.isoformat() if task.due else None,
        "owner": task.owner_email,
    }
    yield sdk.Event(
        kind="task.updated",
        occurred_at=task.modified,
        account=account,
        people=who,
        subject=sdk.Subject("task", task.id, "completed" if task.is_closed else "open", facts),
        title=task.subject,
    )
    for kind, at in (("task.created", task.created), ("task.completed", done)):
        if at is not None:
            yield sdk.Event(
                kind=kind,
                occurred_at=at,
                account=account,
                people=who,
                flow=sdk.Flow.OPERATIONAL_EXECUTION,
                natural_key=f"{kind}:{task.id}",
                attributes={"task": task.id, "type": task.subtype},
            )


def of_meeting(meeting: models.Meeting) -> Iterable[sdk.Event]:
    """It was planned, or, when it was noted after its end, held."""
    if meeting.end is not None and meeting.end <= meeting.stamp:
        yield from of_ended_meeting(meeting)
    elif _counts(meeting) and meeting.start and (account := whereabouts(meeting.account, meeting.who)):
        yield sdk.Event(
            kind="meeting.scheduled",
            occurred_at=meeting.modified,
            account=account,
            people=people(meeting.who),
            subject=sdk.Subject("meeting", meeting.id, "scheduled", _when(meeting)),
            title=meeting.subject,
        )


def of_ended_meeting(meeting: models.Meeting) -> Iterable[sdk.Event]:
    """It was held; one that was moved is held at the time to which it was moved."""
    account = whereabouts(meeting.account, meeting.who)
    if _counts(meeting) and account and meeting.end:
        yield sdk.Event(
            kind="meeting.held",
            occurred_at=meeting.end,
            account=account,
            people=people(meeting.who),
            subject=sdk.Subject("meeting", meeting.id, "held", _when(meeting)),
            title=meeting.subject,
            natural_key=f"meeting.held:{meeting.id}:{meeting.end.isoformat()}",
        )


def _counts(meeting: models.Meeting) -> bool:
    """An invitee's copy and the head of a series are entries in a calendar, but no meetings of their own."""
    return not (meeting.is_child or meeting.is_series)


def _when(meeting: models.Meeting) -> dict[str, Any]:
    return {
        "start": meeting.start.isoformat() if meeting.start else None,
        "end": meeting.end.isoformat() if meeting.end else None,
        "owner": meeting.owner_email,
    }
