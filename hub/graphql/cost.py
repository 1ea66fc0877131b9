"""What an operation may cost at most, told from its text: how many objects it can bring back.

It follows from the fields themselves, so a new field needs no entry anywhere. Every object counts one. A page
multiplies what is asked of its entries by its size, a plain list by `LIST`, or by the number of ids it is asked for.
What asks for another moment is worked out again from the events and counts `ANOTHER_MOMENT`. Fields without parts cost
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    ConstValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

from hub.graphql.paging import MOST, USUAL

MOST_COST: Final = 1_000_000
LIST: Final = 10
ANOTHER_MOMENT: Final = 1_000
MOMENTS: Final = ("asOf", "knownAt", "from")


@dataclass(slots=True)
class Pricing:
    """The cost of one operation with its variables. Linear in the document: a fragment is looked at once for a type."""

    schema: GraphQLSchema
    document: DocumentNode
    variables: Mapping[str, Any]
    _fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    _defaults: dict[str, ConstValueNode | None] = field(default_factory=dict)
    _known: dict[tuple[str, int | None], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        definitions = self.document.definitions
        self._fragments = {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}

    def of(self, operation: OperationDefinitionNode) -> int:
        """The cost of the operation: 1 and more."""
        self._defaults = {one.variable.name.value: one.default_value for one in operation.variable_definitions or ()}
        root = self.schema.get_root_type(operation.operation)
        return 1 if root is None else max(1, self._below(root, operation.selection_set, None))

    # `entries`: how many there are of the `nodes` and `edges` among the selections; None where these are no page's.
    def _below(self, type_: GraphQLNamedType, selections: SelectionSetNode, entries: int | None) -> int:
        total = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
                    total += self._field(type_.fields.get(selection.name.value), selection, entries)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                narrowed = type_ if condition is None else self.schema.type_map[condition.name.value]
                total += self._below(narrowed, selection.selection_set, entries)
            elif isinstance(selection, FragmentSpreadNode):
                total += self._spread(selection.name.value, entries)
        return total

    def _spread(self, name: str, entries: int | None) -> int:
        key = (name, entries)
        if key not in self._known:
            fragment = self._fragments[name]
            type_ = self.schema.type_map[fragment.type_condition.name.value]
            self._known[key] = self._below(type_, fragment.selection_set, entries)
        return self._known[key]

    def _field(self, definition: GraphQLField | None, node: FieldNode, entries: int | None) -> int:
        if definition is None or node.selection_set is None or is_leaf_type(get_named_type(definition.type)):
            return 0
        below = get_named_type(definition.type)
        arguments = {one.name.value: one.value for one in node.arguments or ()}
        price = ANOTHER_MOMENT if any(self._is_given(arguments.get(name)) for name in MOMENTS) else 1
        if is_page(below):
            size = self._number(arguments.get("last"), self._number(arguments.get("first"), USUAL))
            return price + self._below(below, node.selection_set, min(max(size, 0), MOST))
        times = 1
        if _is_list(definition):
            is_entry = node.name.value in ("nodes", "edges")
            times = entries if is_entry and entries is not None else self._length(arguments.get("ids"))
        return times * (price + self._below(below, node.selection_set, None))

    def _number(self, given: ValueNode | None, usual: int) -> int:
        found = self._value(given)
        return found if isinstance(found, int) else usual

    def _length(self, given: ValueNode | None) -> int:
        found = self._value(given)
        return len(found) if isinstance(found, list | tuple) else LIST

    def _is_given(self, given: ValueNode | None) -> bool:
        return self._value(given) is not None

    def _value(self, given: ValueNode | None) -> object:
        """A number, a list, another text that is no null, or None; a variable's value or default in its place."""
        match given:
            case VariableNode():
                name = given.name.value
                return self.variables[name] if name in self.variables else self._value(self._defaults.get(name))
            case IntValueNode():
                return int(given.value[:9])  # validation has refused what is longer than 32 bits
            case ListValueNode():
                return given.values
            case NullValueNode() | None:
                return None
            case _:
                return str(given)


def is_page(type_: GraphQLNamedType) -> bool:
    """Whether the type is a page of a list."""
    return isinstance(type_, GraphQLObjectType) and "pageInfo" in type_.fields and "nodes" in type_.fields


def _is_list(definition: GraphQLField) -> bool:
    type_ = definition.type
    while isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    return isinstance(type_, GraphQLList)
