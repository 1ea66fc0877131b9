"""The schema as text: what `schema/schema.graphql` holds, so that a change of the API is seen in review."""

from __future__ import annotations

from hub.graphql.permissions import undecided
from hub.graphql.schema import the_schema
from hub.kit.errors import Invalid

HEADER = "# The API of the hub. Written by `hub schema export`; the guide is README.md beside this file.\n\n"


def schema_sdl() -> str:
    """The schema in GraphQL's own language, types in the order of their names.

    Raises `Invalid` while there is a field of which nobody has decided who may read it.
    """
    if fields := undecided(the_schema().core):
        raise Invalid(
            f"Who may read {', '.join(fields)}? A decision is missing, or is about a field that does not exist.",
            remedy="Name each field under the roles that may read it, in hub/graphql/permissions.py.",
        )
    return HEADER + the_schema().as_str() + "\n"
