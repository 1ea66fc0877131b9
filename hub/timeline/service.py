"""The timeline: facts recorded once, the state of things that follows from them, and corrections that hide nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts import service as accounts
from hub.sdk.events import Subject
from hub.timeline import recording
from hub.timeline.erasing import erase_events
from hub.timeline.fingerprint import fingerprint
from hub.timeline.importing import Imported, import_rows
from hub.timeline.replaying import Replayed, ReplayProgress, replay
from hub.timeline.rows import EventRecord, Fact, fact_record
from hub.timeline.things import Thing, things

__all__ = [
    "EventRecord",
    "Fact",
    "Imported",
    "Recorded",
    "ReplayProgress",
    "Replayed",
    "Thing",
    "append_fact",
    "append_facts",
    "erase_events",
    "fingerprint",
    "import_rows",
    "record",
    "replay",
    "things",
]


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many of the events were new, and the accounts that have them; a place that waits has none."""

    inserted: int
    accounts: set[UUID]


async def record(
    session: AsyncSession, rows: Sequence[EventRecord], now: datetime, *, expected_new: bool = True
) -> Recorded:
    """Record events; those that are there already are left as they are.

    Cost: for some thousands that are new about that of a bare COPY, for a few one INSERT. `expected_new` is a hint:
    say False where many may be known. Marks nothing for scoring.
    """
    inserted = await recording.insert(session, rows, now, expected_new=expected_new)
    return Recorded(len(inserted), await accounts.accounts_at(session, {place for place, _ in inserted}))


async def append_fact(
    session: AsyncSession,
    account_id: UUID,
    kind: str,
    *,
    occurred_at: datetime,
    natural_key: str,
    now: datetime,
    title: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    subject: Subject | None = None,
    people: Iterable[UUID] = (),
    caused_by_run: UUID | None = None,
) -> None:
    """Put something that the hub found or decided on an account's timeline, once for each natural key.

    `people` are source persons. Does not mark the account for scoring. Raises `Invalid`.
    """
    fact = Fact(account_id, kind, occurred_at, natural_key, title, attributes, subject, people, caused_by_run)
    await append_facts(session, [fact], now=now)


async def append_facts(session: AsyncSession, facts: Sequence[Fact], *, now: datetime) -> None:
    """The same for many facts, at the cost of two statements. Raises `Invalid`."""
    places = await accounts.own_place(session, {fact.account_id for fact in facts}, now)
    await recording.insert(session, [fact_record(fact, places[fact.account_id]) for fact in facts], now)
