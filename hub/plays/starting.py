"""Whether a play starts on an account: how often it may, what it must not meet, and who is left out to compare with.

Pure functions of the play, of the earlier runs on the account, and of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from uuid import UUID

from hub.plays.model import RunStatus
from hub.plays.section import Frequency, Play

ALIVE = frozenset({RunStatus.RUNNING, RunStatus.HELD, RunStatus.PAUSED})


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run that there was, or is, on the account."""

    play: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None
    person_id: UUID | None = None


def why_not(name: str, play: Play, earlier: Sequence[Earlier], now: datetime) -> str | None:
    """Why the play does not start on the account now; None when it does.

    `earlier` are the account's runs of this play and of those in `not_with`.
    """
    for run in earlier:
        if run.play in play.not_with and run.status in ALIVE:
            return f"The play {run.play} is under way."
    own = [run for run in earlier if run.play == name]
    match play.frequency:
        case "once" if own:
            return "It has started on the account once."
        case Frequency(at_most=most, every=span) if sum(run.started_at > now - span for run in own) >= most:
            return f"It has started {most} times within its span already."
        case _:
            pass
    if play.cool_down is not None:
        for run in own:
            if run.status in ALIVE:
                return "It is under way."
            if (run.ended_at or run.started_at) > now - play.cool_down:
                return "It has ended too short a time ago."
    return None


def is_held_out(play: str, account_id: UUID, share: Decimal | None) -> bool:
    """Whether the account is left out of the play, to compare with: always the same answer for both names.

    BLAKE2b over both, read as a fraction of 2^64: independent of every other play's.
    """
    if share is None:
        return False
    digest = blake2b(f"{play}:{account_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < int(share * 2**64)
