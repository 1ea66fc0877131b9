"""Erasing people, through all rooms: each removes what it holds, and the accounts' room closes the grave.

Every step is a transaction that also moves the erasure's position, so an erasure that was interrupted goes on where it
was. Only the last step takes away the words by which the person is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import SYSTEM, audit
from hub.accounts import service as accounts
from hub.accounts.service import TO_ERASE, Traces
from hub.connections import service as connections
from hub.digests import erasing as digests
from hub.feedback import erasing as feedback
from hub.kit import work
from hub.kit.runtime import Kit
from hub.plays import erasing as plays
from hub.timeline import service as timeline

log = structlog.get_logger()

LEASE: Final = timedelta(minutes=5)
AGAIN: Final = timedelta(minutes=1)

Removed = tuple[Mapping[str, int], list[str]]
"""What a step removed, and the position from which it goes on; it is done when that is empty."""

Step = Callable[[AsyncSession, Kit, Traces, list[str]], Awaitable[Removed]]


async def _events(session: AsyncSession, kit: Kit, traces: Traces, at: list[str]) -> Removed:
    events, records, at = await timeline.erase_events(session, traces, at)
    return {"events": events, "records_removed": records}, at


async def _records(session: AsyncSession, kit: Kit, traces: Traces, at: list[str]) -> Removed:
    freed, at = await connections.free_records(session, traces.words, at)
    return {"records_freed": freed}, at


async def _messages(session: AsyncSession, kit: Kit, traces: Traces, at: list[str]) -> Removed:
    found = await connections.forget_messages(session, traces.person_id, traces.words, traces.users, traces.addresses)
    return found, []


async def _people(session: AsyncSession, kit: Kit, traces: Traces, at: list[str]) -> Removed:
    found = await plays.erase_person(session, traces.person_id, traces.words, traces.places, now=kit.clock.now())
    found |= await feedback.erase_person(session, traces.person_id, traces.words)
    return found | await digests.erase_person(session, traces.words), []


STEPS: Final[dict[str, Step]] = {"people": _people, "messages": _messages, "events": _events, "records": _records}
"""What is carried out, in this order."""


async def drain_people_to_erase(kit: Kit) -> int:
    """Carry out the next erasure; returns how many there were."""
    async with kit.transaction() as session:
        claims = await work.claim(session, TO_ERASE, limit=1, now=kit.clock.now(), lease=LEASE)
    for claim in claims:
        try:
            await erase(kit, UUID(claim.key))
        except Exception as error:  # kept with the entry, and gone on with a little later
            log.exception("erasure.failed", erasure=claim.key, attempts=claim.attempts)
            async with kit.transaction() as session:
                again = kit.clock.now() + AGAIN
                await work.postpone(session, claim, until=again, error=f"{type(error).__name__}: {error}")
            continue
        async with kit.transaction() as session:
            await work.finish(session, [claim])
    return len(claims)


async def erase(kit: Kit, erasure_id: UUID) -> None:
    """Carry an erasure out, from where it is."""
    async with kit.transaction() as session:
        traces = await accounts.bury(session, kit.vault, erasure_id)
    counts: Counter[str] = Counter()
    async with kit.reading() as session:
        position, removed_before = await accounts.how_far(session, erasure_id)
    counts.update(removed_before)
    name, *at = position or [next(iter(STEPS))]
    names = list(STEPS)
    while name:
        async with kit.transaction() as session:
            removed, at = await STEPS[name](session, kit, traces, at)
            counts.update(removed)
            if not at:
                name = next(iter(names[names.index(name) + 1 :]), "")
            await accounts.move_on(session, erasure_id, [name, *at], counts)
    async with kit.transaction() as session:
        await accounts.close(session, kit.vault, traces, counts, kit.clock.now())
        await audit(
            session,
            SYSTEM,
            "person.erased",
            f"person:{traces.person_id}",
            {name: number for name, number in sorted(counts.items()) if number},
            now=kit.clock.now(),
        )
    log.info("person.erased", person=str(traces.person_id))
