"""Where queries begin."""

from __future__ import annotations

from sqlalchemy import select

from hub.accounts import queries as accounts
from hub.graphql import ids
from hub.graphql.compiled.forms import Arguments, Bound, Many, everywhere, paged, shape, whole
from hub.graphql.compiled.rooms.accounts import all_feedback
from hub.graphql.compiled.rooms.health import all_alerts, watch_list
from hub.graphql.compiled.rooms.pages import page_of
from hub.graphql.compiled.rooms.plays import all_runs, all_tasks
from hub.graphql.ids import Prefix
from hub.graphql.query import Query
from hub.graphql.types.portfolio import accounts_order, wanted_accounts
from hub.health import queries as health

ROW = accounts.Account


def declare() -> None:
    """The forms of the entry points."""
    shape(
        Query,
        None,
        account=Many(None, _account, first=True, live=True),
        accounts=Many(None, _portfolio),
        alerts=Many(None, all_alerts),
        watch_list=Many(None, watch_list),
        runs=Many(None, all_runs),
        tasks=Many(None, all_tasks),
        feedback=Many(None, all_feedback),
    )


def _account(given: Arguments) -> Bound:
    id_ = ids.read(Prefix.ACCOUNT, given["id"])
    found = select(ROW).where(ROW.id == id_, ROW.merged_into.is_(None))
    return whole(everywhere(found), ROW.id, ROW.id, most=1)


def _portfolio(given: Arguments) -> Bound:
    order, wanted = accounts_order(given.get("order_by")), wanted_accounts(given.get("filter"))
    return paged(
        everywhere(health.select_portfolio(wanted)),
        order,
        page_of(order, given),
        count=health.count_portfolio(wanted),
    )
