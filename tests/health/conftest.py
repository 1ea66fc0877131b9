"""Random profiles and accounts for the decisions, and a small world of accounts and events for the services."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import polars as pl
import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sqlalchemy import select, text

from hub.accounts.model import Account, AccountAssertion, AssertionReason, SourceAccount
from hub.blueprint import service as blueprints
from hub.health.model import Alert, Health, Score, Watch
from hub.health.section import Indicator, Profile
from hub.health.service import ScoringResult, score_accounts
from hub.journeys.model import MilestoneProgress, Stay
from hub.kit.ids import new_id
from hub.kit.runtime import Kit
from hub.timeline.model import EventRow

MEASURES = tuple(f"measure_{nth}" for nth in range(8))

_weights = st.sampled_from(["1", "2", "0.5", "0.333333", "7", "30", "0.000001", "1000000"])
_points = st.decimals(min_value=0, max_value=100, places=6)
_values = st.none() | st.floats(min_value=-50, max_value=150) | st.integers(0, 30).map(float)


@st.composite
def _curves(draw: st.DrawFn) -> list[Any]:
    at = draw(st.lists(st.integers(-20_000_000, 120_000_000), min_size=2, max_size=5, unique=True).map(sorted))
    return [[x / 900_000, draw(_points)] for x in at]


@st.composite
def _profiles(draw: st.DrawFn) -> Profile:
    indicators = draw(st.lists(st.sampled_from(list(Indicator)), min_size=1, max_size=5, unique=True))
    return Profile.model_validate(
        {
            "indicators": {
                indicator: {
                    "weight": draw(_weights),
                    "measures": {
                        name: {"weight": draw(_weights), "curve": draw(_curves())}
                        for name in draw(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=4, unique=True))
                    },
                }
                for indicator in indicators
            },
            "floor": draw(st.sampled_from(["0", "0.25", "0.5", "0.9", "1"])),
        }
    )


@pytest.fixture(scope="session")
def profiles() -> SearchStrategy[Profile]:
    """Profiles of up to five indicators with up to four measures each, out of eight names."""
    return _profiles()


@pytest.fixture(scope="session")
def values() -> SearchStrategy[dict[str, float | None]]:
    """A value, or none, for each of the eight measures."""
    return st.fixed_dictionaries(dict.fromkeys(MEASURES, _values))


@pytest.fixture(scope="session")
def tables() -> SearchStrategy[pl.DataFrame]:
    """Tables of one to six accounts with the eight measures."""
    rows = st.lists(st.fixed_dictionaries(dict.fromkeys(MEASURES, _values)), min_size=1, max_size=6)
    return rows.map(lambda found: pl.DataFrame(found, schema=dict.fromkeys(MEASURES, pl.Float64)))


NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

BLUEPRINT: dict[str, Any] = {
    "blueprint": 1,
    "name": "small",
    "segments": {"smb": {}},
    "journeys": {
        "smb": {
            "stages": {
                "onboarding": {
                    "expected": "90d",
                    "milestones": {
                        "setup_completed": {"event": "setup.completed", "expected": "14d"},
                        "first_report": {"when": "reports_90d >= 1", "expected": "30d"},
                    },
                },
                "established": {},
            },
            "transitions": [
                {"from": "onboarding", "to": "established", "when": "days_known >= 90"},
                {"from": "any", "to": "churned", "when": "cancels_28d > 0"},
            ],
        }
    },
    "measures": {
        "people_28d": {"kind": "people", "of": ["product.used"], "window": "28d"},
        "people_prev_28d": {"kind": "people", "of": ["product.used"], "window": "28d", "shift": "28d"},
        "reports_90d": {"kind": "count", "of": ["report.viewed"], "window": "90d"},
        "nps": {"kind": "last", "of": ["survey.answered"], "valid_for": "180d"},
        "failed_28d": {"kind": "count", "of": ["invoice.payment_failed"], "window": "28d"},
        "cancels_28d": {"kind": "count", "of": ["subscription.canceled"], "window": "28d"},
        "mrr": {
            "kind": "things",
            "type": "subscription",
            "state": ["active"],
            "sum": "mrr_minor",
            "missing": "unknown",
        },
    },
    "profiles": {
        "smb": {
            "indicators": {
                "product_engagement": {"weight": 3, "measures": {"people_28d": {"curve": [[0, 0], [10, 100]]}}},
                "customer_satisfaction": {"weight": 1, "measures": {"nps": {"curve": [[0, 0], [10, 100]]}}},
            },
            "caps": [{"name": "payment_failed", "when": "failed_28d > 0", "at_most": 60}],
            "purple": "nps >= 9",
        }
    },
    "alerts": {
        "decline": {
            "when": "people_28d < 0.8 * people_prev_28d AND people_prev_28d >= 3",
            "severity": "high",
            "watch": True,
        }
    },
}


@dataclass
class World:
    """Accounts and events, put straight into the tables, and scoring at whatever moment a test chooses."""

    kit: Kit
    now: datetime = NOW
    places: dict[UUID, UUID] = field(default_factory=dict)

    async def apply(self, document: dict[str, Any]) -> int:
        """Put a blueprint in force."""
        async with self.kit.transaction() as session:
            return await blueprints.apply(session, document, "test", self.now)

    async def account(self, *, first_seen: datetime | None = None, owner: str | None = None) -> UUID:
        """A new account with one place where its events lie."""
        account_id, place = new_id(), uuid4()
        seen = first_seen or self.now - timedelta(days=10)
        async with self.kit.transaction() as session:
            session.add(
                Account(
                    id=account_id,
                    name="Acme",
                    owner=owner,
                    time_zone="UTC",
                    facts={},
                    created_at=seen,
                    first_seen_at=seen,
                )
            )
            await session.flush()
            session.add(
                SourceAccount(id=place, place=f"test:{place}", account_id=account_id, profile={}, first_seen_at=seen)
            )
            session.add(
                AccountAssertion(
                    source_account_id=place,
                    account_id=account_id,
                    reason=AssertionReason.RESOLVED,
                    evidence={},
                    actor="hub",
                    recorded_at=seen,
                )
            )
        self.places[account_id] = place
        return account_id

    async def event(
        self,
        account_id: UUID,
        kind: str,
        *,
        days_ago: float = 1,
        people: int = 0,
        first_person: int = 0,
        recorded_at: datetime | None = None,
        **columns: Any,
    ) -> UUID:
        """One event; with `people`, so many people take part in it."""
        event_id = new_id()
        row = EventRow(
            source_account_id=self.places[account_id],
            id=event_id,
            revision=0,
            kind=kind,
            occurred_at=self.now - timedelta(days=days_ago),
            recorded_at=recorded_at or self.now,
            flow="operational_execution",
            people=[UUID(int=first_person + nth + 1) for nth in range(people)],
            **{"attributes": {}} | columns,
        )
        async with self.kit.transaction() as session:
            session.add(row)
        return event_id

    async def score(self, *account_ids: UUID) -> ScoringResult:
        """Score the accounts now, in a transaction of its own."""
        async with self.kit.transaction() as session:
            blueprint = await blueprints.current(session)
            return await score_accounts(session, blueprint, account_ids, self.now)

    async def rows(self, model: type[Any], account_id: UUID) -> list[Any]:
        """The account's rows in a table, in the order in which they were made."""
        order = {Score: Score.id, Stay: Stay.id, Alert: Alert.id, Watch: Watch.id}.get(model)
        query = select(model).where(model.account_id == account_id)
        async with self.kit.reading() as session:
            return list((await session.execute(query if order is None else query.order_by(order))).scalars())

    async def health(self, account_id: UUID) -> Health:
        (found,) = await self.rows(Health, account_id)
        assert isinstance(found, Health)
        return found

    async def scores(self, account_id: UUID) -> list[Score]:
        return await self.rows(Score, account_id)

    async def alerts(self, account_id: UUID) -> list[Alert]:
        return await self.rows(Alert, account_id)

    async def milestones(self, account_id: UUID) -> dict[str, MilestoneProgress]:
        return {row.milestone: row for row in await self.rows(MilestoneProgress, account_id)}

    async def everything(self, account_id: UUID) -> dict[str, Any]:
        """All that was ever written about the account, but for the moment of the last look."""
        found: dict[str, Any] = {
            model.__tablename__: [
                {column.name: getattr(row, column.key) for column in model.__table__.columns}
                for row in await self.rows(model, account_id)
            ]
            for model in (Health, Score, Alert, Watch, Stay, MilestoneProgress)
        }
        for row in found["health"]:
            del row["scored_at"]
        return found | {"announced": await self.announced(account_id), "told": await self.told(account_id)}

    async def announced(self, account_id: UUID) -> list[str]:
        """The topics announced about the account, in their order."""
        async with self.kit.reading() as session:
            found = await session.execute(
                text("SELECT topic FROM outbox WHERE key = :key ORDER BY id"), {"key": str(account_id)}
            )
            return list(found.scalars())

    async def told(self, account_id: UUID) -> list[tuple[str, datetime]]:
        """The hub's own facts on the account's timeline: kind and moment, the oldest first."""
        async with self.kit.reading() as session:
            found = await session.execute(
                select(EventRow.kind, EventRow.occurred_at)
                .join(SourceAccount, SourceAccount.id == EventRow.source_account_id)
                .where(SourceAccount.account_id == account_id, EventRow.flow == "meta")
                .order_by(EventRow.occurred_at, EventRow.kind)
            )
            return [(kind, at) for kind, at in found]


@pytest.fixture
async def world(kit: Kit) -> World:
    """An empty world with the small blueprint in force."""
    made = World(kit)
    await made.apply(BLUEPRINT)
    return made
