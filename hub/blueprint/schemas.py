"""Finding one's way in a JSON Schema: which keys may stand at a given place of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from hub.blueprint.problems import Path

Schema: TypeAlias = Mapping[str, Any]


def keys_at(schema: Schema, content: Any, way: Path) -> set[str]:
    """The keys that the mapping at `way` may have; where its kind is told by a field (`kind: count`), that
    kind's.
    """
    here = list(_members(schema, schema, content))
    for step in way:
        content = content[step]
        here = [
            member for parent in here for below in _below(parent, step) for member in _members(schema, below, content)
        ]
    return {key for member in here for key in member.get("properties", {})}


def _below(schema: Schema, step: str | int) -> Iterator[Schema]:
    properties = schema.get("properties", {})
    if step in properties:
        yield properties[step]
        return
    others = [
        *schema.get("patternProperties", {}).values(),
        schema.get("additionalProperties"),
        schema.get("items"),
    ]
    yield from (other for other in others if isinstance(other, Mapping))


def _members(root: Schema, schema: Schema, content: Any) -> Iterator[Schema]:
    """The schema itself without references, or the members of the union that it is."""
    if "$ref" in schema:
        yield from _members(root, root["$defs"][schema["$ref"].rpartition("/")[2]], content)
        return
    discriminator = schema.get("discriminator", {})
    tag = content.get(discriminator.get("propertyName")) if isinstance(content, Mapping) else None
    if isinstance(tag, str) and tag in discriminator.get("mapping", {}):
        yield from _members(root, {"$ref": discriminator["mapping"][tag]}, content)
        return
    options = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    if not options:
        yield schema
    for option in options:
        yield from _members(root, option, content)
