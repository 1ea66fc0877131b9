"""Role × field × row: operations made from the schema itself, so that nothing new goes unasked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from graphql import get_named_type

from hub.access import service as access
from hub.access.service import SYSTEM, Role
from hub.accounts.model import Account
from hub.accounts.scope import about_accounts
from hub.graphql.permissions import NULL_FOR_OTHERS, ROLES_OF, WRITERS, roles_of, undecided
from hub.graphql.schema import the_schema
from hub.kit.db import Base
from hub.tables import ROOMS
from tests.graphql.conftest import Client
from tests.graphql.matrix import fields_of, selection, value, ways
from tests.graphql.world import NOW, key

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHEMA = the_schema().core
OWNER = "ada@hub.example"
ACCOUNT = f'"acc_{key("account", 3).hex}"'
ARGUMENTS = {"id": ACCOUNT, "ids": f"[{ACCOUNT}]", "text": '"company"', "account": ACCOUNT, "play": '"win_back"'}
WAYS = ways(SCHEMA, ARGUMENTS)
READ = [name for name in WAYS if fields_of(WAYS[name].type)]
COUNT = 10

IDS = {
    "alert": "alt",
    "feedback": "fbk",
    "person": "per",
    "run": "run",
    "task": "tsk",
    "watch": "wat",
    "account": "acc",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def limited(reader: Client) -> AsyncIterator[dict[str, str]]:
    """The header of a csm who sees the accounts of one owner: every second."""
    async with reader.kit.transaction() as session:
        made = await access.create_key(session, SYSTEM, "limited", Role.CSM, expires_in=None, now=NOW, owner=OWNER)
    yield {"authorization": f"Bearer {made.secret}"}


async def test_somebody_has_decided_about_every_field() -> None:
    """A new field fails here, and at `hub schema export`, until it stands in `hub/graphql/permissions.py`."""
    assert undecided(SCHEMA) == []


async def test_every_field_that_is_decided_about_can_be_reached() -> None:
    """The matrix below leaves nothing out but what only mutations and subscriptions give."""
    others: set[str] = {"Mutation", "Subscription"}
    waiting = [SCHEMA.type_map[name] for name in others]
    while waiting:
        for field in fields_of(waiting.pop()).values():
            below = get_named_type(field.type)
            found = [below] if fields_of(below) else SCHEMA.get_possible_types(below) if hasattr(below, "types") else []
            for one in found:
                if one.name not in WAYS and one.name not in others:
                    others.add(one.name)
                    waiting.append(one)
    interfaces = {"Change", "Node", "Owned", "Refusal"}
    assert {type_ for type_, _ in ROLES_OF} <= WAYS.keys() | others | interfaces


@pytest.mark.parametrize("name", READ)
async def test_a_role_reads_what_is_decided_and_nothing_else(reader: Client, name: str) -> None:
    """Each field of the type for each role: refused before anything is read, or answered by the services too."""
    way = WAYS[name]
    for role in Role:
        readable = []
        for field, definition in fields_of(way.type).items():
            chosen = selection(definition, field, ARGUMENTS)
            if name == "Query" and field in ("node", "nodes"):
                continue  # what they find has its own roles: tests/graphql/test_access.py
            if role in way.roles & roles_of(way.type, field):
                readable.append(chosen)
                continue
            if (name, field) in NULL_FOR_OTHERS:
                continue  # tests/graphql/test_access.py
            refused = await reader.answer(way.query(chosen), role=role)
            assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN", (role, field, refused)
            assert "data" not in refused or refused["data"] is None
        for nth in range(0, len(readable), 20):
            found = await reader.answer(way.query(" ".join(readable[nth : nth + 20])), role=role)
            codes = {error["extensions"]["code"] for error in found.get("errors", ())}
            assert not codes, (role, readable, found["errors"])


@pytest.mark.parametrize("name", READ)
async def test_a_csm_with_own_accounts_sees_nothing_of_others(
    reader: Client, limited: dict[str, str], name: str
) -> None:
    """Whatever is read, no id, name or address of an account of somebody else is in the answer."""
    way = WAYS[name]
    fields = {
        field: selection(definition, field, ARGUMENTS)
        for field, definition in fields_of(way.type).items()
        if Role.CSM in way.roles & roles_of(way.type, field)
    }
    if not fields:
        return
    chosen = list(fields.values())
    for nth in range(0, len(chosen), 20):
        query = way.query(" ".join(chosen[nth : nth + 20]))
        response = await reader.http.post("/graphql", json={"query": query}, headers=limited)
        assert response.json().get("errors") is None, response.text
        assert foreign_in(response.text) == set(), query


async def test_a_csm_with_own_accounts_sees_own_ones(reader: Client, limited: dict[str, str]) -> None:
    """The limit leaves what is theirs, and counts only that."""
    account = "name tasks { nodes { title } } people { nodes { email } }"
    query = f"{{ accounts {{ totalCount nodes {{ {account} }} }} viewer {{ owner }} }}"
    found = (await reader.http.post("/graphql", json={"query": query}, headers=limited)).json()["data"]
    assert found["viewer"] == {"owner": OWNER}
    assert found["accounts"]["totalCount"] == COUNT // 2
    assert [one["name"] for one in found["accounts"]["nodes"]] == [f"Company 00{nth}" for nth in range(1, COUNT, 2)]
    assert all(one["tasks"]["nodes"] and one["people"]["nodes"] for one in found["accounts"]["nodes"])


@pytest.mark.parametrize(
    "id_",
    [
        *(f"{prefix}_{key(name, 0).hex}" for name, prefix in IDS.items()),
        f"evt_{key('source', 0, 'billing').hex}{key('event', 0, 0).hex}",
        f"sta_{key('stay', 0, 1).hex}",
        f"ref_{key('account', 8).hex}",
    ],
)
async def test_ids_of_others_lead_nowhere(reader: Client, limited: dict[str, str], id_: str) -> None:
    """Who has an id of somebody else's account, or of anything about it, finds nothing by it; others do."""
    query = f'{{ node(id: "{id_}") {{ id }} nodes(ids: ["{id_}"]) {{ id }} }}'
    found = (await reader.http.post("/graphql", json={"query": query}, headers=limited)).json()
    assert found["data"] == {"node": None, "nodes": [None]}
    assert (await reader.data(query))["node"] == {"id": id_}


