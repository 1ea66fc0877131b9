"""A stay: an account in a stage of its journey, from its entry until it left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class StayReason(StrEnum):
    """Why an account entered a stage."""

    FIRST_SEEN = "first_seen"
    TRANSITION = "transition"
    SEGMENT = "segment"
    BLUEPRINT = "blueprint"


@dataclass(frozen=True, slots=True)
class Staying:
    """An account in a stage. `first`: it was in no stage before, so all that ever happened belongs to this stay.

    `because` says why it was entered: `reason` (`first_seen`, `transition`, `segment`, or `blueprint` when a new
    version moved it), where it came from, and for a transition the rule and the values that it was held against.
    `version` is that of the blueprint under which it was entered (None: the present one).
    """

    id: UUID
    account_id: str
    segment: str
    stage: str
    entered_at: datetime
    left_at: datetime | None
    first: bool
    because: Mapping[str, Any]
    version: int | None = None
