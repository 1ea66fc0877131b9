"""Actions: once for each key, and never a guess about what happened."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import Response

from hub.connections.actions import ATTEMPTS, LEASE, Move, judge, next_move, perform
from hub.connections.model import ActionCall, ActionStatus, Connection, ConnectionStatus
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.sdk.errors import Ambiguous, AuthExpired, RateLimited, Rejected, Unavailable
from tests.connections.vendor import API_KEY, Vendor, scalar

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


async def test_an_action_is_done_once_for_each_key(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """The same key again, in parallel and later, is one effect, and everybody hears the same."""
    outcomes = await asyncio.gather(
        *(perform(kit, "panel", "surveys.thank", {"person": "ann"}, key="run:1") for _ in range(5))
    )
    assert {outcome.status for outcome in outcomes} <= {ActionStatus.DONE, ActionStatus.PENDING}
    again = await perform(kit, connection.id, "thank", {"person": "ann"}, key="run:1")
    assert again.status is ActionStatus.DONE
    assert again.output == {"person": "ann"}
    assert vendor.thanked == ["ann"]
    await perform(kit, "panel", "thank", {"person": "ann"}, key="run:2")
    assert vendor.thanked == ["ann", "ann"]


async def test_a_done_action_says_which_event_it_leaves(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """The outcome carries the event for the timeline; asking again gives the very same event."""
    first, second = [await perform(kit, "panel", "thank", {"person": "ann"}, key="run:1") for _ in range(2)]
    assert first.emits is not None
    assert first.emits == second.emits
    assert first.emits.kind == "message.sent"
    assert first.emits.natural_key == f"action:{connection.id}:run:1"
    assert first.emits.attributes == {"connection": "panel", "action": "surveys.thank", "person": "ann"}
    assert (await perform(kit, "panel", "tag", {"person": "ann"}, key="run:2")).emits is None


async def test_a_refusal_is_final(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """What the vendor refuses, and what does not fit the action's input, is rejected and not asked again."""
    refused = await perform(kit, "panel", "thank", {"person": "nobody"}, key="run:1")
    assert (refused.status, refused.retry_at) == (ActionStatus.REJECTED, None)
    asked = len(vendor.requests)
    assert (await perform(kit, "panel", "thank", {"person": "nobody"}, key="run:1")).status is ActionStatus.REJECTED
    wrong = await perform(kit, "panel", "thank", {"people": 3}, key="run:2")
    assert wrong.status is ActionStatus.REJECTED
    assert "person" in str(wrong.problem)
    assert len(vendor.requests) == asked


