"""Scoring batches of accounts: what is written, when, and what is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text

from hub.access.service import Role, Viewer
from hub.blueprint import service as blueprints
from hub.health.handling import Acknowledge, Resolve, change_alert
from hub.health.model import Watch
from hub.health.service import score_accounts
from hub.health.terms import read_terms
from hub.journeys.model import Stay
from hub.kit.errors import Invalid, NotAllowed, NotFound

if TYPE_CHECKING:
    from tests.health.conftest import World

CSM = Viewer("key:anna", Role.CSM)


async def _declining(world: World) -> UUID:
    """An account that ten people used two months ago, and two now."""
    account = await world.account(owner="anna")
    await world.event(account, "product.used", people=2)
    await world.event(account, "product.used", people=10, days_ago=40)
    await world.event(account, "survey.answered", value=8.0)
    return account


async def test_a_first_score_is_written_with_its_terms(world: World) -> None:
    """Health, score and terms agree; the account was unknown before."""
    account = await world.account()
    await world.event(account, "product.used", people=8)
    await world.event(account, "survey.answered", value=4.0)
    result = await world.score(account)
    assert result.scored == result.changed == {account}
    health, (score,) = await world.health(account), await world.scores(account)
    assert (score.micro_points, score.band, score.coverage_ppm) == (70_000_000, "yellow", 1_000_000)
    assert (health.score_id, health.micro_points, health.band) == (score.id, 70_000_000, "yellow")
    assert (score.segment, score.stage, score.profile) == ("smb", "onboarding", "smb")
    terms = read_terms(score.terms)
    assert {term.measure: (term.value, term.part) for term in terms.measures} == {
        "people_28d": (8.0, 60_000_000),
        "nps": (4.0, 10_000_000),
    }
    assert (terms.values["failed_28d"], "mrr" in terms.values) == (0.0, False)
    # It was first seen ten days ago: that it entered its stage then stands on the timeline and is no news.
    assert await world.announced(account) == ["score.changed", "band.changed"]
    assert ("stage.entered", world.now - timedelta(days=10)) in await world.told(account)


async def test_scoring_again_without_a_change_writes_nothing(world: World) -> None:
    """No score, no fact, no alert, no stay: only the moment of the last look moves."""
    account = await _declining(world)
    await world.score(account)
    before = await world.everything(account)
    world.now += timedelta(hours=1)
    assert (await world.score(account)).changed == frozenset()
    assert await world.everything(account) == before
    assert (await world.health(account)).scored_at == world.now


async def test_a_value_that_moves_no_point_makes_no_score(world: World) -> None:
    """Twelve people instead of eleven are as good, on the level end of the curve."""
    account = await world.account()
    await world.event(account, "product.used", people=11)
    await world.score(account)
    await world.event(account, "product.used", people=12)
    assert (await world.score(account)).changed == frozenset()


async def test_a_change_makes_a_new_score_and_keeps_the_old_one(world: World) -> None:
    """History grows; health points at the newest; the band change names both sides."""
    account = await world.account()
    await world.event(account, "product.used", people=10)
    await world.score(account)
    world.now += timedelta(days=1)
    await world.event(account, "invoice.payment_failed")
    await world.score(account)
    first, second = await world.scores(account)
    assert (first.band, second.band, second.micro_points) == ("green", "yellow", 60_000_000)
    assert (await world.health(account)).score_id == second.id
    assert (second.as_of, second.recorded_at) == (world.now, world.now)
    assert read_terms(second.terms).previous_band == "green"
    async with world.kit.reading() as session:
        payloads = await session.execute(text("SELECT payload FROM outbox WHERE topic = 'band.changed' ORDER BY id"))
        *_, payload = payloads.scalars()
    assert payload == {
        "account_id": str(account),
        "score_id": str(second.id),
        "previous_score_id": str(first.id),
        "micro_points": 60_000_000,
        "band": "yellow",
        "previous_band": "green",
    }


async def test_nothing_known_is_unknown_and_no_news(world: World) -> None:
    """A new account without any event has a score without points, and its band did not change."""
    document = await _blueprint_without_zeros(world)
    account = await world.account()
    await world.score(account)
    health = await world.health(account)
    assert (health.band, health.micro_points, health.coverage_ppm) == ("unknown", None, 0)
    assert "band.changed" not in await world.announced(account)
    assert document > 1


async def _blueprint_without_zeros(world: World) -> int:
    async with world.kit.reading() as session:
        document = dict((await blueprints.current(session)).document)
    measures = {name: {**measure, "missing": "unknown"} for name, measure in document["measures"].items()}
    return await world.apply({**document, "measures": measures})


async def test_a_batch_gives_the_bits_of_each_account_alone(world: World) -> None:
    """Twenty accounts scored together and one by one have the same scores and terms."""
    accounts = [await world.account() for _ in range(20)]
    for nth, account in enumerate(accounts):
        await world.event(account, "product.used", people=nth % 7 + 1)
        if nth % 3:
            await world.event(account, "survey.answered", value=nth % 11)
    await world.score(*accounts)
    together = {account: (await world.scores(account))[0] for account in accounts}
    async with world.kit.transaction() as session:
        await session.execute(text("TRUNCATE health, score, stay, milestone_progress"))
    for account in accounts:
        await world.score(account)
        (alone,) = await world.scores(account)
        assert (alone.micro_points, alone.band, alone.terms) == (
            together[account].micro_points,
            together[account].band,
            together[account].terms,
        )


async def test_the_number_of_statements_does_not_grow_with_the_batch(world: World) -> None:
    """One account or thirty, new or known: as many statements."""
    accounts = [await _declining(world) for _ in range(31)]
    counts = []
    for batch in (accounts[:1], accounts[1:]):
        statements: list[str] = []
        engine = world.kit.database.engine.sync_engine

        def seen(*given: Any, statements: list[str] = statements) -> None:
            statements.append(given[2])

        event.listen(engine, "before_cursor_execute", seen)
        await world.score(*batch)
        event.remove(engine, "before_cursor_execute", seen)
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 40


async def test_an_alert_opens_once_and_puts_the_account_on_the_watch_list(world: World) -> None:
    """With the values that it saw, the owner, and what a year of the account is worth."""
    account = await _declining(world)
    await world.event(
        account,
        "subscription.started",
        subject_type="subscription",
        subject_id="s1",
        subject_state="active",
        currency="EUR",
        attributes={"mrr_minor": 10_000},
    )
    await world.score(account)
    world.now += timedelta(hours=1)
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert (alert.rule, alert.severity, alert.status, alert.owner) == ("decline", "high", "open", "anna")
    assert alert.values == {"people_28d": 2.0, "people_prev_28d": 10.0}
    (entry,) = await world.rows(Watch, account)
    assert (entry.status, entry.owner, entry.ended_at) == ("at_risk", "anna", None)
    assert (entry.revenue_at_risk_minor, entry.currency) == (120_000, "EUR")
    assert [reason.get("rule") or reason["band"] for reason in entry.reasons] == ["decline", "red"]
    announced = await world.announced(account)
    assert (announced.count("alert.opened"), announced.count("watch.entered")) == (1, 1)


async def test_an_alert_is_updated_resolves_itself_and_opens_again_as_another(world: World) -> None:
    """Its life goes with its rule; the account leaves the watch list when it is green again."""
    account = await _declining(world)
    await world.score(account)
    await world.event(account, "product.used", people=3)
    world.now += timedelta(hours=1)
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert (alert.values["people_28d"], alert.updated_at) == (3.0, world.now)

    await world.event(account, "product.used", people=10)
    world.now += timedelta(hours=1)
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert (alert.status, alert.resolved_at, alert.resolved_by) == ("resolved", world.now, "hub")
    (entry,) = await world.rows(Watch, account)
    assert (entry.status, entry.ended_at, (await world.health(account)).band) == ("recovered", world.now, "green")
    assert await world.announced(account) == [
        *["score.changed", "band.changed", "alert.opened", "watch.entered"],
        *["score.changed", "score.changed", "band.changed", "alert.resolved", "watch.left"],
    ]

    world.now += timedelta(days=28)
    await world.event(account, "product.used", people=1)
    await world.score(account)
    first, second = await world.alerts(account)
    assert (first.status, second.status) == ("resolved", "open")
    assert len(await world.rows(Watch, account)) == 2


async def test_an_alert_that_a_person_resolved_stays_quiet_while_its_rule_holds(world: World) -> None:
    """Only after the rule has ceased to hold may the next one open."""
    account = await _declining(world)
    await world.score(account)
    (alert,) = await world.alerts(account)
    async with world.kit.transaction() as session:
        await change_alert(session, CSM, alert.id, Resolve(), world.now)
    await world.event(account, "product.used", people=3)
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert (alert.status, alert.resolved_by, alert.rearmed_at) == ("resolved", "key:anna", None)
    await world.event(account, "product.used", people=10)
    await world.score(account)
    (alert,) = await world.alerts(account)
    assert (alert.resolved_by, alert.rearmed_at) == ("key:anna", world.now)
    assert (await world.announced(account)).count("alert.resolved") == 1


async def test_acknowledging_is_noted_once(world: World) -> None:
    """By whom and when, in the audit log and to others; again is no change, and resolved is too late."""
    account = await _declining(world)
    await world.score(account)
    (alert,) = await world.alerts(account)
    for _ in range(2):
        async with world.kit.transaction() as session:
            seen = await change_alert(session, CSM, alert.id, Acknowledge(), world.now)
            assert (seen.status, seen.acknowledged_by, seen.acknowledged_at) == ("acknowledged", "key:anna", world.now)
    async with world.kit.transaction() as session:
        await change_alert(session, CSM, alert.id, Resolve(), world.now)
    async with world.kit.transaction() as session:
        with pytest.raises(Invalid):
            await change_alert(session, CSM, alert.id, Acknowledge(), world.now)
    async with world.kit.reading() as session:
        entries = (await session.execute(text("SELECT action, actor FROM audit_entry ORDER BY id"))).all()
    assert [tuple(entry) for entry in entries] == [("alert.acknowledged", "key:anna"), ("alert.resolved", "key:anna")]
    assert (await world.announced(account)).count("alert.acknowledged") == 1


async def test_alerts_are_for_those_who_look_after_customers(world: World) -> None:
    """A viewer may not change them, and an alert that does not exist is said to be none."""
    async with world.kit.transaction() as session:
        with pytest.raises(NotAllowed):
            await change_alert(session, Viewer("key:board", Role.VIEWER), uuid4(), Acknowledge(), world.now)
        with pytest.raises(NotFound):
            await change_alert(session, CSM, uuid4(), Resolve(), world.now)


async def test_a_churned_account_is_lost(world: World) -> None:
    """It leaves the watch list as lost, and its journey has come to its end."""
    account = await _declining(world)
    await world.score(account)
    await world.event(account, "subscription.canceled")
    await world.score(account)
    (entry,) = await world.rows(Watch, account)
    assert (entry.status, entry.ended_at) == ("lost", world.now)
    assert (await world.health(account)).stage == "churned"


async def test_a_merged_account_is_taken_off_all_lists(world: World) -> None:
    """Its scores and stays remain as history; a later undoing of the merge scores it anew."""
    account, survivor = await _declining(world), await world.account()
    await world.score(account, survivor)
    async with world.kit.transaction() as session:
        await session.execute(
            text("UPDATE account SET merged_into = :into WHERE id = :id"), {"into": survivor, "id": account}
        )
    assert (await world.score(account, survivor)).scored == {survivor}
    everything = await world.everything(account)
    assert (everything["health"], len(everything["score"]), len(everything["stay"])) == ([], 1, 1)
    assert [alert["status"] for alert in everything["alert"]] == ["resolved"]
    assert [entry["ended_at"] for entry in everything["watch"]] == [world.now]


async def test_an_older_look_never_replaces_a_newer_one(world: World) -> None:
    """Whoever comes with an earlier `now` than the last score leaves the account alone."""
    account = await world.account()
    await world.event(account, "product.used", people=10)
    await world.score(account)
    before = await world.health(account)
    world.now -= timedelta(hours=1)
    assert (await world.score(account)).scored == frozenset()
    assert (await world.health(account)).scored_at == before.scored_at


async def test_two_workers_at_the_same_new_account_write_one_score(world: World) -> None:
    """Whoever comes second waits for the first, and then has nothing to add."""
    account = await _declining(world)
    async with world.kit.reading() as session:
        blueprint = await blueprints.current(session)

    async def work(pause: float) -> int:
        async with world.kit.transaction() as session:
            result = await score_accounts(session, blueprint, [account], world.now)
            await asyncio.sleep(pause)
            return len(result.changed)

    assert sum(await asyncio.gather(work(0.3), work(0.3), work(0.3))) == 1
    everything = await world.everything(account)
    written = [len(everything[table]) for table in ("score", "stay", "alert", "watch", "milestone_progress")]
    assert written == [1, 1, 1, 1, 2]
    assert len(everything["announced"]) == len(set(everything["announced"]))


async def test_two_workers_at_the_same_known_account_take_turns(world: World) -> None:
    """The row of health is the lock: the second decides after the first has written."""
    account = await _declining(world)
    await world.score(account)
    await world.event(account, "product.used", people=9)
    async with world.kit.reading() as session:
        blueprint = await blueprints.current(session)
    now = world.now + timedelta(hours=1)

    async def work(pause: float) -> int:
        async with world.kit.transaction() as session:
            result = await score_accounts(session, blueprint, [account], now)
            await asyncio.sleep(pause)
            return len(result.changed)

    assert sum(await asyncio.gather(work(0.3), work(0.0))) == 1
    assert len(await world.scores(account)) == 2


async def test_the_previous_score_and_band_are_facts_for_rules(world: World) -> None:
    """A transition may ask for the band as it stood before this look."""
    async with world.kit.reading() as session:
        document: dict[str, Any] = dict((await blueprints.current(session)).document)
    journey = document["journeys"]["smb"] | {
        "transitions": [{"from": "onboarding", "to": "established", "when": "band = 'green' AND score >= 100"}]
    }
    await world.apply({**document, "journeys": {"smb": journey}})
    account = await world.account()
    await world.event(account, "product.used", people=10)
    await world.event(account, "survey.answered", value=10.0)
    await world.score(account)
    assert [stay.stage for stay in await world.rows(Stay, account)] == ["onboarding"]
    await world.score(account)
    assert [stay.stage for stay in await world.rows(Stay, account)] == ["onboarding"]
    assert (await world.health(account)).band == "purple"


async def test_what_was_decided_stands_on_the_timeline(world: World) -> None:
    """The hub's own facts, at the moments that they are about, each once; scores themselves are not events."""
    account = await _declining(world)
    first_seen = world.now - timedelta(days=10)
    await world.score(account)
    (alert,) = await world.alerts(account)
    async with world.kit.transaction() as session:
        await change_alert(session, CSM, alert.id, Acknowledge(), world.now)
    await world.score(account)
    assert await world.told(account) == [
        ("stage.entered", first_seen),
        *[(kind, world.now) for kind in ("alert.acknowledged", "alert.opened", "band.changed", "watch.entered")],
    ]


async def test_a_measure_may_be_called_like_anything(world: World) -> None:
    """Names that the tables of this room use for themselves are free for measures."""
    async with world.kit.reading() as session:
        document: dict[str, Any] = dict((await blueprints.current(session)).document)
    taken = ("profile", "row", "holds", "stay_id", "first_seen_at", "next_deadline", "values", "counting", "before")
    count = {"kind": "count", "of": ["product.used"]}
    await world.apply({**document, "measures": document["measures"] | dict.fromkeys(taken, count)})
    account = await world.account()
    await world.event(account, "product.used", people=5)
    await world.score(account)
    (score,) = await world.scores(account)
    assert {name: read_terms(score.terms).values[name] for name in taken} == dict.fromkeys(taken, 1.0)
