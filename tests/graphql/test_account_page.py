"""An account with everything about it."""

from __future__ import annotations

from typing import Any

import pytest

from hub.access.service import Role
from tests.graphql.conftest import Client
from tests.graphql.world import DAY, NOW, key

pytestmark = pytest.mark.asyncio(loop_scope="module")


def acc(nth: int) -> str:
    return f"acc_{key('account', nth).hex}"


async def account(reader: Client, selection: str, nth: int = 0, **variables: Any) -> Any:
    declared = "".join(f", ${name}: {value[0]}" for name, value in variables.items())
    query = f"query A($id: ID!{declared}) {{ account(id: $id) {{ {selection} }} }}"
    values = {name: value[1] for name, value in variables.items()}
    return (await reader.data(query, {"id": acc(nth), **values}))["account"]


async def test_the_timeline_merges_the_sources_newest_first(reader: Client) -> None:
    """Events of both sources come in the order of time, each with its people, thing, money and connection."""
    selection = """timeline { nodes {
        kind flow occurredAt recordedAt subject { type vendorId state }
        amount { amountMinor currency exponent formatted }
        value attributes changes people { name } connection account { name } causedByRun { id } } }"""
    nodes = (await account(reader, selection))["timeline"]["nodes"]
    assert [node["attributes"]["number"] for node in nodes] == list(range(6))
    assert nodes[0] == {
        "kind": "invoice.paid",
        "flow": "ORDER_TO_CASH",
        "occurredAt": NOW.isoformat(),
        "recordedAt": "2026-03-01T12:01:00+00:00",
        "subject": {"type": "invoice", "vendorId": "in_0", "state": "paid"},
        "amount": {"amountMinor": 123450, "currency": "EUR", "exponent": 2, "formatted": "EUR 1,234.50"},
        "value": None,
        "attributes": {"number": 0},
        "changes": None,
        "people": [{"name": "Grace 0"}],
        "connection": "billing",
        "account": {"name": "Company 000"},
        "causedByRun": None,
    }


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"kind": ["survey.answered"]}, [2, 5]),
        ({"flow": ["ORDER_TO_CASH"]}, [0, 2, 4]),
        ({"since": (NOW - 2 * DAY).isoformat()}, [0, 1, 2]),
        ({"until": (NOW - 2 * DAY).isoformat()}, [3, 4, 5]),
        ({"subjectType": "invoice", "subjectId": "in_4"}, [4]),
        ({"kind": [], "flow": []}, [0, 1, 2, 3, 4, 5]),
    ],
    ids=str,
)
async def test_the_timeline_can_be_filtered(reader: Client, wanted: dict[str, Any], numbers: list[int]) -> None:
    """By kind, flow, time and thing."""
    found = await account(reader, "timeline(filter: $filter) { nodes { attributes } }", filter=("EventFilter", wanted))
    assert [node["attributes"]["number"] for node in found["timeline"]["nodes"]] == numbers


