"""The example queries: each answers, with a number of statements that does not follow the number of accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hub.access.service import Role
from hub.graphql import credentials
from hub.graphql.explorer import examples
from hub.graphql.schema import the_schema
from tests.conftest import Servers, fresh
from tests.graphql.conftest import Client, counted, opened
from tests.graphql.world import DAY, NOW, key, populate

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNT = f"acc_{key('account', 1).hex}"
EARLIER = (NOW - 10 * DAY).isoformat()

STATEMENTS: dict[str, tuple[int, dict[str, Any], Role]] = {
    "account_page": (23, {"account": ACCOUNT}, Role.CSM),
    "alerts": (1, {}, Role.CSM),
    "audit": (1, {}, Role.ADMIN),
    "blueprint_history": (3, {}, Role.CSM),
    "connections": (5, {}, Role.ADMIN),
    "health_explained": (9, {"account": ACCOUNT, "from": EARLIER, "to": NOW.isoformat()}, Role.CSM),
    "health_trend": (3, {"account": ACCOUNT, "since": EARLIER}, Role.CSM),
    "journey": (6, {"account": ACCOUNT}, Role.CSM),
    "journey_board": (8, {"segment": ["smb"]}, Role.CSM),
    "my_day": (1, {"owner": ["ada@hub.example"]}, Role.CSM),
    "people": (1, {"account": ACCOUNT}, Role.CSM),
    "plays": (4, {}, Role.CSM),
    "portfolio": (1, {}, Role.CSM),
    "references": (3, {}, Role.MARKETING),
    "run": (3, {"run": f"run_{key('run', 0).hex}"}, Role.CSM),
    "search": (3, {"text": "grace"}, Role.CSM),
    "segments": (3, {"account": ACCOUNT}, Role.CSM),
    "timeline": (5, {"account": ACCOUNT, "since": EARLIER, "filter": {}}, Role.CSM),
    "voice_of_customer": (1, {}, Role.CSM),
    "watch_list": (1, {}, Role.CSM),
}
"""What each example costs in SQL statements, with its variables and the role that asks."""

SUBSCRIPTIONS = {"alerts_changed", "health_changed", "work_changed"}

COMPILED = {"alerts", "my_day", "people", "portfolio", "voice_of_customer", "watch_list"}
"""The examples that are one statement; the others ask for something that only resolvers can say."""


@pytest.fixture(autouse=True)
def _believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking a key up again is not the example's statement, however slow the machine."""
    monkeypatch.setattr(credentials, "BELIEVED_SECONDS", 3600.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A world of 3 accounts."""
    folder = tmp_path_factory.mktemp("small")
    async with fresh(servers, folder) as settings, opened(settings) as found:
        await populate(found.kit, 3)
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def large(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A world of 60 accounts."""
    folder = tmp_path_factory.mktemp("large")
    async with fresh(servers, folder) as settings, opened(settings) as found:
        await populate(found.kit, 60)
        yield found


async def test_every_example_is_tested() -> None:
    """Whoever adds an example says what it costs."""
    assert examples().keys() == STATEMENTS.keys() | SUBSCRIPTIONS


async def test_every_example_is_valid() -> None:
    """Also those that stream."""
    for name, query in examples().items():
        assert the_schema().ready(query).errors == (), name


@pytest.mark.parametrize("name", STATEMENTS)
async def test_the_number_of_statements_follows_the_shape_alone(small: Client, large: Client, name: str) -> None:
    """The same few statements for 3 accounts and for 60."""
    expected, variables, role = STATEMENTS[name]
    for client in (small, large):
        await client.data(examples()[name], variables, role=role)  # a new key, a new blueprint: read once
        with counted(client.kit) as statements:
            found = await client.data(examples()[name], variables, role=role)
        assert len(statements) == expected, "\n".join(statements)
        assert all(found.values())


async def test_the_share_of_the_examples_that_is_compiled(small: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """The screens that are one statement, and the few that resolvers answer."""
    compiled = set()
    for name, (_, variables, role) in STATEMENTS.items():
        with counted(small.kit) as statements:
            await small.data(examples()[name], variables, role=role)
        if any("array_agg" in statement for statement in statements):
            compiled.add(name)
            assert len(statements) == 1
    with capsys.disabled():
        print(f"\n{len(compiled)} of {len(STATEMENTS)} example queries are compiled")
    assert compiled == COMPILED


async def test_the_number_of_statements_stays_under_load(large: Client) -> None:
    """Several at once ask no more each than one alone."""
    expected, variables, role = STATEMENTS["portfolio"]
    with counted(large.kit) as statements:
        await asyncio.gather(*(large.data(examples()["portfolio"], variables, role=role) for _ in range(5)))
    assert len(statements) == 5 * expected
