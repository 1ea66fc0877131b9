"""The fields that are asked for at one place of a document: fragments spread, directives decided, repeats merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)

from hub.graphql.compiled.errors import Unplanned

DECIDING = ("skip", "include")


class Selections:
    """The selections of one document, with the variables that its directives name decided."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, switches: Mapping[str, object]) -> None:
        self._schema = schema
        self._switches = switches
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }

    def fields(self, sets: Sequence[SelectionSetNode], of: GraphQLObjectType) -> dict[str, list[FieldNode]]:
        """The fields of these selection sets on an object of that type, by response name, in the answer's order."""
        found: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        for selections in sets:
            for node in self._fields(selections, of, spread):
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return found

    def _fields(self, selections: SelectionSetNode, of: GraphQLObjectType, spread: set[str]) -> Iterator[FieldNode]:
        for selection in selections.selections:
            if not self._is_included(selection):
                continue
            if isinstance(selection, FieldNode):
                yield selection
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                if condition is None or self._is(of, condition.name.value):
                    yield from self._fields(selection.selection_set, of, spread)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                fragment = self._fragments[selection.name.value]
                spread.add(selection.name.value)
                if self._is(of, fragment.type_condition.name.value):
                    yield from self._fields(fragment.selection_set, of, spread)

    def _is(self, of: GraphQLObjectType, name: str) -> bool:
        asked = self._schema.get_type(name)
        return asked is of or (is_abstract_type(asked) and self._schema.is_sub_type(asked, of))

    def _is_included(self, selection: SelectionNode) -> bool:
        return all(
            self._decided(directive) is (directive.name.value == "include")
            for directive in selection.directives or ()
            if directive.name.value in DECIDING
        )

    def _decided(self, directive: DirectiveNode) -> bool:
        match directive.arguments:
            case (argument,):
                if isinstance(argument.value, BooleanValueNode):
                    return argument.value.value
                if isinstance(argument.value, VariableNode):
                    decided = self._switches.get(argument.value.name.value)
                    if isinstance(decided, bool):
                        return decided
        raise Unplanned("a directive that cannot be decided")


def switches(document: DocumentNode) -> frozenset[str]:
    """The variables that decide which fields of the document are asked for."""
    found: set[str] = set()
    waiting: list[SelectionSetNode] = [
        definition.selection_set for definition in document.definitions if hasattr(definition, "selection_set")
    ]
    while waiting:
        for selection in waiting.pop().selections:
            for directive in selection.directives or ():
                if directive.name.value in DECIDING:
                    found.update(
                        argument.value.name.value
                        for argument in directive.arguments or ()
                        if isinstance(argument.value, VariableNode)
                    )
            if below := getattr(selection, "selection_set", None):
                waiting.append(below)
    return frozenset(found)