async def test_the_timeline_goes_on_behind_a_cursor_from_both_ends(reader: Client) -> None:
    """Pages of four events, over two sources, forwards and backwards."""
    selection = """timeline(first: $first, after: $after, last: $last, before: $before) {
        nodes { attributes } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"""

    async def page(**given: Any) -> Any:
        kinds = {"first": "Int", "after": "String", "last": "Int", "before": "String"}
        found = await account(reader, selection, **{name: (kind, given.get(name)) for name, kind in kinds.items()})
        return found["timeline"]

    def numbers(found: Any) -> list[int]:
        return [node["attributes"]["number"] for node in found["nodes"]]

    head = await page(first=4)
    rest = await page(first=4, after=head["pageInfo"]["endCursor"])
    assert (numbers(head), numbers(rest)) == ([0, 1, 2, 3], [4, 5])
    assert (head["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    end = await page(last=4)
    front = await page(last=4, before=end["pageInfo"]["startCursor"])
    assert (numbers(end), numbers(front)) == ([2, 3, 4, 5], [0, 1])
    assert (end["pageInfo"]["hasPreviousPage"], front["pageInfo"]["hasPreviousPage"]) == (True, False)


async def test_things_are_as_the_newest_event_left_them(reader: Client) -> None:
    """Each invoice once, the one that changed last first, with the event behind it; or as of an earlier day."""
    selection = "things { nodes { type vendorId state since connection event { kind } } pageInfo { hasNextPage } }"
    nodes = (await account(reader, selection))["things"]["nodes"]
    assert [node["vendorId"] for node in nodes] == ["in_0", "in_2", "in_4"]
    assert nodes[0] == {
        "type": "invoice",
        "vendorId": "in_0",
        "state": "paid",
        "since": NOW.isoformat(),
        "connection": "billing",
        "event": {"kind": "invoice.paid"},
    }
    earlier = (NOW - DAY).isoformat()
    found = await account(
        reader, 'things(asOf: $at, type: "invoice", first: 1) { nodes { vendorId } }', at=("DateTime", earlier)
    )
    assert [node["vendorId"] for node in found["things"]["nodes"]] == ["in_2"]


async def test_the_journey_shows_where_the_account_is_and_was(reader: Client) -> None:
    """The current stay, all stays, and what was proved in each."""
    selection = """journey { stay { stage enteredAt leftAt status milestones { name status } }
        stays { nodes { stage status becauseOf { reason cameFrom rule values }
            milestones { name status reachedAt } account { name } } } }"""
    found = (await account(reader, selection))["journey"]
    assert found["stay"] == {
        "stage": "established",
        "enteredAt": (NOW - 10 * DAY).isoformat(),
        "leftAt": None,
        "status": "BEHIND",
        "milestones": [{"name": "second_team", "status": "OVERDUE"}],
    }
    assert [(stay["stage"], stay["status"], stay["becauseOf"]) for stay in found["stays"]["nodes"]] == [
        (
            "established",
            "BEHIND",
            {"reason": "TRANSITION", "cameFrom": "onboarding", "rule": "nps > 5", "values": {"nps": 9.0}},
        ),
        ("onboarding", None, {"reason": "FIRST_SEEN", "cameFrom": None, "rule": None, "values": {}}),
    ]
    assert found["stays"]["nodes"][1]["milestones"] == [
        {"name": "setup_completed", "status": "REACHED", "reachedAt": (NOW - 90 * DAY).isoformat()}
    ]


async def test_health_shows_what_the_score_was_made_from(reader: Client) -> None:
    """Points, weights and parts by indicator and measure; the parts add up to the score."""
    selection = """health { band points score { id asOf knownAt points microPoints band coverage profile
        indicators { indicator points weight partMicroPoints measures { measure value points weight partMicroPoints } }
        caps { name atMost holds takesMicroPoints } } }"""
    found = (await account(reader, selection, 1))["health"]
    score = found["score"]
    assert (found["band"], found["points"]) == (score["band"], score["points"]) == ("YELLOW", 60.0)
    assert sum(one["partMicroPoints"] for one in score["indicators"]) == score["microPoints"] == 60_000_000
    assert score["indicators"][0]["measures"] == [
        {"measure": "active_people_28d", "value": 6.0, "points": 60.0, "weight": 1.0, "partMicroPoints": 60_000_000}
    ]
    assert score["indicators"][1]["points"] is None
    assert score["caps"] == [{"name": "nobody_there", "atMost": 40.0, "holds": False, "takesMicroPoints": 0}]


async def test_the_history_of_health_is_a_list_of_its_own(reader: Client) -> None:
    """Kept scores, the newest first, within a span of time."""
    selection = "health { history(since: $since, until: $until) { nodes { points band asOf } } }"
    span = {"since": ("DateTime", None), "until": ("DateTime", None)}
    nodes = (await account(reader, selection, 1, **span))["health"]["history"]["nodes"]
    assert [(node["points"], node["band"]) for node in nodes] == [(60.0, "YELLOW"), (55.0, "YELLOW")]
    span["until"] = ("DateTime", (NOW - 10 * DAY).isoformat())
    nodes = (await account(reader, selection, 1, **span))["health"]["history"]["nodes"]
    assert [node["points"] for node in nodes] == [55.0]


async def test_health_of_another_moment_is_worked_out(reader: Client) -> None:
    """As of a day the score comes from the facts of that day: nobody used the product 60 days ago."""
    selection = (
        "health(asOf: $at) { band points changedAt score { id asOf indicators { measures { measure value } } } }"
    )
    at = NOW - 60 * DAY
    found = (await account(reader, selection, 1, at=("DateTime", at.isoformat())))["health"]
    assert found["score"]["id"] is None
    assert found["score"]["asOf"] == at.isoformat()
    measures = [one for indicator in found["score"]["indicators"] for one in indicator["measures"]]
    assert measures == [{"measure": "active_people_28d", "value": 0.0}, {"measure": "nps", "value": None}]


async def test_a_change_of_health_is_explained_without_remainder(reader: Client) -> None:
    """The terms add up to the difference."""
    selection = """health { explain(from: $from, to: $to) { microPoints points before { points } after { points }
        terms { cause name microPoints before after evidenceBefore { kind } evidenceAfter { kind } } } }"""
    span = {"from": ("DateTime!", (NOW - 10 * DAY).isoformat()), "to": ("DateTime", NOW.isoformat())}
    found = (await account(reader, selection, 1, **span))["health"]["explain"]
    assert (found["before"]["points"], found["after"]["points"], found["points"]) == (55.0, 60.0, 5.0)
    assert sum(term["microPoints"] for term in found["terms"]) == found["microPoints"] == 5_000_000
    (term,) = found["terms"]
    assert (term["cause"], term["name"], term["before"], term["after"]) == ("MEASURE", "active_people_28d", 5.5, 6.0)
    assert {event["kind"] for event in term["evidenceAfter"]} == {"product.used"}


async def test_the_rest_of_the_page(reader: Client) -> None:
    """People, alerts, the watch list, runs with their steps, tasks and feedback."""
    selection = """name facts people { nodes { name email role doNotContact account { name } } }
        alerts { nodes { rule severity status values account { name } } }
        watch { status reasons { rule severity at } revenueAtRisk { formatted } daysInStatus }
        runs { nodes { play status steps { kind status } } } tasks { nodes { title status run { play } } }
        feedback { nodes { text kind status person { name } } }"""
    found = await account(reader, selection, 2)
    assert found["people"]["nodes"] == [
        {
            "name": "Grace 2",
            "email": "grace@company2.example",
            "role": "champion",
            "doNotContact": False,
            "account": {"name": "Company 002"},
        }
    ]
    assert found["alerts"]["nodes"] == [
        {
            "rule": "few_people",
            "severity": "HIGH",
            "status": "OPEN",
            "values": {"active_people_28d": 2.0},
            "account": {"name": "Company 002"},
        }
    ]
    assert found["watch"]["reasons"] == [{"rule": "few_people", "severity": "HIGH", "at": (NOW - DAY).isoformat()}]
    assert found["watch"]["revenueAtRisk"] == {"formatted": "EUR 12,000.00"}
    assert found["watch"]["daysInStatus"] >= 1
    assert found["runs"]["nodes"] == [
        {"play": "win_back", "status": "RUNNING", "steps": [{"kind": "task", "status": "WAITING"}]}
    ]
    assert found["tasks"]["nodes"] == [{"title": "Call Company 002", "status": "OPEN", "run": {"play": "win_back"}}]
    assert found["feedback"]["nodes"] == [
        {"text": "Please add an export.", "kind": "REQUEST", "status": "NEW", "person": {"name": "Grace 2"}}
    ]
    assert found["facts"] == {"employees": 2}


async def test_the_brief_is_the_account_on_one_page(reader: Client) -> None:
    """Where it stands, what comes next, what threatens it, what it says."""
    selection = """brief { currentState { health { band points } stay { stage } } nextAction { title overdue }
        risk { alerts { rule } watch { status } } feedback { text } }"""
    assert (await account(reader, selection))["brief"] == {
        "currentState": {"health": {"band": "RED", "points": 20.0}, "stay": {"stage": "established"}},
        "nextAction": {"title": "Call Company 000", "overdue": True},
        "risk": {"alerts": [{"rule": "few_people"}], "watch": {"status": "AT_RISK"}},
        "feedback": [{"text": "Please add an export."}],
    }


async def test_lists_over_all_accounts(reader: Client) -> None:
    """Alerts, watch list, runs and tasks of everybody, with filters and orders."""
    query = """{
      alerts(filter: { status: [OPEN], severity: [HIGH] }, first: 3) { nodes { account { name } } }
      none: alerts(filter: { status: [RESOLVED] }) { nodes { id } }
      watchList(filter: { owner: ["ada@hub.example"] }, first: 2) { nodes { account { name } } }
      runs(filter: { play: ["win_back"], status: [RUNNING] }, first: 1) { nodes { play } }
      due: tasks(filter: { owner: ["ada@hub.example"], status: [OPEN] }, first: 8) { nodes { title } }
      newest: tasks(orderBy: NEWEST, first: 2) { nodes { title } }
      feedback(first: 2) { nodes { text } }
      plays { name description trigger steps { kind name } }
    }"""
    found = await reader.data(query)
    assert [one["account"]["name"] for one in found["alerts"]["nodes"]] == [
        "Company 000",
        "Company 001",
        "Company 002",
    ]
    assert found["none"]["nodes"] == []
    assert len(found["watchList"]["nodes"]) == len(found["feedback"]["nodes"]) == len(found["newest"]["nodes"]) == 2
    assert [one["title"][-3:] for one in found["due"]["nodes"][:4]] == ["000", "001", "003", "004"]
    assert found["plays"] == [
        {
            "name": "win_back",
            "description": "Bring them back.",
            "trigger": {"alert": "few_people"},
            "steps": [{"kind": "task", "name": "Call {{ account.name }}"}],
        }
    ]


async def test_connections_show_how_fresh_they_are(reader: Client) -> None:
    """For an admin: streams, problems, and what waits in the quarantine."""
    query = """{ connections { name connector status streams { stream records done problem } quarantined }
        quarantine(filter: { stage: "normalize" }) { nodes { reason stream recordId connection { name } } } }"""
    found = await reader.data(query, role=Role.ADMIN)
    assert found["connections"] == [
        {
            "name": "billing",
            "connector": "stripe",
            "status": "ACTIVE",
            "streams": [{"stream": "invoices", "records": 9, "done": False, "problem": None}],
            "quarantined": 1,
        }
    ]
    assert found["quarantine"]["nodes"] == [
        {"reason": "no customer", "stream": "invoices", "recordId": "in_1", "connection": {"name": "billing"}}
    ]


async def test_nodes_are_found_by_their_ids_in_order(reader: Client) -> None:
    """Several at once, null for what does not exist; a list of a hundred at most."""
    ids = [acc(1), f"acc_{key('nobody').hex}", f"tsk_{key('task', 0).hex}", acc(1)]
    query = "query N($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Task { title } } }"
    found = (await reader.data(query, {"ids": ids}))["nodes"]
    assert [one and one["id"] for one in found] == [ids[0], None, ids[2], ids[0]]
    assert found[2]["title"] == "Call Company 000"
    assert await reader.code(query, {"ids": [acc(1)] * 101}) == "BAD_USER_INPUT"
    assert await reader.code(query, {"ids": ["nonsense"]}) == "BAD_USER_INPUT"


async def test_every_id_that_is_given_out_is_found_again(reader: Client) -> None:
    """Whatever list a node comes from, `node(id:)` leads back to it."""
    query = """{ accounts(first: 1) { nodes { id
        timeline(first: 1) { nodes { id } } people { nodes { id } } alerts { nodes { id } } runs { nodes { id } }
        tasks { nodes { id } } feedback { nodes { id } } watch { id } journey { stays { nodes { id } } } } } }"""
    found = (await reader.data(query))["accounts"]["nodes"][0]

    def ids(value: Any) -> list[str]:
        if isinstance(value, list):
            return [one for part in value for one in ids(part)]
        if isinstance(value, dict):
            here = [value["id"]] if "id" in value else []
            return here + [one for name, part in value.items() if name != "id" for one in ids(part)]
        return []

    listed = ids(found)
    assert len(listed) == 10
    again = (await reader.data("query N($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": listed}))["nodes"]
    assert [node["id"] for node in again] == listed


async def test_an_account_that_does_not_exist_is_null(reader: Client) -> None:
    """Not found is no error; an id of another sort is."""
    query = "query A($id: ID!) { account(id: $id) { name } }"
    assert await reader.data(query, {"id": f"acc_{key('nobody').hex}"}) == {"account": None}
    assert await reader.code(query, {"id": f"tsk_{key('task', 0).hex}"}) == "BAD_USER_INPUT"
