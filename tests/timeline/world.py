"""An invented world of about three hundred records, in which everything that could depend on the order happens.

Users whose company becomes known later, or never, or twice; domains that become ambiguous; profiles that change, also
at the same moment; people with several ids; facts that two records report; things in several versions; deletions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from hub.sdk.rows import RawRow
from tests.timeline.acme import About, Named, Record, Told, row, tombstone

START = datetime(2026, 1, 1, tzinfo=UTC)
COMPANIES = 13


def product(rng: Random) -> list[RawRow]:
    """What the product's own connection sends."""
    return [row(record) for record in _product(rng)]


def billing(rng: Random) -> list[RawRow]:
    """What the billing connection sends, deletions included."""
    records = [row(record) for record in _billing(rng)]
    gone = rng.sample(range(COMPANIES), 5)
    return records + [tombstone(f"subscription-{number}", START + timedelta(days=300)) for number in gone]


def _when(rng: Random) -> datetime:
    return START + timedelta(hours=rng.randrange(0, 6000))


def _product(rng: Random) -> Iterator[Record]:
    for number in range(COMPANIES):
        group = Named(place=f"group:{number}", keys=[f"segment.group={number}"])
        for version in range(3):
            keys = [*group.keys, f"domain=company{number // 2 if number < 4 else number}.example"]
            profile = {"name": f"Company {number} ({rng.randrange(3)})", f"trait {version}": rng.randrange(9)}
            told = Named(place=group.place, keys=keys if version else group.keys, profile=profile)
            at = START + timedelta(days=rng.choice((10, 20)))
            yield Record(id=f"group-{number}-{version}", events=[Told(kind="account.identified", at=at, account=told)])
        for user in range(4):
            yield from _user(rng, number, user, group)


def _user(rng: Random, number: int, user: int, group: Named) -> Iterator[Record]:
    name = f"{number}-{user}"
    address = f"{name}@{'gmail.com' if user == 3 else f'company{number}.example'}"
    person = Named(place=f"user:{name}", keys=[f"segment.user={name}"])
    known = Named(place=person.place, keys=[*person.keys, f"email={address}"], profile={"name": f"User {name}"})
    place = Named(place=f"user:{name}", keys=[f"segment.user={name}", f"~domain={address.rpartition('@')[2]}"])
    yield Record(
        id=f"identify-{name}",
        events=[Told(kind="person.identified", at=_when(rng), account=place, people=[known])],
    )
    if user == 1:
        member = Named(place=place.place, keys=[*place.keys, f"~segment.group={number}"])
        yield Record(
            id=f"join-{name}", events=[Told(kind="person.added", at=_when(rng), account=member, people=[person])]
        )
    if user == 2:
        visitor = Named(place=f"anonymous:{name}", keys=[f"external:segment.anonymous={name}"])
        alias = Named(place=person.place, keys=[*person.keys, *visitor.keys])
        yield Record(
            id=f"visit-{name}", events=[Told(kind="page.viewed", at=_when(rng), account=group, people=[visitor])]
        )
        yield Record(
            id=f"alias-{name}", events=[Told(kind="person.aliased", at=_when(rng), account=place, people=[alias])]
        )
    for use in range(2):
        where = group if rng.random() < 0.5 else place
        told = Told(at=_when(rng), account=where, people=[person], attributes={"feature": use})
        yield Record(id=f"use-{name}-{use}", events=[told, told.model_copy(update={"value": 1.5})])


def _billing(rng: Random) -> Iterator[Record]:
    for number in range(COMPANIES):
        keys = [f"external:stripe.customer=c{number}"]
        # Some customers carry the product's group, some only a domain; two share the domain of an accountant.
        keys += [f"segment.group={number}"] if number % 3 else [f"domain=company{number}.example"]
        keys += ["domain=accountant.example"] if number in (1, 2) else []
        customer = Named(
            place=f"customer:{number}", keys=keys, profile={"name": f"Customer {number}", "currency": "EUR"}
        )
        for version in range(3):
            state = ("trialing", "active", "past_due")[version]
            at = START + timedelta(days=100 * (version > 0))
            about = About(type="subscription", id=f"s{number}", state=state, attributes={"version": version})
            told = Told(kind="subscription.changed", at=at, account=customer, thing=about)
            yield Record(id=f"subscription-{number}", version=str(version), events=[told])
        paid = Told(
            kind="invoice.paid",
            at=_when(rng),
            account=customer,
            thing=About(type="invoice", id=f"i{number}", state="paid"),
            natural_key=f"i{number}/paid",
        )
        yield Record(id=f"invoice-{number}", version="paid", events=[paid])
        yield Record(id=f"event-{number}", events=[paid])
