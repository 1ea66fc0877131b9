"""Segments and stages of the shipped blueprint: who goes which way, and what moves an account on."""

from __future__ import annotations

import pytest

from hub.blueprint.service import read_document, shipped_path
from hub.journeys.section import Journeys
from tests.blueprint.default.histories import (
    BIG,
    IMPLEMENTED,
    IN_ADOPTION,
    IN_IMPLEMENTATION,
    KICKOFF,
    SIGNED,
    pays,
    read,
    signed_in,
    steady,
    used,
)
from tests.blueprint.default.world import DefaultWorld, Said

in_one_world = pytest.mark.asyncio(loop_scope="module")

JOURNEYS = Journeys.model_validate(read_document(shipped_path())["journeys"]).root
GONE = pays(state="canceled", days_ago=1)
BACK = pays(days_ago=0.5)

PLACES: list[tuple[str, float, tuple[Said, ...]]] = [
    ("smb.onboarding", 89, ()),
    ("smb.established", 90, ()),
    ("smb.established", 30, (Said("setup.completed"), read(people=3))),
    ("smb.onboarding", 30, (Said("setup.completed"), read(people=2))),
    ("smb.onboarding", 29, (Said("setup.completed"), read(people=3))),
    ("smb.established", 300, (pays(renews_in=91),)),
    ("smb.pre_renewal", 300, (pays(renews_in=90),)),
    ("smb.established", 300, (pays(),)),
    ("smb.churned", 300, (pays(), GONE)),
    ("smb.onboarding", 10, (Said("account.identified", 0.5, 0, attributes={"employees": 249}),)),
    ("enterprise.pre_sales", 10, (Said("account.identified", 0.5, 0, attributes={"employees": 250}),)),
    ("smb.established", 100, (pays(licences=99),)),
    ("enterprise.contract", 100, (pays(licences=100),)),
    ("enterprise.pre_sales", 100, (BIG, Said("opportunity.created"))),
    ("enterprise.contract", 100, (BIG, Said("opportunity.won"))),
    ("enterprise.contract", 100, (BIG, SIGNED)),
    ("enterprise.implementation", 100, (BIG, SIGNED, KICKOFF)),
    ("enterprise.implementation", 100, (BIG, SIGNED, used())),
    ("enterprise.adoption", 100, (*IN_IMPLEMENTATION, IMPLEMENTED)),
    ("enterprise.adoption", 100, (*IN_IMPLEMENTATION, Said("setup.completed"), read(people=3))),
    ("enterprise.implementation", 100, (*IN_IMPLEMENTATION, Said("setup.completed"), read(people=2))),
    ("enterprise.adoption", 269, IN_ADOPTION),
    ("enterprise.retention", 270, IN_ADOPTION),
    ("enterprise.retention", 100, (*IN_ADOPTION, pays(), *steady(10), used(6, 1, 10, feature="forecasting"))),
    ("enterprise.adoption", 100, (*IN_ADOPTION, pays(), *steady(10), used(6, 1, 9, feature="forecasting"))),
    ("enterprise.pre_renewal", 100, (*IN_ADOPTION, pays(renews_in=90))),
    ("enterprise.retention", 300, (*IN_ADOPTION, pays(renews_in=91))),
    ("enterprise.pre_renewal", 300, (*IN_ADOPTION, pays(renews_in=90))),
    ("enterprise.churned", 300, (*IN_ADOPTION, pays(), GONE)),
]


def test_every_stage_says_how_long_it_takes() -> None:
    """Both journeys have their stages in order, each with an expected length."""
    assert {segment: list(journey.stages) for segment, journey in JOURNEYS.items()} == {
        "enterprise": ["pre_sales", "contract", "implementation", "adoption", "retention", "pre_renewal"],
        "smb": ["onboarding", "established", "pre_renewal"],
    }
    assert all(stage.expected for journey in JOURNEYS.values() for stage in journey.stages.values())


@pytest.mark.parametrize(("place", "known_for", "history"), PLACES)
@in_one_world
async def test_an_account_is_where_its_history_puts_it(
    world: DefaultWorld, place: str, known_for: float, history: tuple[Said, ...]
) -> None:
    """Each transition happens with the smallest history for it, and not with one that is a little less."""
    account = await world.lived(history, known_for=known_for)
    assert ".".join(await world.place(account)) == place


@in_one_world
async def test_a_contract_waits_a_month_for_its_kick_off_and_then_the_work_begins(world: DefaultWorld) -> None:
    """Time alone moves it on."""
    history = (BIG, SIGNED)
    assert await world.place(await world.lived(history, looks=(29.9,))) == ("enterprise", "contract")
    assert await world.place(await world.lived(history, looks=(30,))) == ("enterprise", "implementation")


@pytest.mark.parametrize(("big", "stage"), [((), "established"), (IN_ADOPTION, "retention")])
@in_one_world
async def test_a_customer_who_comes_back_and_one_who_renews_go_on(
    world: DefaultWorld, big: tuple[Said, ...], stage: str
) -> None:
    """Churned accounts return as customers; a renewed term leads out of the approach of the renewal."""
    returned = await world.lived((*big, pays(), GONE, BACK), known_for=300, looks=(0.7,))
    assert (await world.place(returned))[1] == stage
    renewed = await world.lived(
        (*big, pays(renews_in=10), pays(renews_in=370, days_ago=1), signed_in(1)), known_for=300, looks=(2,)
    )
    assert (await world.place(renewed))[1] == stage
