"""A person's word against the band: in effect at once, until its moment, beside what the score says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from hub.access.service import Role, Viewer
from hub.health.explain import Cause
from hub.health.history import explain, score_at
from hub.health.jobs import drain_accounts_to_score
from hub.health.model import BandOverride, Watch
from hub.health.moments import drain_health_moments
from hub.health.overriding import end_override, override_band
from hub.health.terms import read_terms
from hub.health.vocabulary import Band
from hub.kit.clock import FrozenClock
from hub.kit.errors import Invalid, NotAllowed, NotFound
from tests.health.conftest import BLUEPRINT

if TYPE_CHECKING:
    from uuid import UUID

    from tests.health.conftest import World

CSM = Viewer("key:anna", Role.CSM)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


async def _green(world: World) -> UUID:
    account = await world.account(first_seen=world.now - 100 * DAY)
    await world.event(account, "product.used", people=10)
    await world.score(account)
    return account


async def _override(world: World, account: UUID, band: Band = Band.RED, days: float = 3, **given: Any) -> BandOverride:
    async with world.kit.transaction() as session:
        arguments: dict[str, Any] = {"viewer": CSM, "reason": "Their sponsor left", "until": world.now + days * DAY}
        return await override_band(session, account_id=account, band=band, now=world.now, **arguments | given)


async def _bands(world: World, account: UUID) -> list[tuple[str, str]]:
    return [(score.band, score.computed_band) for score in await world.scores(account)]


async def test_both_bands_stay_visible(world: World) -> None:
    """The band in effect is the person's, the computed one stands beside it, and not a point changes."""
    account = await _green(world)
    await _override(world, account)
    await world.score(account)
    assert await _bands(world, account) == [("green", "green"), ("red", "green")]
    first, second = await world.scores(account)
    assert first.micro_points == second.micro_points
    assert (await world.health(account)).band == "red"
    assert second.terms["override"]["reason"] == "Their sponsor left"
    (entry,) = await world.rows(Watch, account)
    assert [reason["band"] for reason in entry.reasons] == ["red"]


async def test_it_ends_on_time_although_nothing_happens(world: World) -> None:
    """At its moment, not at midnight; nothing before, and nothing after."""
    clock = FrozenClock(world.now)
    kit = replace(world.kit, clock=clock)
    account = await _green(world)
    made = await _override(world, account, days=3.25)
    await drain_accounts_to_score(kit)
    assert (await world.health(account)).band == "red"
    clock.advance(3.25 * DAY - timedelta(seconds=1))
    assert await drain_health_moments(kit) == 0
    clock.advance(timedelta(seconds=1))
    assert await drain_health_moments(kit) == 1
    assert await drain_health_moments(kit) == 0
    await drain_accounts_to_score(kit)
    assert (await world.health(account)).band == "green"
    (kept,) = await world.rows(BandOverride, account)
    assert (kept.ended_at, kept.ended_by) == (made.until, "hub")
    announced = await world.announced(account)
    assert (announced.count("band.overridden"), announced.count("band.override_ended")) == (1, 1)


async def test_it_is_a_term_of_the_explanation(world: World) -> None:
    """With 0 points, since only the band is another; both moments are explained by what was kept."""
    account = await _green(world)
    before = world.now
    world.now += DAY
    await _override(world, account)
    await world.score(account)
    async with world.kit.reading() as session:
        found = await explain(session, account, before, world.now)
    (term,) = found.terms
    assert (term.cause, term.micro_points, term.before) == (Cause.OVERRIDE, 0, None)
    assert term.after == "red: Their sponsor left (key:anna)"
    assert found.difference == 0
    (said,) = term.evidence
    async with world.kit.reading() as session:
        query = text("SELECT kind, attributes->>'reason' FROM event WHERE id = :id")
        assert tuple((await session.execute(query, {"id": said})).one()) == ("band.overridden", "Their sponsor left")
    assert (found.after.band, found.after.computed_band) == (Band.RED, Band.GREEN)


