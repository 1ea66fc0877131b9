"""A new version of the blueprint finds accounts on their way: they keep their stays or move, and none is lost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from hub.blueprint.problems import BlueprintInvalid
from hub.blueprint.service import Blueprint
from hub.journeys.rules import problems
from hub.journeys.section import Journeys
from hub.journeys.service import StayStatus, placed_at, progress, status_of
from hub.kit.runtime import Kit

from .test_service import BLUEPRINT, DAY, START, Traveller

SETUP = {"event": "setup.completed", "expected": "14d"}


def _next(stages: dict[str, Any], transitions: list[dict[str, str]] | None = None, **journey: Any) -> Blueprint:
    """Version 8, with these stages."""
    smb = {"stages": stages, "transitions": transitions or [], **journey}
    return Blueprint(8, {**BLUEPRINT.document, "journeys": {"smb": smb}})


async def _look(account: Traveller, blueprint: Blueprint, **measures: float) -> dict[str, Any]:
    async with account.kit.transaction() as session:
        frame = await account.frame(session, account.now, **measures)
        return (await progress(session, blueprint, frame, account.now)).row(0, named=True)


@pytest.fixture
async def account(kit: Kit) -> Traveller:
    """An account that has been in `onboarding` for ten days under version 7."""
    traveller = Traveller(kit)
    await traveller.arrive()
    await traveller.look()
    traveller.now = START + 10 * DAY
    await traveller.look()
    return traveller


async def _stays(account: Traveller) -> list[tuple[str, datetime, datetime | None, int]]:
    return [(stay.stage, stay.entered_at, stay.left_at, stay.blueprint_version) for stay in await account.stays()]


async def test_a_renamed_stage_goes_on_under_its_new_name(account: Traveller) -> None:
    """Nothing is left or entered; days, milestones and transitions go on."""
    renamed = _next(
        {"launch": {"milestones": {"setup": SETUP}, "expected": "8d"}, "established": {}},
        [{"from": "launch", "to": "established", "when": "days_in_stage >= 12 AND stage = 'launch'"}],
        renamed={"onboarding": "launch"},
    )
    found = await _look(account, renamed)
    assert (found["stage"], found["days_in_stage"]) == ("launch", 10.0)
    assert await _stays(account) == [("onboarding", START, None, 7)]
    assert status_of(renamed, "smb", "onboarding", START, [], account.now) is StayStatus.BEHIND
    account.now = START + 12 * DAY
    await account.event("setup.completed", START + 11 * DAY)
    assert (await _look(account, renamed))["stage"] == "established"
    assert (await account.milestones())["setup"].reached_at == START + 11 * DAY
    async with account.kit.reading() as session:
        at = START + 5 * DAY
        for blueprint, stage in ((renamed, "launch"), (BLUEPRINT, "onboarding")):
            frame = await placed_at(session, blueprint, await account.frame(session, at), at, None)
            assert frame["stage"].to_list() == [stage]


@pytest.mark.parametrize(
    "stages", [{"launch": {}}, {"launch": {"milestones": {"kick_off": {"event": "setup.completed"}}}}]
)
async def test_kept_accounts_stay_where_they_are_although_the_stage_is_gone(
    account: Traveller, stages: dict[str, Any]
) -> None:
    """Until a rule from anywhere moves them; what they were about to prove is kept."""
    without = _next({**stages, "established": {}}, [{"from": "any", "to": "established", "when": "use >= 5"}])
    found = await _look(account, without)
    assert (found["segment"], found["stage"], found["days_in_stage"]) == ("smb", "onboarding", 10.0)
    assert await _stays(account) == [("onboarding", START, None, 7)]
    assert set(await account.milestones()) == {"setup", "first_use"}
    account.now = START + 20 * DAY
    assert (await _look(account, without, use=5))["stage"] == "established"
    assert await _stays(account) == [
        ("onboarding", START, account.now, 7),
        ("established", account.now, None, 8),
    ]


async def test_moved_accounts_enter_the_first_stage_when_theirs_is_gone(account: Traveller) -> None:
    """And go on from there as far as the rules lead; the stay says that the blueprint moved it."""
    moving = _next(
        {"launch": {}, "adoption": {}},
        [{"from": "launch", "to": "adoption", "when": "days_known >= 10"}],
        in_flight="move",
    )
    assert (await _look(account, moving))["stage"] == "adoption"
    assert await _stays(account) == [
        ("onboarding", START, account.now, 7),
        ("launch", account.now, account.now, 8),
        ("adoption", account.now, None, 8),
    ]
    assert (await account.stays())[1].because == {"reason": "blueprint", "from": "onboarding", "values": {}}
    await _look(account, moving)
    assert len(await _stays(account)) == 3


@pytest.mark.parametrize(
    ("in_flight", "expected"),
    [
        ("keep", {"setup": 14, "first_use": 30}),
        ("move", {"setup": 12, "first_use": 30, "kick_off": 11}),
    ],
)
async def test_new_milestones_begin_with_the_next_stay_or_at_once(
    account: Traveller, in_flight: str, expected: dict[str, int]
) -> None:
    """Kept: what was expected when the stay began; moved: what the new version expects, counted from the beginning."""
    milestones = {
        "setup": {**SETUP, "expected": "12d"},
        "first_use": {"when": "use >= 1", "expected": "30d"},
        "kick_off": {"event": "report.viewed", "expected": "11d"},
    }
    blueprint = _next({"onboarding": {"milestones": milestones}}, in_flight=in_flight)
    for _ in range(2):
        await _look(account, blueprint)
        found = {name: one.expected_at for name, one in (await account.milestones()).items()}
        assert found == {name: START + days * DAY for name, days in expected.items()}
    account.now = START + 13 * DAY
    await _look(account, blueprint)
    late = {name for name, one in (await account.milestones()).items() if one.overdue_at}
    assert late == (set() if in_flight == "keep" else {"setup", "kick_off"})


async def test_a_segment_that_is_gone_lets_its_accounts_go_to_theirs(account: Traveller) -> None:
    """In the stage of the same name, or else in the first one."""
    document = {**BLUEPRINT.document, "segments": {"all": {}}, "journeys": {"all": {"stages": {"start": {}}}}}
    found = await _look(account, Blueprint(8, document))
    assert (found["segment"], found["stage"]) == ("all", "start")
    assert [stage for stage, *_ in await _stays(account)] == ["onboarding", "start"]


def test_a_wrong_renaming_is_said() -> None:
    """To a stage that does not exist, or of one that still does."""
    wrong = _next({"launch": {}, "kept": {}}, renamed={"old": "lanch", "kept": "launch"})
    with pytest.raises(BlueprintInvalid) as refused:
        wrong.section("journeys", Journeys)
    assert {problem.path: problem.message for problem in refused.value.problems} == {
        ("journeys", "smb", "renamed", "old"): "'lanch' is not a stage; did you mean 'launch'?",
        ("journeys", "smb", "renamed", "kept"): "is a stage of this version: only names that are gone can be renamed",
    }
    assert not list(problems(_next({"launch": {}}, renamed={"old": "launch"}, in_flight="move")))
