"""Every alert of the shipped blueprint opens by its smallest history and not before, and ends when it is over."""

from __future__ import annotations

import pytest

from hub.blueprint.service import read_document, shipped_path
from hub.health.model import Watch
from hub.health.section import Alerts
from tests.blueprint.default.histories import ALERTS, IN_ADOPTION, pays, used
from tests.blueprint.default.world import DefaultWorld

in_one_world = pytest.mark.asyncio(loop_scope="module")

RULES = Alerts.model_validate(read_document(shipped_path())["alerts"]).root


def test_every_alert_has_a_history() -> None:
    """What is added to the blueprint is added here."""
    assert ALERTS.keys() == RULES.keys()


@pytest.mark.parametrize("rule", ALERTS)
@in_one_world
async def test_an_alert_opens_by_its_smallest_history(world: DefaultWorld, rule: str) -> None:
    """One history opens it, and puts the account on the watch list where it has to be saved; a little less does not."""
    account = await world.does(ALERTS[rule])
    assert rule in await world.open_alerts(account)
    watched = {name for name in await world.open_alerts(account) if RULES[name].watch}
    told = [reason for entry in await world.rows(Watch, account) for reason in entry.reasons]
    reasons = {reason["rule"] for reason in told if "rule" in reason}  # others are there by their band
    assert watched <= reasons
    assert reasons <= {name for name, entry in RULES.items() if entry.watch}
    assert rule not in await world.open_alerts(await world.does_not(ALERTS[rule]))


@in_one_world
async def test_a_drop_is_one_of_the_last_thirty_days(world: DefaultWorld) -> None:
    """The score of thirty days ago counts, not one that is a little younger; the alert says by how much it dropped."""
    case = ALERTS["score_drop"]
    account = await world.does(case)
    (alert,) = [alert for alert in await world.alerts(account) if alert.rule == "score_drop"]
    before, after = await world.scores(account)
    assert before.micro_points is not None
    assert after.micro_points is not None
    dropped = (after.micro_points - before.micro_points) / 1_000_000
    assert (alert.values, -10.1 < dropped <= -10) == ({"score_change_30d": dropped}, True)
    younger = await world.lived(case.does, known_for=case.known_for, looks=(29.9,))
    assert "score_drop" not in await world.open_alerts(younger)


@in_one_world
async def test_a_renewal_is_watched_from_ninety_days_on_in_both_segments(world: DefaultWorld) -> None:
    """An account that is not well enters the list on the day, and one that is well does not."""
    quiet = used(1, 35)
    for history in ((quiet,), (*IN_ADOPTION, quiet)):
        late = await world.lived((*history, pays(renews_in=90)), known_for=300)
        early = await world.lived((*history, pays(renews_in=91)), known_for=300)
        assert "renewal_at_risk" in await world.open_alerts(late)
        assert "renewal_at_risk" not in await world.open_alerts(early)
