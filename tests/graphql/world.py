"""A small world to read: accounts with everything about them, written straight into the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.access import service as access
from hub.access.service import SYSTEM, Role
from hub.accounts.model import Account, AccountAssertion, AssertionReason, Person, SourceAccount, SourcePerson
from hub.blueprint import service as blueprint
from hub.connections.model import Checkpoint, Connection, Quarantine
from hub.feedback.model import Feedback
from hub.health.model import Alert, Health, Score, Watch
from hub.journeys.model import MilestoneProgress, Stay
from hub.kit.ids import derived_id
from hub.kit.runtime import Kit
from hub.plays.model import Run, RunStep, Task
from hub.timeline.model import EventRow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BANDS = ("red", "yellow", "green", "purple", "unknown")

DOCUMENT: dict[str, Any] = {
    "blueprint": 1,
    "name": "test",
    "segments": {"smb": {}},
    "journeys": {"smb": {"stages": {"onboarding": {}, "established": {}}}},
    "measures": {
        "active_people_28d": {"kind": "people", "of": ["product.used"], "window": "28d", "missing": "zero"},
        "nps": {"kind": "last", "of": ["survey.answered"], "valid_for": "180d"},
    },
    "profiles": {
        "smb": {
            "indicators": {
                "product_engagement": {
                    "weight": 60,
                    "measures": {"active_people_28d": {"curve": [[0, 0], [10, 100]]}},
                },
                "customer_satisfaction": {"weight": 40, "measures": {"nps": {"curve": [[0, 0], [10, 100]]}}},
            },
            "caps": [{"name": "nobody_there", "when": "active_people_28d < 1", "at_most": 40}],
        }
    },
    "alerts": {"few_people": {"when": "active_people_28d < 3", "severity": "high", "watch": True}},
    "plays": {
        "win_back": {
            "description": "Bring them back.",
            "trigger": {"alert": "few_people"},
            "steps": [{"task": "Call {{ account.name }}", "due": "3d"}],
        }
    },
}


def key(*parts: str | int) -> UUID:
    """An id that a test can name again."""
    return derived_id("world", *parts)


@dataclass(frozen=True)
class Keys:
    """The secrets of the world's API keys, by role."""

    secrets: dict[Role, str]

    def __getitem__(self, role: Role) -> str:
        return self.secrets[role]


async def make_keys(kit: Kit) -> Keys:
    """A key for each role."""
    found = {}
    async with kit.transaction() as session:
        for role in Role:
            made = await access.create_key(session, SYSTEM, f"test-{role}", role, expires_in=None, now=kit.clock.now())
            found[role] = made.secret
    return Keys(found)


async def populate(kit: Kit, count: int, *, events: int = 6) -> None:
    """`count` accounts; the band of the nth is `BANDS[n % 5]`."""
    async with kit.transaction() as session:
        await blueprint.apply(session, DOCUMENT, "test", NOW)
        # Without relations the order of inserts is ours: first what foreign keys point at.
        session.add(connection_row())
        session.add_all(account_row(nth) for nth in range(count))
        await session.flush()
        session.add_all(intake_rows())
        for nth in range(count):
            add_account(session, nth, events)


def account_row(nth: int) -> Account:
    return Account(
        id=key("account", nth),
        name=f"Company {nth:03}",
        domain=f"company{nth}.example",
        owner="ada@hub.example" if nth % 2 else None,
        time_zone="Europe/Berlin",
        facts={"employees": nth},
        created_at=NOW - 100 * DAY,
        first_seen_at=NOW - 100 * DAY,
    )


def connection_row() -> Connection:
    return Connection(
        id=key("connection"),
        connector="stripe",
        name="billing",
        tenant="acct_1",
        status="active",
        sealed_config=b"sealed",
        created_at=NOW - 100 * DAY,
    )


def intake_rows() -> list[Any]:
    return [
        Checkpoint(
            connection_id=key("connection"),
            stream="invoices",
            backfill=False,
            cursor={"after": "in_9"},
            done=False,
            paused=False,
            records=9,
            started_at=NOW - DAY,
            updated_at=NOW,
        ),
        Quarantine(
            id=key("quarantine"),
            connection_id=key("connection"),
            stage="normalize",
            stream="invoices",
            record_id="in_1",
            version="1",
            payload=b"{}",
            reason="no customer",
            first_seen_at=NOW - DAY,
            last_seen_at=NOW,
            attempts=1,
        ),
    ]


