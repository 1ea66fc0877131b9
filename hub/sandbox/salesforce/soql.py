"""SOQL, as far as a hub asks in it: fields, one object, comparisons under AND and OR, an order, a limit.

Everything else is refused as malformed, so that a connector cannot lean on what nobody checked.
Source: https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from hub.sandbox.salesforce.fields import RELATIONS
from hub.sandbox.salesforce.org import Org, Record
from hub.sandbox.salesforce.refusals import Refusal

Condition: TypeAlias = Callable[[Record], bool]

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<number>\d+)|(?P<name>[A-Za-z][\w.]*)|(?P<sign><=|>=|!=|[=<>(),]))"
)
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one is not None and one < other,
    "<=": lambda one, other: one is not None and one <= other,
    ">": lambda one, other: one is not None and one > other,
    ">=": lambda one, other: one is not None and one >= other,
}


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was understood."""

    fields: tuple[str, ...]
    object: str
    condition: Condition
    order: tuple[str, ...]
    limit: int | None

    def run(self, org: Org, *, deleted: bool) -> list[Record]:
        """The records that it finds, in its order; deleted ones only for `queryAll`."""
        found = [
            record
            for record in org.tables[self.object].values()
            if (deleted or not record.get("IsDeleted")) and self.condition(record)
        ]
        if self.order:
            found.sort(key=lambda record: [(record[name] is not None, record[name]) for name in self.order])
        return found[: self.limit]


def parse(org: Org, text: str) -> Query:
    """Understand a query. Raises `Refusal` for what is malformed, and for fields and objects that do not exist."""
    return _Parser(org, text).query()


def value_of(org: Org, record: Record, path: str) -> Any:
    """A field of the record, or of one that it relates to: `Owner.Email`."""
    relation, dot, name = path.rpartition(".")
    if not dot:
        return record[path]
    related = org.related(record, relation)
    return related[name] if related else None


class _Parser:
    """Descends through the query's grammar, a method for each rule."""

    def __init__(self, org: Org, text: str) -> None:
        self.org = org
        self.text = text
        self.object = ""
        self.tokens: list[tuple[str, str]] = []
        end = 0
        while text[end:].strip():
            match = _TOKEN.match(text, end)
            if match is None:
                raise Refusal.malformed(text, text[end:].strip()[:10])
            self.tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            end = match.end()
        self.at = 0

    def query(self) -> Query:
        self.word("SELECT")
        fields = [self.take("name")]
        while self.maybe(","):
            fields.append(self.take("name"))
        self.word("FROM")
        self.object = self.take("name")
        self.org.fields_of(self.object)
        for name in fields:
            self.known(name)
        condition = self.any_of() if self.maybe("WHERE") else (lambda record: True)
        order = self.ordered() if self.maybe("ORDER") else ()
        limit = int(self.take("number")) if self.maybe("LIMIT") else None
        if self.at < len(self.tokens):
            raise Refusal.malformed(self.text, self.tokens[self.at][1])
        return Query(tuple(fields), self.object, condition, order, limit)

    def ordered(self) -> tuple[str, ...]:
        self.word("BY")
        names = [self.known(self.take("name"))]
        while self.maybe(","):
            names.append(self.known(self.take("name")))
        return tuple(names)

    def any_of(self) -> Condition:
        parts = [self.all_of()]
        while self.maybe("OR"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def all_of(self) -> Condition:
        parts = [self.one()]
        while self.maybe("AND"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def one(self) -> Condition:
        if self.maybe("("):
            inner = self.any_of()
            self.word(")")
            return inner
        name = self.known(self.take("name"))
        sign = self.take("sign")
        if sign not in _COMPARE:
            raise Refusal.malformed(self.text, sign)
        value, compare = self.value(), _COMPARE[sign]
        return lambda record: compare(value_of(self.org, record, name), value)

    def value(self) -> Any:
        kind, text = self.next()
        match kind, text.lower():
            case "text", _:
                return re.sub(r"\\(.)", r"\1", text[1:-1])
            case "time", _:
                return datetime.fromisoformat(text)
            case "number", _:
                return int(text)
            case "name", ("true" | "false") as flag:
                return flag == "true"
            case "name", "null":
                return None
            case _:
                raise Refusal.malformed(self.text, text)

    def known(self, path: str) -> str:
        relation, dot, name = path.rpartition(".")
        if not dot:
            if path not in self.org.fields_of(self.object):
                raise Refusal.no_field(path, self.object)
            return path
        if relation not in RELATIONS or RELATIONS[relation][0] not in self.org.fields_of(self.object):
            raise Refusal(400, "INVALID_FIELD", f"Didn't understand relationship '{relation}' in field path.")
        if name not in self.org.fields_of(RELATIONS[relation][1]):
            raise Refusal.no_field(name, RELATIONS[relation][1])
        return path

    def next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise Refusal.malformed(self.text, "<EOF>")
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, wanted: str) -> str:
        kind, text = self.next()
        if kind != wanted:
            raise Refusal.malformed(self.text, text)
        return text

    def maybe(self, text: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at][1].upper() == text:
            self.at += 1
            return True
        return False

    def word(self, text: str) -> None:
        if not self.maybe(text):
            raise Refusal.malformed(self.text, self.next()[1])
