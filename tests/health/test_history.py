"""Scores of any moment: two clocks, bit for bit, and explained change with its evidence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from hub.blueprint import service as blueprints
from hub.health.explain import Cause, ScoreAt
from hub.health.history import Explanation, explain, score_at
from hub.health.model import Score
from hub.health.terms import read_terms
from hub.kit.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tests.health.conftest import World

DAY = timedelta(days=1)


async def _score_at(world: World, account: UUID, as_of: datetime, known_at: datetime | None = None) -> ScoreAt:
    async with world.kit.reading() as session:
        return await score_at(session, account, as_of, known_at)


async def _explain(world: World, account: UUID, from_at: datetime, to_at: datetime) -> Explanation:
    async with world.kit.reading() as session:
        explanation = await explain(session, account, from_at, to_at)
    assert sum(term.micro_points for term in explanation.terms) == explanation.difference
    return explanation


def _same(score: ScoreAt, kept: Score) -> bool:
    return (score.micro_points, score.coverage_ppm, score.band, score.segment, score.stage, score.terms) == (
        kept.micro_points,
        kept.coverage_ppm,
        kept.band,
        kept.segment,
        kept.stage,
        read_terms(kept.terms),
    )


async def test_every_kept_score_comes_back_bit_for_bit(world: World) -> None:
    """As of its moment and as known then, although late events have changed what is known now."""
    account = await world.account(first_seen=world.now - 60 * DAY)
    moments = []
    for people in (10, 7, 3, 8):
        await world.event(account, "product.used", people=people)
        await world.event(account, "survey.answered", value=float(people))
        await world.score(account)
        moments.append(world.now)
        world.now += 29 * DAY
    await world.event(account, "product.used", people=30, days_ago=35, first_person=100)
    await world.event(account, "product.used", people=30, days_ago=64, first_person=100)
    scores = await world.scores(account)
    assert [score.stage for score in scores] == ["onboarding", "onboarding", "established", "established"]
    for moment, kept in zip(moments, scores, strict=True):
        assert _same(await _score_at(world, account, moment, moment), kept)
    assert not _same(await _score_at(world, account, moments[2]), scores[2])


async def test_what_was_not_known_yet_does_not_count(world: World) -> None:
    """The same day, known then and known now: a late event makes the difference."""
    account = await world.account()
    await world.event(account, "product.used", people=5)
    await world.score(account)
    then = world.now
    world.now += DAY
    await world.event(account, "product.used", people=10, days_ago=2)
    known_then, known_now = await _score_at(world, account, then, then), await _score_at(world, account, then)
    assert (known_then.terms.values["people_28d"], known_now.terms.values["people_28d"]) == (5.0, 10.0)


async def test_the_band_of_a_past_day_remembers_the_band_before_it(world: World) -> None:
    """Hysteresis is part of a score: 73.75 after green is still green, after nothing it is yellow."""
    account, fresh = await world.account(), await world.account()
    await world.event(account, "product.used", people=10)
    await world.score(account)
    world.now += DAY
    await world.event(account, "survey.answered", value=-50.0, days_ago=0.5)
    await world.event(fresh, "product.used", people=10)
    for each in (account, fresh):
        await world.event(each, "survey.answered", value=0.0, days_ago=0.4)
    await world.score(account, fresh)
    remembered = await _score_at(world, account, world.now, world.now)
    assert (remembered.micro_points, remembered.terms.previous_band) == (75_000_000, "green")
    assert (await _score_at(world, fresh, world.now, world.now)).terms.previous_band is None


async def test_a_version_of_the_blueprint_is_known_from_its_day(world: World) -> None:
    """As known before a new version, the old one scores."""
    account = await world.account()
    await world.event(account, "product.used", people=5)
    await world.event(account, "survey.answered", value=10.0)
    before = world.now
    world.now += DAY
    await _weigh_satisfaction_alone(world)
    assert (await _score_at(world, account, before, before)).micro_points == 62_500_000
    assert (await _score_at(world, account, before)).micro_points == 100_000_000
    assert (await _score_at(world, account, before, before - 1000 * DAY)).blueprint_version == 1


async def _weigh_satisfaction_alone(world: World) -> None:
    async with world.kit.reading() as session:
        document = dict((await blueprints.current(session)).document)
    nps = {"customer_satisfaction": {"weight": 1, "measures": {"nps": {"curve": [[0, 0], [10, 100]]}}}}
    await world.apply({**document, "profiles": {"smb": {"indicators": nps}}})


async def test_explained_change_cites_its_evidence(world: World) -> None:
    """Each term with its old and new value and the events behind them; caps by the measures of their rules."""
    account = await world.account()
    used = await world.event(account, "product.used", people=10)
    answered = await world.event(account, "survey.answered", value=10.0)
    await world.score(account)
    before = world.now
    world.now += DAY
    answered_again = await world.event(account, "survey.answered", value=6.0, days_ago=0.5)
    failed = await world.event(account, "invoice.payment_failed", days_ago=0.5)
    await world.score(account)
    explanation = await _explain(world, account, before, world.now)
    nps, cap = explanation.terms
    assert (nps.cause, nps.name, nps.micro_points, nps.before, nps.after) == (
        Cause.MEASURE,
        "nps",
        -10_000_000,
        10.0,
        6.0,
    )
    assert (nps.evidence_before, nps.evidence_after) == ((answered,), (answered_again,))
    assert (cap.cause, cap.name, cap.micro_points) == (Cause.CAP, "payment_failed", -30_000_000)
    assert (cap.evidence_before, cap.evidence_after) == ((), (failed,))
    assert (explanation.before.score_id, explanation.after.score_id) == tuple(
        score.id for score in await world.scores(account)
    )
    assert used not in nps.evidence_after


async def test_a_change_of_blueprint_and_stage_is_explained(world: World) -> None:
    """Both stand among the terms, beside the measures."""
    account = await world.account(first_seen=world.now - 80 * DAY)
    await world.event(account, "product.used", people=5)
    await world.event(account, "survey.answered", value=10.0)
    await world.score(account)
    before = world.now
    world.now += 10 * DAY
    await _weigh_satisfaction_alone(world)
    await world.event(account, "survey.answered", value=8.0)
    await world.score(account)
    explanation = await _explain(world, account, before, world.now)
    assert [(term.cause, term.micro_points) for term in explanation.terms] == [
        (Cause.BLUEPRINT, 37_500_000),
        (Cause.MEASURE, -20_000_000),
    ]
    assert (explanation.before.stage, explanation.after.stage) == ("onboarding", "established")


async def test_a_moment_before_the_first_score_is_worked_out(world: World) -> None:
    """The hub came later than the customer: the past can be asked all the same."""
    account = await world.account(first_seen=world.now - 80 * DAY)
    await world.event(account, "product.used", people=10, days_ago=40)
    await world.event(account, "product.used", people=2, days_ago=3)
    await world.score(account)
    explanation = await _explain(world, account, world.now - 30 * DAY, world.now)
    assert explanation.before.score_id is None
    assert [(term.name, term.before, term.after) for term in explanation.terms] == [("people_28d", 10.0, 2.0)]


async def test_nobody_is_not_explained(world: World) -> None:
    """An account that does not exist is said not to."""
    async with world.kit.reading() as session:
        with pytest.raises(NotFound):
            await explain(session, uuid4(), world.now, world.now)
