"""Two clocks: what a score was when its moment was now is what it is when that moment is asked for later.

A history in which everything happens that changes what is known of the past: events that come late, records that are
corrected or deleted, a mapping that tells otherwise for a while, users who turn out to be one person, places whose
company becomes known later, accounts that are merged and parted again, roles and owners that are told late, otherwise,
or for a time long gone, and owners whom a person assigns and takes back. While it goes on the hub scores as it does
every day, and random moments of the past are asked for; at the end all of them are asked for again, as known then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import select, text

from hub.access.service import Role, Viewer
from hub.accounts import service as accounts
from hub.blueprint import service as blueprints
from hub.connections import registry
from hub.connections.records import RawRow
from hub.connections.registry import Registry
from hub.health.explain import ScoreAt
from hub.health.history import score_at
from hub.health.jobs import drain_accounts_to_score
from hub.health.model import Score
from hub.health.terms import read_terms
from hub.kit.clock import FrozenClock
from hub.kit.errors import HubError, NotFound
from hub.kit.runtime import Kit
from hub.timeline.service import replay
from tests.health.conftest import BLUEPRINT
from tests.timeline.acme import About, Acme, Named, Record, Told, connect, drain, receive, row, tombstone

POINTS = int(os.environ.get("HUB_TEST_TWO_CLOCKS", "100"))
EACH = 5
START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
COMPANIES = 6
CSM = Viewer("key:kim", Role.CSM)

MEASURES = {
    "known_people": {"kind": "people", "of": ["product.used", "report.viewed"]},
    "since_use": {"kind": "days_since", "of": ["product.used"]},
    "paid_40d": {"kind": "sum", "of": ["survey.answered"], "window": "40d"},
    "tier": {"kind": "attribute", "attribute": "tier"},
    "renews_in": {"kind": "attribute", "type": "subscription", "attribute": "until", "as": "days_until"},
    "entered_30d": {"kind": "count", "of": ["stage.entered", "band.changed"], "window": "30d"},
    "people_change": {"kind": "change", "measure": "people_28d"},
    "administrators": {"kind": "people", "of": ["product.used"], "window": "40d", "by": {"role": "administrator"}},
    "champion_uses": {
        "kind": "count",
        "of": ["product.used", "report.viewed"],
        "by": {"role": ["champion", "sponsor"]},
    },
    "per_person": {"kind": "expression", "expression": "reports_90d / 7 + known_people / 3"},
}
TRANSITIONS = [
    {"from": "onboarding", "to": "established", "when": "days_known >= 20 OR known_people >= 6"},
    {"from": "established", "to": "onboarding", "when": "days_in_stage > 9 AND people_28d < 2"},
    {"from": "established", "to": "onboarding", "when": "owner = 'kim' AND people_28d < 3"},
    {"from": "any", "to": "churned", "when": "cancels_28d > 1"},
    {"from": "churned", "to": "established", "when": "cancels_28d = 0"},
]


OWNERS = ("kim", "ben", None)
CAPS = {"kim": 45, "ben": 60}
ROLES = ("administrator", "champion", "Sponsor", "end_user", None)


class Mistaken(Acme):
    """A version of the mapping that leaves out some records and tells others otherwise."""

    titled = "?"
    silent = frozenset(f"r{number}" for number in range(0, 2000, 7))


@pytest.fixture(autouse=True)
def acme_is_installed() -> Iterator[None]:
    with registry.using(Registry.of(Acme)):
        yield


class History:
    """The story as it is told, and what was answered while it went on."""

    def __init__(self, kit: Kit, seed: int) -> None:
        self.rng = Random(seed)
        self.clock = FrozenClock(START)
        self.kit = replace(kit, clock=self.clock)
        self.told = 0
        self.sent: list[str] = []
        self.merges: list[UUID] = []
        self.answers: list[tuple[UUID, datetime, datetime, ScoreAt | None]] = []

    async def begin(self) -> None:
        self.vendor, self.billing = await connect(self.kit), await connect(self.kit, "billing")
        measures = {**BLUEPRINT["measures"], **MEASURES}
        smb = {**BLUEPRINT["journeys"]["smb"], "transitions": TRANSITIONS}
        indicators = BLUEPRINT["profiles"]["smb"]["indicators"] | {
            "business_outcomes": {"weight": 1, "measures": {"per_person": {"curve": [[0, 10], [3, 90]]}}},
            "support_operations": {
                "weight": 1,
                "measures": {
                    "since_use": {"curve": [[0, 100], [30, 0]]},
                    "administrators": {"curve": [[0, 20], [2, 80]]},
                    "champion_uses": {"curve": [[0, 0], [20, 100]]},
                },
            },
        }
        owned = [{"name": f"of_{who}", "when": f"owner = '{who}'", "at_most": most} for who, most in CAPS.items()]
        smb_profile = BLUEPRINT["profiles"]["smb"]
        profile = {**smb_profile, "indicators": indicators, "caps": [*smb_profile["caps"], *owned]}
        document = {**BLUEPRINT, "measures": measures, "journeys": {"smb": smb}, "profiles": {"smb": profile}}
        async with self.kit.transaction() as session:
            await blueprints.apply(session, document, "test", self.clock.now())

    async def go_on(self) -> None:
        """Some hours pass, something happens, and the hub does its work."""
        self.clock.advance(timedelta(hours=self.rng.choice((5, 13, 24, 31))))
        await receive(self.kit, self.vendor, [self._record() for _ in range(self.rng.randint(2, 9))])
        await receive(self.kit, self.billing, [self._bill() for _ in range(self.rng.randint(0, 3))])
        await drain(self.kit)
        chance = self.rng.random()
        if chance < 0.12:
            await self._merge()
        elif chance < 0.24 and self.merges:
            await self._part()
        elif chance < 0.30:
            await self._remap()
        elif chance < 0.45:
            await self._assign()
        async with self.kit.transaction() as session:
            await session.execute(text("UPDATE work_item SET due_at = :now, settling_since = NULL"), {"now": START})
        while await drain_accounts_to_score(self.kit):
            pass

    async def ask(self, count: int) -> None:
        """Ask for random moments of the past, as known now, which is a little after the last look."""
        self.clock.advance(timedelta(seconds=1))
        now = self.clock.now()
        for _ in range(count):
            as_of = now - timedelta(minutes=self.rng.choice((0, 1, 60 * 24, self.rng.randint(0, 60 * 24 * 50))))
            account = self.rng.choice(await self.accounts())
            self.answers.append((account, as_of, now, await self.score(account, as_of, None)))

    async def accounts(self) -> list[UUID]:
        async with self.kit.reading() as session:
            query = text("SELECT id FROM account ORDER BY anchor")
            return list((await session.execute(query)).scalars())

    async def score(self, account: UUID, as_of: datetime, known_at: datetime | None) -> ScoreAt | None:
        async with self.kit.reading() as session:
            try:
                found = await score_at(session, account, as_of, known_at)
            except NotFound:
                return None
        return replace(found, known_at=None)

    def _company(self, number: int) -> Named:
        """Some companies are known by their group alone at first, and by the name of the customer only later."""
        keys = [f"segment.group={number}"] + ([f"domain=c{number}.example"] if self.rng.random() < 0.3 else [])
        owner = {"owner": self.rng.choice(OWNERS)} if self.rng.random() < 0.1 else {}
        profile = {"name": f"Company {number}", **owner}
        return Named(place=f"group:{number}", keys=keys, profile=profile, profile_at=self._told_at())

    def _person(self, number: int) -> Named:
        """One person in four has two ids, which an address that is told now and then joins."""
        id_ = self.rng.randrange(8)
        joined = self.rng.random() < 0.15
        keys = [f"segment.user={number}-{id_}"] + ([f"email=u{id_ // 2}@c{number}.example"] if joined else [])
        role = {"role": self.rng.choice(ROLES)} if self.rng.random() < 0.2 else {}
        return Named(place=f"user:{number}-{id_}", keys=keys, profile=role, profile_at=self._told_at())

    def _told_at(self) -> datetime | None:
        """Since when what is told of a company or a person is so: since the event, or since some other time."""
        return self._happened() if self.rng.random() < 0.5 else None

    def _happened(self) -> datetime:
        hours = self.rng.choice((0.2, 3, 20, 24 * 4, 24 * 30, 24 * 70, -30))
        return self.clock.now() - timedelta(hours=hours * self.rng.random())

    def _record(self) -> RawRow:
        number = self.rng.randrange(COMPANIES)
        kind = self.rng.choice(["product.used"] * 4 + ["report.viewed", "survey.answered", "account.identified"])
        known = self.sent and self.rng.random() < 0.1
        id_ = self.rng.choice(self.sent) if known else f"r{self.told}"
        self.told += 1
        self.sent.append(id_)
        event = Told(
            kind=kind,
            at=self._happened(),
            account=self._company(number),
            people=[self._person(number) for _ in range(self.rng.randint(0, 2))],
            value=self.rng.choice((1.5, 6.0, 9.25)) if kind == "survey.answered" else None,
            attributes={"tier": self.rng.randrange(4)} if kind == "account.identified" else {},
        )
        return row(Record(id=id_, version=str(self.told), events=[event]))

    def _bill(self) -> RawRow:
        number = self.rng.randrange(COMPANIES)
        keys = [f"external:stripe.customer=c{number}"]
        keys += [f"segment.group={number}"] if self.rng.random() < 0.5 else []
        if self.rng.random() < 0.1:
            return tombstone(f"s{number}", self._happened())
        self.told += 1
        until = (self.clock.now() + timedelta(days=self.rng.randint(1, 300))).date().isoformat()
        about = About(
            type="subscription",
            id=f"s{number}",
            state=self.rng.choice(("active", "canceled")),
            attributes={"mrr_minor": self.rng.randrange(9) * 100, "until": until},
        )
        kind = self.rng.choice(["subscription.changed", "subscription.changed", "subscription.canceled"])
        customer = Named(place=f"customer:{number}", keys=keys)
        event = Told(kind=kind, at=self._happened(), account=customer, thing=about)
        return row(Record(id=f"s{number}", version=str(self.told), events=[event]))

    async def _merge(self) -> None:
        winner, loser = self.rng.sample(await self.accounts(), 2)
        try:
            async with self.kit.transaction() as session:
                merge = await accounts.merge(session, CSM, winner, loser, "the same", self.clock.now())
        except HubError:
            return  # one of them lies in another account already
        self.merges.append(merge)

    async def _part(self) -> None:
        merge = self.merges.pop(self.rng.randrange(len(self.merges)))
        async with self.kit.transaction() as session:
            await accounts.undo_merge(session, CSM, merge, self.clock.now())

    async def _assign(self) -> None:
        account = self.rng.choice(await self.accounts())
        with suppress(NotFound):  # it lies in another account
            async with self.kit.transaction() as session:
                await accounts.assign_owner(session, CSM, account, self.rng.choice(OWNERS), self.clock.now())

    async def _remap(self) -> None:
        version = self.rng.choice((Acme, Mistaken))
        with registry.using(Registry.of(version)):
            await replay(self.kit, self.vendor)


async def test_every_moment_is_for_ever_what_it_was(kit: Kit) -> None:
    """As of any day and as known at any other, bit for bit; every score that was kept as well."""
    history = History(kit, seed=int(os.environ.get("HUB_TEST_TWO_CLOCKS_SEED", "1")))
    await history.begin()
    for _ in range(12):
        await history.go_on()
    while len(history.answers) < POINTS:
        await history.go_on()
        await history.ask(EACH)
    different = [
        (account, as_of, known_at, then, now)
        for account, as_of, known_at, then in history.answers
        if (now := await history.score(account, as_of, known_at)) != then
    ]
    assert different == []
    assert len({answer.terms.uncapped for *_, answer in history.answers if answer}) > POINTS // 10
    await _kept_scores_are_what_they_were(history)


async def _kept_scores_are_what_they_were(history: History) -> None:
    async with history.kit.reading() as session:
        kept = list((await session.execute(select(Score).order_by(Score.id))).scalars())
    for score in history.rng.sample(kept, min(len(kept), POINTS)):
        found = await history.score(score.account_id, score.as_of, score.recorded_at)
        assert found is not None
        terms = read_terms(score.terms)
        assert (found.terms.values, found.stage, found.terms.previous_band) == (
            terms.values,
            score.stage,
            terms.previous_band,
        )
        assert (found.micro_points, found.band, found.terms) == (score.micro_points, score.band, terms)
