"""16: the README."""

from tests.sdk.broken import broken

BROKEN = [
    broken("nobody is warned of quirks", "readme.sections", ("README.md", "## Quirks", "## Notes")),
]
