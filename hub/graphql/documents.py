"""Documents made ready: limits, parsing and validation, once for each text.

What is ready is kept by its text, so a screen's second request costs none of the three.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    MaxIntrospectionDepthRule,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)

from hub.access.service import Role
from hub.graphql.errors import Code
from hub.graphql.limits import too_large, too_much
from hub.graphql.permissions import forbidden

RULES = (*specified_rules, MaxIntrospectionDepthRule)
RULES_WITHOUT_INTROSPECTION = (*RULES, NoSchemaIntrospectionCustomRule)
KEPT = 200
MOST_ERRORS = 10
"""Errors that validation finds before it stops: suggesting names costs more than finding them."""

LONGEST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Ready:
    """A document that may be executed, or why it may not."""

    document: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    _denied: dict[tuple[str | None, Role], GraphQLError | None] = field(default_factory=dict)

    def denied(
        self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, role: Role
    ) -> GraphQLError | None:
        """Why the role may not carry out this operation of the document; found out once for each role."""
        key = (operation.name.value if operation.name else None, role)
        if key not in self._denied:
            self._denied[key] = forbidden(schema, document, operation, role)
        return self._denied[key]


class Documents:
    """The documents that one schema has made ready, the least recently used forgotten first."""

    def __init__(self, *, introspection: bool) -> None:
        self._rules = RULES if introspection else RULES_WITHOUT_INTROSPECTION
        self._hide_names = not introspection
        self._ready: OrderedDict[str, Ready] = OrderedDict()

    def make_ready(self, schema: GraphQLSchema, query: str) -> Ready:
        """The document of a text. What is refused is kept too: asking again is answered as fast."""
        ready = self._ready.get(query)
        if ready is not None:
            self._ready.move_to_end(query)
            return ready
        ready = self._make(schema, query)
        if len(query) <= LONGEST_KEPT:
            self._ready[query] = ready
            if len(self._ready) > KEPT:
                self._ready.popitem(last=False)
        return ready

    def _make(self, schema: GraphQLSchema, query: str) -> Ready:
        try:
            if (refused := too_large(query)) is not None:
                return Ready(None, (refused,))
            document = parse(query)
        except GraphQLError as error:
            return Ready(None, (error,))
        if (refused := too_much(document)) is not None:
            return Ready(document, (refused,))
        errors = validate(schema, document, self._rules, max_errors=MOST_ERRORS, hide_suggestions=self._hide_names)
        return Ready(document, tuple(_marked(error) for error in errors))


def _marked(error: GraphQLError) -> GraphQLError:
    """A validation error with its code."""
    extensions = {**(error.extensions or {}), "code": Code.GRAPHQL_VALIDATION_FAILED.value}
    return GraphQLError(error.message, error.nodes, error.source, error.positions, error.path, extensions=extensions)
