"""What people do through the API: it is done once, it is noted, and a refusal is a value."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from hub.access.service import Role
from hub.erasing import drain_people_to_erase
from tests.graphql.conftest import Client
from tests.graphql.world import key, populate


@pytest.fixture(autouse=True)
async def _world(client: Client) -> None:
    """Two accounts to work on."""
    await populate(client.kit, 2)


def global_id(prefix: str, *parts: str | int) -> str:
    return f"{prefix}_{key(*parts).hex}"


async def do(client: Client, name: str, selection: str, role: Role = Role.CSM, **given: Any) -> Any:
    kind = f"{name[0].upper()}{name[1:]}Input!"
    query = f"""mutation M($input: {kind}) {{ {name}(input: $input) {{
        __typename {selection} ... on Refusal {{ message remedy }} ... on InvalidInput {{ path }} }} }}"""
    return (await client.data(query, {"input": given}, role=role))[name]


async def rows(client: Client, statement: str) -> list[Any]:
    async with client.kit.reading() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


async def test_an_alert_is_acknowledged_once(client: Client) -> None:
    """The first time it is noted who saw it, in the audit log too; a second time changes nothing."""
    selection = "... on AlertAcknowledged { alert { status acknowledgedBy acknowledgedAt account { name } } }"
    first = await do(client, "alertAcknowledge", selection, id=global_id("alt", "alert", 0))
    assert first["__typename"] == "AlertAcknowledged"
    assert first["alert"]["status"] == "ACKNOWLEDGED"
    assert first["alert"]["acknowledgedBy"] == "key:test-csm"
    assert first["alert"]["account"] == {"name": "Company 000"}
    again = await do(client, "alertAcknowledge", selection, Role.ADMIN, id=global_id("alt", "alert", 0))
    assert again == first
    assert await rows(client, "SELECT actor FROM audit_entry WHERE action = 'alert.acknowledged'") == [
        ("key:test-csm",)
    ]
    assert await rows(client, "SELECT topic FROM outbox") == [("alert.acknowledged",)]


async def test_an_alert_is_resolved_and_then_cannot_be_acknowledged(client: Client) -> None:
    """The domain's own refusal comes as `InvalidInput`."""
    resolved = await do(
        client, "alertResolve", "... on AlertResolved { alert { status } }", id=global_id("alt", "alert", 0)
    )
    assert resolved["alert"]["status"] == "RESOLVED"
    refused = await do(client, "alertAcknowledge", "", id=global_id("alt", "alert", 0))
    assert refused["__typename"] == "InvalidInput"
    assert refused["message"] == "The alert is resolved already."


async def test_a_play_is_started_and_not_twice(client: Client) -> None:
    """While it is under way on the account, starting it again is refused; elsewhere it starts."""
    async with client.kit.transaction() as session:
        await session.execute(text("UPDATE run SET status = 'done', ended_at = now()"))
    selection = "... on PlayStarted { run { play status steps { kind status } account { name } } }"
    started = await do(client, "playStart", selection, play="win_back", account=global_id("acc", "account", 0))
    assert started["run"] == {
        "play": "win_back",
        "status": "RUNNING",
        "steps": [{"kind": "task", "status": "PENDING"}],
        "account": {"name": "Company 000"},
    }
    refused = await do(client, "playStart", selection, play="win_back", account=global_id("acc", "account", 0))
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", ["play"])
    elsewhere = await do(client, "playStart", selection, play="win_back", account=global_id("acc", "account", 1))
    assert elsewhere["__typename"] == "PlayStarted"
    unknown = await do(client, "playStart", selection, play="nothing", account=global_id("acc", "account", 1))
    assert unknown["__typename"] == "NotFound"
    assert "win_back" in unknown["remedy"]


async def test_a_task_is_completed_with_its_outcome(client: Client) -> None:
    """The task shows what came of it, and who did it."""
    selection = "... on TaskCompleted { task { status outcome completedBy overdue run { status } } }"
    done = await do(client, "taskComplete", selection, id=global_id("tsk", "task", 0), outcome="They stay.")
    assert done["task"] == {
        "status": "DONE",
        "outcome": "They stay.",
        "completedBy": "key:test-csm",
        "overdue": False,
        "run": {"status": "RUNNING"},
    }
    assert await do(client, "taskComplete", selection, id=global_id("tsk", "task", 0), outcome="Other.") == done


