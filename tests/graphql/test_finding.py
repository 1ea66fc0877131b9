"""What is found by asking: search over accounts and people, days of a timeline, one person's events, the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from hub.access.service import Role
from hub.accounts.model import ACCOUNT_TEXT, PERSON_TEXT
from tests.graphql.conftest import Client
from tests.graphql.world import DAY, NOW, key

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEARCH = """query Search($text: String!, $kind: [Sought!]) {
  search(text: $text, kind: $kind) { __typename ... on Account { name } ... on Person { email } }
}"""


async def found(client: Client, asked: str, **variables: Any) -> list[str]:
    data = await client.data(SEARCH, {"text": asked, **variables})
    return [one.get("name") or one["email"] for one in data["search"]]


@pytest.mark.parametrize(
    ("asked", "best"),
    [
        ("company 003", "Company 003"),
        ("003 comp", "Company 003"),
        ("COMPANY 003", "Company 003"),
        ("compnay 003", "Company 003"),
        ("company3.example", "Company 003"),
        ("Grace 7", "grace@company7.example"),
        ("grace@company7.example", "grace@company7.example"),
        ("grace@company7", "grace@company7.example"),
    ],
)
async def test_the_best_stands_first(reader: Client, asked: str, best: str) -> None:
    """Words in any order, cut short, misspelt, in any case; parts of addresses."""
    assert (await found(reader, asked))[0] == best


@pytest.mark.parametrize("asked", ["zzzz", "& | ! :*", "'; drop table account; --", "100%", "<->"])
async def test_what_is_not_there_is_not_found(reader: Client, asked: str) -> None:
    """Nothing that somebody types is an operator."""
    answer = await reader.answer(SEARCH, {"text": asked})
    assert "errors" not in answer or answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert not (answer.get("data") or {}).get("search")


async def test_only_what_is_asked_for(reader: Client) -> None:
    """One kind alone, few at most, and nothing for a text too short or too long."""
    people = await found(reader, "company7", kind=["PERSON"])
    assert people[0] == "grace@company7.example"
    assert all("@" in one for one in people)
    assert len((await reader.data('{ search(text: "company", first: 3) { __typename } }'))["search"]) == 3
    for asked in ("", " ", "a", "x" * 201, "a\x00b"):
        assert await reader.code(SEARCH, {"text": asked}) == "BAD_USER_INPUT"
    assert await reader.code('{ search(text: "company", first: 51) { __typename } }') == "BAD_USER_INPUT"


@pytest.mark.parametrize(("table", "document"), [("account", ACCOUNT_TEXT), ("person", PERSON_TEXT)])
async def test_search_can_use_its_indexes(reader: Client, table: str, document: str) -> None:
    """They are over exactly the expressions that are asked about: else PostgreSQL could not use them."""
    words = f"to_tsvector('simple'::regconfig, {document}) @@ to_tsquery('simple', 'grace:*')"
    for condition, index in ((words, "words"), (f"'grace' <% {document}", "likeness")):
        async with reader.kit.reading() as session:
            await session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = await session.execute(
                text(f"EXPLAIN SELECT id FROM {table} WHERE {condition}".replace(":*", "\\:*"))
            )
            assert f"ix_{table}_{index}" in "\n".join(row[0] for row in plan)


async def test_one_persons_events(reader: Client) -> None:
    """What a person did or was part of; nothing of others."""
    query = """query P($account: ID!, $person: ID!) {
      account(id: $account) { timeline(filter: {person: $person}) { nodes { people { id } } } }
    }"""
    variables = {"account": f"acc_{key('account', 1).hex}", "person": f"per_{key('person', 1).hex}"}
    nodes = (await reader.data(query, variables))["account"]["timeline"]["nodes"]
    assert nodes == [{"people": [{"id": variables["person"]}]}] * 6
    variables["person"] = f"per_{key('person', 2).hex}"
    assert (await reader.data(query, variables))["account"]["timeline"]["nodes"] == []


def midnight(days_ago: int) -> str:
    return (NOW - days_ago * DAY).replace(hour=0).isoformat()


async def test_a_timeline_by_day(reader: Client) -> None:
    """How much happened on which day; the same filters as the timeline itself, and 400 days at most."""
    query = """query D($account: ID!, $since: DateTime!, $until: DateTime, $filter: EventFilter) {
      account(id: $account) { timelineDays(since: $since, until: $until, filter: $filter) { day events } }
    }"""
    variables: dict[str, Any] = {"account": f"acc_{key('account', 1).hex}", "until": (NOW + DAY).isoformat()}
    variables["since"] = (NOW - 3 * DAY).isoformat()
    days = (await reader.data(query, variables))["account"]["timelineDays"]
    assert days == [{"day": midnight(nth), "events": 1} for nth in (3, 2, 1, 0)]
    variables["filter"] = {"kind": ["survey.answered"]}
    days = (await reader.data(query, variables))["account"]["timelineDays"]
    assert days == [{"day": midnight(2), "events": 1}]
    variables["since"] = (NOW - 401 * DAY).isoformat()
    assert await reader.code(query, variables) == "BAD_USER_INPUT"


async def test_the_audit_log_is_read_in_pages(reader: Client) -> None:
    """The latest first, by number; filtered by who, what and when; for admins."""
    query = """query Log($filter: AuditFilter, $olderThan: Int) {
      auditLog(filter: $filter, first: 2, olderThan: $olderThan) { number actor action subject details at }
    }"""
    first = (await reader.data(query, {"filter": {"action": "key.created"}}, role=Role.ADMIN))["auditLog"]
    assert [one["action"] for one in first] == ["key.created"] * 2
    assert first[0]["number"] > first[1]["number"]
    assert first[0]["subject"].startswith("key:test-")
    older = {"filter": {"action": "key.created"}, "olderThan": first[1]["number"]}
    then = (await reader.data(query, older, role=Role.ADMIN))["auditLog"]
    assert then[0]["number"] < first[1]["number"]
    assert (await reader.data(query, {"filter": {"actor": "nobody"}}, role=Role.ADMIN))["auditLog"] == []
    assert await reader.code(query, role=Role.CSM) == "FORBIDDEN"
