"""Measures against their definitions, said a second time in plain Python, over a past that is full of accidents."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import polars as pl
import pytest
from sqlalchemy import delete, insert, update

from hub.accounts.model import (
    Account,
    AccountAssertion,
    Person,
    PersonAssertion,
    PersonRole,
    SourceAccount,
    SourcePerson,
)
from hub.blueprint.service import Blueprint, read_text
from hub.kit.db import driver_connection
from hub.kit.runtime import Kit
from hub.measures import service
from hub.measures.section import Catalogue
from hub.timeline.model import EventRow

from .past import DAY, NOW, Oracle, Past, invent, store, store_identity, uuid

DOCUMENT: dict[str, Any] = read_text(
    """
    uses: {kind: count, of: [product.used], window: 28d}
    uses_ever: {kind: count, of: [product.used, person.signed_in, report.viewed]}
    uses_before: {kind: count, of: [product.used, person.signed_in, report.viewed], window: 28d, shift: 28d}
    uses_unknown: {kind: count, of: [report.viewed], window: 1d, missing: unknown}
    chosen:
      kind: count
      of:
        - {event: product.used, where: {x: [5, "7", true, 0.1]}}
        - {event: report.viewed, where: {x: {at_least: 1, at_most: 20}}}
        - {event: survey.answered, where: {x: {present: false}, at: {present: true}}}
        - invoice.paid
      window: 60d
    liked:
      kind: count
      of: [{event: product.used, where: {x: {like: ["A*", "*la*", "a_c", "%"]}}}]
    people: {kind: people, of: [product.used, person.signed_in, report.viewed], window: 28d}
    people_before: {kind: people, of: [product.used, person.signed_in, report.viewed], window: 28d, shift: 28d}
    people_chosen: {kind: people, of: [{event: product.used, where: {x: plan}}], missing: unknown}
    value_sum: {kind: sum, of: [survey.answered, product.used], window: 40d}
    value_sum_unknown: {kind: sum, of: [survey.answered], window: 5d, missing: unknown}
    paid: {kind: sum, of: [invoice.paid], field: amount, window: 90d}
    x_sum: {kind: sum, of: [product.used, person.signed_in], field: x, window: 90d}
    minor_sum: {kind: sum, of: [product.used, person.signed_in], field: mrr_minor, window: 20d}
    rating: {kind: last, of: [survey.answered], valid_for: 30d}
    rating_before: {kind: last, of: [survey.answered], valid_for: 30d, shift: 10d}
    last_amount: {kind: last, of: [invoice.paid, invoice.created], field: amount, missing: zero}
    last_x: {kind: last, of: [product.used], field: x}
    since_use: {kind: days_since, of: [product.used, person.signed_in, report.viewed]}
    since_chosen: {kind: days_since, of: [{event: product.used, where: {x: abc}}, survey.answered]}
    since_use_before: {kind: days_since, of: [report.viewed], shift: 7d, missing: zero}
    administrators: {kind: people, of: [product.used, person.signed_in], window: 60d, by: {role: administrator}}
    by_two_roles: {kind: people, of: [report.viewed], by: {role: [administrator, champion]}, missing: unknown}
    uses_by_champions: {kind: count, of: [product.used, person.signed_in], window: 90d, by: {role: [champion]}}
    since_administrator: {kind: days_since, of: [product.used, report.viewed], by: {role: [administrator]}}
    champions_rating: {kind: last, of: [survey.answered], by: {role: champion}, valid_for: 60d}
    days_of_use: {kind: days, of: [product.used, person.signed_in, report.viewed], window: 28d}
    days_of_champions: {kind: days, of: [product.used, report.viewed], by: {role: champion}, shift: 3d}
    days_more: {kind: change, measure: days_of_use}
    invoices: {kind: things, type: invoice}
    open_invoices: {kind: things, type: invoice, state: [open, past_due], missing: unknown}
    open_before: {kind: things, type: invoice, state: [open, past_due], shift: 30d}
    chosen_things: {kind: things, type: subscription, where: {x: {at_least: 0}}}
    no_such_thing: {kind: things, type: ticket, missing: unknown}
    mrr: {kind: things, type: subscription, state: [active, past_due], sum: mrr_minor, missing: unknown}
    thing_x: {kind: things, type: invoice, sum: x}
    lowest_x: {kind: attribute, type: subscription, attribute: x, pick: lowest}
    highest_x: {kind: attribute, type: subscription, attribute: x, state: [active, open]}
    renews_in: {kind: attribute, type: subscription, attribute: at, as: days_until, pick: lowest}
    began: {kind: attribute, type: invoice, attribute: at, as: days_since, where: {at: {present: true}}}
    account_x: {kind: attribute, attribute: x}
    account_until: {kind: attribute, attribute: at, as: days_until}
    account_since: {kind: attribute, attribute: at, as: days_since, of: [survey.answered, invoice.paid], shift: 3d}
    per_person: {kind: ratio, numerator: uses, denominator: people}
    per_person_zero: {kind: ratio, numerator: uses, denominator: people, missing: zero}
    people_change: {kind: change, measure: people}
    before_change: {kind: change, measure: people_before, over: 14d}
    mrr_change: {kind: change, measure: mrr, over: 30d}
    renewal_change: {kind: change, measure: renews_in, over: 5d}
    rating_change: {kind: change, measure: rating, over: 20d}
    """
)
DERIVED = {
    "mix": {"kind": "expression", "expression": "coalesce(rating, 0) + 2 * per_person - uses_ever / people"},
    "mix_of_mix": {"kind": "expression", "expression": "CASE WHEN mix > 3 THEN mix ELSE NULL END", "missing": "zero"},
}


def catalogue_of(document: Mapping[str, Any]) -> Catalogue:
    return Blueprint(0, {"measures": document}).section("measures", Catalogue)


CATALOGUE = catalogue_of({**DERIVED, **DOCUMENT})


async def compute(
    kit: Kit,
    accounts: Sequence[UUID] | None = None,
    *,
    as_of: datetime = NOW,
    known_at: datetime | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> pl.DataFrame:
    async with kit.reading() as session:
        return await service.compute(session, catalogue, accounts, as_of=as_of, known_at=known_at)


def bits(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Rows whose numbers are their very bits, so that 0.0 and -0.0, or a last digit, differ."""
    return [
        (row[0], *(None if value is None else struct.pack("d", value) for value in row[1:])) for row in frame.rows()
    ]


