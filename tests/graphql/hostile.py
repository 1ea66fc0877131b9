# ruff: noqa: E501  # a document a line reads best
"""Two hundred documents that somebody hostile might send: deep, wide, cyclic, huge, and their mixtures."""

from __future__ import annotations

from collections.abc import Iterator

SIZES = (80, 150, 300, 600, 1_200)


def documents() -> dict[str, str]:
    """The documents by what is wrong with them."""
    return {f"{name} {size}": text for size in SIZES for name, text in _of(size)}


def _of(size: int) -> Iterator[tuple[str, str]]:
    deep, wide = min(size, 400), range(size)
    parents = "accounts { nodes { " + "parent { " * deep + "id" + " }" * deep + " } }"
    yield "deep", f"{{ {parents} }}"
    yield "deep in pages", "{ " + "accounts { nodes { " * deep + "id" + " } }" * deep + " }"
    yield "deep in edges", "{ " + "accounts { edges { node { " * (deep // 2) + "id" + " } } }" * (deep // 2) + " }"
    yield "deep inline", "{ " + "... on Query { " * deep + "viewer { actor }" + " }" * deep + " }"
    yield "deep inline without a type", "{ " + "... { " * deep + "viewer { actor }" + " }" * deep + " }"
    yield "deep lists", "{ account(id: " + "[" * size + "]" * size + ") { id } }"
    yield "deep introspection", "{ __schema { types { " + "fields { type { " * deep + "name" + " } }" * deep + " } } }"
    yield "deep of type", "{ __schema { types { " + "ofType { " * deep + "name" + " }" * deep + " } } }"
    yield "deep types of variables", "query($a: " + "[" * size + "ID" + "]" * size + ") { account(id: $a) { id } }"
    yield "wide", "{ viewer { " + "actor " * size + "role " * size + "} }"
    yield "wide in objects", "{ " + "viewer { actor } " * size + "}"
    yield "wide pages", "{ " + "accounts(first: 1) { nodes { id } } " * size + "}"
    yield "wide below", "{ accounts { nodes { " + "parent { id } " * size + "} } }"
    yield "wide inline", "{ " + "... { viewer { actor } } " * size + "}"
    yield "wide with other arguments", "{ " + " ".join(f"accounts(first: {n}) {{ totalCount }}" for n in wide) + " }"
    yield "aliases", "{ " + " ".join(f"a{n}: viewer {{ actor }}" for n in wide) + " }"
    yield "aliases of dear fields", f"{{ accounts {{ nodes {{ health {{ {_dear(size)} }} }} }} }}"
    yield "aliases of nodes", "{ " + " ".join(f'a{n}: node(id: "acc_{n}") {{ id }}' for n in wide) + " }"
    yield (
        "aliases in mutations",
        "mutation { " + " ".join(f'a{n}: runCancel(input: {{id: "x"}}) {{ __typename }}' for n in wide) + " }",
    )
    yield "cycle of one", "{ ...a } fragment a on Query { ...a " + "viewer { actor } " * (size // 4) + "}"
    yield "cycle of many", "{ ...a0 } " + " ".join(f"fragment a{n} on Query {{ ...a{(n + 1) % size} }}" for n in wide)
    yield (
        "cycle through fields",
        "{ accounts { nodes { ...a } } } fragment a on Account { parent { ...a } " + "id " * size + "}",
    )
    yield (
        "two cycles",
        "{ ...a ...b } fragment a on Query { ...b ...a } fragment b on Query { ...a ...b } "
        + "# " * size
        + "x" * size * 50,
    )
    yield "fragments that double", _doubling(min(size, 45)) + " " + "# x\n" * size
    yield "fragments that double fields", _doubling_fields(min(size, 45))
    yield (
        "fragments that fan out",
        "{ ...a0 } "
        + " ".join(
            f"fragment a{n} on Query {{ {' '.join(f'...a{m}' for m in range(n + 1, min(n + 20, size)))} viewer {{ actor }} }}"
            for n in range(min(size, 120))
        ),
    )
    yield "unused fragments", "{ viewer { actor } } " + " ".join(f"fragment a{n} on Account {{ id }}" for n in wide)
    yield "fragments that are not there", "{ " + " ".join(f"...a{n}" for n in wide) + " }"
    yield "directives", "{ viewer { actor " + "@include(if: true) " * size + "} }"
    yield "directives that are not there", "{ viewer { actor " + " ".join(f"@a{n}" for n in wide) + " } }"
    yield "directives on the operation", "query " + "@a " * size + "{ viewer { actor } }"
    yield "variables", "query(" + " ".join(f"$v{n}: Int" for n in range(max(size, 101))) + ") { viewer { actor } }"
    yield "huge text", '{ account(id: "' + "x" * size * 700 + '") { id } }'
    yield "huge block text", '{ account(id: """' + "x\n" * size * 400 + '""") { id } }'
    yield "huge number", "{ accounts(first: " + "9" * size * 10 + ") { totalCount } }"
    yield "huge float", "{ accounts(first: 1e" + "9" * size * 10 + ") { totalCount } }"
    yield "huge name", "{ " + "a" * size * 40 + " }"
    yield "huge comment", "# " + "x" * size * 700 + "\n{ viewer { actor } nobody }"
    yield "many operations", " ".join(f"query q{n} {{ viewer {{ actor }} nobody }}" for n in wide)
    yield "names that are nearly right", "{ viewer { " + " ".join(f"acto{n}" for n in wide) + " } }"
    yield (
        "arguments that are nearly right",
        "{ accounts(" + " ".join(f"firs{n}: 1" for n in wide) + ") { totalCount } }",
    )
    yield "arguments twice", "{ accounts(" + "first: 1 " * size + ") { totalCount } }"
    yield (
        "dear pages",
        "{ accounts(first: 200) { nodes { timeline(first: 200) { nodes { account { timeline(first: 200) { nodes { id } } } } } } } }"
        + " # x" * size,
    )


def _dear(size: int) -> str:
    return " ".join(f'a{n}: explain(from: "2026-01-01T00:00:00Z") {{ points }}' for n in range(size))


def _doubling(length: int) -> str:
    links = " ".join(f"fragment a{n} on Query {{ ...a{n + 1} ...a{n + 1} }}" for n in range(length))
    return f"{{ ...a0 nobody }} {links} fragment a{length} on Query {{ viewer {{ actor }} }}"


def _doubling_fields(length: int) -> str:
    body = "p: parent {{ ...a{0} }} q: parent {{ ...a{0} }}"
    links = " ".join(f"fragment a{n} on Account {{ {body.format(n + 1)} }}" for n in range(length))
    return f"{{ accounts {{ nodes {{ ...a0 }} }} }} {links} fragment a{length} on Account {{ id }}"
