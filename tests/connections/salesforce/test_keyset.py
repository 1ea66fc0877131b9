"""Reading behind a pair of stamp and id: whatever the stamps and wherever it is interrupted, nothing is left out."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import cycle
from random import Random

from hub_salesforce.reading import LOOK_BACK, Position, Source, beginning
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.sandbox.salesforce import Org
from hub.sandbox.salesforce.soql import parse

EXAMPLES = int(os.environ.get("HUB_TEST_EXAMPLES", "100"))
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SOURCE = Source("accounts", "Account", ("Id", "SystemModstamp"))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    ages=st.lists(st.sampled_from([0, 1, 1000, 9_999, 10_001, 60_000, 60_001]), max_size=25),
    pages=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_no_pages_leave_anything_out(ages: list[int], pages: list[int], seed: int) -> None:
    """Ages in milliseconds with many ties, pages of any sizes; after each page the reader dies and begins anew."""
    org = Org("00D", Random(seed), lambda: NOW)
    for age in ages:
        org.insert("Account", NOW - timedelta(milliseconds=age), Name="Imported")
    cursor, now = Position(), NOW
    found: set[str] = set()
    for size in cycle(pages):
        rows = parse(org, SOURCE.soql(beginning(cursor), now)).run(org, deleted=True)[:size]
        if not rows:
            break
        found |= {row["Id"] for row in rows}
        at = rows[-1]["SystemModstamp"]
        cursor, now = Position(at=at, id=rows[-1]["Id"], settled=now - at > LOOK_BACK), now + timedelta(seconds=4)
    assert found == set(org.tables["Account"])
