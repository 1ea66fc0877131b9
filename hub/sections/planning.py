"""What a draft would change: entry by entry in the document, and account by account in the base. Nothing is written.

Both blueprints, the one in force and the draft, are held against the same accounts at the same moment, so that a
difference comes from the draft alone and not from time. Accounts are read in batches, so memory does not grow with the
base; of the accounts that would change only the first ones are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts import queries as accounts
from hub.accounts.service import account_ids, how_many
from hub.blueprint import service as blueprints
from hub.blueprint.service import Blueprint, Change
from hub.health.previewing import Place, known, preview
from hub.health.remembering import windows_of
from hub.kit.errors import Invalid, NotFound
from hub.sections.document import check

BATCH: Final = 1000
MOST_AT_ONCE: Final = 5000
"""How many accounts a plan may look at while somebody waits for an answer on the screen."""

Progress: TypeAlias = Callable[[int], None]
"""Told after each batch how many accounts have been looked at so far."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An account that the draft would put into another segment, stage or band."""

    account_id: UUID
    name: str
    before: Place
    after: Place


@dataclass(slots=True)
class Plan:
    """What a draft would change. `version` is the one that it was compared with (None: none is in force).

    `stages` and `bands` count accounts by (from, to), a stage as `segment.stage`, an empty text for none.
    """

    version: int | None
    changes: tuple[Change, ...]
    accounts: int = 0
    moved: int = 0
    stages: Counter[tuple[str, str]] = field(default_factory=Counter)
    bands: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: list[Moved] = field(default_factory=list)

    @property
    def changes_nothing(self) -> bool:
        return self.version is not None and not self.changes


async def plan(
    session: AsyncSession,
    viewer: Viewer,
    document: Mapping[str, Any],
    *,
    now: datetime,
    first: int = 20,
    progress: Progress = lambda _: None,
    at_most: int | None = None,
) -> Plan:
    """What the document would change if it were applied now; of the accounts that change, the `first` ones by id.

    Raises `NotAllowed` (it takes an admin), `BlueprintInvalid`, and `Invalid` where there are more accounts than
    `at_most`. Cost: for each thousand accounts six statements
    (nine where the draft measures something else); where the document says nothing new, nothing.
    """
    viewer.require()
    draft = check(document)
    try:
        current = await blueprints.current(session)
    except NotFound:
        current = None
    found = Plan(
        current.version if current else None, blueprints.changes(current.document if current else {}, document)
    )
    if found.changes_nothing:
        return found
    if at_most is not None and (count := await how_many(session)) > at_most:
        raise Invalid(
            f"A plan for {count:,} accounts takes too long to wait for.",
            remedy="Run: hub blueprint plan",
            path=("files",),
        )
    last = UUID(int=0)
    while batch := await account_ids(session, after=last, limit=BATCH):
        await _compare(session, viewer, found, current, draft, batch, first, now)
        last = batch[-1]
        progress(found.accounts)
    return found


async def _compare(
    session: AsyncSession,
    viewer: Viewer,
    found: Plan,
    current: Blueprint | None,
    draft: Blueprint,
    batch: list[UUID],
    first: int,
    now: datetime,
) -> None:
    frame = await known(session, draft, batch, now)
    after = await preview(session, draft, frame, now)
    before: Mapping[UUID, Place] = {}
    if current is not None:
        # Measuring is most of the work: a draft that looks at the same things needs it once.
        same = current.document.get("measures") == draft.document.get("measures")
        same = same and windows_of(current) == windows_of(draft)
        frame = frame if same else await known(session, current, batch, now)
        before = await preview(session, current, frame, now)
    moved = {id_: place for id_, place in after.items() if place != before.get(id_, Place())}
    found.accounts += len(batch)
    found.moved += len(moved)
    for id_, place in moved.items():
        was = before.get(id_, Place())
        if (was.segment, was.stage) != (place.segment, place.stage):
            found.stages[was.stage_name, place.stage_name] += 1
        if was.band != place.band:
            found.bands[str(was.band), str(place.band)] += 1
    shown = sorted(moved)[: first - len(found.first)]
    names = await accounts.accounts(session, viewer, shown) if shown else {}
    found.first += [Moved(id_, names[id_].name, before.get(id_, Place()), moved[id_]) for id_ in shown if id_ in names]
