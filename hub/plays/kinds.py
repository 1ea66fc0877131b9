"""How triggers and steps are told apart: by the one key that names their kind (`alert: …`, `task: …`).

So a document reads like a sentence, and later kinds join without changing those that are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BeforeValidator, Discriminator

from hub.blueprint.values import Entry


def one_or_more(of: Any) -> BeforeValidator:
    """One name may stand for a list of one: `band: red`."""
    return BeforeValidator(
        lambda value: (value,) if isinstance(value, str) else value, json_schema_input_type=of | list[of]
    )


def kind_in(known: Mapping[str, type[Entry]]) -> Discriminator:
    """Tell kinds apart by the key that names them."""

    def kind(value: Any) -> str | None:
        if isinstance(value, Mapping):
            return next((name for name in known if name in value), None)
        return next((name for name, model in known.items() if isinstance(value, model)), None)

    return Discriminator(
        kind,
        custom_error_type="unknown_kind",
        custom_error_message=f"is none of the known kinds; write one of {', '.join(known)}",
    )
