"""Pages of ordered lists by keyset: the next page begins behind a row's sort key, wherever that row stands by now.

An OFFSET reads and throws away everything before it, and skips or repeats rows when the list changes meanwhile; a
keyset does neither. A list is ordered by one column and, among equals, by id, both in the same direction, so that one
row comparison finds the place and an index on (column, id) answers it. A row without a value comes last either way.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    TableValuedAlias,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy import column as sql_column
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

E = TypeVar("E")
R = TypeVar("R")

AnySelect = Select[*tuple[Any, ...]]
"""A SELECT of whatever columns."""

Key = tuple[Any, UUID]
"""Where a row stands: its sort value (None where it has none) and its id."""


@dataclass(frozen=True, slots=True)
class Page:
    """What part of a list is asked for: `limit` rows behind `after`, before `before`; from the end if `backwards`."""

    limit: int
    after: Key | None = None
    before: Key | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted; `name` ties a cursor to the order that it was made for."""

    name: str
    column: InstrumentedAttribute[Any]
    id: InstrumentedAttribute[UUID]
    descending: bool = False
    nullable: bool = False

    def reversed(self) -> Order:
        """The same list from its other end; rows without a value still come last."""
        name = self.name.removeprefix("-") if self.name.startswith("-") else f"-{self.name}"
        return replace(self, name=name, descending=not self.descending)


@dataclass(frozen=True, slots=True)
class Slice(Generic[R]):
    """The rows of one page in the list's order, each with its key."""

    rows: list[R] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    has_next: bool = False
    has_previous: bool = False


def bounded(query: AnySelect, order: Order, page: Page) -> AnySelect:
    """The query, restricted to the page and one row more, which tells whether the list goes on."""
    if page.after is not None:
        query = query.where(_behind(order, page.after, descending=order.descending, nulls_last=True))
    if page.before is not None:
        query = query.where(_behind(order, page.before, descending=not order.descending, nulls_last=False))
    sorted_by = sorting(order, order.column, order.id, backwards=page.backwards)
    return query.order_by(*sorted_by).limit(page.limit + 1)


async def read_page(session: AsyncSession, entity: type[E], query: AnySelect, order: Order, page: Page) -> Slice[E]:
    """One page of a list of `entity`. `query` selects the entity; one statement."""
    statement = bounded(query.add_columns(order.column, order.id), order, page)
    found = (await session.execute(statement)).all()
    return slice_of([(row[0], (row[-2], row[-1])) for row in found], page)


async def read_pages(
    session: AsyncSession,
    entity: type[E],
    parents: Sequence[UUID],
    query: Callable[[ColumnElement[UUID]], AnySelect],
    order: Order,
    page: Page,
) -> dict[UUID, Slice[E]]:
    """The same page of a list below each parent, in one statement: a lateral reads each list's own index range.

    `query` gets the parent's id as an expression and selects the entity; `order` names columns of the entity.
    """
    parent = each(parents)
    inner = bounded(
        query(parent.c.id).add_columns(order.column.label("page_key"), order.id.label("page_id")), order, page
    ).lateral("page")
    statement = select(parent.c.id, aliased(entity, inner), inner.c.page_key, inner.c.page_id).select_from(
        parent.join(inner, true())
    )
    below: dict[UUID, list[tuple[E, Key]]] = {id_: [] for id_ in parents}
    for parent_id, row, value, id_ in await session.execute(statement):
        below[parent_id].append((row, (value, id_)))
    return {
        parent_id: slice_of(in_order(found, order, backwards=page.backwards), page)
        for parent_id, found in below.items()
    }


def each(ids: Sequence[UUID]) -> TableValuedAlias:
    """A table of one column `id` with the given ids: one bound value, however many they are."""
    unnested = func.unnest(bindparam(None, list(ids), ARRAY(Uuid())))
    return unnested.table_valued(sql_column("id", Uuid()), name="parent").render_derived()


def among(column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether the column has one of the values, as one bound array: the statement's text does not grow with them."""
    return column == any_(bindparam(None, list(values), ARRAY(column.type)))  # type: ignore[no-any-return]


def in_order(found: list[tuple[R, Key]], order: Order, *, backwards: bool) -> list[tuple[R, Key]]:
    """Rows as the list has them: a join need not keep the order of its inner side, though it usually does."""
    reverse = order.descending is not backwards
    present = sorted((one for one in found if one[1][0] is not None), key=lambda one: one[1], reverse=reverse)
    absent = sorted((one for one in found if one[1][0] is None), key=lambda one: one[1][1], reverse=reverse)
    return absent + present if backwards else present + absent


def slice_of(found: list[tuple[R, Key]], page: Page) -> Slice[R]:
    """Cut off the row too many and turn a page read from the end round."""
    more = len(found) > page.limit
    kept = found[: page.limit]
    if page.backwards:
        kept.reverse()
    return Slice(
        rows=[row for row, _ in kept],
        keys=[key for _, key in kept],
        has_next=page.before is not None if page.backwards else more,
        has_previous=more if page.backwards else page.after is not None,
    )


def cut(found: list[tuple[R, Key]], order: Order, page: Page) -> Slice[R]:
    """The page of a list that is at hand as a whole, each row with its key; every row has a sort value."""
    beyond = operator.lt if order.descending else operator.gt
    rows = [
        row
        for row in in_order(found, order, backwards=page.backwards)
        if (page.after is None or beyond(row[1], page.after)) and (page.before is None or beyond(page.before, row[1]))
    ]
    return slice_of(rows, page)


def _behind(order: Order, key: Key, *, descending: bool, nulls_last: bool) -> ColumnElement[bool]:
    value, id_ = key
    beyond = order.id < id_ if descending else order.id > id_
    if value is None:
        here = and_(order.column.is_(None), beyond)
        return here if nulls_last else or_(here, order.column.is_not(None))
    place = tuple_(order.column, order.id)
    there = tuple_(value, id_)
    further = place < there if descending else place > there
    return or_(further, order.column.is_(None)) if order.nullable and nulls_last else further


def sorting(order: Order, column: Any, id_: Any, *, backwards: bool) -> list[ColumnElement[Any]]:
    """How rows are sorted whose sort value and id are these expressions."""
    descending = order.descending is not backwards
    value = column.desc() if descending else column.asc()
    if order.nullable:
        value = value.nulls_first() if backwards else value.nulls_last()
    return [value, id_.desc() if descending else id_.asc()]