IDS_OF = {"approval": "task", "watchMove": "watch", "watchAssign": "watch", "watchPlan": "watch"}
IDS_OF |= {name: name for name in ("alert", "run", "task")}
MUTATIONS = SCHEMA.mutation_type.fields if SCHEMA.mutation_type else {}


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_mutation_takes_a_role_and_ones_own_accounts(
    reader: Client, limited: dict[str, str], name: str
) -> None:
    """Roles that may not do it are refused by a value; who may not see the account is told that there is none."""
    values = {one: f'"{prefix}_{key(one, 0).hex}"' for one, prefix in IDS.items()}
    subject = next((IDS_OF[start] for start in IDS_OF if name.startswith(start)), "account")
    values |= {"id": values[subject], "ids": f"[{values[subject]}]", "band": "GREEN", "play": '"win_back"'}
    values |= {"until": f'"{NOW.replace(year=2027).isoformat()}"', "days": "1", "approved": "true"}
    del values["feedback"]
    [(argument, definition)] = MUTATIONS[name].args.items()
    asked = f"mutation {{ {name}({argument}: {value(argument, definition.type, values)}) {{ __typename %s }} }}"
    for role in set(Role) - roles_of(SCHEMA.type_map["Mutation"], name):
        found = (await reader.data(asked % "... on Refusal { message }", role=role))[name]
        assert found["__typename"] == "NotAllowed", (role, found)
    if roles_of(SCHEMA.type_map["Mutation"], name) != WRITERS:
        return
    union = get_named_type(MUTATIONS[name].type)
    several = next((one for one in SCHEMA.get_possible_types(union) if "refused" in one.fields), None)  # type: ignore[arg-type]
    listed = f"... on {several.name} {{ refused {{ refusal {{ __typename }} }} }}" if several else ""
    found = (await reader.http.post("/graphql", json={"query": asked % listed}, headers=limited)).json()["data"][name]
    if several:
        assert found["refused"] == [{"refusal": {"__typename": "NotFound"}}]
    else:
        # A list holds what is theirs alone: five accounts, and not the one that is expected here.
        assert found["__typename"] == ("InvalidInput" if name == "playStartMany" else "NotFound"), (asked, found)


async def test_every_table_about_accounts_is_limited() -> None:
    """A mapped class that names an account is restricted; the others are reached through one that is, or are none."""
    assert ROOMS
    mapped = {mapper.class_ for mapper in Base.registry.mappers}
    without = {one.__name__ for one in mapped - {Account, *about_accounts()}}
    assert without == THROUGH_ANOTHER | NOT_ABOUT_ACCOUNTS


THROUGH_ANOTHER = {
    *("AccountKey", "FirstSighting", "PersonPlace", "EventRow", "ReplayedEvent"),  # the source account
    *("SourcePerson", "PersonAssertion", "PersonKey", "PersonRole"),  # the person
    *("RunStep", "StepCall"),  # the run
    "Merge",  # two accounts; nothing reads it for a viewer
}
NOT_ABOUT_ACCOUNTS = {
    *("WorkItem", "OutboxRow", "ApiKey", "AuditEntry", "BlueprintVersion", "OwnerDigest", "RuleFollowed", "PlaySwitch"),
    *("Connection", "Checkpoint", "OutletState", "ListedRecord", "RawRecord", "RawPending", "WebhookDelivery"),
    *(
        "Erasure",
        "ErasedKey",
        "ErasedSource",
        "Quarantine",
        "ActionCall",
        "MailboxMessage",
        "ReplayRow",
        "ReplayedRecord",
    ),
}


def foreign_in(text: str) -> set[str]:
    """What of others' accounts a text names."""
    found = set()
    for nth in range(0, COUNT, 2):
        names = {f"Company 00{nth}", f"company{nth}.example", f"Grace {nth}"}
        names |= {key(name, nth).hex for name in (*IDS, "source", "source person")}
        names |= {key("source", nth, place).hex for place in ("billing", "product")}
        names |= {key("score", nth, one).hex for one in (0, 1)} | {key("stay", nth, one).hex for one in (1, 2)}
        found |= {name for name in names if re.search(rf"{re.escape(name)}(?!\d)", text)}
    return found
