"""Whom and what a run speaks of: the account, the people at it, and the names that templates may use for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import SYSTEM
from hub.accounts import queries as accounts
from hub.accounts.model import Account, Person, PersonKey, SourcePerson
from hub.kit.errors import NotFound
from hub.plays.decisions import Somebody
from hub.plays.model import Run
from hub.sdk.keys import USER


async def account_of(session: AsyncSession, account_id: UUID) -> Account:
    """The account, or the one that it was merged into. Raises `NotFound`."""
    found = (await accounts.accounts(session, SYSTEM, [account_id])).get(account_id)
    if found is None:
        raise NotFound(f"There is no account {account_id}.")
    return found


async def people_at(session: AsyncSession, account_id: UUID) -> list[Somebody]:
    """The people at an account, each with the newest of the ids that the product has for them. One statement."""
    user = (
        select(PersonKey.value)
        .join(SourcePerson, SourcePerson.id == PersonKey.source_person_id)
        .where(SourcePerson.person_id == Person.id, PersonKey.kind == USER)
        .order_by(PersonKey.asserted_at.desc(), PersonKey.value)
        .limit(1)
        .scalar_subquery()
    )
    found = await session.execute(
        select(Person, user).where(Person.account_id == account_id, Person.merged_into.is_(None))
    )
    return [
        Somebody(
            id=person.id,
            name=person.name,
            email=person.email,
            user=user_id,
            role=person.role,
            title=person.title,
            do_not_contact=person.do_not_contact,
        )
        for person, user_id in found
    ]


async def subject_of(session: AsyncSession, run: Run, account: Account) -> Somebody | None:
    """The person whom the run is for; None when it is for the account, or they are not there any more."""
    if run.person_id is None:
        return None
    return next((person for person in await people_at(session, account.id) if person.id == run.person_id), None)


async def source_of(session: AsyncSession, person_id: UUID) -> UUID | None:
    """The place that a fact about the person belongs to: the product's own if there is one, else the first known."""
    product = (
        select(PersonKey.source_person_id)
        .where(PersonKey.source_person_id == SourcePerson.id, PersonKey.kind == USER)
        .exists()
    )
    found = await session.execute(
        select(SourcePerson.id)
        .where(SourcePerson.person_id == person_id)
        .order_by(product.desc(), SourcePerson.first_seen_at, SourcePerson.id)
        .limit(1)
    )
    return found.scalar_one_or_none()


def names_for(run: Run, account: Account, person: Somebody | None = None) -> Mapping[str, Any]:
    """What a template may speak of; `templates.check_template` holds every text against examples of the same."""
    names: dict[str, Any] = {
        "account": {
            "id": str(account.id),
            "name": account.name,
            "domain": account.domain,
            "owner": account.owner,
            "time_zone": account.time_zone,
        },
        "play": {"name": run.play, "run_id": str(run.id)},
        "trigger": run.trigger,
    }
    if person is not None:
        names["person"] = {
            "id": str(person.id),
            "name": person.name,
            "email": person.email,
            "user": person.user,
            "role": person.role,
            "title": person.title,
        }
    return names
