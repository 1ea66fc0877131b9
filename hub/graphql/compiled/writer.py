"""Writing a plan: one walk through the operation's fields finds the levels and writes the function of the answer.

The function is Python text: dict displays and comprehensions over columns cost a tenth of what resolvers do. What comes
into the text from a document are response names, as string literals; everything else is named in the namespace.
"""

from __future__ import annotations

import inspect
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

from hub.graphql.compiled.errors import Unanswered, Unplanned
from hub.graphql.compiled.forms import SHAPES, Column, Form, GlobalId, Made, Many, One, Same, Shape
from hub.graphql.compiled.plan import Level, Plan, Scope, roles_of
from hub.graphql.compiled.selections import Selections
from hub.graphql.paging import cursor

PLAIN = frozenset({"String", "ID", "Boolean", "DateTime", "BigInt", "JSON"})
"""Scalars whose values are shown as they are; `orjson` writes times as `isoformat` does."""


def write_plan(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    switches: Mapping[str, object],
) -> Plan:
    """The plan of a query. Raises `Unplanned`."""
    return _Writer(schema, Selections(schema, document, switches)).write(operation)


class _Writer:
    def __init__(self, schema: GraphQLSchema, selections: Selections) -> None:
        self._schema = schema
        self._selections = selections
        self._names: dict[str, Any] = {
            "_there": _there,
            "_grouped": _grouped,
            "_int": _int,
            "_float": _float,
            "_cursor": cursor,
        }
        self._constants: dict[int, str] = {}
        self._levels: list[Level] = []
        self._functions: list[str] = []
        self._blocks: list[str] = []
        self._unset: list[Any] = []
        self._shapes: dict[str, Shape] = {}

    def write(self, operation: OperationDefinitionNode) -> Plan:
        query = self._schema.query_type
        if query is None:
            raise Unplanned("no queries")
        answer = self._object(None, query, [operation.selection_set])
        # A list's own lists are made before it: what is written last is the outermost.
        body = "\n".join(f"    {line}" for block in self._blocks for line in block.splitlines())
        source = "\n".join([*self._functions, "def answer(read, bound, now):", body, f"    return {answer}"])
        names = dict(self._names)
        exec(compile(source, "<plan>", "exec"), names)  # noqa: S102  # written here; names of a document are literals
        shapes = list(self._shapes.values())
        return Plan(
            levels=self._levels,
            unset=self._unset,
            roles=roles_of(shapes),
            shapes=set(self._shapes),
            answer=names["answer"],
            source=source,
        )

    def _object(self, scope: Scope | None, of: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> str:
        parts = (
            f"{key!r}: {self._field(scope, of, nodes)}" for key, nodes in self._selections.fields(sets, of).items()
        )
        return "{" + ", ".join(parts) + "}"

    def _field(self, scope: Scope | None, of: GraphQLObjectType, nodes: list[FieldNode]) -> str:
        name = nodes[0].name.value
        if name == "__typename":
            return repr(of.name)
        shape = self._shape(of.name)
        form: Form | None = shape.fields.get(name)
        if form is None:
            raise Unplanned(f"{of.name}.{name}")
        field = of.fields[name]
        sets = [node.selection_set for node in nodes if node.selection_set]
        if isinstance(form, Many):
            return self._many(scope, form, field, nodes[0], sets)
        if nodes[0].arguments:
            self._unset.append((field, nodes[0]))
        if isinstance(form, Same):
            return self._object(scope, _object_type(field.type), sets)
        if scope is None:
            raise Unplanned(f"{of.name}.{name}")
        match form:
            case Column(column):
                return self._leaf(field.type, self._load(scope, column), of_column=column)
            case GlobalId(prefix, columns):
                return f"f'{prefix}_{''.join(f'{{{self._load(scope, column)}.hex}}' for column in columns)}'"
            case Made(make, columns, now):
                values = [self._load(scope, column) for column in columns]
                made = f"{self._constant(make)}({', '.join([*values, *(['now'] if now else [])])})"
                return self._value(field.type, made, sets, is_there="None" not in _said_of(make))
            case One():
                return self._one(scope, form, field.type, sets)

    def _one(self, scope: Scope, form: One, type_: Any, sets: Sequence[SelectionSetNode]) -> str:
        level = scope.level
        of = _object_type(type_)
        key = scope.key_of(form.key)
        self._shape(of.name)
        joined = Scope(level, form, scope, key)
        level.scopes.append(joined)
        shown = self._object(joined, of, sets)
        if form.always:
            return shown
        found = self._load(joined, form.at)
        if form.keep is not None:
            keep, column = form.keep
            found_and_kept = f"{found} is not None and {self._constant(keep)}({self._load(joined, column)}, now)"
            shown = f"({shown} if {found_and_kept} else None)"
        elif form.live:
            key[0].level.shown.add(key[1])
            shown = f"(None if {key[1]} is None else {shown} if _there({found}) else None)"
        else:
            shown = f"(None if {found} is None else {shown})"
        return f"_there({shown})" if is_non_null_type(type_) else shown

    def _many(
        self, scope: Scope | None, form: Many, field: Any, node: FieldNode, sets: Sequence[SelectionSetNode]
    ) -> str:
        if (scope is None) is not (form.key is None):
            raise Unplanned(f"a list {node.name.value} without rows to hang on")
        key = scope.key_of(form.key) if scope is not None else None
        level = Level(len(self._levels), form, field, node, key)
        self._levels.append(level)
        if scope is not None:
            scope.level.has_lists = True
        of = _object_type(field.type)
        if "pageInfo" in of.fields:
            uses, page = self._connection(level, of, sets)
        else:
            main = self._rows(level, of)
            uses, page = [self._object(main, of, sets)], "list_"
            if form.first:
                page = "(list_[0] if list_ else None)"
                page = f"_there({page})" if is_non_null_type(field.type) or form.live else page
        self._write_level(level, uses, page)
        return f"p{level.number}[{'i' if scope is not None else 0}]"

    def _rows(self, level: Level, of: GraphQLObjectType) -> Scope:
        self._shape(of.name)
        main = Scope(level)
        level.scopes.append(main)
        return main

    def _connection(
        self, level: Level, of: GraphQLObjectType, sets: Sequence[SelectionSetNode]
    ) -> tuple[list[str], str]:
        """The texts of a row's nodes, and that of the page over `list_`, whose entries hold them."""
        uses: list[str] = []
        main = self._rows(level, _object_type(of.fields["nodes"].type))
        node_type = _object_type(of.fields["nodes"].type)
        parts: list[tuple[str, str]] = []
        for key, nodes in self._selections.fields(sets, of).items():
            below = [node.selection_set for node in nodes if node.selection_set]
            match nodes[0].name.value:
                case "__typename":
                    parts.append((key, repr(of.name)))
                case "nodes":
                    parts.append((key, f"[entry[{len(uses)}] for entry in list_]"))
                    uses.append(self._object(main, node_type, below))
                case "edges":
                    parts.append((key, self._edges(level, main, _object_type(of.fields["edges"].type), below, uses)))
                case "pageInfo":
                    parts.append((key, self._page_info(level, _object_type(of.fields["pageInfo"].type), below)))
                case "totalCount":
                    level.counts = True
                    parts.append((key, f"_int(read[-1][{level.number}])"))
                case other:
                    raise Unplanned(f"{of.name}.{other}")
        text = "{" + ", ".join(f"{key!r}: {part}" for key, part in parts) + "}"
        return uses, text

    def _edges(
        self, level: Level, main: Scope, of: GraphQLObjectType, sets: Sequence[SelectionSetNode], uses: list[str]
    ) -> str:
        parts: list[str] = []
        for key, nodes in self._selections.fields(sets, of).items():
            match nodes[0].name.value:
                case "__typename":
                    parts.append(f"{key!r}: {of.name!r}")
                case "cursor":
                    level.shows_cursors = True
                    parts.append(f"{key!r}: _cursor(order, entry[-1])")
                case "node":
                    below = [node.selection_set for node in nodes if node.selection_set]
                    parts.append(f"{key!r}: entry[{len(uses)}]")
                    uses.append(self._object(main, _object_type(of.fields["node"].type), below))
        return "[{" + ", ".join(parts) + "} for entry in list_]"

    def _page_info(self, level: Level, of: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> str:
        parts: list[str] = []
        for key, nodes in self._selections.fields(sets, of).items():
            match nodes[0].name.value:
                case "__typename":
                    parts.append(f"{key!r}: {of.name!r}")
                case "hasNextPage":
                    parts.append(f"{key!r}: page.before is not None if page.backwards else more")
                case "hasPreviousPage":
                    parts.append(f"{key!r}: more if page.backwards else page.after is not None")
                case "startCursor" | "endCursor" as which:
                    level.shows_cursors = True
                    entry = "list_[0]" if which == "startCursor" else "list_[-1]"
                    parts.append(f"{key!r}: _cursor(order, {entry}[-1]) if list_ else None")
        return "{" + ", ".join(parts) + "}"

    def _write_level(self, level: Level, uses: list[str], page: str) -> None:
        """The block that makes `p<number>`: for each row of the level above what is shown of the list below it."""
        number, above = level.number, level.above
        is_page = "pageInfo" in _object_type(level.asked.type).fields
        if is_page and not _is_plain(level, uses):
            entry = f"({', '.join([*uses, '(s0, s1)' if level.shows_cursors else 'None'])},)"
        else:
            entry, page = uses[0], page.replace("entry[0]", "entry")  # no response name has a bracket
        names = [name for name in level.carried if name != "up"] or ["up"]
        columns = f"read[{number}]" if above is None or names == ["up"] else f"read[{number}][1:]"
        each = f"({', '.join(names)},)"
        rows = f"i, {each} in enumerate(zip(*{columns}))" if level.has_lists else f"{each} in zip(*{columns})"
        lines = [f"rows = [{entry} for {rows}]"]
        if above is None:
            lines.append("lists = [rows]")
        else:
            lines.append(f"lists = _grouped(rows, read[{number}][0], len(read[{above.number}][0]))")
        if is_page:
            lines += [f"page, order = bound[{number}].page, bound[{number}].order"]
        lines += [f"p{number} = []", "for list_ in lists:"]
        if is_page:
            lines += [
                "    if more := len(list_) > page.limit:",
                "        del list_[page.limit:]",
                "    if page.backwards:",
                "        list_.reverse()",
            ]
        lines.append(f"    p{number}.append({page})")
        self._blocks.append("\n".join(lines))

    def _load(self, scope: Scope, expression: Any) -> str:
        """The variable that holds a column of the row at hand."""
        owner, label = scope.key_of(expression)
        owner.level.shown.add(label)
        return label

    def _value(self, type_: Any, text: str, sets: Sequence[SelectionSetNode], *, is_there: bool = False) -> str:
        """What is shown of a value that was made: a leaf, an object of ours, or a list of these. `is_there`: it is
        never None."""
        nullable = get_nullable_type(type_)
        if is_list_type(nullable):
            item = self._value(nullable.of_type, "item", sets)
            listed = self._function("items", f"None if items is None else [{item} for item in items]")
            shown = f"{listed}({text}, now)"
        elif is_leaf_type(nullable):
            shown = self._leaf(type_, text)
        else:
            made = self._function("made", f"None if made is None else {self._attributes(_object_type(type_), sets)}")
            shown = f"{made}({text}, now)"
        return f"_there({shown})" if is_non_null_type(type_) and not is_there else shown

    def _attributes(self, of: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> str:
        """What is shown of an object of ours that asks for nothing more."""
        definition: StrawberryObjectDefinition = of.extensions["strawberry-definition"]
        parts: list[str] = []
        for key, nodes in self._selections.fields(sets, of).items():
            name = nodes[0].name.value
            if name == "__typename":
                parts.append(f"{key!r}: {of.name!r}")
                continue
            field: StrawberryField = of.fields[name].extensions["strawberry-definition"]
            if nodes[0].arguments:
                raise Unplanned(f"{definition.name}.{name} with arguments")
            value = f"made.{field.python_name}"
            if field.base_resolver is not None:
                function: Any = field.base_resolver.wrapped_func
                if list(inspect.signature(function).parameters) != ["self"] or inspect.iscoroutinefunction(function):
                    raise Unplanned(f"{definition.name}.{name}")
                value = f"{self._constant(function)}(made)"
            below = [node.selection_set for node in nodes if node.selection_set]
            parts.append(f"{key!r}: {self._value(of.fields[name].type, value, below)}")
        return "{" + ", ".join(parts) + "}"

    def _function(self, argument: str, text: str) -> str:
        name = f"f{len(self._functions)}"
        self._functions.append(f"def {name}({argument}, now): return {text}")
        return name

    def _leaf(self, type_: Any, text: str, *, of_column: Any = None) -> str:
        named = get_named_type(type_)
        if isinstance(named, GraphQLEnumType):
            shown = f"{self._constant(_names_of(named))}[{text}]"
        elif named.name == "Int":
            shown = f"_int({text})"
        elif named.name == "Float":
            shown = f"_float({text})"
        elif named.name in PLAIN:
            shown = text
        else:
            raise Unplanned(f"the scalar {named.name}")
        if of_column is not None and is_non_null_type(type_) and getattr(of_column.expression, "nullable", True):
            return f"_there({shown})"
        return shown

    def _constant(self, value: Any) -> str:
        if id(value) not in self._constants:
            self._constants[id(value)] = name = f"k{len(self._constants)}"
            self._names[name] = value
        return self._constants[id(value)]

    def _shape(self, name: str) -> Shape:
        found = SHAPES.get(name)
        if found is None:
            raise Unplanned(name)
        self._shapes[name] = found
        return found


def _said_of(make: Callable[..., Any]) -> str:
    """What a function says it gives; a function that says nothing, or anything, may give None."""
    said = str(inspect.signature(make).return_annotation)
    return "None" if said == "Any" or "empty" in said else said


def _is_plain(level: Level, uses: Sequence[str]) -> bool:
    """Whether a page shows its entries once and without cursors: then they are what is shown."""
    return len(uses) == 1 and not level.shows_cursors


_ENUMS: dict[str, dict[Any, str | None]] = {}


def _names_of(enum: GraphQLEnumType) -> dict[Any, str | None]:
    """The names that the schema shows, by the values that a row or an object of ours holds."""
    if enum.name not in _ENUMS:
        definition: StrawberryEnumDefinition = enum.extensions["strawberry-definition"]
        _ENUMS[enum.name] = {None: None, **{one.value: one.name for one in definition.values}}
    return _ENUMS[enum.name]


def _object_type(type_: Any) -> GraphQLObjectType:
    named = get_named_type(type_)
    if not isinstance(named, GraphQLObjectType):
        raise Unplanned(f"the type {named.name}")
    return named


def _there(value: Any) -> Any:
    if value is None:
        raise Unanswered("a value that has to be there is null")
    return value


def _grouped(rows: list[Any], up: Sequence[int], count: int) -> list[list[Any]]:
    """The rows below each of `count` rows; `up` says below which, counted from 1, in ascending order."""
    lists = []
    start = 0
    for number in range(1, count + 1):
        end = bisect_right(up, number, start)
        lists.append(rows[start:end])
        start = end
    return lists


def _int(value: Any) -> Any:
    if value is not None and not -(2**31) <= value < 2**31:
        raise Unanswered("a whole number beyond 32 bits")
    return value


def _float(value: Any) -> Any:
    if type(value) is float:
        if not math.isfinite(value):
            raise Unanswered("a number that JSON cannot hold")
        return value
    return None if value is None else GraphQLFloat.serialize(value)
