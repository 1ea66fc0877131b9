"""The blueprint in the box: `examples/blueprints/saas` in a checkout, a copy of it in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hub.kit.errors import NotFound

IN_THE_WHEEL: Final = Path(__file__).parent / "shipped"
IN_THE_CHECKOUT: Final = Path(__file__).parents[2] / "examples" / "blueprints" / "saas"


def shipped_path(*candidates: Path) -> Path:
    """The folder of the shipped blueprint. Raises `NotFound` when the installation lacks it."""
    found = [folder for folder in candidates or (IN_THE_WHEEL, IN_THE_CHECKOUT) if folder.is_dir()]
    if not found:
        raise NotFound("The shipped blueprint is missing.", remedy="Install journey-hub again, or set HUB_BLUEPRINT.")
    return found[0]
