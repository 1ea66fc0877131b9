"""Answering operations by their plans, and leaving to the resolvers what has none.

A plan is kept by the document, the operation's name and the directives decided; its statement by the variables. An
answer is either whole and without an error, or it is not given here: whatever a plan cannot say (an argument that is
refused, a role that may not, a value out of range) the resolvers say in their words.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import orjson
import structlog
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLField,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from sqlalchemy.dialects.postgresql import asyncpg
from strawberry import Schema
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from hub.graphql.compiled import rooms
from hub.graphql.compiled.errors import Unanswered, Unplanned
from hub.graphql.compiled.forms import Bound
from hub.graphql.compiled.plan import Plan
from hub.graphql.compiled.selections import switches
from hub.graphql.compiled.statement import columns_read, statement_of
from hub.graphql.compiled.writer import write_plan
from hub.graphql.context import MOST_NODES, Context
from hub.kit.errors import HubError

log = structlog.get_logger()

V = TypeVar("V")

KEPT_PLANS = 200
KEPT_STATEMENTS = 1_000
LONGEST_KEY = 10_000


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan with its arguments: what is sent to the database."""

    plan: Plan
    bounds: Sequence[Bound]
    sql: str
    values: tuple[Any, ...]


class Kept(OrderedDict[Hashable, V]):
    """What was used lately; the least recently used is forgotten first."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def find(self, key: Hashable) -> V | None:
        found = self.get(key)
        if found is not None:
            self.move_to_end(key)
        return found

    def keep(self, key: Hashable, value: V) -> None:
        self[key] = value
        if len(self) > self._most:
            self.popitem(last=False)


class Plans:
    """The plans of one schema."""

    def __init__(self, schema: Schema) -> None:
        rooms.declare()
        self._schema = schema
        self._core = schema._schema
        self._dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]
        self._plans: Kept[Plan | Unplanned] = Kept(KEPT_PLANS)
        self._switches: Kept[frozenset[str]] = Kept(KEPT_PLANS)
        self._ready: Kept[Ready] = Kept(KEPT_STATEMENTS)

    async def answer(
        self, text: str, document: DocumentNode, name: str | None, variables: dict[str, Any] | None, context: Context
    ) -> dict[str, Any] | None:
        """The data of a query, with times as they are; None when it is for the resolvers."""
        try:
            ready = self.ready(text, document, name, variables or {}, context)
            if ready is None:
                return None
            read = columns_read(ready.plan, await self._read(ready, context))
            data = ready.plan.answer(read, ready.bounds, context.now)
            context.spend(_asked_for(ready, read))
            return data
        except (Unplanned, Unanswered, HubError, GraphQLError):
            return None
        except Exception:  # a plan must never cost an answer: the resolvers give it, or say what is wrong
            log.exception("graphql.plan_failed", request_id=context.request_id)
            return None

    def plan(
        self, text: str, document: DocumentNode, operation: OperationDefinitionNode, values: VariableValues
    ) -> Plan:
        """The plan of an operation. Raises `Unplanned`."""
        deciding = self._switches.find(text)
        if deciding is None:
            deciding = switches(document)
            self._switches.keep(text, deciding)
        decided = {name: values.coerced.get(name) for name in deciding}
        key = (text, operation.name.value if operation.name else None, tuple(sorted(decided.items())))
        found = self._plans.find(key)
        if found is None:
            try:
                found = write_plan(self._core, document, operation, decided)
            except Unplanned as reason:
                found = reason
            self._plans.keep(key, found)
        if isinstance(found, Unplanned):
            raise Unplanned(*found.args)
        return found

    def ready(
        self, text: str, document: DocumentNode, name: str | None, variables: dict[str, Any], context: Context
    ) -> Ready | None:
        """The statement for an operation with its variables. Raises `Unplanned`, or what refuses an argument."""
        if not _sees_everything(context):
            return None
        key = (text, name, orjson.dumps(variables)) if variables else (text, name)
        ready = self._ready.find(key)
        if ready is None:
            operation = get_operation_ast(document, name)
            if operation is None or operation.operation is not OperationType.QUERY:
                return None
            ready = self._make_ready(text, document, operation, variables)
            if len(text) + len(key[-1] or "") <= LONGEST_KEY:
                self._ready.keep(key, ready)
        if not context.viewer.may(*ready.plan.roles):
            return None
        return ready

    def _make_ready(
        self, text: str, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]
    ) -> Ready:
        values = get_variable_values(self._core, operation.variable_definitions or (), variables)
        if not isinstance(values, VariableValues):
            raise Unplanned("variables that do not fit")
        plan = self.plan(text, document, operation, values)
        for field, node in plan.unset:
            if any(value is not None for value in get_argument_values(field, node, values).values()):
                raise Unplanned(f"arguments of {node.name.value}")
        bounds = [level.many.bind(self._arguments(level.asked, level.node, values)) for level in plan.levels]
        _check_nodes(plan, bounds)
        compiled = statement_of(plan, bounds).compile(dialect=self._dialect)
        parameters = compiled.params
        return Ready(plan, bounds, str(compiled), tuple(parameters[name] for name in compiled.positiontup or ()))

    def _arguments(self, field: GraphQLField, node: FieldNode, values: VariableValues) -> dict[str, Any]:
        definition: StrawberryField = field.extensions["strawberry-definition"]
        given = get_argument_values(field, node, values)
        converter = self._schema.schema_converter
        return convert_arguments(given, definition.arguments, converter.scalar_registry, self._schema.config)

    async def _read(self, ready: Ready, context: Context) -> Sequence[Any]:
        async with context.kit.database.glancing() as connection:
            found = (await connection.exec_driver_sql(ready.sql, ready.values)).one()
        return cast("Sequence[Any]", found)


def _check_nodes(plan: Plan, bounds: Sequence[Bound]) -> None:
    """Whether the lists stay within what an operation may read even if all of them are full."""
    most: list[int] = []
    spent = 0
    for level, bound in zip(plan.levels, bounds, strict=True):
        parents = most[level.above.number] if level.above is not None else 1
        spent += parents * bound.spends
        most.append(parents * bound.most)
    if spent > MOST_NODES:
        raise Unplanned("lists that may be too long")


def _asked_for(ready: Ready, read: Sequence[Any]) -> int:
    """How many rows the lists could have brought, as the resolvers count them: each page as if it were full."""
    rows: list[int] = []
    asked = 0
    for level, bound in zip(ready.plan.levels, ready.bounds, strict=True):
        parents = rows[level.above.number] if level.above is not None else 1
        asked += parents * bound.spends
        found = len(read[level.number][0])
        rows.append(found if bound.page is None else min(found, parents * bound.page.limit))
    return asked


def _sees_everything(context: Context) -> bool:
    """Whether the viewer's rows are all rows; for whoever sees only some of them the resolvers read."""
    return context.viewer.owner is None
