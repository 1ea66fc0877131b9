"""Whole plays through the API: switched, looked at before they run, tried over the past, started on a list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from hub.access.service import Role
from tests.graphql.conftest import Client
from tests.graphql.test_mutations import do, global_id
from tests.graphql.world import populate

RUN = global_id("run", "run", 0)
SWITCHED = "... on PlaySwitched { moved play { name state } }"


@pytest.fixture(autouse=True)
async def _world(client: Client) -> None:
    """Two accounts to work on."""
    await populate(client.kit, 2)


async def test_a_play_is_paused_goes_on_and_ends(client: Client) -> None:
    """Each time the play says how it stands; what is not so is refused, and switching on needs an answer."""
    paused = await do(client, "playPause", SWITCHED, Role.ADMIN, play="win_back")
    assert paused["play"] == {"name": "win_back", "state": "PAUSED"}
    assert (await do(client, "playPause", "", Role.ADMIN, play="win_back"))["__typename"] == "InvalidInput"
    assert (await do(client, "playResume", SWITCHED, Role.ADMIN, play="win_back"))["play"]["state"] == "ON"
    off = await do(client, "playSwitchOff", SWITCHED, Role.ADMIN, play="win_back", tasks="LEAVE")
    assert (off["play"]["state"], off["moved"]) == ("OFF", 2)
    on = await do(client, "playSwitchOn", SWITCHED, Role.ADMIN, play="win_back", existing="START")
    assert on["play"]["state"] == "ON"
    assert (await do(client, "playPause", "", Role.ADMIN, play="nothing"))["__typename"] == "NotFound"


async def test_a_run_stands_and_goes_on(client: Client) -> None:
    """Paused and resumed; a step that is not over cannot be repeated."""
    paused = await do(client, "runPause", "... on RunPaused { run { status depth person { name } } }", id=RUN)
    assert paused["run"] == {"status": "PAUSED", "depth": 0, "person": None}
    assert (await do(client, "runResume", "... on RunResumed { run { status } }", id=RUN))["run"]["status"] == "RUNNING"
    refused = await do(client, "runRepeat", "", id=RUN, step=7)
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", ["step"])


async def test_a_play_is_looked_at_before_it_runs(client: Client) -> None:
    """Its words on an account, and whom a list reaches; the list is started as it was looked at."""
    account = global_id("acc", "account", 0)
    words = await client.data(f'{{ playPreview(play: "win_back", account: "{account}") {{ kind texts problem }} }}')
    assert words["playPreview"] == [{"kind": "task", "texts": {"task": "Call Company 000"}, "problem": None}]
    reach = '{ playReach(play: "win_back") { accounts underWay people first { name } } }'
    assert (await client.data(reach))["playReach"]["underWay"] == 2
    async with client.kit.transaction() as session:
        await session.execute(text("UPDATE run SET status = 'done', ended_at = now()"))
    found = (await client.data(reach))["playReach"]
    assert (found["accounts"], [one["name"] for one in found["first"]]) == (2, ["Company 000", "Company 001"])
    selection = "... on PlayStartedOnMany { accounts }"
    refused = await do(client, "playStartMany", selection, play="win_back", accounts={}, expected=1)
    assert refused["path"] == ["expected"]
    started = await do(client, "playStartMany", selection, play="win_back", accounts={}, expected=2)
    assert started["accounts"] == 2


async def test_a_play_is_tried_over_the_past(client: Client) -> None:
    """Nothing comes of it but what it says."""
    since = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    selection = """... on PlaySimulated { accounts totals { what times } leftOut { what } runs {
        account at heldOut ended said { at outcome why words { name recipient texts } } } }"""
    found = await do(client, "playSimulate", selection, Role.ADMIN, play="win_back", since=since)
    assert (found["__typename"], found["accounts"]) == ("PlaySimulated", 2)
    refused = await do(client, "playSimulate", "", Role.ADMIN, play="win_back", since="2020-01-01T00:00:00Z")
    assert refused["path"] == ["since"]