async def test_feedback_is_recorded_once_for_each_key(client: Client) -> None:
    """The same idempotency key gives back what was recorded first."""
    given = {
        "account": global_id("acc", "account", 0),
        "text": "  Please add an export.  ",
        "kind": "REQUEST",
        "person": global_id("per", "person", 0),
        "theme": "exports",
        "idempotencyKey": "call-17",
    }
    selection = """... on FeedbackRecorded { feedback {
        id text kind theme status recordedBy person { name } account { name } } }"""
    first = await do(client, "feedbackRecord", selection, **given)
    assert first["feedback"].pop("id").startswith("fbk_")
    assert first["feedback"] == {
        "text": "Please add an export.",
        "kind": "REQUEST",
        "theme": "exports",
        "status": "NEW",
        "recordedBy": "key:test-csm",
        "person": {"name": "Grace 0"},
        "account": {"name": "Company 000"},
    }
    await do(client, "feedbackRecord", selection, **given)
    assert await rows(client, "SELECT count(*) FROM feedback WHERE theme = 'exports'") == [(1,)]
    refused = await do(client, "feedbackRecord", selection, **{**given, "text": "Something else."})
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", ["idempotencyKey"])


SAID = {"account": global_id("acc", "account", 0), "text": "x", "kind": "PRAISE"}

REFUSED: list[tuple[str, dict[str, Any], str, list[str] | None]] = [
    ("alertAcknowledge", {"id": "nonsense"}, "InvalidInput", ["id"]),
    ("alertAcknowledge", {"id": global_id("tsk", "task", 0)}, "InvalidInput", ["id"]),
    ("alertAcknowledge", {"id": global_id("alt", "nobody")}, "NotFound", None),
    ("taskComplete", {"id": global_id("tsk", "task", 0), "outcome": "a\x00b"}, "InvalidInput", ["outcome"]),
    ("feedbackRecord", {**SAID, "text": " "}, "InvalidInput", ["text"]),
    ("feedbackRecord", {**SAID, "account": global_id("acc", "nobody")}, "NotFound", None),
    ("feedbackRecord", {**SAID, "person": global_id("per", "person", 1)}, "InvalidInput", ["person"]),
]


async def test_refusals_say_what_is_wrong(client: Client) -> None:
    """Which input it is, and nothing is written."""
    for name, given, typename, path in REFUSED:
        refused = await do(client, name, "", **given)
        assert (refused["__typename"], refused.get("path")) == (typename, path), (name, given)
        assert refused["message"]
    assert await rows(client, "SELECT count(*) FROM outbox") == [(0,)]


async def test_mutations_of_one_request_are_done_in_order_each_by_itself(client: Client) -> None:
    """The second is refused; the first and the third are done."""
    query = """mutation M($a: ID!, $b: ID!) {
      one: alertResolve(input: { id: $a }) { __typename }
      two: alertAcknowledge(input: { id: $a }) { __typename }
      three: alertAcknowledge(input: { id: $b }) { __typename }
    }"""
    found = await client.data(query, {"a": global_id("alt", "alert", 0), "b": global_id("alt", "alert", 1)})
    assert [found[name]["__typename"] for name in ("one", "two", "three")] == [
        "AlertResolved",
        "InvalidInput",
        "AlertAcknowledged",
    ]


async def test_an_admin_has_a_person_erased(client: Client) -> None:
    """It is noted and put on the list; the person is not to be contacted from then on. For nobody else."""
    asked = "... on PersonEraseRequested { requestedAt doneAt }"
    refused = await do(client, "personErase", asked, person=global_id("per", "person", 0))
    assert refused["__typename"] == "NotAllowed"
    found = await do(client, "personErase", asked, Role.ADMIN, person=global_id("per", "person", 0))
    assert (found["__typename"], found["doneAt"]) == ("PersonEraseRequested", None)
    nobody = await do(client, "personErase", asked, Role.ADMIN, person=global_id("per", "nobody"))
    assert nobody["__typename"] == "NotFound"
    assert await drain_people_to_erase(client.kit) == 1
    question = "query($id: ID!) { node(id: $id) { ... on Person { name email erasedAt doNotContact } } }"
    person = (await client.data(question, {"id": global_id("per", "person", 0)}))["node"]
    assert person.pop("erasedAt") is not None
    assert person == {"name": None, "email": None, "doNotContact": True}
