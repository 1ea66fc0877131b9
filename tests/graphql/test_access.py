"""Who sees what: every entry point, for every role."""

from __future__ import annotations

import pytest

from hub.access.service import Role
from tests.graphql.conftest import Client
from tests.graphql.world import key

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNTS = {Role.ADMIN, Role.CSM, Role.VIEWER}
REFERENCES = {Role.ADMIN, Role.CSM, Role.MARKETING}
ADMIN = {Role.ADMIN}


def node(prefix: str, *parts: str | int) -> str:
    return f'node(id: "{prefix}_{key(*parts).hex}") {{ id }}'


READS: dict[str, set[Role]] = {
    "accounts { nodes { id } }": ACCOUNTS,
    "accounts { totalCount }": ACCOUNTS,
    f'account(id: "acc_{key("account", 0).hex}") {{ id }}': ACCOUNTS,
    "alerts { nodes { id } }": ACCOUNTS,
    "watchList { nodes { id } }": ACCOUNTS,
    "plays { name }": ACCOUNTS,
    "blueprint { version document }": ACCOUNTS,
    "blueprints { version }": ACCOUNTS,
    "runs { nodes { id } }": ACCOUNTS,
    "tasks { nodes { id } }": ACCOUNTS,
    "feedback { nodes { id } }": ACCOUNTS,
    "references { nodes { id } }": REFERENCES,
    "connections { id }": ADMIN,
    "quarantine { nodes { id } }": ADMIN,
    node("acc", "account", 0): ACCOUNTS,
    node("alt", "alert", 0): ACCOUNTS,
    node("con", "connection"): ADMIN,
    f'node(id: "evt_{key("source", 0, "billing").hex}{key("event", 0, 0).hex}") {{ id }}': ACCOUNTS,
    node("fbk", "feedback", 0): ACCOUNTS,
    node("per", "person", 0): ACCOUNTS,
    node("qua", "quarantine"): ADMIN,
    node("ref", "account", 3): REFERENCES,
    node("run", "run", 0): ACCOUNTS,
    node("sta", "stay", 0, 1): ACCOUNTS,
    node("tsk", "task", 0): ACCOUNTS,
    node("wat", "watch", 0): ACCOUNTS,
}


@pytest.mark.parametrize("selection", READS, ids=str)
async def test_reading_takes_a_role(reader: Client, selection: str) -> None:
    """The roles that may, may; all others are refused, and told what it takes."""
    for role in Role:
        found = await reader.answer(f"{{ {selection} }}", role=role)
        if role in READS[selection]:
            assert "errors" not in found, (role, found)
            assert next(iter(found["data"].values())) is not None
        else:
            assert found["errors"][0]["extensions"]["code"] == "FORBIDDEN", (role, found)
            assert "it takes" in found["errors"][0]["message"]


async def test_marketing_sees_references_and_no_way_to_the_account(reader: Client) -> None:
    """The link to the account is null for marketing, and there for a csm."""
    query = "{ references { nodes { name points evidence { kind statement } account { id } } } }"
    found = await reader.data(query, role=Role.MARKETING)
    assert [one["name"] for one in found["references"]["nodes"]] == ["Company 003", "Company 008"]
    assert all(one["account"] is None for one in found["references"]["nodes"])
    found = await reader.data(query, role=Role.CSM)
    assert found["references"]["nodes"][0]["account"]["id"] == f"acc_{key('account', 3).hex}"


async def test_no_answer_names_a_person_to_marketing(reader: Client) -> None:
    """Evidence speaks of facts; nobody has consented to be named."""
    found = await reader.http.post(
        "/graphql",
        json={"query": "{ references { nodes { name domain evidence { statement kind at } } } }"},
        headers=reader.headers(Role.MARKETING),
    )
    assert "Grace" not in found.text
    assert "grace@" not in found.text


MUTATIONS = {
    "alertAcknowledge": '{id: "alt_00000000000000000000000000000000"}',
    "alertResolve": '{id: "alt_00000000000000000000000000000000"}',
    "playStart": '{play: "win_back", account: "acc_00000000000000000000000000000000"}',
    "taskComment": '{id: "tsk_00000000000000000000000000000000", body: "x"}',
    "taskTick": '{id: "tsk_00000000000000000000000000000000", point: 0}',
    "taskComplete": '{id: "tsk_00000000000000000000000000000000"}',
    "feedbackRecord": '{account: "acc_00000000000000000000000000000000", text: "x", kind: PRAISE}',
}


@pytest.mark.parametrize("name", MUTATIONS)
async def test_doing_takes_a_role(reader: Client, name: str) -> None:
    """Only a csm or an admin may do something; for them there is nothing of this id."""
    for role in Role:
        query = f"mutation {{ {name}(input: {MUTATIONS[name]}) {{ __typename ... on Refusal {{ message remedy }} }} }}"
        found = (await reader.data(query, role=role))[name]
        assert found["__typename"] == ("NotFound" if role in (Role.ADMIN, Role.CSM) else "NotAllowed")
        assert found["message"]
