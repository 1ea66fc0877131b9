"""Pages by keyset: every order, both directions, rows without a value, and many lists at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.kit.ids import derived_id
from hub.kit.paging import Order, Page, Slice, among, cut, read_page, read_pages
from hub.kit.runtime import Kit
from hub.kit.work import WorkItem
from hub.plays.model import Task

START = datetime(2026, 1, 1, tzinfo=UTC)
BY_DUE = Order("due", Task.due_at, Task.id, nullable=True)
BY_AGE = Order("age", Task.created_at, Task.id, descending=True)
ORDERS = [BY_DUE, BY_DUE.reversed(), BY_AGE, BY_AGE.reversed()]


def account(nth: int) -> UUID:
    return derived_id("paging account", nth)


@pytest.fixture
async def session(kit: Kit) -> AsyncIterator[AsyncSession]:
    """Twelve tasks on three accounts; some share their times, some are never due."""
    async with kit.transaction() as opened:
        opened.add_all(
            Task(
                id=derived_id("paging", nth),
                account_id=account(nth % 3),
                title=str(nth),
                status="open",
                created_at=START + timedelta(hours=nth // 2),
                due_at=None if nth % 4 == 3 else START + timedelta(days=nth // 3),
            )
            for nth in range(12)
        )
    async with kit.reading() as opened:
        yield opened


def expected(tasks: list[Task], order: Order) -> list[str]:
    value: Callable[[Task], datetime | None] = lambda task: getattr(task, order.column.key)  # noqa: E731
    present = sorted(
        (task for task in tasks if value(task) is not None),
        key=lambda task: (value(task), task.id),
        reverse=order.descending,
    )
    absent = sorted((task for task in tasks if value(task) is None), key=lambda task: task.id, reverse=order.descending)
    return [task.title for task in present + absent]


async def walk(read: Callable[[Page], Awaitable[Slice[Task]]], size: int, *, backwards: bool) -> list[str]:
    """All pages, one after the other, put together in the list's order."""
    found: list[str] = []
    page = Page(size, backwards=backwards)
    while True:
        part = await read(page)
        titles = [task.title for task in part.rows]
        found = titles + found if backwards else found + titles
        if not (part.has_previous if backwards else part.has_next):
            return found
        edge = part.keys[0] if backwards else part.keys[-1]
        page = Page(size, before=edge, backwards=True) if backwards else Page(size, after=edge)


async def test_walking_the_pages_meets_every_row_once_in_order(session: AsyncSession) -> None:
    """Whatever the order, the direction and the page's size, the pages put together are the list."""
    everything = list((await session.execute(select(Task))).scalars())
    for order, backwards, size in product(ORDERS, (False, True), (1, 3, 5, 12, 50)):
        found = await walk(partial(read_page, session, Task, select(Task), order), size, backwards=backwards)
        assert found == expected(everything, order), (order.name, backwards, size)


async def test_lists_below_many_parents_are_the_lists_of_each(session: AsyncSession) -> None:
    """One statement for all parents gives what one statement for each gives, and an empty list where there is none."""
    parents = [account(nth) for nth in range(4)]
    for order, backwards in product(ORDERS, (False, True)):
        page = Page(2, backwards=backwards)
        together = await read_pages(
            session, Task, parents, lambda id_: select(Task).where(Task.account_id == id_), order, page
        )
        assert list(together) == parents
        assert together[account(3)].rows == []
        for parent in parents:
            alone = await read_page(session, Task, select(Task).where(Task.account_id == parent), order, page)
            assert together[parent] == alone, (order.name, backwards)


async def test_a_list_at_hand_is_cut_as_the_database_would(session: AsyncSession) -> None:
    """The same page of the same list, read or cut."""
    everything = await read_page(session, Task, select(Task), BY_AGE, Page(50))
    listed = list(zip(everything.rows, everything.keys, strict=True))
    for limit, backwards in product((1, 4, 12), (False, True)):
        for page in (
            Page(limit, backwards=backwards),
            Page(limit, after=everything.keys[3], backwards=backwards),
            Page(limit, before=everything.keys[8], backwards=backwards),
            Page(limit, after=everything.keys[1], before=everything.keys[9], backwards=backwards),
        ):
            assert cut(listed[::-1], BY_AGE, page) == await read_page(session, Task, select(Task), BY_AGE, page)


async def test_a_page_between_two_cursors_holds_what_lies_between(session: AsyncSession) -> None:
    """`after` and `before` together leave the rows in between."""
    everything = await read_page(session, Task, select(Task), BY_DUE, Page(50))
    between = Page(50, after=everything.keys[2], before=everything.keys[10])
    found = await read_page(session, Task, select(Task), BY_DUE, between)
    assert [task.title for task in found.rows] == [task.title for task in everything.rows[3:10]]


async def test_a_row_that_comes_in_meanwhile_shifts_no_page(kit: Kit, session: AsyncSession) -> None:
    """A keyset goes on behind its row, so nothing is repeated or left out when the list grows at its head."""
    first = await read_page(session, Task, select(Task), BY_AGE, Page(4))
    async with kit.transaction() as writing:
        writing.add(Task(account_id=account(0), title="new", status="open", created_at=START + timedelta(days=9)))
    second = await read_page(session, Task, select(Task), BY_AGE, Page(50, after=first.keys[-1]))
    titles = [task.title for task in (*first.rows, *second.rows)]
    assert len(titles) == len(set(titles)) == 12


async def test_among_compares_with_one_bound_value(session: AsyncSession) -> None:
    """The text of the statement is the same for two values as for twenty."""
    few, many = among(WorkItem.key, ["a", "b"]), among(WorkItem.key, [str(n) for n in range(20)])
    assert str(few.compile()) == str(many.compile())
    titles = await session.execute(select(Task.title).where(among(Task.title, ["1", "2", "none"])))
    assert sorted(titles.scalars()) == ["1", "2"]
