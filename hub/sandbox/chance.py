"""Chance that is the same on every machine: a source of draws named by what it is drawn for.

Each company, week and incident has a source of its own, so a change to one part of the world leaves the
others as they are.
"""

from random import Random


def seeded(*names: object) -> Random:
    """The source of draws with this name: `seeded(7, "org_1", "week", 3)`. Not fit for secrets that protect."""
    return Random("/".join(map(str, names)))  # noqa: S311 - inventing a world needs to be repeatable
