"""Nothing changes before the moment that was foretold."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from hub.kit.db import driver_connection
from hub.kit.runtime import Kit
from hub.measures import service
from hub.measures.section import Catalogue

from .past import DAY, NOW
from .test_series import ODD
from .test_service import CATALOGUE, bits, compute, prepared

SOON = timedelta(microseconds=1)


def _still(catalogue: Catalogue) -> Catalogue:
    """The measures that do not move every day, nor are made of such."""
    moving = set(service.daily_measures(catalogue))
    for name in catalogue.in_order():
        if any(used in moving for _, used in catalogue.inputs(name)):
            moving.add(name)
    return catalogue.only(catalogue.names - moving)


@pytest.mark.parametrize("catalogue", [CATALOGUE, ODD], ids=["every kind", "odd hours"])
@pytest.mark.parametrize("seed", [31, 32])
async def test_until_the_next_change_every_measure_stays_as_it_is(kit: Kit, catalogue: Catalogue, seed: int) -> None:
    """At random moments before it, up to the microsecond before; and at the moment itself something mostly does."""
    past, rng = await prepared(kit, seed, events=250), Random(seed)
    still, changed = _still(catalogue), 0
    for days in (60, 20, 0, -12, -200):
        as_of = NOW - days * DAY - timedelta(minutes=rng.randrange(2000))
        async with kit.reading() as session:
            moments = await service.next_changes(session, catalogue, past.accounts, as_of=as_of)
        assert all(moment > as_of for moment in moments.values())
        for account in past.accounts:
            now = bits(await compute(kit, [account], as_of=as_of, catalogue=still))
            end = moments.get(account, as_of + 400 * DAY)
            for moment in (end - SOON, as_of + (end - as_of) * rng.random()):
                if moment < end:
                    assert bits(await compute(kit, [account], as_of=moment, catalogue=still)) == now
            changed += bits(await compute(kit, [account], as_of=end, catalogue=still)) != now
    assert changed > len(past.accounts)


async def test_one_statement_for_all_and_none_for_nobody(kit: Kit) -> None:
    """The number of accounts does not change the number of statements; who has no events has no moment."""
    past = await prepared(kit, 33, events=50)
    statements: list[str] = []
    async with kit.reading() as session:
        driver = await driver_connection(session)
        with driver.query_logger(lambda record: statements.append(record.query)):
            assert await service.next_changes(session, CATALOGUE, [], as_of=NOW) == {}
            asked = [*past.accounts, UUID(int=9)]
            assert UUID(int=9) not in await service.next_changes(session, CATALOGUE, asked, as_of=NOW)
    assert [statement[:4] for statement in statements if statement != "SELECT 1"] == ["WITH"]
