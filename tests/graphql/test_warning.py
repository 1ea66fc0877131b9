"""Alerts, the watch list, bands and roll-ups through the API: done once, refused as values, shown whole."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from hub.access.service import Role
from tests.graphql.conftest import Client, counted
from tests.graphql.test_mutations import do, global_id, rows
from tests.graphql.world import key, populate

ALERT = "alert { status owner snoozedUntil version }"


@pytest.fixture(autouse=True)
async def _world(client: Client) -> None:
    """Three accounts to work on."""
    await populate(client.kit, 3)


def later(client: Client, **by: float) -> str:
    at: datetime = client.kit.clock.now() + timedelta(**by)
    return at.isoformat()


async def test_an_alert_is_given_away_and_put_off(client: Client) -> None:
    """Each change is a new version; who read an older one is refused, and told which one there is."""
    alert = global_id("alt", "alert", 0)
    given = await do(client, "alertAssign", f"... on AlertAssigned {{ {ALERT} }}", id=alert, owner="ben")
    assert given["alert"] == {"status": "OPEN", "owner": "ben", "snoozedUntil": None, "version": 2}
    refused = await do(client, "alertSnooze", "", id=alert, until=later(client, days=1), expectedVersion=1)
    assert refused["__typename"] == "Conflict"
    assert "version 2" in refused["message"]
    snoozed = await do(
        client,
        "alertSnooze",
        f"... on AlertSnoozed {{ {ALERT} }}",
        id=alert,
        until=later(client, days=1),
        expectedVersion=2,
    )
    assert (snoozed["alert"]["version"], snoozed["alert"]["snoozedUntil"] is not None) == (3, True)
    query = "query S($snoozed: Boolean) { alerts(filter: { snoozed: $snoozed }) { nodes { id } } }"
    found = [(await client.data(query, {"snoozed": one}))["alerts"]["nodes"] for one in (True, False)]
    assert [len(nodes) for nodes in found] == [1, 2]


async def test_several_alerts_at_once(client: Client) -> None:
    """What can be done is done; each of the others is named with its refusal; a viewer may nothing."""
    ids = [global_id("alt", "alert", nth) for nth in range(3)]
    await do(client, "alertResolve", "", id=ids[1])
    selection = """... on AlertsChanged {
        alerts { status account { name } }
        refused { alert refusal { __typename message } } }"""
    with counted(client.kit) as statements:
        found = await do(client, "alertsAcknowledge", selection, ids=[*ids, global_id("alt", "nobody")])
    assert [alert["status"] for alert in found["alerts"]] == ["ACKNOWLEDGED"] * 2
    assert [(one["alert"], one["refusal"]["__typename"]) for one in found["refused"]] == [
        (ids[1], "InvalidInput"),
        (global_id("alt", "nobody"), "NotFound"),
    ]
    assert len(statements) < 30
    refused = await do(client, "alertsResolve", "", Role.VIEWER, ids=ids)
    assert refused["__typename"] == "NotAllowed"
    many = await do(client, "alertsAssign", "", ids=[global_id("alt", "no", nth) for nth in range(101)], owner="ben")
    assert (many["__typename"], many["path"]) == ("InvalidInput", ["ids"])


async def test_a_resolved_alert_is_armed_again(client: Client) -> None:
    """Its rule may open the next one; one that is alive cannot be armed."""
    alert = global_id("alt", "alert", 0)
    refused = await do(client, "alertRearm", "", id=alert)
    assert refused["message"] == "The alert is alive."
    await do(client, "alertsResolve", "", ids=[alert])
    armed = await do(client, "alertRearm", "... on AlertRearmed { alert { rearmedAt } }", id=alert)
    assert armed["alert"]["rearmedAt"] is not None


async def test_an_account_is_saved_step_by_step(client: Client) -> None:
    """The whole life of an entry: moved, assigned, planned, ended, with its history and its clock."""
    entry = global_id("wat", "watch", 0)
    shown = "entry { status owner nextAction nextActionDue daysOnList endedAt version history { status by note } }"
    moved = await do(
        client, "watchMove", f"... on WatchMoved {{ {shown} }}", id=entry, status="PLAN_IN_PLACE", note="We meet"
    )
    assert moved["entry"]["history"] == [{"status": "PLAN_IN_PLACE", "by": "key:test-csm", "note": "We meet"}]
    await do(client, "watchAssign", "", id=entry, owner="ben")
    planned = await do(
        client,
        "watchPlan",
        f"... on WatchPlanned {{ {shown} }}",
        id=entry,
        nextAction="Call",
        due=later(client, days=1),
    )
    assert (planned["entry"]["owner"], planned["entry"]["nextAction"], planned["entry"]["version"]) == (
        "ben",
        "Call",
        4,
    )
    due = "query D($by: DateTime!) { watchList(filter: { dueBy: $by }) { nodes { nextAction } } }"
    assert (await client.data(due, {"by": later(client, days=2)}))["watchList"]["nodes"] == [{"nextAction": "Call"}]
    lost = await do(client, "watchMove", f"... on WatchMoved {{ {shown} }}", id=entry, status="LOST")
    assert lost["entry"]["endedAt"] is not None
    refused = await do(client, "watchMove", "", id=entry, status="SAVING")
    assert refused["message"] == "The entry has ended."
    account = global_id("acc", "account", 0)
    again = await do(
        client,
        "watchAdd",
        "... on WatchAdded { entry { id status reasons { text by alert band } } }",
        account=account,
        reason="They called a competitor",
    )
    assert again["entry"]["reasons"] == [
        {"text": "They called a competitor", "by": "key:test-csm", "alert": None, "band": None}
    ]
    query = "query W($a: [ID!]) { watchList(filter: { account: $a, includeEnded: true }) { nodes { status } } }"
    both = (await client.data(query, {"a": [account]}))["watchList"]["nodes"]
    assert [one["status"] for one in both] == ["LOST", "AT_RISK"]


async def test_a_band_is_overridden_and_restored(client: Client) -> None:
    """The word of a person stands beside the score until it is taken back."""
    account = global_id("acc", "account", 2)
    made = await do(
        client,
        "bandOverride",
        "... on BandOverridden { override { band reason by } }",
        account=account,
        band="RED",
        reason="Their sponsor left",
        until=later(client, days=30),
    )
    assert made["override"] == {"band": "RED", "reason": "Their sponsor left", "by": "key:test-csm"}
    query = "query O($id: ID!) { account(id: $id) { health { computedBand override { band until } } } }"
    found = (await client.data(query, {"id": account}))["account"]["health"]
    assert (found["computedBand"], found["override"]["band"]) == ("GREEN", "RED")
    await do(client, "bandRestore", "", account=account)
    assert (await client.data(query, {"id": account}))["account"]["health"]["override"] is None
    for given, path in (({"reason": " "}, ["reason"]), ({"until": later(client, days=-1)}, ["until"])):
        refused = await do(
            client,
            "bandOverride",
            "",
            **{"account": account, "band": "RED", "reason": "x", "until": later(client, days=1), **given},
        )
        assert (refused["__typename"], refused["path"]) == ("InvalidInput", path)


async def test_an_account_is_given_an_owner_and_taken_back(client: Client) -> None:
    """The word of a person, and without one that of the vendors, who name nobody here."""
    account = global_id("acc", "account", 0)
    shown = "... on AccountOwnerAssigned { account { owner } }"
    given = await do(client, "accountAssignOwner", shown, account=account, owner="ben")
    assert given["account"] == {"owner": "ben"}
    assert (await do(client, "accountAssignOwner", shown, account=account))["account"] == {"owner": None}
    refused = await do(client, "accountAssignOwner", "", account=account, owner=" ")
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", ["owner"])
    refused = await do(client, "accountAssignOwner", "", Role.VIEWER, account=account, owner="ben")
    assert refused["__typename"] == "NotAllowed"


async def test_families_and_segments_are_rolled_up(client: Client) -> None:
    """The mean by revenue with its exact sum; what has no value is counted; no account belongs to itself."""
    async with client.kit.transaction() as session:
        await session.execute(text("UPDATE health SET revenue_minor = 1000 WHERE micro_points IN (20000000, 60000000)"))
    parent, child = (global_id("acc", "account", nth) for nth in (0, 1))
    placed = await do(
        client, "accountPlace", "... on AccountPlaced { account { parent { name } } }", account=child, parent=parent
    )
    assert placed["account"] == {"parent": {"name": "Company 000"}}
    refused = await do(client, "accountPlace", "", account=parent, parent=child)
    assert refused["__typename"] == "InvalidInput"
    query = """query R($id: ID!) {
        account(id: $id) { familyHealth { points weightedSum accounts weighed } }
        segmentHealth { segment health { points accounts weighed unvalued red yellow green } } }"""
    found = await client.data(query, {"id": parent})
    assert found["account"]["familyHealth"] == {
        "points": 40.0,
        "weightedSum": "80000000000",
        "accounts": 2,
        "weighed": 2,
    }
    assert found["segmentHealth"] == [
        {
            "segment": "smb",
            "health": {"points": 40.0, "accounts": 3, "weighed": 2, "unvalued": 1, "red": 1, "yellow": 1, "green": 1},
        }
    ]


async def test_where_a_score_is_going(client: Client) -> None:
    """Over a week, a month and a quarter, and day by day; too many days are refused."""
    query = """query T($id: ID!, $since: DateTime!, $until: DateTime!) { account(id: $id) { health {
        trends { days before after direction }
        byDay(since: $since, until: $until) { day points band computedBand } } } }"""
    given: dict[str, Any] = {
        "id": global_id("acc", "account", 0),
        "since": "2026-02-01T00:00:00Z",
        "until": "2026-03-01T00:00:00Z",
    }
    found = (await client.data(query, given))["account"]["health"]
    assert [trend["days"] for trend in found["trends"]] == [7, 30, 90]
    assert [day["points"] for day in found["byDay"]] == [55.0] * 18 + [20.0] * 3
    assert found["byDay"][0] == {
        "day": "2026-02-09T00:00:00+00:00",
        "points": 55.0,
        "band": "YELLOW",
        "computedBand": "YELLOW",
    }
    assert await client.code(query, {**given, "since": "2020-01-01T00:00:00Z"}) == "BAD_USER_INPUT"


async def test_everything_a_person_did_is_in_the_audit_log(client: Client) -> None:
    """Who did what, to which account."""
    await do(client, "alertsSnooze", "", ids=[global_id("alt", "alert", 0)], until=later(client, days=1))
    await do(client, "watchMove", "", id=global_id("wat", "watch", 1), status="SAVING")
    found = await rows(client, "SELECT action, actor, subject FROM audit_entry WHERE action !~ '^key' ORDER BY id")
    assert found == [
        ("alert.snoozed", "key:test-csm", f"account:{key('account', 0)}"),
        ("watch.moved", "key:test-csm", f"account:{key('account', 1)}"),
    ]
