"""Every alert of the shipped blueprint opens by its smallest history and not before, and ends when it is over."""

from __future__ import annotations

import polars as pl
import pytest

from hub import sections
from hub.blueprint.service import read_document, shipped_path
from hub.health.model import Watch
from hub.health.rules import ready
from hub.health.section import Alerts
from tests.blueprint.default.histories import ALERTS, IN_ADOPTION, pays, used
from tests.blueprint.default.world import DefaultWorld

in_one_world = pytest.mark.asyncio(loop_scope="module")

RULES = Alerts.model_validate(read_document(shipped_path())["alerts"]).root


def test_every_alert_has_a_history() -> None:
    """What is added to the blueprint is added here."""
    assert {*ALERTS, "score_drop"} == RULES.keys()


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


def test_a_drop_of_ten_points_in_a_month_is_told() -> None:
    """Ten are one, a little less is none, and an unknown change is none either."""
    (alert,) = (
        alert for alert in ready(sections.check(read_document(shipped_path()))).alerts if alert.name == "score_drop"
    )
    frame = pl.DataFrame({"score_change_30d": [-10.0, -9.999, None, 5.0]})
    assert alert.rule.holds(frame).to_list() == [True, False, False, False]


@in_one_world
async def test_a_renewal_is_watched_from_ninety_days_on_in_both_segments(world: DefaultWorld) -> None:
    """An account that is not well enters the list on the day, and one that is well does not."""
    quiet = used(1, 35)
    for history in ((quiet,), (*IN_ADOPTION, quiet)):
        late = await world.lived((*history, pays(renews_in=90)), known_for=300)
        early = await world.lived((*history, pays(renews_in=91)), known_for=300)
        assert "renewal_at_risk" in await world.open_alerts(late)
        assert "renewal_at_risk" not in await world.open_alerts(early)
