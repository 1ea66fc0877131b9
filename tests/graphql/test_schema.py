"""What the schema promises about itself: descriptions, lists, connections, enums, and its printed form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
)

from hub.graphql.export import schema_sdl
from hub.graphql.schema import the_schema

SCHEMA = the_schema()._schema
FILE = Path(__file__).parents[2] / "schema" / "schema.graphql"
BUILT_IN = ("String", "Int", "Float", "Boolean", "ID")
FOR_MISSING = {"nodes"}
"""Lists with null in the place of what does not exist."""


def types() -> Iterator[GraphQLNamedType]:
    for name, found in SCHEMA.type_map.items():
        if not name.startswith("__") and name not in BUILT_IN:
            yield found


def described() -> Iterator[tuple[str, str | None]]:
    """Everything that has a description, with it."""
    for found in types():
        yield found.name, found.description
        if isinstance(found, GraphQLEnumType):
            for name, value in found.values.items():
                yield f"{found.name}.{name}", value.description
        elif isinstance(found, GraphQLInputObjectType):
            for name, input_field in found.fields.items():
                yield f"{found.name}.{name}", input_field.description
        elif isinstance(found, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in found.fields.items():
                yield f"{found.name}.{name}", field.description
                for argument, about in field.args.items():
                    yield f"{found.name}.{name}({argument}:)", about.description


def test_everything_has_a_description() -> None:
    """Types, fields, arguments, enum values, inputs: nothing goes without."""
    assert [name for name, description in described() if not description] == []


def test_the_printed_schema_is_the_one_in_the_repository() -> None:
    """A change of the API is a change of `schema/schema.graphql`; write it with `hub schema export`."""
    assert FILE.read_text(encoding="utf-8") == schema_sdl()


def test_lists_are_non_null_of_non_null() -> None:
    """A list is there, and so is what is in it; only `nodes` answers null for what it cannot find."""
    loose = []
    for found in types():
        if isinstance(found, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in found.fields.items():
                inner = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
                if isinstance(inner, GraphQLList):
                    whole = isinstance(field.type, GraphQLNonNull) and isinstance(inner.of_type, GraphQLNonNull)
                    if not whole and not (found.name == "Query" and name in FOR_MISSING):
                        loose.append(f"{found.name}.{name}")
    assert loose == []


def test_connections_have_the_shape_that_relay_clients_expect() -> None:
    """Every `…Connection` has edges and pageInfo, and every field that gives one takes the four arguments."""
    names = [found.name for found in types() if found.name.endswith("Connection")]
    assert len(names) > 8
    for name in names:
        connection = SCHEMA.type_map[name]
        assert isinstance(connection, GraphQLObjectType)
        assert str(connection.fields["pageInfo"].type) == "PageInfo!"
        edge = connection.fields["edges"].type.of_type.of_type.of_type
        assert set(edge.fields) == {"node", "cursor"}
        assert {"nodes"} <= set(connection.fields)
    for found in types():
        if isinstance(found, GraphQLObjectType):
            for name, field in found.fields.items():
                if str(field.type).removesuffix("!").endswith("Connection"):
                    assert {"first", "after", "last", "before"} <= set(field.args), f"{found.name}.{name}"


def test_what_has_an_id_is_a_node() -> None:
    """A client may cache by id: whoever has a field `id` is found again by it, but for scores that were never kept."""
    for found in types():
        if isinstance(found, GraphQLObjectType) and "id" in found.fields:
            is_node = "Node" in {interface.name for interface in found.interfaces}
            assert is_node or found.name == "Score", found.name


def test_mutations_take_one_input_and_answer_a_union_with_refusals() -> None:
    """`nounVerb(input:)`, and a refusal is a value."""
    assert SCHEMA.mutation_type is not None
    for name, field in SCHEMA.mutation_type.fields.items():
        assert list(field.args) == ["input"], name
        assert str(field.args["input"].type) == f"{name[0].upper()}{name[1:]}Input!"
        result = field.type.of_type
        assert isinstance(result, GraphQLUnionType)
        assert result.name == f"{name[0].upper()}{name[1:]}Result"
        success, *refusals = [member.name for member in result.types]
        assert not success.startswith("Not")
        versioned = "expectedVersion" in field.args["input"].type.of_type.fields
        assert refusals[:3] == ["NotAllowed", "NotFound", "InvalidInput"]  # behind them, refusals of its own
        assert ("Conflict" in refusals) is versioned


def test_the_scalars_are_few() -> None:
    """A new scalar is a promise to every client; it is added knowingly."""
    scalars = {found.name for found in types() if isinstance(found, GraphQLScalarType)}
    assert scalars == {"BigInt", "DateTime", "JSON"}
