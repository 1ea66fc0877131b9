"""Whether a play starts: often enough, not too often, not beside others, and with an honest share left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from hub.plays.model import RunStatus
from hub.plays.section import Play
from hub.plays.starting import Earlier, is_held_out, why_not

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def play(**more: Any) -> Play:
    return Play.model_validate({"trigger": {"by_hand": True}, "steps": [{"wait": "1d"}], **more})


def run(days_ago: float, status: RunStatus = RunStatus.DONE, name: str = "own", lasted: float = 0) -> Earlier:
    started = NOW - timedelta(days=days_ago)
    ended = started + timedelta(days=lasted) if status is not RunStatus.RUNNING else None
    return Earlier(name, status, started, ended)


@pytest.mark.parametrize(
    ("rules", "earlier", "starts"),
    [
        ({}, [run(0.1)], True),
        ({"frequency": "once"}, [], True),
        ({"frequency": "once"}, [run(900, RunStatus.CANCELED)], False),
        ({"frequency": "once"}, [run(900, RunStatus.HOLDOUT)], False),
        ({"frequency": {"at_most": 2, "every": "30d"}}, [run(31), run(29)], True),
        ({"frequency": {"at_most": 2, "every": "30d"}}, [run(29), run(1)], False),
        ({"cool_down": "14d"}, [run(20, lasted=7)], False),
        ({"cool_down": "14d"}, [run(20, lasted=5)], True),
        ({"cool_down": "14d"}, [run(20, RunStatus.RUNNING)], False),
        ({"not_with": ["other"]}, [run(3, RunStatus.RUNNING, "other")], False),
        ({"not_with": ["other"]}, [run(3, RunStatus.HELD, "other")], False),
        ({"not_with": ["other"]}, [run(3, RunStatus.DONE, "other")], True),
    ],
)
def test_how_often_and_beside_what(rules: dict[str, Any], earlier: list[Earlier], starts: bool) -> None:
    """Frequency, cool-down and exclusion, each just within and just beyond."""
    assert (why_not("own", play(**rules), earlier, NOW) is None) is starts


def test_the_share_that_is_left_out_is_the_one_asked_for_and_always_the_same() -> None:
    """Of many accounts about the share; of two plays independently of each other; a greater share adds to a smaller."""
    accounts = [UUID(int=number) for number in range(20_000)]
    tenth = {account for account in accounts if is_held_out("a", account, Decimal("0.1"))}
    assert abs(len(tenth) - 2000) < 130  # three standard deviations
    assert tenth == {account for account in accounts if is_held_out("a", account, Decimal("0.1"))}
    other = {account for account in accounts if is_held_out("b", account, Decimal("0.1"))}
    assert abs(len(tenth & other) - 200) < 45
    assert tenth <= {account for account in accounts if is_held_out("a", account, Decimal("0.3"))}
    assert not any(is_held_out("a", account, None) for account in accounts)
