"""What a document may be at most, found out before the costly part: validation compares fields with each other, so a
small document that repeats itself can cost seconds. Everything here is linear in the document.

Measured: a document of 10 KB that repeats one connection 250 times costs 1.5 s to validate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    Lexer,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    TokenKind,
)

MOST_BYTES = 50_000
MOST_TOKENS = 2_500
DEEPEST = 20
"""Levels of selection sets, one inside the other; an inline fragment is a level too."""

MOST_ALIASES = 60
MOST_FIELDS = 2_000
MOST_FRAGMENTS = 50
MOST_DIRECTIVES = 50
MOST_VARIABLES = 100
MOST_REPEATS = 20
"""How often one response name may be written at one place: what is compared with each other in pairs."""


@dataclass(slots=True)
class Counted:
    """What a walk through the operations of a document has met so far."""

    fields: int = 0
    aliases: int = 0
    directives: int = 0
    deepest: int = 0
    most_repeats: int = 0


def too_large(query: str) -> GraphQLError | None:
    """The refusal of a text that is too long to be parsed, or None."""
    if len(query) > MOST_BYTES or len(query.encode(errors="surrogatepass")) > MOST_BYTES:
        return refusal(f"The document has more than {MOST_BYTES} bytes.", "DOCUMENT_TOO_LARGE")
    lexer = Lexer(Source(query))
    for _ in range(MOST_TOKENS):
        if lexer.advance().kind is TokenKind.EOF:
            return None
    return refusal(f"The document has more than {MOST_TOKENS} tokens.", "DOCUMENT_TOO_LARGE")


def too_much(document: DocumentNode) -> GraphQLError | None:
    """The refusal of a document that asks too much, or None.

    Fragments count where they are spread, and once more by themselves, because validation looks at them both ways.
    """
    fragments = {
        definition.name.value: definition.selection_set
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    if len(fragments) > MOST_FRAGMENTS:
        return refusal(f"The document has more than {MOST_FRAGMENTS} fragments.", "DOCUMENT_TOO_COMPLEX")
    counted = Counted()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            if len(definition.variable_definitions or ()) > MOST_VARIABLES:
                return refusal(f"An operation has more than {MOST_VARIABLES} variables.", "DOCUMENT_TOO_COMPLEX")
            counted.directives += len(definition.directives or ())
            _walk([definition.selection_set], fragments, counted, 1)
            if (exceeded := _exceeded(counted)) is not None:
                return exceeded
    return None


def refusal(message: str, code: str) -> GraphQLError:
    """A limit that was exceeded."""
    return GraphQLError(message, extensions={"code": code})


def _walk(
    sets: list[SelectionSetNode], fragments: Mapping[str, SelectionSetNode], counted: Counted, depth: int
) -> None:
    """Count the fields of one place (all selection sets that are merged there), then those below them."""
    below: dict[str, list[SelectionSetNode]] = {}
    repeats: dict[str, int] = {}
    for field in _fields(sets, fragments, counted, depth):
        name = field.alias.value if field.alias else field.name.value
        repeats[name] = repeats.get(name, 0) + 1
        counted.fields += 1
        counted.aliases += field.alias is not None
        counted.directives += len(field.directives or ())
        if field.selection_set:
            below.setdefault(name, []).append(field.selection_set)
        if counted.fields > MOST_FIELDS:
            return
    counted.most_repeats = max(counted.most_repeats, max(repeats.values(), default=0))
    if depth > DEEPEST:
        return
    for nested in below.values():
        _walk(nested, fragments, counted, depth + 1)


def _fields(
    sets: list[SelectionSetNode], fragments: Mapping[str, SelectionSetNode], counted: Counted, depth: int
) -> list[FieldNode]:
    """The fields of one place, fragments spread; a fragment is spread once, as execution does it."""
    found: list[FieldNode] = []
    spread: set[str] = set()
    waiting = [(selections, depth) for selections in reversed(sets)]
    while waiting:
        selections, level = waiting.pop()
        counted.deepest = max(counted.deepest, level)
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                found.append(selection)
            elif isinstance(selection, InlineFragmentNode):
                counted.directives += len(selection.directives or ())
                waiting.append((selection.selection_set, level + 1))
            elif isinstance(selection, FragmentSpreadNode):
                counted.directives += len(selection.directives or ())
                name = selection.name.value
                if name not in spread and name in fragments:
                    spread.add(name)
                    waiting.append((fragments[name], level))
    return found


def _exceeded(counted: Counted) -> GraphQLError | None:
    if counted.fields > MOST_FIELDS:
        return refusal(f"The document asks for more than {MOST_FIELDS} fields.", "DOCUMENT_TOO_COMPLEX")
    if counted.deepest > DEEPEST:
        return refusal(f"The document is nested deeper than {DEEPEST} levels.", "DOCUMENT_TOO_DEEP")
    if counted.aliases > MOST_ALIASES:
        return refusal(f"The document has more than {MOST_ALIASES} aliases.", "DOCUMENT_TOO_COMPLEX")
    if counted.directives > MOST_DIRECTIVES:
        return refusal(f"The document has more than {MOST_DIRECTIVES} directives.", "DOCUMENT_TOO_COMPLEX")
    if counted.most_repeats > MOST_REPEATS:
        return refusal(
            f"The document names one field more than {MOST_REPEATS} times at one place.", "DOCUMENT_TOO_COMPLEX"
        )
    return None
