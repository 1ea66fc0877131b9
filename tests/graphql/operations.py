"""Random valid queries over the read model: fragments, aliases, variables, directives, pages, nulls, bad arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)
from graphql.pyutils import Undefined

from hub.accounts import queries as accounts
from hub.feedback import queries as feedback
from hub.graphql.compiled.forms import SHAPES
from hub.graphql.paging import cursor
from hub.graphql.types.plays import TASK_ORDERS
from hub.health import queries as health
from hub.journeys import queries as journeys
from hub.plays import queries as plays
from hub.timeline import queries as timeline
from tests.graphql.world import DAY, NOW, key

ACCOUNTS = 10
DEEPEST = 7
SHARE_LEFT_OUT = 0.03
"""How often a field that has no form in SQL is taken: then the resolvers answer, and nothing is compared."""


ALERT_ID, ALERT_AT = key("alert", 3), NOW - DAY - timedelta(minutes=3)
CURSORS = {
    "accounts": [
        cursor(health.BY_NAME, ("Company 004", key("account", 4))),
        cursor(health.BY_NAME.reversed(), ("Company 004", key("account", 4))),
        cursor(health.BY_SCORE, (60_000_000, key("account", 4))),
        cursor(health.BY_SCORE, (None, key("account", 4))),
    ],
    "alerts": [cursor(health.ALERTS, (ALERT_AT, ALERT_ID))],
    "feedback": [cursor(feedback.FEEDBACK, (ALERT_AT, ALERT_ID))],
    "history": [cursor(health.HISTORY, (NOW - 10 * DAY, ALERT_ID))],
    "people": [cursor(accounts.PEOPLE, (NOW - 90 * DAY, key("person", 2)))],
    "runs": [cursor(plays.RUNS, (NOW - DAY, ALERT_ID))],
    "stays": [cursor(journeys.NEWEST_FIRST, (NOW - 10 * DAY, ALERT_ID))],
    "tasks": [cursor(order, (NOW + 3 * DAY, ALERT_ID)) for order in TASK_ORDERS.values()],
    "things": [cursor(timeline.THINGS, (NOW - 2 * DAY, ALERT_ID))],
    "timeline": [cursor(timeline.NEWEST_FIRST, (NOW - 2 * DAY, ALERT_ID))],
    "watchList": [cursor(health.WATCH_LIST, (NOW - DAY, ALERT_ID))],
}
OFTEN = {
    "first": 0.7,
    "filter": 0.4,
    "orderBy": 0.5,
    "asOf": 0.02,
    "knownAt": 0.02,
    "after": 0.08,
    "before": 0.05,
    "last": 0.02,
}
"""How often an argument is given that may be left out."""

TEXTS = {
    "kind": ["invoice.paid", "survey.answered", "nothing"],
    "rule": ["few_people", "other"],
    "owner": ["ada@hub.example", "nobody"],
    "search": ["company", "1", "%", ""],
    "segment": ["smb", "enterprise"],
    "stage": ["established", "onboarding"],
    "subjectType": ["invoice"],
    "subjectId": ["in_0", "in_2"],
    "play": ["win_back"],
    "role": ["champion", "sponsor"],
    "type": ["invoice"],
}


@dataclass
class Operation:
    """One query with its variables."""

    text: str
    variables: dict[str, Any]


@dataclass
class Maker:
    """Makes one operation by chance."""

    schema: GraphQLSchema
    chance: Random
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    fields: int = 0
    list_: str = ""

    def make(self) -> Operation:
        query = self.schema.query_type
        assert query
        selection = self._selection(query, 0)
        declared = f"({', '.join(self.declared)})" if self.declared else ""
        name = "Operation" if declared or self.chance.random() < 0.5 else ""
        text = " ".join([f"query {name}{declared} {selection}", *self.fragments])
        return Operation(text, self.variables)

    def _selection(self, of: GraphQLObjectType, depth: int) -> str:
        shape = SHAPES.get(of.name)
        most = {0: 2, 1: 3}.get(depth, 5)
        names = [name for name in of.fields if shape is None or name in shape.fields]
        if self.chance.random() < SHARE_LEFT_OUT and of.name != "Query":
            names = list(of.fields)
        if depth >= DEEPEST or self.fields > 60:
            names = [name for name in names if is_leaf_type(get_named_type(of.fields[name].type))]
        parts = [self._field(of, name, depth) for name in self.chance.sample(names, min(len(names), most))]
        if not parts or self.chance.random() < 0.15:
            parts.append("__typename")
        return "{ " + " ".join(self._grouped(of, parts, depth)) + " }"

    def _grouped(self, of: GraphQLObjectType, parts: list[str], depth: int) -> list[str]:
        """The same fields, some of them in fragments, some twice."""
        if self.chance.random() < 0.15:
            parts.append(self.chance.choice(parts))
        if depth == 0 or self.chance.random() < 0.7:
            return parts
        cut = self.chance.randrange(len(parts) + 1)
        before, inside = parts[:cut], parts[cut:] or ["__typename"]
        if self.chance.random() < 0.3 and "id" in of.fields:
            before, inside = parts, ["id"]
            condition = self.chance.choice([one.name for one in of.interfaces] or [of.name])
        else:
            condition = of.name
        if self.chance.random() < 0.5:
            name = f"F{len(self.fragments)}"
            self.fragments.append(f"fragment {name} on {condition} {{ {' '.join(inside)} }}")
            return [*before, f"...{name} {self._directive()}"]
        return [*before, f"... on {condition} {self._directive()} {{ {' '.join(inside)} }}"]

    def _field(self, of: GraphQLObjectType, name: str, depth: int) -> str:
        self.fields += 1
        one = of.fields[name]
        # Fields with arguments get a name of their own each time, so that what is said twice can be merged.
        alias = f"a{self.fields}: " if one.args or self.chance.random() < 0.1 else ""
        self.list_ = name
        arguments = [text for argument, spec in one.args.items() if (text := self._argument(argument, spec))]
        given = f"({', '.join(arguments)})" if arguments else ""
        below = get_named_type(one.type)
        if isinstance(below, GraphQLInterfaceType):
            inner = "{ id __typename }"
        elif isinstance(below, GraphQLObjectType):
            inner = self._selection(below, depth + 1)
        else:
            inner = ""
        return f"{alias}{name}{given} {self._directive()} {inner}"

    def _directive(self) -> str:
        if self.chance.random() > 0.08:
            return ""
        decided = self.chance.random() < 0.5
        value = self._variable("Boolean!", decided) if self.chance.random() < 0.6 else str(decided).lower()
        return f"@{self.chance.choice(['skip', 'include'])}(if: {value})"

    def _argument(self, name: str, argument: GraphQLArgument) -> str:
        needed = isinstance(argument.type, GraphQLNonNull) and argument.default_value is Undefined
        if not needed and self.chance.random() > OFTEN.get(name, 0.12):
            return ""
        value = self._value(name, argument.type)
        if self.chance.random() < 0.35:
            if self.chance.random() < 0.15 and not isinstance(argument.type, GraphQLNonNull):
                value = None
            return f"{name}: {self._variable(str(argument.type), value)}"
        return f"{name}: {_written(value, argument.type)}"

    def _variable(self, type_: str, value: Any) -> str:
        name = f"v{len(self.declared)}"
        self.declared.append(f"${name}: {type_}")
        self.variables[name] = value
        return f"${name}"

    def _value(self, name: str, type_: Any) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._value(name, type_.of_type)
        if isinstance(type_, GraphQLList):
            return [self._value(name, type_.of_type) for _ in range(self.chance.choice([0, 1, 1, 2]))]
        if isinstance(type_, GraphQLEnumType):
            return self.chance.choice(list(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            return {
                one: self._value(one, spec.type)
                for one, spec in type_.fields.items()
                if isinstance(spec.type, GraphQLNonNull)
                or self.chance.random() < (0.1 if one in ("and", "or", "not") else 0.25)
            }
        match type_.name:
            case "Int":
                return self.chance.choice([0, 1, 2, 3, 5, 50, 200, *([-1, 201] if self.chance.random() < 0.05 else [])])
            case "Boolean":
                return self.chance.random() < 0.5
            case "DateTime":
                return (NOW - self.chance.randrange(30) * DAY).isoformat()
            case "ID":
                nth = self.chance.randrange(ACCOUNTS + 1)
                return self.chance.choice([f"acc_{key('account', nth).hex}"] * 19 + ["acc_nonsense"])
        if name in ("after", "before"):
            return self.chance.choice([*CURSORS.get(self.list_, []) * 9, "nonsense"])
        return self.chance.choice(TEXTS.get(name, ["x", ""]))


def _written(value: Any, type_: Any) -> str:
    """A value as a literal of the language."""
    if isinstance(type_, GraphQLNonNull):
        return _written(value, type_.of_type)
    if value is None:
        return "null"
    if isinstance(type_, GraphQLList):
        return "[" + ", ".join(_written(one, type_.of_type) for one in value) + "]"
    if isinstance(type_, GraphQLInputObjectType):
        return "{" + ", ".join(f"{one}: {_written(value[one], type_.fields[one].type)}" for one in value) + "}"
    if isinstance(type_, GraphQLEnumType):
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else '"' + str(value) + '"'
