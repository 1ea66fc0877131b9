"""Whom and what a run speaks of: the account, the people at it, and the names that templates may use for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import SYSTEM
from hub.accounts import queries as accounts
from hub.accounts.model import Account, Person, PersonKey, SourcePerson
from hub.kit.errors import NotFound
from hub.plays.decisions import Somebody
from hub.plays.model import Run
from hub.sdk.keys import USER


async def account_of(session: AsyncSession, account_id: UUID) -> Account:
    """The account, or the one that it was merged into; no statement for one that the session holds (see
    `accounts_of`). Raises `NotFound`."""
    held = await session.get(Account, account_id)
    if held is not None and held.merged_into is None:
        return held
    found = await accounts_of(session, [account_id])
    if account_id not in found:
        raise NotFound(f"There is no account {account_id}.")
    return found[account_id]


async def accounts_of(session: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, Account]:
    """Accounts by their ids, or those that they were merged into. One statement; the session holds them for as long as
    the caller does."""
    return await accounts.accounts(session, SYSTEM, list(account_ids))


async def people_at(session: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, list[Somebody]]:
    """The people at each account, each with the newest of the ids that the product has for them. One statement."""
    user = (
        select(PersonKey.value)
        .join(SourcePerson, SourcePerson.id == PersonKey.source_person_id)
        .where(SourcePerson.person_id == Person.id, PersonKey.kind == USER)
        .order_by(PersonKey.asserted_at.desc(), PersonKey.value)
        .limit(1)
        .scalar_subquery()
    )
    found = await session.execute(
        select(Person, user).where(Person.account_id.in_(account_ids), Person.merged_into.is_(None))
    )
    people: dict[UUID, list[Somebody]] = {account_id: [] for account_id in account_ids}
    for person, user_id in found:
        people[person.account_id].append(
            Somebody(
                id=person.id,
                name=person.name,
                email=person.email,
                user=user_id,
                role=person.role,
                title=person.title,
                do_not_contact=person.do_not_contact,
            )
        )
    return people


async def subject_of(session: AsyncSession, run: Run, account: Account) -> Somebody | None:
    """The person whom the run is for; None when it is for the account, or they are not there any more."""
    if run.person_id is None:
        return None
    people = await people_at(session, [account.id])
    return next((person for person in people[account.id] if person.id == run.person_id), None)


async def sources_of(session: AsyncSession, person_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The place that a fact about each person belongs to: the product's own if there is one, else the first known."""
    product = (
        select(PersonKey.source_person_id)
        .where(PersonKey.source_person_id == SourcePerson.id, PersonKey.kind == USER)
        .exists()
    )
    found = await session.execute(
        select(SourcePerson.person_id, SourcePerson.id)
        .ext(distinct_on(SourcePerson.person_id))
        .where(SourcePerson.person_id.in_(person_ids))
        .order_by(SourcePerson.person_id, product.desc(), SourcePerson.first_seen_at, SourcePerson.id)
    )
    return {person_id: source for person_id, source in found if person_id is not None}


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
