"""Every milestone of the shipped blueprint is reached by its smallest history, not before, and overdue on its day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.blueprint.service import read_document, shipped_path
from hub.journeys.model import Stay
from hub.journeys.section import Journeys
from tests.blueprint.default.histories import BIG, IN_ADOPTION, IN_IMPLEMENTATION, MILESTONES, SIGNED, pays
from tests.blueprint.default.world import DefaultWorld, Said
from tests.health.conftest import NOW

in_one_world = pytest.mark.asyncio(loop_scope="module")

JOURNEYS = Journeys.model_validate(read_document(shipped_path())["journeys"]).root
ALL = [
    (segment, stage, name, milestone)
    for segment, journey in JOURNEYS.items()
    for stage, inside in journey.stages.items()
    for name, milestone in inside.milestones.items()
]
INTO: dict[tuple[str, str], tuple[tuple[Said, ...], float]] = {
    ("smb", "onboarding"): ((), 0),
    ("smb", "established"): ((), 90),
    ("smb", "pre_renewal"): ((pays(renews_in=20),), 300),
    ("enterprise", "pre_sales"): ((BIG,), 0),
    ("enterprise", "contract"): ((BIG, SIGNED), 20),
    ("enterprise", "implementation"): (IN_IMPLEMENTATION, 120),
    ("enterprise", "adoption"): (IN_ADOPTION, 120),
    ("enterprise", "retention"): (IN_ADOPTION, 300),
    ("enterprise", "pre_renewal"): ((*IN_ADOPTION, pays(renews_in=20)), 300),
}
"""What brings an account into a stage, and since how many days it is known then."""


def test_every_milestone_has_a_history() -> None:
    """What is added to the blueprint is added here."""
    assert MILESTONES.keys() == {(segment, stage, name) for segment, stage, name, _ in ALL}


@pytest.mark.parametrize(("segment", "stage", "name"), MILESTONES)
@in_one_world
async def test_a_milestone_is_reached_by_its_smallest_history(
    world: DefaultWorld, segment: str, stage: str, name: str
) -> None:
    """One history reaches it, and one that is a little less does not."""
    case = MILESTONES[segment, stage, name]
    account = await world.does(case)
    assert name in await world.reached(account, stage)
    other = await world.does_not(case)
    stays = [(stay.segment, stay.stage) for stay in await world.rows(Stay, other)]
    assert (segment, stage) in stays, stays
    assert name not in await world.reached(other, stage)


@pytest.mark.parametrize(
    ("segment", "stage", "name"),
    [(segment, stage, name) for segment, stage, name, milestone in ALL if milestone.expected],
)
@in_one_world
async def test_a_milestone_is_overdue_when_its_time_is_over(
    world: DefaultWorld, segment: str, stage: str, name: str
) -> None:
    """Nothing happens, and still: it is overdue from its day on, and not a moment earlier."""
    expected = JOURNEYS[segment].stages[stage].milestones[name].expected
    assert expected is not None
    history, known_for = INTO[segment, stage]
    # A ticket that stays open is all that keeps the one milestone from being reached that waits for nothing.
    history = (*history, Said("ticket.created", 1000, subject=("ticket", "1", "open")))
    days = expected / timedelta(days=1)
    account = await world.account(first_seen=NOW - timedelta(days=known_for + days))
    await world.tell(account, [_earlier(said, days) for said in history])
    world.now = NOW - expected
    await world.score(account)
    assert await world.place(account) == (segment, stage)
    world.now = NOW - timedelta(seconds=1)
    await world.score(account)
    assert name not in await world.overdue(account)
    world.now = NOW
    await world.score(account)
    assert (await world.overdue(account))[name] == NOW


def _earlier(said: Said, days: float) -> Said:
    return replace(said, days_ago=said.days_ago + days)
