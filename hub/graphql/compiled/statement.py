"""The one statement of a plan: each level a common table expression, its rows carried as arrays, a column each.

Arrays of columns cost a third of JSON that the database puts together, and a level that hangs on another names the
place of its row there (`up`), so that a list of a list of a list is no deeper than the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CTE, FromClause, func, select, true

from hub.graphql.compiled.forms import Bound
from hub.graphql.compiled.plan import Level, Plan, Scope
from hub.kit.paging import AnySelect

Sources = dict[Scope, Any]
"""Where the columns of a scope can be read, inside its level."""


def statement_of(plan: Plan, bounds: Sequence[Bound]) -> AnySelect:
    """The statement for these arguments. One row: the carried columns of all levels in order, then the counts."""
    tables: dict[int, CTE] = {}
    arrays: list[Any] = []
    for level in plan.levels:
        bound = bounds[level.number]
        table = tables[level.number] = _table(level, bound, tables)
        arrays.append(_arrays(level, bound, table))
    counts = [
        bounds[level.number].count.scalar_subquery().label(f"count{level.number}")  # type: ignore[union-attr]
        for level in plan.levels
        if level.counts
    ]
    return select(*(column for one in arrays for column in one.c), *counts).select_from(*arrays)


def columns_read(plan: Plan, row: Sequence[Any]) -> list[Any]:
    """The row of the statement as the answer takes it: the columns of each level, and the counts by level."""
    read: list[Any] = []
    at = 0
    for level in plan.levels:
        width = len(level.carried)
        read.append([column or () for column in row[at : at + width]])
        at += width
    read.append({level.number: row[at + nth] for nth, level in enumerate(one for one in plan.levels if one.counts)})
    return read


def _table(level: Level, bound: Bound, tables: Mapping[int, CTE]) -> CTE:
    main, *joined = level.scopes
    above = level.above
    sources: Sources = {}
    first, second = bound.places
    columns = [*_labelled(main), first.label("s0"), second.label("s1")]
    rows: Any
    source: FromClause
    if above is None or level.key is None:
        rows = bound.read(None, columns).subquery(f"q{level.number}")
        source = rows
    else:
        table = tables[above.number]
        rows = bound.read(table.c[level.key[1]], columns).correlate(table).lateral(f"q{level.number}")
        source = table.join(rows, true())
    sources[main] = rows.c
    for number, scope in enumerate(joined):
        found = _joined(scope, sources).lateral(f"j{level.number}_{number}")
        source = source.outerjoin(found, true())
        sources[scope] = found.c
    shown = [sources[scope][label] for scope in level.scopes for label in scope.columns]
    shown += [rows.c.s0, rows.c.s1]
    if above is not None:
        shown.append(tables[above.number].c.no.label("up"))
    if level.has_lists:
        sort = [*([tables[above.number].c.no] if above is not None else []), *bound.sort(rows.c.s0, rows.c.s1)]
        shown.append(func.row_number().over(order_by=sort).label("no"))
    return select(*shown).select_from(source).cte(f"n{level.number}")


def _labelled(scope: Scope) -> list[Any]:
    return [expression.label(label) for label, expression in scope.columns.items()]


def _joined(scope: Scope, sources: Sources) -> AnySelect:
    """The row of another table, below the row that it belongs to."""
    if scope.one is None or scope.key is None:
        raise TypeError("a scope that hangs on nothing")
    above, label = scope.key
    key = sources[above][label]
    columns = _labelled(scope) or [scope.one.at.label("c")]
    return select(*columns).where(scope.one.at == key, *scope.one.where).correlate(key.table)


def _arrays(level: Level, bound: Bound, table: CTE) -> Any:
    sort: list[Any]
    if level.has_lists:
        sort = [table.c.no]
    else:
        sort = [*([table.c.up] if level.above is not None else []), *bound.sort(table.c.s0, table.c.s1)]
    rows = select(*(table.c[name] for name in level.carried)).order_by(*sort).subquery(f"r{level.number}")
    columns = (func.array_agg(rows.c[name]).label(f"a{level.number}_{name}") for name in level.carried)
    return select(*columns).subquery(f"a{level.number}")
