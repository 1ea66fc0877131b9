"""Every kind of measure against the plain statement of its definition, on random pasts and at random moments; and what
lies ahead, or is known only later, planted there to be seen."""

from __future__ import annotations

import os
from datetime import timedelta
from random import Random
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from hub.kit.runtime import Kit
from hub.timeline.model import EventRow

from .past import DAY, NOW, Oracle, invent, store, uuid
from .test_service import DOCUMENT, bits, compute

EXAMPLES = int(os.environ.get("HUB_TEST_MEASURES", "6"))

_spans = st.timedeltas(timedelta(days=-5), timedelta(days=120))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), back=_spans, known=st.none() | _spans)
async def test_every_kind_is_what_its_definition_says_and_sees_nothing_else(
    kit: Kit, seed: int, back: timedelta, known: timedelta | None
) -> None:
    """The values are the definition's; events after the moment, or recorded or retracted after what is known, change
    no bit of them."""
    rng = Random(seed)
    past = invent(rng, accounts=4, events=160)
    as_of, known_at = NOW - back, None if known is None else NOW - known
    async with kit.transaction() as session:
        await store(session, past)
    before = await compute(kit, past.accounts, as_of=as_of, known_at=known_at)
    oracle = Oracle(past, DOCUMENT, as_of, known_at)
    for row in before.iter_rows(named=True):
        expected = {name: oracle.value(UUID(row["account_id"]), name) for name in DOCUMENT}
        assert {name: row[name] for name in DOCUMENT} == expected

    some = rng.sample(past.events, 60)
    soon = timedelta(microseconds=rng.choice((1, 10**6, 10**12)))
    ahead = [{**row, "id": uuid(rng), "occurred_at": as_of + soon} for row in some]
    late = [] if known_at is None else [{**row, "id": uuid(rng), "recorded_at": known_at + soon} for row in some]
    async with kit.transaction() as session:
        await session.execute(insert(EventRow), [*ahead, *late])
        if known_at is not None:
            in_force = EventRow.retracted_at.is_(None)
            places = EventRow.source_account_id.in_(past.places[::2])
            await session.execute(update(EventRow).where(in_force, places).values(retracted_at=known_at + soon))
    assert bits(await compute(kit, past.accounts, as_of=as_of, known_at=known_at)) == bits(before)


def test_the_planted_events_would_be_seen() -> None:
    """The same rows, a moment earlier, do change measures: the plants are no weeds that nobody looks at."""
    past = invent(Random(3), accounts=4, events=160)
    now = Oracle(past, DOCUMENT, NOW, None)
    values = {(account, name): now.value(account, name) for account in past.accounts for name in DOCUMENT}
    rng = Random(4)
    past.events.extend([{**row, "id": uuid(rng), "occurred_at": NOW - DAY} for row in past.events[:60]])
    changed = {name for (account, name), value in values.items() if now.value(account, name) != value}
    assert len(changed) > len(DOCUMENT) // 2
