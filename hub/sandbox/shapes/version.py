"""Versions: which of Stripe's API versions has which shapes.

A version is a date, and a name since 2024; they sort as text. In `2025-03-31.basil` the shapes moved.
"""

from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]

CURRENT: Final = "2026-10-28.endive"
OLDER: Final = "2024-06-20"
_BASIL: Final = "2025-03-31"


def moved(version: str) -> bool:
    """Whether this version has the newer shapes."""
    return version[: len(_BASIL)] >= _BASIL
