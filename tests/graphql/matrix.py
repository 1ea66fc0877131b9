"""Operations made from the schema itself: one that reaches each field, and one that does each mutation."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)
from graphql.pyutils import Undefined

from hub.access.service import Role
from hub.graphql.permissions import ANYBODY, roles_of

AT = '"2026-02-20T00:00:00Z"'


@dataclass(frozen=True)
class Step:
    """A field on the way, with its arguments; `on` narrows what it gives to a type."""

    type: GraphQLNamedType
    name: str
    text: str
    on: str | None = None


@dataclass(frozen=True)
class Way:
    """How a type is reached from the root."""

    type: GraphQLNamedType
    steps: tuple[Step, ...]

    @property
    def roles(self) -> frozenset[Role]:
        """Who may go this way."""
        return ANYBODY.intersection(*(roles_of(step.type, step.name) for step in self.steps))

    def query(self, selection: str) -> str:
        """The operation with this selection at the end."""
        for step in reversed(self.steps):
            inner = f"... on {step.on} {{ {selection} }}" if step.on else selection
            selection = f"{step.text} {{ {inner} }}"
        return f"{{ {selection} }}"


def ways(schema: GraphQLSchema, values: Mapping[str, str]) -> dict[str, Way]:
    """The shortest way to every type that can be read. `values` are arguments by the name of the field's argument."""
    assert schema.query_type
    found = {"Query": Way(schema.query_type, ())}
    waiting = deque(found.values())
    while waiting:
        way = waiting.popleft()
        for name, field in fields_of(way.type).items():
            if is_leaf_type(below := get_named_type(field.type)) or (
                way.type.name == "Query" and name in ("node", "nodes", "search")
            ):
                continue
            text = name + arguments(field, values)
            narrowed = [] if isinstance(below, GraphQLObjectType) else schema.get_possible_types(below)  # type: ignore[arg-type]
            for type_, on in [(below, None), *((one, one.name) for one in narrowed)]:
                if type_.name not in found:
                    found[type_.name] = Way(type_, (*way.steps, Step(way.type, name, text, on)))
                    waiting.append(found[type_.name])
    return found


def selection(field: GraphQLField, name: str, values: Mapping[str, str]) -> str:
    """A field with its arguments and as little as can be selected below it."""
    below = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return name + arguments(field, values) + below


def arguments(field: GraphQLField, values: Mapping[str, str]) -> str:
    """The arguments that a field needs."""
    needed = [f"{name}: {value(name, one.type, values)}" for name, one in field.args.items() if is_needed(one)]
    return f"({', '.join(needed)})" if needed else ""


def is_needed(argument: GraphQLArgument) -> bool:
    return isinstance(argument.type, GraphQLNonNull) and argument.default_value is Undefined


def fields_of(type_: GraphQLNamedType) -> Mapping[str, GraphQLField]:
    return type_.fields if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else {}


def value(name: str, type_: GraphQLInputType, values: Mapping[str, str]) -> str:
    """Some value of an input type that passes for one; `values` by name, where a text has to mean something."""
    if isinstance(type_, GraphQLNonNull):
        return value(name, type_.of_type, values)
    if name in values:
        return values[name]
    if isinstance(type_, GraphQLList):
        return f"[{value(name, type_.of_type, values)}]"
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        inner = (
            f"{one}: {value(one, field.type, values)}"
            for one, field in type_.fields.items()
            if one in values or (isinstance(field.type, GraphQLNonNull) and field.default_value is Undefined)
        )
        return "{" + ", ".join(inner) + "}"
    return {"Int": "1", "BigInt": "1", "Float": "1.0", "Boolean": "true", "DateTime": AT, "JSON": "{}"}.get(
        type_.name, '"x"'
    )
