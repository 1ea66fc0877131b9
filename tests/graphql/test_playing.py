"""What people do about plays through the API: help held runs on, end them, hand tasks over, answer what plays ask."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from hub.access.service import SYSTEM, Role, create_key
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


async def test_my_day(client: Client) -> None:
    """Whoever's key it is sees their own tasks by when they are due; a key that is nobody's is told what to do."""
    async with client.kit.transaction() as session:
        made = await create_key(
            session, SYSTEM, "ada", Role.CSM, expires_in=None, owner="ada@hub.example", now=client.kit.clock.now()
        )
        await session.execute(text("UPDATE account SET owner = 'ada@hub.example'"))
        await session.execute(
            text(
                "INSERT INTO task (id, account_id, title, owner, due_at, status, kind, created_at) "
                "SELECT gen_random_uuid(), a.id, t.title, t.owner, now() + t.due, t.status, 'work', now() "
                "FROM (SELECT id FROM account LIMIT 1) AS a, (VALUES "
                "('late', 'ada@hub.example', interval '-1 day', 'open'), "
                "('done', 'ada@hub.example', interval '-1 day', 'done'), "
                "('soon', 'ada@hub.example', interval '3 days', 'open'), "
                "('far', 'ada@hub.example', interval '300 days', 'open'), "
                "('whose', NULL, interval '-1 day', 'open'), "
                "('other', 'ben', interval '-1 day', 'open')) AS t(title, owner, due, status)"
            )
        )
        await session.execute(text("DELETE FROM task WHERE run_id IS NOT NULL"))

    async def titles(arguments: str) -> set[str]:
        query = {"query": f"{{ tasks({arguments}) {{ nodes {{ title }} }} }}"}
        headers = {"authorization": f"Bearer {made.secret}"}
        found = (await client.http.post("/graphql", json=query, headers=headers)).json()
        return {task["title"] for task in found["data"]["tasks"]["nodes"]}

    assert await titles("assignee: ME, due: TODAY") == {"late"}
    assert await titles('assignee: ME, due: OVERDUE, timeZone: "Pacific/Auckland"') == {"late"}
    assert await titles("assignee: ME, due: WEEK") == {"late", "soon"}
    assert await titles("assignee: ME, due: LATER") == {"far"}
    assert await titles("assignee: NOBODY, due: TODAY") == {"whose"}
    assert await titles("assignee: ME, filter: {status: [DONE]}") == {"done"}
    refused = await client.answer("{ tasks(assignee: ME) { nodes { id } } }", role=Role.ADMIN)
    assert "hub token create" in str(refused["errors"])
    refused = await client.answer('{ tasks(due: TODAY, timeZone: "Mars/Base") { nodes { id } } }')
    assert "There is no time zone 'Mars/Base'." in str(refused["errors"])


async def test_a_task_is_talked_about_and_ticked_off(client: Client) -> None:
    """Comments and points of the checklist stand with the task; a point that there is not is refused."""
    point = '[{"text": "Read", "done_at": null, "done_by": null}]'
    async with client.kit.transaction() as session:
        await session.execute(text("UPDATE task SET checklist = CAST(:point AS jsonb)"), {"point": point})
    said = await do(
        client, "taskComment", "... on TaskCommented { task { comments { author body } } }", id=TASK, body="No answer."
    )
    assert said["task"]["comments"] == [{"author": "key:test-csm", "body": "No answer."}]
    assert (await do(client, "taskComment", "", id=TASK, body=" "))["__typename"] == "InvalidInput"
    assert (await do(client, "taskComplete", "", id=TASK))["__typename"] == "InvalidInput"
    ticked = await do(client, "taskTick", "... on TaskTicked { task { checklist { text doneBy } } }", id=TASK, point=0)
    assert ticked["task"]["checklist"] == [{"text": "Read", "doneBy": "key:test-csm"}]
    assert (await do(client, "taskTick", "", id=TASK, point=1))["__typename"] == "InvalidInput"
    done = await do(client, "taskComplete", "... on TaskCompleted { task { status } }", id=TASK, outcome="Spoke.")
    assert done["task"]["status"] == "DONE"
