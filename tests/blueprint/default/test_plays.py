"""Every play of the shipped blueprint starts by the smallest history for its trigger and not before."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from hub.access.service import Role, Viewer
from hub.blueprint import service as blueprints
from hub.blueprint.service import read_document, shipped_path
from hub.measures.rules import Rule
from hub.plays import service as plays
from hub.plays.section import Plays
from hub.plays.trigger_kinds import AlertOpened, MilestoneOverdue, MilestoneReached, Scheduled
from tests.blueprint.default.histories import (
    ALERTS,
    BIG,
    IN_ADOPTION,
    IN_IMPLEMENTATION,
    MILESTONES,
    SIGNED,
    pays,
    read,
    signed_in,
    used,
)
from tests.blueprint.default.world import Case, DefaultWorld, Said
from tests.health.conftest import NOW

in_one_world = pytest.mark.asyncio(loop_scope="module")

PLAYS = Plays.model_validate(read_document(shipped_path())["plays"]).root

STARTS: dict[str, Case] = {
    "executive_welcome": Case((BIG, SIGNED), (BIG,)),
    "kickoff_call": Case((BIG, Said("opportunity.won")), (BIG, Said("opportunity.lost"))),
    "welcome_series": Case((BIG, SIGNED), (BIG, SIGNED), looks=(14,), looks_not=(13.9,)),
    "onboarding_not_started": Case((), (used(),), known_for=7),
    "boot_camp": Case(IN_ADOPTION, (*IN_IMPLEMENTATION, used())),
}
"""Plays that begin with a stage, a band or a milestone that is late; the others with the case of their trigger."""


def case_of(play: str) -> Case:
    match PLAYS[play].trigger:
        case AlertOpened(alert=rule):
            return ALERTS[rule]
        case MilestoneReached(milestone_reached=name):
            return next(case for (_, _, milestone), case in MILESTONES.items() if milestone == name)
        case _:
            return STARTS[play]


OTHERWISE = ("sticky_feature_callout", "escalation", "business_review", "weekly_progress_review")
BY_FACTS = [name for name in PLAYS if name not in OTHERWISE]


@pytest.mark.parametrize("play", BY_FACTS)
@in_one_world
async def test_a_play_starts_by_the_smallest_history_for_it(world: DefaultWorld, play: str) -> None:
    """One history starts it once, and one that is a little less does not."""
    case = case_of(play)
    assert (await world.runs(await world.does(case))).count(play) == 1
    assert play not in await world.runs(await world.does_not(case))


UNPAID = Said("invoice.created", 0.2, 0, subject=("invoice", "i", "past_due"))


def _well(days_ago: float) -> tuple[Said, ...]:
    """Four people at work, as in the month before."""
    months = (signed_in(40, days_ago + 28, people=4), signed_in(40, days_ago, people=4))
    return (pays(licences=4), *months, read(40, days_ago, people=4))


@pytest.mark.parametrize(
    ("play", "band", "since", "history"),
    [("business_review", "yellow", 1, (*_well(1), UNPAID)), ("escalation", "red", 31, _well(31))],
)
@in_one_world
async def test_worse_health_starts_a_talk_and_bad_health_an_escalation(
    world: DefaultWorld, play: str, band: str, since: float, history: tuple[Said, ...]
) -> None:
    """Green health that becomes yellow or red starts the play; an account that is met for the first time does not."""
    account = await world.lived(history, known_for=300, looks=(since - 0.5,))
    assert await world.bands(account) == ["green", band]
    assert play in await world.runs(account)
    stranger = await world.lived(history, known_for=300)
    assert await world.bands(stranger) == [band]
    assert play not in await world.runs(stranger)


@in_one_world
async def test_a_play_by_hand_starts_by_hand_alone(world: DefaultWorld) -> None:
    """Somebody starts the call-out of a new feature."""
    account = await world.lived((used(),))
    assert "sticky_feature_callout" not in await world.runs(account)
    async with world.kit.transaction() as session:
        viewer = Viewer("key:sam", Role.CSM)
        [run] = await plays.start_play(session, viewer, "sticky_feature_callout", account, now=NOW)
        assert run.blueprint_version == await blueprints.version_in_force(session)
    assert "sticky_feature_callout" in await world.runs(account)


def test_the_weekly_review_has_its_week_and_its_rule() -> None:
    """Its rule holds while the onboarding or implementation lasts, and not behind it."""
    trigger = PLAYS["weekly_progress_review"].trigger
    assert isinstance(trigger, Scheduled)
    assert trigger.when is not None
    assert trigger.schedule == timedelta(days=7)
    stages = pl.DataFrame({"stage": ["onboarding", "implementation", "established", None]})
    assert Rule.parse(trigger.when, ["stage"]).holds(stages).to_list() == [True, True, False, False]
    assert [name for name, play in PLAYS.items() if not play.enabled] == []
    assert isinstance(PLAYS["welcome_series"].trigger, MilestoneOverdue)
