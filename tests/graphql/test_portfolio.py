"""The portfolio: filters that nest, orders, pages, and the count."""

from __future__ import annotations

from typing import Any

import pytest

from hub.access.service import Role
from tests.graphql.conftest import Client
from tests.graphql.world import BANDS, points_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = """query Names(
  $filter: AccountFilter, $by: AccountOrder, $first: Int, $after: String, $last: Int, $before: String
) {
  accounts(filter: $filter, orderBy: $by, first: $first, after: $after, last: $last, before: $before) {
    totalCount
    nodes { name }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


async def names(reader: Client, **variables: Any) -> list[int]:
    """The numbers of the accounts on the page."""
    found = await reader.data(NAMES, variables)
    return [int(node["name"].removeprefix("Company ")) for node in found["accounts"]["nodes"]]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, range(10)),
        ({"band": []}, range(10)),
        ({"band": ["RED"]}, [0, 5]),
        ({"band": ["RED", "UNKNOWN"]}, [0, 4, 5, 9]),
        ({"segment": ["smb"], "stage": ["established"]}, range(10)),
        ({"segment": ["enterprise"]}, []),
        ({"owner": ["ada@hub.example"]}, [1, 3, 5, 7, 9]),
        ({"hasOwner": False}, [0, 2, 4, 6, 8]),
        ({"search": "COMPANY 003"}, [3]),
        ({"search": "company7.ex"}, [7]),
        ({"search": "%"}, []),
        ({"onWatchList": True}, range(10)),
        ({"onWatchList": False}, []),
        ({"or": [{"band": ["RED"]}, {"search": "003"}]}, [0, 3, 5]),
        ({"or": []}, []),
        ({"and": [{"hasOwner": True}, {"band": ["RED"]}]}, [5]),
        ({"not": {"band": ["RED", "YELLOW", "GREEN", "PURPLE"]}}, [4, 9]),
        ({"band": ["RED"], "not": {"or": [{"search": "000"}, {"search": "001"}]}}, [5]),
    ],
    ids=str,
)
async def test_filters_leave_what_they_say(reader: Client, wanted: dict[str, Any], expected: Any) -> None:
    """Each filter, alone and nested, leaves the accounts that it describes, and counts them."""
    found = (await reader.data(NAMES, {"filter": wanted}))["accounts"]
    assert [int(node["name"].removeprefix("Company ")) for node in found["nodes"]] == list(expected)
    assert found["totalCount"] == len(list(expected))


async def test_orders_put_the_unknown_last(reader: Client) -> None:
    """By score, up or down, accounts without a score come last."""
    for direction in ("ASC", "DESC"):
        found = await names(reader, by={"field": "SCORE", "direction": direction})
        points = [points_of(nth) for nth in found]
        known = [one for one in points if one is not None]
        assert known == sorted(known, reverse=direction == "DESC")
        assert points[len(known) :] == [None] * 2


@pytest.mark.parametrize("by", [None, {"field": "SCORE"}, {"field": "SCORE", "direction": "DESC"}, {"field": "CHANGE"}])
async def test_walking_forwards_and_backwards_meets_everybody_once(reader: Client, by: dict[str, str] | None) -> None:
    """Pages of three, from both ends, put together are the whole list."""
    whole = await names(reader, by=by)
    assert sorted(whole) == list(range(10))
    forwards: list[int] = []
    cursor = None
    while True:
        page = (await reader.data(NAMES, {"by": by, "first": 3, "after": cursor}))["accounts"]
        forwards += [int(node["name"].removeprefix("Company ")) for node in page["nodes"]]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    backwards: list[int] = []
    cursor = None
    while True:
        page = (await reader.data(NAMES, {"by": by, "last": 3, "before": cursor}))["accounts"]
        backwards = [int(node["name"].removeprefix("Company ")) for node in page["nodes"]] + backwards
        cursor = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
    assert forwards == backwards == whole


async def test_the_health_of_the_portfolio(reader: Client) -> None:
    """Band and points stand beside each account."""
    found = await reader.data("{ accounts { nodes { health { band points coverage segment stage } } } }")
    for nth, node in enumerate(found["accounts"]["nodes"]):
        assert node["health"] == {
            "band": BANDS[nth % 5].upper(),
            "points": points_of(nth),
            "coverage": 0.0 if points_of(nth) is None else 0.6,
            "segment": "smb",
            "stage": "established",
        }


@pytest.mark.parametrize(
    "variables",
    [
        {"first": 201},
        {"first": -1},
        {"first": 1, "last": 1},
        {"after": "nonsense"},
        {"filter": {"search": "a\x00b"}},
        {"filter": {"owner": ["a"] * 101}},
        {"filter": {"or": [{"search": "a"}] * 60}},
    ],
    ids=str,
)
async def test_what_cannot_be_asked_is_refused(reader: Client, variables: dict[str, Any]) -> None:
    """The refusal is one of the input, with its code."""
    assert await reader.code(NAMES, variables) == "BAD_USER_INPUT"


async def test_a_cursor_of_another_order_is_refused(reader: Client) -> None:
    """A cursor by name says nothing about scores."""
    page = (await reader.data(NAMES, {"first": 1}))["accounts"]
    variables = {"first": 1, "after": page["pageInfo"]["endCursor"], "by": {"field": "SCORE"}}
    assert await reader.code(NAMES, variables) == "BAD_USER_INPUT"


async def test_lists_that_may_hold_too_much_are_refused_before_they_are_read(reader: Client) -> None:
    """Nine lists of 200 for each of ten accounts are allowed, ten are too much together with the accounts."""
    for count, allowed in ((9, True), (10, False)):
        lists = " ".join(f"t{n}: timeline(first: 200) {{ nodes {{ id }} }}" for n in range(count))
        found = await reader.answer(f"{{ accounts(first: 10) {{ nodes {{ {lists} }} }} }}")
        assert ("errors" not in found) is allowed
    assert found["data"] is None
    assert [error["extensions"]["code"] for error in found["errors"]] == ["TOO_MANY_NODES"]


async def test_a_key_may_ask_who_it_is(reader: Client) -> None:
    """Every role may."""
    for role in Role:
        found = await reader.data("{ viewer { actor role } }", role=role)
        assert found == {"viewer": {"actor": f"key:test-{role}", "role": role.name}}