async def test_any_moment_comes_back_with_the_override_of_then(world: World) -> None:
    """As of its time it counts, before and after it does not, and not before anybody knew of it."""
    account = await _green(world)
    start = world.now
    world.now += DAY
    await _override(world, account, days=2)
    async with world.kit.reading() as session:
        moments = (start, world.now + HOUR, world.now + 3 * DAY)
        assert [(await score_at(session, account, at)).band for at in moments] == [Band.GREEN, Band.RED, Band.GREEN]
        assert (await score_at(session, account, world.now, start)).band is Band.GREEN


async def test_it_is_taken_back_and_replaced(world: World) -> None:
    """One stands at a time; taking it back twice changes nothing; all of it is in the audit log."""
    account = await _green(world)
    await _override(world, account)
    await _override(world, account, Band.YELLOW, reason="Not so bad")
    await world.score(account)
    assert (await world.health(account)).band == "yellow"
    for _ in range(2):
        async with world.kit.transaction() as session:
            await end_override(session, CSM, account, world.now)
    await world.score(account)
    assert (await world.health(account)).band == "green"
    async with world.kit.reading() as session:
        entries = await session.execute(text("SELECT action, actor, details->>'reason' FROM audit_entry ORDER BY id"))
        assert [tuple(entry) for entry in entries] == [
            ("band.overridden", "key:anna", "Their sponsor left"),
            ("band.overridden", "key:anna", "Not so bad"),
            ("band.override_ended", "key:anna", None),
        ]


async def test_hysteresis_follows_the_score_and_not_the_word(world: World) -> None:
    """A score that is yellow of itself stays so after somebody called it green for a while."""
    account = await world.account(first_seen=world.now - 100 * DAY)
    await world.event(account, "product.used", people=7)
    await world.event(account, "survey.answered", value=8.6)  # 74 points: green only if it was green before
    await world.score(account)
    await _override(world, account, Band.GREEN, days=1)
    await world.score(account)
    world.now += 2 * DAY
    await world.score(account)
    assert await _bands(world, account) == [("yellow", "yellow"), ("green", "yellow"), ("yellow", "yellow")]


async def test_what_cannot_be(world: World) -> None:
    """No unknown band, no empty reason, no moment that has passed or is far away, no stranger, no viewer."""
    account = await _green(world)
    for given in (
        {"band": Band.UNKNOWN},
        {"reason": "  "},
        {"days": 0.0},
        {"days": 400.0},
    ):
        with pytest.raises(Invalid):
            await _override(world, account, **given)  # type: ignore[arg-type]  # a table of arguments
    with pytest.raises(NotAllowed):
        await _override(world, account, viewer=Viewer("key:eve", Role.VIEWER))
    with pytest.raises(NotFound):
        await _override(world, world.places[account])


async def test_every_kept_score_comes_back_bit_for_bit(world: World) -> None:
    """As of and as known at its own moment, with the override and the change of the score that it was made under."""
    cap = {"name": "fell", "when": "score_change_7d < -5", "at_most": "42.5"}
    profile = {**BLUEPRINT["profiles"]["smb"], "caps": [cap]}
    await world.apply({**BLUEPRINT, "profiles": {"smb": profile}})
    account = await _green(world)
    for day, people in enumerate((10, 10, 3, 4, 9), 1):
        world.now += 15 * DAY
        await world.event(account, "product.used", people=people, days_ago=0)
        await world.score(account)
        world.now += DAY
        if day == 2:
            await _override(world, account, Band.PURPLE, days=20)
        await world.score(account)
    kept = await world.scores(account)
    assert {score.band for score in kept} >= {"purple", "green"}
    async with world.kit.reading() as session:
        for score in kept:
            again = await score_at(session, account, score.as_of, score.recorded_at)
            assert again.terms == read_terms(score.terms), score.as_of
            assert (again.micro_points, again.band, again.computed_band) == (
                score.micro_points,
                score.band,
                score.computed_band,
            )