async def prepared(kit: Kit, seed: int, **sizes: int) -> Past:
    past = invent(Random(seed), **sizes)
    async with kit.transaction() as session:
        await store(session, past)
    return past


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_kind_is_what_its_definition_says(kit: Kit, seed: int) -> None:
    """At several moments, as known now and as known before: each value equals that of the plain statement of it."""
    past = await prepared(kit, seed)
    for as_of, known_at in [
        (NOW, None),
        (NOW, NOW),
        (NOW - 20 * DAY, None),
        (NOW - 20 * DAY, NOW - 15 * DAY),
        (NOW - 45 * DAY - timedelta(microseconds=1), NOW - 45 * DAY),
        (NOW - 100 * DAY, NOW - 110 * DAY),
    ]:
        frame = await compute(kit, past.accounts, as_of=as_of, known_at=known_at)
        oracle = Oracle(past, DOCUMENT, as_of, known_at)
        for row in frame.iter_rows(named=True):
            expected = {name: oracle.value(UUID(row["account_id"]), name) for name in DOCUMENT}
            assert {name: row[name] for name in DOCUMENT} == expected, (as_of, known_at, row["account_id"])


def test_the_invented_past_gives_every_measure_a_value_and_its_absence() -> None:
    """A measure that were always unknown, or always the same, would be proved by nothing."""
    past = invent(Random(1))
    moments = [Oracle(past, DOCUMENT, NOW - day * DAY, None) for day in range(8)]
    for name in DOCUMENT.keys() - {"no_such_thing"}:
        assert len({oracle.value(account, name) for account in past.accounts for oracle in moments}) > 1, name


async def test_alone_in_a_batch_or_among_all_an_account_has_the_same_bits(kit: Kit) -> None:
    """How many are asked about changes nothing, and rows come sorted by account."""
    past = await prepared(kit, 4)
    everybody = bits(await compute(kit))
    assert [row[0] for row in everybody] == sorted(str(account) for account in past.accounts)
    assert bits(await compute(kit, past.accounts[::-1])) == everybody
    assert bits(await compute(kit, past.accounts[:5] * 2)) == [
        row for row in everybody if UUID(row[0]) in past.accounts[:5]
    ]
    alone = [bits(await compute(kit, [account])) for account in sorted(past.accounts)]
    assert [row for rows in alone for row in rows] == everybody
    known = bits(await compute(kit, known_at=NOW + 1000 * DAY))
    held = {str(holder) for holder in {place: holder for place, holder, _ in past.assertions}.values()}
    assert known == [row for row in everybody if row[0] in held]


async def test_the_order_in_which_events_were_stored_changes_no_bit(kit: Kit) -> None:
    """The same rows shuffled give the same frame, sums included."""
    past = await prepared(kit, 5)
    first = bits(await compute(kit))
    shuffled = list(past.events)
    for seed in range(3):
        Random(seed).shuffle(shuffled)
        async with kit.transaction() as session:
            await session.execute(delete(EventRow))
            await session.execute(insert(EventRow), shuffled)
        assert bits(await compute(kit)) == first


