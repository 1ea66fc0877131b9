"""Reading accounts and people, many at once: the cost is one statement, whatever the number asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from hub.access.service import Role, Viewer
from hub.accounts.model import Account, AccountKey, Person, SourceAccount, SourcePerson
from hub.kit.paging import AnySelect, Order, Page, Slice, among, read_pages

__all__ = ["READERS", "Account", "PeopleFilter", "Person", "SourcePerson", "select_people"]

READERS = (Role.CSM, Role.VIEWER)
"""Who may see accounts and everything about them. Marketing sees references alone, ingest nothing."""

EXTERNAL = "external:"
"""How the kinds of keys begin that are a vendor's own ids."""

PEOPLE = Order("people", Person.first_seen_at, Person.id)


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """Which people of an account: those with one of the roles (empty: all)."""

    roles: tuple[str, ...] = ()


async def accounts(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Account]:
    """Accounts by the ids they are asked for; the id of a merged account leads to the one it was merged into."""
    viewer.require(*READERS)
    chain = (
        select(Account.id.label("asked"), Account.id.label("id"), Account.merged_into.label("merged_into"))
        .where(among(Account.id, ids))
        .cte("chain", recursive=True)
    )
    next_one = aliased(Account)
    chain = chain.union_all(
        select(chain.c.asked, next_one.id, next_one.merged_into).join(next_one, next_one.id == chain.c.merged_into)
    )
    found = select(chain.c.asked, Account).join(Account, Account.id == chain.c.id).where(chain.c.merged_into.is_(None))
    return dict((await session.execute(found)).all())


async def ids_at_vendors(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, dict[str, str]]:
    """By which id each vendor knows an account (`salesforce.account`: `001…`); of several the one last told of."""
    viewer.require(*READERS)
    found = await session.execute(
        select(SourceAccount.account_id, AccountKey.kind, AccountKey.value)
        .join(SourceAccount, SourceAccount.id == AccountKey.source_account_id)
        .where(among(SourceAccount.account_id, ids), AccountKey.relation == "is", AccountKey.kind.startswith(EXTERNAL))
        .order_by(SourceAccount.profile_at.asc().nulls_first(), AccountKey.asserted_at, AccountKey.value)
    )
    known: dict[UUID, dict[str, str]] = {}
    for account_id, kind, value in found:
        if account_id is not None:
            known.setdefault(account_id, {})[kind.removeprefix(EXTERNAL)] = value
    return known


async def people(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Person]:
    """People by id."""
    viewer.require(*READERS)
    found = await session.execute(select(Person).where(among(Person.id, ids)))
    return {person.id: person for person in found.scalars()}


async def people_at_sources(session: AsyncSession, viewer: Viewer, ids: Sequence[UUID]) -> dict[UUID, Person]:
    """People by the ids of the source persons that events name; those not yet known as anybody are left out."""
    viewer.require(*READERS)
    found = await session.execute(
        select(SourcePerson.id, Person)
        .join(Person, Person.id == SourcePerson.person_id)
        .where(among(SourcePerson.id, ids))
    )
    return dict(found.all())


async def people_of(
    session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID], page: Page, wanted: PeopleFilter
) -> dict[UUID, Slice[Person]]:
    """A page of each account's people, those seen first at the head."""
    viewer.require(*READERS)
    return await read_pages(session, Person, account_ids, lambda id_: select_people(id_, wanted), PEOPLE, page)


def select_people(account_id: ColumnElement[UUID], wanted: PeopleFilter) -> AnySelect:
    """The people of an account."""
    query = select(Person).where(Person.account_id == account_id, Person.merged_into.is_(None))
    return query.where(among(Person.role, wanted.roles)) if wanted.roles else query


def matches(search: str) -> ColumnElement[bool]:
    """Whether an account's name or domain contains the text, in any case."""
    return or_(Account.name.icontains(search, autoescape=True), Account.domain.icontains(search, autoescape=True))
