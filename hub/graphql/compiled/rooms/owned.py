"""What belongs to an account shows its account."""

from __future__ import annotations

from hub.accounts import queries as accounts
from hub.graphql.compiled.forms import Expression, One


def account_at(key: Expression) -> One:
    """The account of a row. One that was merged is found by the resolvers."""
    return One(key=key, at=accounts.Account.id, where=(accounts.Account.merged_into.is_(None),), live=True)
