"""The bands, as the schema knows them: declared before anything that shows one."""

from hub.graphql.declare import vocabulary
from hub.health.queries import Band

__all__ = ["Band"]

vocabulary(
    Band,
    RED="At risk.",
    YELLOW="Neutral.",
    GREEN="Engaged.",
    PURPLE="Engaged, and could speak for us.",
    UNKNOWN="Too little is known to say; never a good sign by itself.",
)
