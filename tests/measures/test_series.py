"""Many days at once against each of them alone: the same bits."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hub.kit.runtime import Kit
from hub.measures import service

from .past import DAY, NOW
from .test_service import CATALOGUE, bits, catalogue_of, compute, prepared

ODD = catalogue_of(
    {
        "uses_36h": {"kind": "count", "of": ["product.used", "report.viewed"], "window": "36h"},
        "uses_7h_ago": {"kind": "count", "of": ["product.used", "report.viewed"], "window": "30h", "shift": "7h"},
        "people_36h": {"kind": "people", "of": ["product.used", "report.viewed"], "window": "36h", "shift": "5h"},
        "people_ever": {"kind": "people", "of": ["product.used"], "shift": "10h"},
        "sum_20h": {"kind": "sum", "of": ["product.used", "invoice.paid"], "window": "20h", "shift": "3h"},
        "paid_ever": {"kind": "sum", "of": ["invoice.paid"], "field": "amount"},
        "last_30h": {"kind": "last", "of": ["survey.answered", "product.used"], "valid_for": "30h", "shift": "6h"},
        "since": {"kind": "days_since", "of": ["report.viewed"], "shift": "11h"},
        "invoices": {"kind": "things", "type": "invoice", "state": ["open"], "shift": "13h"},
        "change": {"kind": "change", "measure": "uses_36h"},
    }
)


@pytest.mark.parametrize(
    ("seed", "first", "days", "known_at"),
    [
        (21, NOW - 100 * DAY, 110, None),
        (22, NOW - 60 * DAY + timedelta(hours=7, microseconds=1), 50, NOW - 20 * DAY),
        (23, NOW, 1, None),
        (24, NOW - 30 * DAY, 20, NOW),
    ],
)
@pytest.mark.parametrize("catalogue", [CATALOGUE, ODD], ids=["every kind", "odd hours"])
async def test_each_day_is_what_it_is_alone(
    kit: Kit, catalogue: service.Catalogue, seed: int, first: datetime, days: int, known_at: datetime | None
) -> None:
    """Every measure of every account, on days before, during and after its history, as known now and before."""
    past = await prepared(kit, seed, events=1200)
    async with kit.reading() as session:
        frame = await service.series(session, catalogue, past.accounts, first=first, days=days, known_at=known_at)
    assert frame.height == len(past.accounts) * days
    for number in range(days):
        moment = first + number * DAY
        alone = await compute(kit, past.accounts, as_of=moment, known_at=known_at, catalogue=catalogue)
        then = frame.filter(frame["as_of"] == moment).drop("as_of")
        if bits(then) != bits(alone):
            different = [name for name in catalogue if not then[name].equals(alone[name])]
            raise AssertionError((number, different))