async def test_no_measure_looks_ahead(kit: Kit) -> None:
    """Whatever happens after the moment asked, even in the same microsecond after it, changes nothing."""
    past = await prepared(kit, 6)
    before = bits(await compute(kit, as_of=NOW - 30 * DAY))
    rng = Random(60)
    later = [
        {**row, "id": uuid(rng), "occurred_at": NOW - 30 * DAY + timedelta(microseconds=rng.choice((1, 10**9, 10**12)))}
        for row in past.events[:200]
    ]
    async with kit.transaction() as session:
        await session.execute(insert(EventRow), later)
    assert bits(await compute(kit, as_of=NOW - 30 * DAY)) == before
    assert bits(await compute(kit)) != bits(await compute(kit, as_of=NOW - 30 * DAY))


async def test_what_was_known_then_can_be_asked_for_ever(kit: Kit) -> None:
    """Events that came late, corrections, merges of accounts and of people, and roles that were told later or otherwise
    do not change what was known before."""
    past = invent(Random(7))
    known_at = NOW - 25 * DAY
    early = [row for row in past.events if row["recorded_at"] <= known_at]
    as_it_was = [
        {**row, "retracted_at": None if row["retracted_at"] and row["retracted_at"] > known_at else row["retracted_at"]}
        for row in early
    ]
    then = replace(
        past,
        events=as_it_was,
        assertions=[one for one in past.assertions if one[2] <= known_at],
        persons=[one for one in past.persons if one[2] <= known_at],
        roles=[one for one in past.roles if one[2] <= known_at],
    )
    places = [place for place in past.places if place in {place for place, _, _ in then.assertions}]
    async with kit.transaction() as session:
        await store(session, replace(then, places=places))
    at_the_time = bits(await compute(kit, past.accounts, as_of=known_at))
    async with kit.transaction() as session:
        everything = (EventRow, SourceAccount, AccountAssertion, Account, SourcePerson, PersonAssertion)
        for table in (*everything, Person, PersonRole):
            await session.execute(delete(table))
        await store_identity(session, past)
        await session.execute(insert(EventRow), past.events)
    assert bits(await compute(kit, past.accounts, as_of=known_at, known_at=known_at)) == at_the_time
    assert bits(await compute(kit, past.accounts, as_of=known_at)) != at_the_time


async def test_a_retracted_row_and_its_revision_are_one_event(kit: Kit) -> None:
    """Before the correction the old row counts, after it the new one; at no moment both or none."""
    past = invent(Random(8), accounts=1, events=1)
    place = past.places[0]
    old = {**past.events[0], "source_account_id": place, "kind": "product.used", "occurred_at": NOW - DAY, "value": 1.0}
    old |= {"recorded_at": NOW - DAY, "retracted_at": NOW}
    new = {**old, "revision": 1, "recorded_at": NOW, "retracted_at": None, "value": 3.0}
    past = replace(past, events=[old, new], assertions=[(place, past.accounts[0], NOW - 90 * DAY)], places=[place])
    async with kit.transaction() as session:
        await store(session, past)
    for known_at, value in [(NOW - timedelta(microseconds=1), 1.0), (NOW, 3.0), (None, 3.0), (NOW - 2 * DAY, 0.0)]:
        row = (await compute(kit, past.accounts, known_at=known_at)).row(0, named=True)
        assert (row["value_sum"], row["uses"]) == (value, float(value > 0))


async def test_a_merge_moves_everything_and_its_undoing_moves_it_back(kit: Kit) -> None:
    """The mapping alone decides: the winner has both histories, the loser nothing, and then each has its own again."""
    past = invent(Random(9), accounts=2)
    places = past.places
    homes = {place: past.accounts[number % 2] for number, place in enumerate(places)}
    past = replace(past, assertions=[(place, home, NOW - 200 * DAY) for place, home in homes.items()])
    async with kit.transaction() as session:
        await store(session, past)
    apart = bits(await compute(kit, past.accounts))
    winner, loser = past.accounts
    async with kit.transaction() as session:
        await session.execute(update(SourceAccount).values(account_id=winner))
        await session.execute(update(Account).where(Account.id == loser).values(merged_into=winner))
    together = await compute(kit)
    assert together["account_id"].to_list() == [str(winner)]
    merged = Oracle(replace(past, assertions=[(place, winner, NOW) for place in places]), DOCUMENT, NOW, None)
    assert all(together[name].item() == merged.value(winner, name) for name in DOCUMENT)
    async with kit.transaction() as session:
        for place, home in homes.items():
            await session.execute(update(SourceAccount).where(SourceAccount.id == place).values(account_id=home))
        await session.execute(update(Account).values(merged_into=None))
    assert bits(await compute(kit, past.accounts)) == apart