def add_account(session: AsyncSession, nth: int, events: int) -> None:
    """Everything about one account."""
    account_id = key("account", nth)
    add_people(session, nth)
    for place in ("billing", "product"):
        session.add(
            SourceAccount(
                id=key("source", nth, place),
                connection_id=key("connection"),
                place=f"{place}:{nth}",
                account_id=account_id,
                profile={},
                first_seen_at=NOW - 100 * DAY,
            )
        )
        session.add(
            AccountAssertion(
                source_account_id=key("source", nth, place),
                account_id=account_id,
                reason=AssertionReason.RESOLVED,
                evidence={},
                actor="hub",
                recorded_at=NOW - 100 * DAY,
            )
        )
    session.add_all(event_row(nth, number) for number in range(events))
    add_journey(session, nth)
    add_health(session, nth)
    add_work(session, nth)


def add_people(session: AsyncSession, nth: int) -> None:
    session.add(
        Person(
            id=key("person", nth),
            account_id=key("account", nth),
            name=f"Grace {nth}",
            email=f"grace@company{nth}.example",
            role="champion",
            do_not_contact=False,
            first_seen_at=NOW - 90 * DAY,
        )
    )
    session.add(
        SourcePerson(
            id=key("source person", nth),
            connection_id=key("connection"),
            place=f"user:{nth}",
            person_id=key("person", nth),
            profile={},
            first_seen_at=NOW - 90 * DAY,
        )
    )


def event_row(nth: int, number: int) -> EventRow:
    """Events alternate between the account's two sources; every third is an answered survey."""
    place = ("billing", "product")[number % 2]
    survey, invoice = number % 3 == 2, place == "billing"
    return EventRow(
        source_account_id=key("source", nth, place),
        id=key("event", nth, number),
        revision=0,
        kind="survey.answered" if survey else "invoice.paid" if invoice else "product.used",
        occurred_at=NOW - number * DAY,
        recorded_at=NOW - number * DAY + timedelta(minutes=1),
        flow="order_to_cash" if invoice else "operational_execution",
        people=[key("source person", nth)],
        subject_type="invoice" if invoice else None,
        subject_id=f"in_{number}" if invoice else None,
        subject_state="paid" if invoice else None,
        amount_minor=123_450 if invoice else None,
        currency="EUR" if invoice else None,
        value=9.0 if survey else None,
        attributes={"number": number},
        connection_id=key("connection"),
    )


def add_journey(session: AsyncSession, nth: int) -> None:
    account_id = key("account", nth)
    first, second = key("stay", nth, 1), key("stay", nth, 2)
    session.add_all(
        [
            Stay(
                id=first,
                account_id=account_id,
                segment="smb",
                stage="onboarding",
                entered_at=NOW - 100 * DAY,
                recorded_at=NOW - 100 * DAY,
                left_at=NOW - 10 * DAY,
                because={"reason": "first_seen"},
                blueprint_version=1,
            ),
            Stay(
                id=second,
                account_id=account_id,
                segment="smb",
                stage="established",
                entered_at=NOW - 10 * DAY,
                recorded_at=NOW - 10 * DAY,
                because={"reason": "transition", "from": "onboarding", "rule": "nps > 5", "values": {"nps": 9.0}},
                blueprint_version=1,
            ),
            MilestoneProgress(
                stay_id=first,
                milestone="setup_completed",
                account_id=account_id,
                expected_at=NOW - 86 * DAY,
                reached_at=NOW - 90 * DAY,
                evidence={"event": "setup.completed"},
            ),
            MilestoneProgress(
                stay_id=second,
                milestone="second_team",
                account_id=account_id,
                expected_at=NOW - DAY,
                overdue_at=NOW,
                evidence={},
            ),
        ]
    )


