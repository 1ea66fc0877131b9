"""How a field of the schema is read by SQL: its form, declared once for each type of the read model.

A type stands on the rows of one table. A field is a column of the row, a value made of columns, one row of another
table, or a list of rows. What has no form is answered by the resolvers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement
from strawberry.types.base import StrawberryObjectDefinition

from hub.access.service import Role
from hub.accounts.queries import READERS
from hub.kit.paging import AnySelect, Order, Page, bounded, sorting

Arguments = Mapping[str, Any]
"""A field's arguments as its resolver would get them; those that were left out are missing."""

Expression: TypeAlias = Any
"""A column of the row's table, or an expression over such columns."""


@dataclass(frozen=True, slots=True)
class Key:
    """Stands for the value by which a row was found from its parent: it is there even when the row is not."""


KEY = Key()


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is; what the schema shows of it follows from the field's type."""

    column: Expression


@dataclass(frozen=True, slots=True)
class GlobalId:
    """The global id of a row: a prefix, and keys in hexadecimal."""

    prefix: str
    columns: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A value, an object or a list of objects made of columns, as the resolvers make it.

    `make` gets the values of the columns (None when there is no row), and with `now` the operation's moment.
    """

    make: Callable[..., Any]
    columns: tuple[Expression, ...]
    now: bool = False


@dataclass(frozen=True, slots=True)
class Same:
    """An object over the same row, e.g. an account's journey."""


@dataclass(frozen=True, slots=True)
class One:
    """One row of another table: where `at` is `key`, a column of this row.

    `always`: the object is shown even without a row. `live`: a row that cannot be seen has to be looked for in another
    way, so the resolvers answer. `keep`: whether the row counts, by a column and the operation's moment.
    """

    key: Expression | Key
    at: Expression
    where: tuple[ColumnElement[bool], ...] = ()
    always: bool = False
    live: bool = False
    keep: tuple[Callable[..., bool], Expression] | None = None


Sort = Callable[[Any, Any], list[ColumnElement[Any]]]


@dataclass(frozen=True, slots=True)
class Bound:
    """A list with its arguments: what is read of each parent.

    `read` gets the parent's key (None at the root) and the columns, and gives a SELECT of them. `places` are the two
    expressions by which `sort` orders the rows of one parent. `most` is how many rows a parent can have at most, and
    `spends` what the list counts for, in nodes.
    """

    read: Callable[[Any, Sequence[Any]], AnySelect]
    places: tuple[Expression, Expression]
    sort: Sort
    most: int
    spends: int
    page: Page | None = None
    order: Order | None = None
    count: AnySelect | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """A list of rows, or a page of it where the field is a connection.

    `key` is the column of this row that the list hangs on. `first`: not the list but its first row, or nothing.
    `live`: a row that cannot be seen has to be looked for in another way, so the resolvers answer.
    """

    key: Expression | Key | None
    bind: Callable[[Arguments], Bound]
    first: bool = False
    live: bool = False


Form: TypeAlias = Column | GlobalId | Made | Same | One | Many


@dataclass(frozen=True, slots=True)
class Shape:
    """The forms of one type's fields, by their names in the schema, and the roles that may read them."""

    name: str
    fields: Mapping[str, Form] = field(default_factory=dict)
    roles: tuple[Role, ...] = READERS


SHAPES: dict[str, Shape] = {}
"""The shapes of the read model, by the names of their types."""


def shape(type_: type, table: Any, **forms: Form) -> None:
    """Declare the forms of a type. Fields without a resolver that are named like a column of the table are that column.

    Raises `TypeError` for a form of a field that the type does not have.
    """
    definition: StrawberryObjectDefinition = type_.__strawberry_definition__  # type: ignore[attr-defined]
    found: dict[str, Form] = {}
    for one in definition.fields:
        form = forms.pop(one.python_name, None)
        if form is None and one.base_resolver is None and table is not None:
            column = getattr(table, one.python_name, None)
            form = None if column is None else Column(column)
        if form is not None:
            found[one.graphql_name or camel_cased(one.python_name)] = form
    if forms:
        raise TypeError(f"{definition.name} has no fields {', '.join(sorted(forms))}")
    SHAPES[definition.name] = Shape(definition.name, found)


def camel_cased(name: str) -> str:
    """The name of a field in the schema."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def global_id(prefix: str, *columns: Expression) -> GlobalId:
    """The global id of a row."""
    return GlobalId(prefix, columns)


def paged(
    query: Callable[[Any], AnySelect],
    order: Order,
    page: Page,
    *,
    count: AnySelect | None = None,
    spends: int | None = None,
) -> Bound:
    """A page of a list. `query` gets the parent's key and selects the rows."""

    def read(parent: Any, columns: Sequence[Any]) -> AnySelect:
        return bounded(query(parent).with_only_columns(*columns, maintain_column_froms=True), order, page)

    return Bound(
        read=read,
        places=(order.column, order.id),
        sort=by(order, page),
        most=page.limit + 1,
        spends=page.limit if spends is None else spends,
        page=page,
        order=order,
        count=count,
    )


def by(order: Order, page: Page) -> Sort:
    """How the rows of a page come from the database: in the list's order, or from its end."""
    return lambda value, id_: sorting(order, value, id_, backwards=page.backwards)


def whole(query: Callable[[Any], AnySelect], first: Any, second: Any, *, most: int, spends: int = 0) -> Bound:
    """A short list as a whole, sorted by two columns; rows without a value in the first come last."""

    def read(parent: Any, columns: Sequence[Any]) -> AnySelect:
        return query(parent).with_only_columns(*columns, maintain_column_froms=True)

    return Bound(
        read=read,
        places=(first, second),
        sort=lambda one, other: [one.asc().nulls_last(), other.asc()],
        most=most,
        spends=spends,
    )


def everywhere(query: AnySelect) -> Callable[[Any], AnySelect]:
    """The list of all rows, at the root."""
    return lambda parent: query
