"""The schema as text: what `schema/schema.graphql` holds, so that a change of the API is seen in review."""

from __future__ import annotations

from hub.graphql.schema import the_schema

HEADER = "# The API of the hub. Written by `hub schema export`; the guide is README.md beside this file.\n\n"


def schema_sdl() -> str:
    """The schema in GraphQL's own language, types in the order of their names."""
    return HEADER + the_schema().as_str() + "\n"
