"""The closed vocabularies of health: bands, and the lives of alerts and of entries of the watch list."""

from __future__ import annotations

from enum import StrEnum


class Band(StrEnum):
    """What the score means. `unknown`: too little is known, which is never green."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    PURPLE = "purple"
    UNKNOWN = "unknown"


class AlertStatus(StrEnum):
    """The life of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class WatchStatus(StrEnum):
    """The life of an entry of the watch list."""

    AT_RISK = "at_risk"
    PLAN_IN_PLACE = "plan_in_place"
    SAVING = "saving"
    RECOVERED = "recovered"
    LOST = "lost"
