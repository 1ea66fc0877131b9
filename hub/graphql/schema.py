"""The schema, and how an operation is carried out: document → resolvers → errors, within a time limit.

Strawberry stays the schema; what is ours is in front of and behind it. `execute` and `stream` are where a compiled plan
will set a result instead of the resolvers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

import strawberry
from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, get_operation_ast
from graphql import OperationType as OperationKind
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from hub.graphql.budget import Budget
from hub.graphql.compiled.running import Plans
from hub.graphql.context import Context
from hub.graphql.cost import MOST_COST, Pricing
from hub.graphql.documents import Documents, Ready
from hub.graphql.errors import Code, coded, presentable
from hub.graphql.mutation import Mutation
from hub.graphql.query import Query
from hub.graphql.refusals import HANDLERS
from hub.graphql.scalars import SCALARS
from hub.graphql.subscription import Subscription
from hub.graphql.types.blueprint import RefuseBroken

SECONDS = 15.0
"""How long a query or a mutation may take, waiting for its turn included."""


class UseReady(SchemaExtension):
    """Hands the document that was made ready to Strawberry, which then neither parses nor validates."""

    def on_parse(self) -> Iterator[None]:
        """The document of the store."""
        context = self.execution_context
        context.graphql_document = _hub(context).ready(context.query or "").document
        yield

    def on_validate(self) -> Iterator[None]:
        """It is valid: what is not never comes this far."""
        self.execution_context.pre_execution_errors = []
        yield


class HubSchema(strawberry.Schema):
    """The hub's schema. Results come with errors as clients may see them."""

    def __init__(self, *, introspection: bool = True, seconds: float = SECONDS, compiled: bool = True) -> None:
        super().__init__(
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            extensions=[UseReady],
            config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=not introspection),
            exception_handlers=(*HANDLERS, RefuseBroken()),
        )
        self._documents = Documents(introspection=introspection)
        self._seconds = seconds
        self.plans = Plans(self) if compiled else None

    @property
    def core(self) -> GraphQLSchema:
        """The schema as graphql-core has it."""
        return self._schema

    def ready(self, query: str) -> Ready:
        """The document of a text, parsed and validated, or why it is refused."""
        return self._documents.make_ready(self._schema, query)

    def kind_of(self, query: str, operation_name: str | None) -> OperationType | None:
        """Whether the operation is a query, a mutation or a subscription; None when that cannot be said."""
        document = self.ready(query).document
        operation = None if document is None else get_operation_ast(document, operation_name)
        return None if operation is None else _kind(operation)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Carry out a query or a mutation."""
        context = cast("Context", context_value)
        if (refused := await self._refused(query, variable_values, operation_name, context)) is not None:
            return _told(refused, context)
        try:
            async with asyncio.timeout(self._seconds), context.turns:
                data = await self._planned(query or "", variable_values, operation_name, context)
                if data is not None:
                    return ExecutionResult(data, None)
                result = await super().execute(
                    query,
                    variable_values,
                    context,
                    root_value,
                    operation_name,
                    allowed_operation_types or (OperationType.QUERY, OperationType.MUTATION),
                    operation_extensions,
                )
            if result.data is None and all(error.path is None for error in result.errors or ()):
                # Variables that do not fit: the operation never began.
                result = PreExecutionError(None, result.errors)
        except TimeoutError as error:
            result = ExecutionResult(None, [GraphQLError("", original_error=error)])
        except (CannotGetOperationTypeError, InvalidOperationTypeError) as error:
            result = PreExecutionError(None, [_not_this_operation(error)])
        finally:
            await context.close()
        return _told(result, context)

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Carry out any operation; a query or a mutation gives one result.

        `context_value` is a context, or a client whose connection carries many operations: each gets its own.
        """
        return self._results(query, variable_values, context_value, operation_name)

    async def _results(
        self, query: str | None, variables: dict[str, Any] | None, context_value: Any, operation_name: str | None
    ) -> AsyncGenerator[ExecutionResult, None]:
        try:
            context = context_value if isinstance(context_value, Context) else await context_value.context()
        except GraphQLError as error:
            yield PreExecutionError(None, [error])
            return
        if self.kind_of(query or "", operation_name) is not OperationType.SUBSCRIPTION:
            yield await self.execute(query, variables, context, None, operation_name)
            return
        if (refused := await self._refused(query, variables, operation_name, context)) is not None:
            yield _told(refused, context)
            return
        results = await super().stream(query, variables, context, None, operation_name)
        try:
            async for result in results:
                # No incremental delivery is switched on: a stream gives results alone.
                yield _told(cast("ExecutionResult", result), context)
        finally:
            await results.aclose()
            await context.close()

    async def _planned(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, context: Context
    ) -> dict[str, Any] | None:
        """The answer of the operation's plan; None when the resolvers have to give it."""
        document = self.ready(query).document
        if self.plans is None or document is None:
            return None
        return await self.plans.answer(query, document, operation_name, variables, context)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Strawberry logs every error here; ours are logged where they are made presentable, and only bugs."""

    async def _refused(
        self, query: str | None, variables: dict[str, Any] | None, operation_name: str | None, context: Context
    ) -> PreExecutionError | None:
        """Why an operation is not begun; None when it may be."""
        try:
            await self._admit(query, variables, operation_name, context)
        except GraphQLError as error:
            return PreExecutionError(None, [error])
        except NotReady as refused:
            return PreExecutionError(None, list(refused.errors))
        return None

    async def _admit(
        self, query: str | None, variables: dict[str, Any] | None, operation_name: str | None, context: Context
    ) -> None:
        if not query:
            raise coded("There is no `query`.", Code.BAD_REQUEST)
        context.gate.trusted.check(query, context.viewer)
        ready = self.ready(query)
        if ready.errors:
            raise NotReady(ready.errors)
        if ready.document is None or (operation := get_operation_ast(ready.document, operation_name)) is None:
            message = "The document has no operation of this name." if operation_name else "Name the operation to run."
            raise coded(message, Code.OPERATION_RESOLUTION_FAILED)
        role = context.viewer.role
        if (denied := ready.denied(self._schema, ready.document, operation, role)) is not None:
            raise denied
        cost = Pricing(self._schema, ready.document, variables or {}).of(operation)
        context.cost = {"requested": cost}
        if cost > MOST_COST:
            message = f"The operation may bring back {cost} objects, more than {MOST_COST}; ask for smaller pages."
            raise GraphQLError(message, extensions={"code": Code.DOCUMENT_TOO_COMPLEX.value, "cost": context.cost})
        if context.gate.budget is not None:
            await _pay(context, context.gate.budget, cost)


async def _pay(context: Context, budget: Budget, cost: int) -> None:
    throttle = await budget.take(context.viewer.actor, cost)
    if throttle is None:
        return
    context.cost["throttle"] = throttle.shown()
    if throttle.retry_after is not None:
        extensions = {"code": Code.TOO_MANY_REQUESTS.value, "retryAfter": throttle.retry_after, "cost": context.cost}
        raise GraphQLError(
            f"This key has asked for too much lately; ask again in {throttle.retry_after} s.", extensions=extensions
        )


class NotReady(Exception):
    """A document that is not valid."""

    def __init__(self, errors: tuple[GraphQLError, ...]) -> None:
        super().__init__()
        self.errors = errors


@lru_cache(maxsize=4)
def the_schema(*, introspection: bool = True) -> HubSchema:
    """The schema, made once for each way of serving it."""
    return HubSchema(introspection=introspection)


def _hub(context: ExecutionContext) -> HubSchema:
    schema = context.schema
    assert isinstance(schema, HubSchema)  # noqa: S101  # the extension belongs to it
    return schema


def _kind(operation: OperationDefinitionNode) -> OperationType:
    match operation.operation:
        case OperationKind.QUERY:
            return OperationType.QUERY
        case OperationKind.MUTATION:
            return OperationType.MUTATION
        case OperationKind.SUBSCRIPTION:
            return OperationType.SUBSCRIPTION


def _not_this_operation(error: CannotGetOperationTypeError | InvalidOperationTypeError) -> GraphQLError:
    if isinstance(error, InvalidOperationTypeError):
        if error.operation_type is OperationType.SUBSCRIPTION:
            return coded(
                "Subscriptions are answered over graphql-transport-ws, or with `Accept: text/event-stream`.",
                Code.NOT_ACCEPTABLE,
            )
        return coded("Mutations are sent by POST.", Code.METHOD_NOT_ALLOWED)
    return coded(error.as_http_error_reason(), Code.OPERATION_RESOLUTION_FAILED)


def _told(result: ExecutionResult, context: Context) -> ExecutionResult:
    """The result with errors as clients may see them."""
    if not result.errors:
        return result
    return replace(result, errors=presentable(result.errors, context.request_id))
