"""A play started by hand on many accounts at once: whom it would reach, and the start itself.

Each account's start is put aside and begins when its turn comes, so a list of any length is one statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer, audit
from hub.accounts.model import Account, Person
from hub.blueprint import service as blueprints
from hub.health import queries as health
from hub.health.queries import AccountFilter
from hub.kit import work
from hub.kit.errors import Invalid
from hub.kit.ids import new_id
from hub.kit.paging import among
from hub.plays.controls import require_on
from hub.plays.enrolling import BY_HAND, definition_of
from hub.plays.model import Run
from hub.plays.put_aside import TO_START
from hub.plays.section import Play
from hub.plays.starting import ALIVE
from hub.plays.step_kinds import ActionStep, walk
from hub.plays.switches import put_many_aside

MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a play would reach: how many accounts it would start on, how many are left because it is under way there,
    how many people its steps are for, and the first accounts by name."""

    accounts: int
    under_way: int
    people: int
    first: tuple[Account, ...]


async def reach(session: AsyncSession, viewer: Viewer, play: str, wanted: AccountFilter) -> Reach:
    """Whom the play would reach if it were started on these accounts now. Raises `NotFound`. Four statements."""
    viewer.require(Role.CSM)
    definition = definition_of(await blueprints.current(session), play)
    chosen, starts = await _chosen(session, play, wanted)
    first = select(Account).where(among(Account.id, starts)).order_by(Account.name, Account.id).limit(MOST_NAMED)
    people = (
        select(func.count())
        .select_from(Person)
        .where(among(Person.account_id, starts), Person.merged_into.is_(None), Person.do_not_contact.is_(False))
        .where(_is_addressed(definition))
    )
    return Reach(
        len(starts),
        len(chosen) - len(starts),
        (await session.execute(people)).scalar_one(),
        tuple((await session.execute(first)).scalars()),
    )


async def start_many(
    session: AsyncSession, viewer: Viewer, play: str, wanted: AccountFilter, expected: int, *, now: datetime
) -> int:
    """Start the play by hand on all of these accounts, except those on which it is under way; returns how many.

    Raises `NotFound`, and `Invalid` when the play is not on, or reaches another number of accounts than `expected`: the
    list is not the one that was looked at. Four statements.
    """
    viewer.require(Role.CSM)
    await require_on(session, await blueprints.current(session), play)
    _, starts = await _chosen(session, play, wanted)
    if len(starts) != expected:
        raise Invalid(
            f"The play would start on {len(starts):,} accounts now, not on {expected:,}.",
            remedy="Look again whom it reaches.",
            path=("expected",),
        )
    await put_many_aside(session, play, starts, f"{BY_HAND}{new_id()}", {"topic": "hand", "actor": viewer.actor}, now)
    await work.mark(session, TO_START, [play], due_at=now)
    await audit(session, viewer, "play.started_on_many", f"play:{play}", {"accounts": len(starts)}, now=now)
    return len(starts)


async def _chosen(session: AsyncSession, play: str, wanted: AccountFilter) -> tuple[list[UUID], list[UUID]]:
    """The accounts that the filter leaves (to this viewer), and those of them on which the play is not under way."""
    chosen = list((await session.execute(health.chosen(wanted))).scalars())
    alive = select(Run.account_id).where(among(Run.account_id, chosen), Run.play == play, Run.status.in_(ALIVE))
    busy = set((await session.execute(alive)).scalars())
    return chosen, [id_ for id_ in chosen if id_ not in busy]


def _is_addressed(play: Play) -> ColumnElement[bool]:
    """Whether a person is one of those whom an action of the play, or the play itself, is for."""
    audiences = [step.to for _, step in walk(play.steps) if isinstance(step, ActionStep) and step.to is not None]
    by_step = or_(*(_has_role(one.role) for one in audiences)) if audiences else literal(False)
    return by_step if play.each is None else and_(_has_role(play.each.role), by_step)


def _has_role(roles: tuple[str, ...]) -> ColumnElement[bool]:
    return literal(True) if "any" in roles else among(Person.role, roles)
