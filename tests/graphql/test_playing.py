"""What people do about plays through the API: help held runs on, end them, hand tasks over, answer what plays ask."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.graphql.conftest import Client
from tests.graphql.test_mutations import do, global_id
from tests.graphql.world import populate

RUN, TASK = global_id("run", "run", 0), global_id("tsk", "task", 0)


@pytest.fixture(autouse=True)
async def _world(client: Client) -> None:
    """Two accounts to work on."""
    await populate(client.kit, 2)


async def held(client: Client, status: str = "failed") -> None:
    """The first run is held at its present step."""
    async with client.kit.transaction() as session:
        await session.execute(text("UPDATE run SET status = 'held' WHERE id = CAST(:id AS uuid)"), {"id": RUN[4:]})
        await session.execute(
            text(
                "UPDATE run_step SET status = :status, problem = 'It broke.' FROM run r "
                "WHERE r.id = run_step.run_id AND r.step = run_step.index AND r.id = CAST(:id AS uuid)"
            ),
            {"id": RUN[4:], "status": status},
        )


async def test_a_held_run_is_helped_on(client: Client) -> None:
    """Its step is done anew, or left out; a run that is not held needs no help."""
    refused = await do(client, "runRetry", "", id=RUN)
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", ["run"])
    await held(client)
    again = await do(client, "runRetry", "... on RunRetried { run { status steps { status problem } } }", id=RUN)
    assert again["run"]["status"] == "RUNNING"
    assert {"status": "PENDING", "problem": None} in again["run"]["steps"]
    await held(client, "unknown")
    skipped = await do(client, "runSkip", "... on RunSkipped { run { status steps { status problem } } }", id=RUN)
    assert {"status": "SKIPPED", "problem": "It broke."} in skipped["run"]["steps"]


async def test_a_run_is_ended_by_hand(client: Client) -> None:
    """Its open tasks go with it; it cannot be ended twice."""
    ended = await do(client, "runCancel", "... on RunCanceled { run { status } }", id=RUN, reason="They called us.")
    assert ended["run"] == {"status": "CANCELED"}
    assert (await do(client, "runCancel", "", id=RUN, reason="Again"))["__typename"] == "InvalidInput"


async def test_a_task_is_handed_over_and_a_question_is_answered(client: Client) -> None:
    """A task has an owner; only a question has an answer, and its first one stands."""
    handed = await do(
        client, "taskAssign", "... on TaskAssigned { task { owner kind approved } }", id=TASK, owner="ben"
    )
    assert handed["task"] == {"owner": "ben", "kind": "WORK", "approved": None}
    assert (await do(client, "approvalDecide", "", id=TASK, approved=True))["__typename"] == "InvalidInput"
    async with client.kit.transaction() as session:
        await session.execute(text("UPDATE task SET kind = 'approval' WHERE id = CAST(:id AS uuid)"), {"id": TASK[4:]})
    selection = "... on ApprovalDecided { task { status approved outcome } }"
    for approved in (False, True):
        decided = await do(client, "approvalDecide", selection, id=TASK, approved=approved, comment="Not now")
        assert decided["task"] == {"status": "DONE", "approved": False, "outcome": "Not now"}


async def test_a_play_says_whether_it_works(client: Client) -> None:
    """Without anybody to compare with, nothing can be said yet."""
    found = await client.data("{ plays { name effect { verdict difference treated { accounts } } } }")
    assert found["plays"][0]["effect"] == {
        "verdict": "NOT_ENOUGH_YET",
        "difference": None,
        "treated": {"accounts": 0},
    }
