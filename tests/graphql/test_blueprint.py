"""The blueprint through the API: mistakes have their lines, a draft shows what it would change, an admin applies."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from hub.access.service import Role
from hub.blueprint.service import as_yaml
from hub.sections import planning
from tests.graphql.conftest import Client
from tests.graphql.world import DOCUMENT, populate

AUDITED = "SELECT actor, details ->> 'comment' FROM audit_entry WHERE action = 'blueprint.applied'"
PROBLEMS = "... on BlueprintBroken { problems { file line column path message } }"


@pytest.fixture(autouse=True)
async def _world(client: Client) -> None:
    """Two accounts, and a blueprint in force."""
    await populate(client.kit, 2)


async def do(client: Client, name: str, selection: str, role: Role = Role.ADMIN, **given: Any) -> Any:
    kind = f"{name[0].upper()}{name[1:]}Input!"
    query = f"""mutation M($input: {kind}) {{ {name}(input: $input) {{
        __typename {selection} ... on Refusal {{ message remedy }} ... on InvalidInput {{ path }} }} }}"""
    return (await client.data(query, {"input": given}, role=role))[name]


def files(**texts: str) -> list[dict[str, str]]:
    return [{"name": f"{name}.yaml", "text": content} for name, content in texts.items()]


def draft() -> dict[str, Any]:
    """The blueprint in force, with every account in another stage."""
    return {**DOCUMENT, "journeys": {"smb": {"stages": {"start": {}, "established": {}}}}}


async def rows(client: Client, statement: str) -> list[Any]:
    async with client.kit.reading() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


async def test_every_mistake_comes_with_its_place(client: Client) -> None:
    """Over several files, as a refusal and not as an error."""
    found = await do(
        client,
        "blueprintCheck",
        PROBLEMS,
        files=files(a="blueprint: 1\nname: x\nsegments: {smb: {}}\n", b='alerts:\n  low: {when: "scor < 1"}\n'),
    )
    assert found["__typename"] == "BlueprintBroken"
    assert found["message"] == "The blueprint has 3 problems."
    assert found["problems"][-1] == {
        "file": "b.yaml",
        "line": 2,
        "column": 9,
        "path": ["alerts", "low", "when"],
        "message": "names 'scor' at character 1, which is not known; did you mean 'score'?",
    }


async def test_a_right_document_is_counted(client: Client) -> None:
    """And not put in force."""
    before = await rows(client, "SELECT version FROM blueprint_version")
    selection = "... on BlueprintChecked { name sections { section entries } }"
    found = await do(client, "blueprintCheck", selection, files=files(all=as_yaml(DOCUMENT)))
    assert found["name"] == DOCUMENT["name"]
    assert {"section": "segments", "entries": len(DOCUMENT["segments"])} in found["sections"]
    assert await rows(client, "SELECT version FROM blueprint_version") == before


async def test_a_plan_names_entries_and_accounts(client: Client) -> None:
    """From → to of each account, and nothing is written."""
    selection = """... on BlueprintPlanned {
        version accounts moved
        changes { kind section entry parts { path before after } }
        stages { before after accounts }
        first { account { name } before { segment stage band } after { segment stage } } }"""
    before = await rows(client, "SELECT count(*) FROM stay")
    document = {**DOCUMENT, "segments": {"large": {"when": "days_known >= 0"}, **DOCUMENT["segments"]}}
    document["journeys"] = {**DOCUMENT["journeys"], "large": {"stages": {"start": {}}}}
    document["profiles"] = {**DOCUMENT["profiles"], "large": next(iter(DOCUMENT["profiles"].values()))}
    found = await do(client, "blueprintPlan", selection, files=files(all=as_yaml(document)), first=1)
    assert (found["accounts"], found["moved"]) == (2, 2)
    assert {"kind": "ADDED", "section": "segments", "entry": "large", "parts": []} in found["changes"]
    (move,) = found["first"]
    assert move["after"] == {"segment": "large", "stage": "start"}
    assert move["account"]["name"].startswith("Company")
    assert sum(count["accounts"] for count in found["stages"]) == 2
    assert await rows(client, "SELECT count(*) FROM stay") == before


async def test_an_admin_applies_once(client: Client) -> None:
    """A version with who and why, in the audit log; the same again is no version."""
    document = {**DOCUMENT, "alerts": {**DOCUMENT.get("alerts", {}), "low": {"when": "score < 10"}}}
    selection = "... on BlueprintApplied { version previous accounts }"
    given = {"files": files(all=as_yaml(document)), "comment": "lower"}
    done = await do(client, "blueprintApply", selection, **given)
    assert (done["version"], done["accounts"]) == (done["previous"] + 1, 2)
    again = await do(client, "blueprintApply", selection, **given)
    assert (again["version"], again["previous"], again["accounts"]) == (done["version"], done["version"], 0)
    assert await rows(client, AUDITED) == [("key:test-admin", "lower")]
    query = """{
        blueprint { version comment appliedBy document }
        blueprints(first: 5) { version document }
        old: blueprint(version: 99) { version } }"""
    found = await client.data(query, role=Role.VIEWER)
    assert (found["blueprint"]["version"], found["blueprint"]["comment"]) == (done["version"], "lower")
    assert found["blueprint"]["document"] == as_yaml(document)
    assert [one["version"] for one in found["blueprints"]] == [done["version"], done["previous"]]
    assert found["old"] is None
    older = await client.data(f"{{ blueprints(olderThan: {done['version']}) {{ version }} }}")
    assert older["blueprints"] == [{"version": done["previous"]}]


async def test_a_broken_document_is_refused_and_changes_nothing(client: Client) -> None:
    """The version stays, nothing is noted."""
    before = await rows(client, "SELECT version FROM blueprint_version")
    found = await do(client, "blueprintApply", PROBLEMS, files=files(all="blueprint: 1\nname: x\nname: y\n"))
    assert [problem["message"] for problem in found["problems"]] == ["stands already on line 2"]
    assert await rows(client, "SELECT version FROM blueprint_version") == before
    assert await rows(client, AUDITED) == []


@pytest.mark.parametrize("name", ["blueprintCheck", "blueprintPlan", "blueprintApply"])
async def test_it_takes_an_admin(client: Client, name: str) -> None:
    """For everybody else it is a refusal, before the document is read."""
    for role in (Role.CSM, Role.VIEWER, Role.MARKETING):
        assert (await do(client, name, "", role, files=files(all=": broken")))["__typename"] == "NotAllowed"


async def test_odd_input_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, two of one name, too many to name, too many accounts."""
    good = files(all=as_yaml(draft()))
    for name, given in (
        ("blueprintCheck", {"files": []}),
        ("blueprintCheck", {"files": good * 2}),
        ("blueprintPlan", {"files": good, "first": 201}),
        ("blueprintApply", {"files": good, "comment": "\x00"}),
    ):
        assert (await do(client, name, "", **given))["__typename"] == "InvalidInput", given
    monkeypatch.setattr(planning, "MOST_AT_ONCE", 1)
    refused = await do(client, "blueprintPlan", "", files=good)
    assert refused["remedy"] == "Run: hub blueprint plan"
    assert await client.code("{ blueprints(first: 201) { version } }") == "BAD_USER_INPUT"