async def test_no_answer_without_idempotency_is_unknown(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """When an action that cannot be repeated may have happened, a person decides: it is never sent again."""
    vendor.faults = [Response(status_code=500)]
    assert (await perform(kit, "panel", "thank", {"person": "ann"}, key="run:1")).status is ActionStatus.UNKNOWN
    assert (await perform(kit, "panel", "thank", {"person": "ann"}, key="run:1")).status is ActionStatus.UNKNOWN
    assert vendor.requests.count("POST /thanks") == 1


async def test_a_repeatable_action_waits_and_is_done(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """With an idempotency key of the vendor's an outage is waited out, and the first input counts."""
    clock = FrozenClock(NOW)
    later = Kit(kit.settings, kit.database, kit.queue, kit.broadcast, kit.vault, clock)
    vendor.faults = [Response(status_code=429, headers={"retry-after": "60"})]
    outcome = await perform(later, "panel", "tag", {"person": "ann"}, key="run:1")
    assert (outcome.status, outcome.retry_at) == (ActionStatus.PENDING, NOW + timedelta(seconds=60))
    asked = len(vendor.requests)
    assert (await perform(later, "panel", "tag", {"person": "ann"}, key="run:1")).status is ActionStatus.PENDING
    assert len(vendor.requests) == asked
    clock.advance(timedelta(seconds=61))
    outcome = await perform(later, "panel", "tag", {"person": "bob"}, key="run:1")
    assert (outcome.status, outcome.output) == (ActionStatus.DONE, {"person": "ann"})


async def test_whoever_died_in_the_middle_leaves_a_trace(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A call that was under way when its process died is unknown, or made again where that cannot matter."""
    long_ago = kit.clock.now() - LEASE * 2
    async with kit.transaction() as session:
        for key, action in (("run:1", "thank"), ("run:2", "tag")):
            session.add(
                ActionCall(
                    connection_id=connection.id,
                    key=key,
                    action=action,
                    input={"person": "ann"},
                    status=ActionStatus.PENDING,
                    attempts=1,
                    started_at=long_ago,
                    leased_until=long_ago + LEASE,
                )
            )
    assert (await perform(kit, "panel", "thank", {"person": "ann"}, key="run:1")).status is ActionStatus.UNKNOWN
    assert (await perform(kit, "panel", "tag", {"person": "ann"}, key="run:2")).status is ActionStatus.DONE
    assert vendor.thanked == []


async def test_refused_credentials_pause_the_connection_and_keep_the_action(
    kit: Kit, vendor: Vendor, connection: Connection
) -> None:
    """The action waits until somebody has connected again; a paused connection's vendor is not asked."""
    vendor.keys.clear()
    outcome = await perform(kit, "panel", "thank", {"person": "ann"}, key="run:1")
    assert outcome.status is ActionStatus.PENDING
    assert await scalar(kit, "SELECT status FROM connection") == ConnectionStatus.PAUSED
    asked = len(vendor.requests)
    outcome = await perform(kit, "panel", "thank", {"person": "ann"}, key="run:2")
    assert (outcome.status, len(vendor.requests)) == (ActionStatus.PENDING, asked)
    assert "paused" in str(outcome.problem)


async def test_a_bug_in_an_action_shows_no_secret(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A connector that fails over its action fails that one, without a word of its secrets."""
    vendor.faults = [Response(API_KEY, status_code=200)]
    outcome = await perform(kit, "panel", "tag", {"person": "ann"}, key="run:1")
    assert outcome.status is ActionStatus.FAILED
    assert API_KEY not in str(outcome.problem)


async def test_what_does_not_exist_fails_plainly(kit: Kit, connection: Connection) -> None:
    """An unknown connection or action is an outcome that names it."""
    for name, action in (("nobody", "thank"), ("panel", "surveys.dance"), ("panel", "dance")):
        outcome = await perform(kit, name, action, {}, key="run:1")
        assert outcome.status is ActionStatus.FAILED
        assert "'nobody'" in str(outcome.problem) or "dance" in str(outcome.problem)


async def test_a_key_belongs_to_one_action(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """The same key for another action is refused, not mixed up."""
    await perform(kit, "panel", "tag", {"person": "ann"}, key="run:1")
    outcome = await perform(kit, "panel", "thank", {"person": "ann"}, key="run:1")
    assert outcome.status is ActionStatus.REJECTED
    assert vendor.thanked == []


async def test_an_action_may_leave_a_message_at_the_hub(kit: Kit, connection: Connection) -> None:
    """The mailbox is at hand in an action; the same key leaves one message."""
    for _ in range(2):
        await perform(kit, "panel", "leave", {"person": "a NUL \x00"}, key="run:1")
    assert await scalar(kit, "SELECT count(*) FROM mailbox_message") == 1


def call(**values: Any) -> ActionCall:
    return ActionCall(**{"status": ActionStatus.PENDING, "leased_until": None, "retry_at": None, **values})


@pytest.mark.parametrize(
    ("pending", "idempotency", "move"),
    [
        ({}, "none", Move.CALL),
        ({"status": ActionStatus.DONE}, "native", Move.ANSWER),
        ({"leased_until": NOW + LEASE}, "native", Move.WAIT),
        ({"leased_until": NOW - LEASE}, "upsert", Move.CALL),
        ({"leased_until": NOW - LEASE}, "none", Move.GIVE_UP),
        ({"retry_at": NOW + LEASE}, "none", Move.WAIT),
        ({"retry_at": NOW - LEASE}, "none", Move.CALL),
    ],
)
def test_what_to_do_about_a_call(pending: dict[str, Any], idempotency: str, move: Move) -> None:
    """Under way, waiting, settled, or left behind: each has one next move."""
    assert next_move(call(**pending), idempotency, NOW) is move


@pytest.mark.parametrize(
    ("error", "idempotency", "sent", "attempts", "status"),
    [
        (Rejected("no"), "none", True, 1, ActionStatus.REJECTED),
        (AuthExpired("no"), "none", False, 1, ActionStatus.PENDING),
        (Unavailable("no"), "none", False, 1, ActionStatus.PENDING),
        (Unavailable("no"), "none", True, 1, ActionStatus.UNKNOWN),
        (RateLimited("no"), "native", True, 1, ActionStatus.PENDING),
        (Unavailable("no"), "native", False, ATTEMPTS, ActionStatus.FAILED),
        (Ambiguous("no"), "none", False, 1, ActionStatus.UNKNOWN),
        (Ambiguous("no"), "lookup", True, 1, ActionStatus.PENDING),
        (Ambiguous("no"), "upsert", True, ATTEMPTS, ActionStatus.FAILED),
        (KeyError("bug"), "none", True, 1, ActionStatus.UNKNOWN),
        (KeyError("bug"), "none", False, 1, ActionStatus.FAILED),
        (KeyError("bug"), "native", True, 1, ActionStatus.FAILED),
        (TimeoutError(), "none", True, 1, ActionStatus.UNKNOWN),
    ],
)
def test_what_a_failure_means(
    error: Exception, idempotency: str, sent: bool, attempts: int, status: ActionStatus
) -> None:
    """Only what certainly did not happen, or may be repeated, is tried again."""
    result = judge(error, idempotency, sent=sent, attempts=attempts, now=NOW)
    assert result.status is status
    assert (result.retry_at is not None) == (status is ActionStatus.PENDING)
