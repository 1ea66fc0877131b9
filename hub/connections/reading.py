"""Decisions about reading a stream: whether a page may be kept, what an end means, when to come again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

DRIFT_SHARE = 0.2
DRIFT_AT_LEAST = 10
SHORTEST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(hours=1)


class Ended(StrEnum):
    """How a stretch of reading ended."""

    DONE = "done"
    """The vendor has nothing more."""
    MORE = "more"
    """The time given was used up, or a backfill has to follow."""
    RETRY = "retry"
    """The vendor does not answer, or asks for a pause."""
    PAUSED = "paused"
    """Somebody has to do something first."""
    FAILED = "failed"
    """A bug in the connector; it is tried again, ever less often."""
    OVERTAKEN = "overtaken"
    """Somebody else read the same stream meanwhile."""


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What a stretch of reading did. `records` were read, `new` of them unknown before, `bad` of them quarantined.

    `interval` is how long after a `done` the stream is due again.
    """

    ended: Ended
    backfill: bool
    interval: timedelta
    pages: int = 0
    records: int = 0
    new: int = 0
    bad: int = 0
    problem: str | None = None
    retry_after: timedelta | None = None


def drifted(read: int, bad: int) -> bool:
    """Whether so many rows do not fit their model that the model, not the rows, is to blame."""
    return bad >= DRIFT_AT_LEAST and bad > DRIFT_SHARE * read


def retry_in(attempts: int, asked: timedelta | None = None) -> timedelta:
    """How long to wait after the nth failure in a row: what the vendor asks for, or ever longer up to an hour."""
    if asked is not None:
        return max(asked, timedelta(seconds=1))
    doublings = min(max(attempts - 1, 0), 20)
    return min(SHORTEST_RETRY * (1 << doublings), LONGEST_RETRY)


def summary(reasons: Sequence[str]) -> str:
    """The commonest complaint of many, and how many there are."""
    commonest = max(set(reasons), key=reasons.count)
    return f"{len(reasons)} rows do not fit; most of them: {commonest}"
