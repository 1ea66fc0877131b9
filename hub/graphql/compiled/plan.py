"""A plan: the levels of rows that an operation reads, and the function that makes them into its answer.

Made once for an operation (and each choice of its directives). A level is one list of rows; the rows of other tables
of which each has at most one belong to it as scopes. Lists hang on a scope of the level above, so that each level
becomes one part of one statement, whatever the depth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, GraphQLField

from hub.access.service import Role
from hub.graphql.compiled.forms import Key, Many, One, Shape

Answer = Callable[[Sequence[Any], Sequence[Any], Any], dict[str, Any]]
"""What makes the answer: from the columns read, what was bound of each level, and the operation's moment."""


@dataclass(slots=True, eq=False)
class Scope:
    """The rows of one table in a level: its own rows, or those of which each of them has at most one."""

    level: Level
    one: One | None = None
    above: Scope | None = None
    key: tuple[Scope, str] | None = None
    columns: dict[str, Any] = field(default_factory=dict)

    def need(self, expression: Any) -> str:
        """The label of a column, which is read from now on."""
        for label, known in self.columns.items():
            if known is expression:
                return label
        label = f"c{self.level.labels}"
        self.level.labels += 1
        self.columns[label] = expression
        return label

    def key_of(self, expression: Any) -> tuple[Scope, str]:
        """Where the value is that something hangs on."""
        if isinstance(expression, Key):
            if self.key is None:
                raise TypeError("the rows of a list have no key of their own")
            return self.key
        return self, self.need(expression)


@dataclass(slots=True, eq=False)
class Level:
    """One list of rows, below each row of the level that it hangs on."""

    number: int
    many: Many
    asked: GraphQLField
    node: FieldNode
    key: tuple[Scope, str] | None
    scopes: list[Scope] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    labels: int = 0
    counts: bool = False
    has_lists: bool = False
    shows_cursors: bool = False

    @property
    def above(self) -> Level | None:
        """The level that it hangs on; None at the root."""
        return self.key[0].level if self.key else None

    @property
    def carried(self) -> list[str]:
        """The columns that travel to the answer, in order."""
        found = sorted(self.shown, key=lambda label: int(label[1:]))
        if self.key is not None:
            found.insert(0, "up")
        if self.shows_cursors:
            found += ["s0", "s1"]
        return found or ["s1"]


@dataclass(slots=True)
class Plan:
    """How an operation is answered."""

    levels: list[Level]
    unset: list[tuple[GraphQLField, FieldNode]]
    """Fields whose arguments must all be left out or null."""
    roles: set[Role]
    shapes: set[str]
    answer: Answer
    source: str
    """The text of `answer`, for whoever wants to see it."""


def roles_of(shapes: Sequence[Shape]) -> set[Role]:
    """Who may read all of them."""
    return set.intersection(*(set(one.roles) for one in shapes)) if shapes else set()
