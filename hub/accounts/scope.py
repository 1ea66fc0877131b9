"""Row scope: a viewer who is limited to an owner sees that owner's accounts and what belongs to them, and no others.

There is one rule, in two forms. `limit` puts it on a session: every mapped class that says whose account it is about
is then restricted in each statement, also one that somebody writes tomorrow. `owned_by` is the same as a condition,
for whoever writes statements without mapped classes. What has no account (events, steps) is reached through a row that
has one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Table, or_, select
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption

from hub.access.service import Viewer
from hub.accounts.model import Account
from hub.kit.db import Base

ACCOUNT: Table = Account.__table__  # type: ignore[assignment]  # a mapped class's table is a Table


def owned_by(owner: str, account_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the account of this id is the owner's. An account that was merged away is nobody's."""
    return account_id.in_(select(ACCOUNT.c.id).where(ACCOUNT.c.owner == owner))


def in_scope(viewer: Viewer, account_id: ColumnElement[Any]) -> ColumnElement[bool] | None:
    """The condition that the viewer's rows fulfil, or None where the viewer sees all of them."""
    return None if viewer.owner is None else owned_by(viewer.owner, account_id)


def limit(session: AsyncSession, viewer: Viewer) -> None:
    """Restrict whatever the session reads, changes or deletes through mapped classes to what the viewer may see."""
    if viewer.owner is None:
        return
    options = _options(viewer.owner)

    def restrict(state: ORMExecuteState) -> None:
        if state.is_select or state.is_update or state.is_delete:
            state.statement = state.statement.options(*options)

    listen(session.sync_session, "do_orm_execute", restrict)


@lru_cache(maxsize=1_000)
def _options(owner: str) -> tuple[LoaderCriteriaOption, ...]:
    """The restriction of each class. An account that was merged away stays, so that its id leads to where it went."""
    # Lambdas, because they are given the aliases that a statement uses.
    return (
        with_loader_criteria(
            Account, lambda cls: or_(cls.owner == owner, cls.merged_into.is_not(None)), include_aliases=True
        ),
        *(
            with_loader_criteria(entity, lambda cls: owned_by(owner, cls.account_id), include_aliases=True)
            for entity in about_accounts()
        ),
    )


def about_accounts() -> list[type[Any]]:
    """The mapped classes whose rows say which account they are about."""
    return [mapper.class_ for mapper in Base.registry.mappers if "account_id" in mapper.columns]