def terms(points: int | None) -> dict[str, Any]:
    """The terms of a score of so many points, all of it from one measure that has a value."""
    micro = None if points is None else points * 1_000_000
    return {
        "uncapped": micro,
        "computed": micro,
        "previous_band": None,
        "purple": False,
        "indicators": ["product_engagement", "customer_satisfaction"],
        "measures": ["active_people_28d", "nps"],
        "points": [micro, None],
        "weights": [0 if points is None else 1_000_000_000, 0],
        "parts": [micro or 0, 0],
        "caps": ["nobody_there"],
        "at_most": [40_000_000],
        "holds": [False],
        "takes": [0],
        "values": {} if points is None else {"active_people_28d": points / 10},
    }


def score_row(nth: int, number: int, points: int | None, band: str, at: datetime) -> Score:
    return Score(
        id=key("score", nth, number),
        account_id=key("account", nth),
        as_of=at,
        recorded_at=at,
        micro_points=None if points is None else points * 1_000_000,
        coverage_ppm=0 if points is None else 600_000,
        band=band,
        computed_band=band,
        segment="smb",
        stage="established",
        profile="smb",
        terms=terms(points),
        blueprint_version=1,
    )


def points_of(nth: int) -> int | None:
    """The points of the nth account now."""
    return None if BANDS[nth % 5] == "unknown" else {"red": 20, "yellow": 60, "green": 80, "purple": 90}[BANDS[nth % 5]]


def add_health(session: AsyncSession, nth: int) -> None:
    account_id, band, points = key("account", nth), BANDS[nth % 5], points_of(nth)
    session.add_all([score_row(nth, 0, 55, "yellow", NOW - 20 * DAY), score_row(nth, 1, points, band, NOW - 2 * DAY)])
    session.add(
        Health(
            account_id=account_id,
            score_id=key("score", nth, 1),
            micro_points=None if points is None else points * 1_000_000,
            coverage_ppm=0 if points is None else 600_000,
            band=band,
            segment="smb",
            stage="established",
            scored_at=NOW,
            changed_at=NOW - 2 * DAY,
            digest=b"",
        )
    )
    session.add(
        Alert(
            id=key("alert", nth),
            account_id=account_id,
            rule="few_people",
            severity="high",
            status="open",
            opened_at=NOW - DAY - nth * timedelta(minutes=1),
            updated_at=NOW - DAY,
            values={"active_people_28d": 2.0},
            blueprint_version=1,
        )
    )
    session.add(
        Watch(
            id=key("watch", nth),
            account_id=account_id,
            status="at_risk",
            reasons=[
                {
                    "alert_id": str(key("alert", nth)),
                    "rule": "few_people",
                    "severity": "high",
                    "values": {"active_people_28d": 2.0},
                    "at": (NOW - DAY).isoformat(),
                }
            ],
            owner="ada@hub.example",
            revenue_at_risk_minor=1_200_000,
            currency="EUR",
            entered_at=NOW - DAY,
            status_since=NOW - DAY,
        )
    )


def add_work(session: AsyncSession, nth: int) -> None:
    account_id, run_id = key("account", nth), key("run", nth)
    session.add(
        Run(
            id=run_id,
            play="win_back",
            account_id=account_id,
            occurrence=f"alert:{key('alert', nth)}",
            status="running",
            step=0,
            holdout=False,
            trigger={"topic": "alert.opened"},
            definition={},
            blueprint_version=1,
            started_at=NOW - DAY,
            updated_at=NOW - DAY,
        )
    )
    session.add(
        RunStep(
            run_id=run_id, index=0, kind="task", name="Call", status="waiting", attempts=1, result={}, started_at=NOW
        )
    )
    session.add(
        Task(
            id=key("task", nth),
            account_id=account_id,
            run_id=run_id,
            step=0,
            title=f"Call Company {nth:03}",
            owner="ada@hub.example",
            due_at=None if nth % 3 == 2 else NOW + nth * DAY,
            status="open",
            created_at=NOW - DAY,
        )
    )
    session.add(
        Feedback(
            id=key("feedback", nth),
            account_id=account_id,
            person_id=key("person", nth),
            kind="request",
            text="Please add an export.",
            status="new",
            recorded_at=NOW - DAY,
            recorded_by="key:test",
        )
    )
