"""What a play would say on an account: the words of each step, filled in as they would be now. Nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.model import Account
from hub.accounts.queries import READERS
from hub.blueprint import service as blueprints
from hub.kit.errors import HubError
from hub.kit.ids import new_id
from hub.plays.audience import account_of, names_for, people_at
from hub.plays.calls import declared_action
from hub.plays.decisions import Somebody, address, addressed, nobody_addressed, nobody_reached
from hub.plays.enrolling import definition_of
from hub.plays.model import Run
from hub.plays.step_kinds import (
    ActionStep,
    Audience,
    BranchStep,
    Step,
    WaitStep,
    kind_of,
    program,
    texts_without_person,
)
from hub.plays.templates import render


@dataclass(frozen=True, slots=True)
class Said:
    """What a step says, to a person or about the account (`person` is None): its texts, or why there are none."""

    step: int
    kind: str
    name: str
    person: Somebody | None = None
    texts: Any = None
    problem: str | None = None
    failed: bool = False
    """Whether the problem is a failure; otherwise there is nobody to say it to."""


async def preview(
    session: AsyncSession, viewer: Viewer, play: str, account_id: UUID, *, now: datetime
) -> tuple[Account, list[Said]]:
    """What every step of the play would say on the account, those of all branches, in the order of a run.

    `trigger` in a text is that of the newest run of the play; where there is none yet, a text that asks for something
    of it has a problem. Raises `NotFound`. Four statements.
    """
    viewer.require(*READERS)
    definition = definition_of(await blueprints.current(session), play)
    account = await account_of(session, account_id)
    people = (await people_at(session, [account.id]))[account.id]
    newest = select(Run.trigger).where(Run.play == play).order_by(Run.started_at.desc(), Run.id.desc()).limit(1)
    trigger = (await session.execute(newest)).scalar_one_or_none() or {}
    run = Run(id=new_id(), play=play, account_id=account.id, trigger=trigger)
    found = []
    for number, step in enumerate(program(definition.steps)):
        for one in subjects(definition.each, people):
            found += say(number, step, run, account, people if one is None else [one], one)
    return account, found


def subjects(each: Audience | None, people: Sequence[Somebody]) -> list[Somebody | None]:
    """For whom a play has a run each: for the account (None), or for these people."""
    return [None] if each is None else list(addressed(each, people))


def say(
    number: int, step: Step, run: Run, account: Account, people: Sequence[Somebody], subject: Somebody | None
) -> list[Said]:
    """What a step says in a run: once, or for each person whom it reaches. A step without words says nothing."""
    kind, name = kind_of(step), step.name
    match step:
        case ActionStep(to=Audience() as to):
            whom = addressed(to, people)
            if not whom:
                return [Said(number, kind, name, problem=nobody_addressed(to))]
            try:
                fields = declared_action(step).input.model_fields
            except HubError as error:
                return [Said(number, kind, name, problem=str(error), failed=True)]
            reached = [(one, where) for one in whom if (where := address(one, fields, step.input)) is not None]
            if not reached:
                return [Said(number, kind, name, problem=nobody_reached(len(whom), fields, step.input))]
            return [
                _filled(Said(number, kind, name, one), step.input, run, account, one, where) for one, where in reached
            ]
        case ActionStep():
            texts: Any = step.input
        case WaitStep() | BranchStep():
            return []
        case _:
            texts = texts_without_person(step)
    return [_filled(Said(number, kind, name, subject), texts, run, account, subject, {})]


def _filled(said: Said, texts: Any, run: Run, account: Account, person: Somebody | None, where: dict[str, str]) -> Said:
    """The texts filled in, or what is wrong with them."""
    try:
        filled = render(texts, names_for(run, account, person)) | where
    except HubError as error:
        return Said(said.step, said.kind, said.name, person, problem=error.message, failed=True)
    return Said(said.step, said.kind, said.name, person, filled)