async def test_one_statement_whatever_is_asked(kit: Kit) -> None:
    """The number of accounts and of measures does not change the number of statements."""
    past = await prepared(kit, 10)
    async with kit.reading() as session:
        driver = await driver_connection(session)
        with driver.query_logger(lambda record: statements.append(record.query)):
            statements: list[str] = []
            await service.compute(session, CATALOGUE, past.accounts, as_of=NOW)
    assert [statement.partition(" ")[0] for statement in statements if statement != "SELECT 1"] == ["WITH"]


async def test_an_unknown_account_and_an_empty_base_have_rows_as_asked(kit: Kit) -> None:
    """Nobody is dropped from the answer, and nobody added to it."""
    assert (await compute(kit)).height == 0
    row = (await compute(kit, [UUID(int=7)])).row(0, named=True)
    assert (row["account_id"], row["uses"], row["since_use"]) == (str(UUID(int=7)), 0.0, None)
    assert (await compute(kit, [])).height == 0
    nothing = await compute(kit, [UUID(int=7)], catalogue=catalogue_of({}))
    assert nothing.columns == ["account_id"]


async def test_naive_moments_are_refused(kit: Kit) -> None:
    """A moment without a zone is a mistake of the caller."""
    with pytest.raises(ValueError, match="must be aware"):
        await compute(kit, as_of=datetime(2026, 1, 1))  # noqa: DTZ001  # the mistake itself


@pytest.mark.parametrize("known_at", [None, NOW - 10 * DAY])
async def test_evidence_is_what_a_value_was_made_of(kit: Kit, known_at: datetime | None) -> None:
    """The ids are those of the events that the plain definition looks at, the newest first."""
    past = await prepared(kit, 11)
    oracle = Oracle(past, DOCUMENT, NOW, known_at)
    async with kit.reading() as session:
        for account in past.accounts[:6]:
            for name, entry in DOCUMENT.items():
                found = await service.evidence(
                    session, CATALOGUE, name, account, as_of=NOW, known_at=known_at, limit=10_000
                )
                expected = behind(oracle, account, name, entry)
                assert set(found) == {row["id"] for row in expected}, name
                times = {row["id"]: row["occurred_at"] for row in expected}
                assert [times[id_] for id_ in found] == sorted(times.values(), reverse=True), name


def behind(oracle: Oracle, account: UUID, name: str, entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events behind a value, by the definition of its kind."""
    match entry["kind"]:
        case "ratio":
            parts = [entry["numerator"], entry["denominator"]]
            return [row for part in parts for row in behind(oracle, account, part, oracle.document[part])]
        case "change":
            measure = oracle.document[entry["measure"]]
            over = int((entry.get("over") or measure["window"])[:-1]) + int(measure.get("shift", "0d")[:-1])
            both = (measure, {**measure, "shift": f"{over}d"})
            return [row for one in both for row in behind(oracle, account, name, one)]
        case "things":
            return oracle.things(account, entry)[1]
        case "attribute" if "type" in entry:
            return [
                row for row in oracle.things(account, entry)[1] if row["attributes"].get(entry["attribute"]) is not None
            ]
        case "days_since" | "last" | "attribute":
            rows = oracle.events(account, entry, "valid_for")
            if entry["kind"] == "attribute":
                rows = [row for row in rows if row["attributes"].get(entry["attribute"]) is not None]
            if entry["kind"] == "last":
                rows = [row for row in rows if has(row, entry.get("field", "value"))]
            return [max(rows, key=lambda row: (row["occurred_at"], row["id"]))] if rows else []
        case _:
            return oracle.events(account, entry)


def has(row: Mapping[str, Any], field: str) -> bool:
    if field == "value":
        return row["value"] is not None and abs(row["value"]) < 1e18
    return (row["amount_minor"] if field == "amount" else row["attributes"].get(field)) is not None


async def test_evidence_of_an_expression_is_that_of_its_parts_and_is_bounded(kit: Kit) -> None:
    """An expression is proved by what its measures are proved by; the newest events come first, no more than asked."""
    past = await prepared(kit, 12)
    account = past.accounts[0]
    async with kit.reading() as session:
        parts = [
            await service.evidence(session, CATALOGUE, name, account, as_of=NOW, limit=10_000)
            for name in ("rating", "uses", "people", "uses_ever")
        ]
        whole = await service.evidence(session, CATALOGUE, "mix", account, as_of=NOW, limit=10_000)
        few = await service.evidence(session, CATALOGUE, "mix_of_mix", account, as_of=NOW, limit=3)
    assert set(whole) == {id_ for part in parts for id_ in part}
    assert few == whole[:3]
