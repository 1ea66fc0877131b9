"""A year in which nothing happens: the hub looks every day, and what time does is noticed on its day, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from hub.accounts.model import Person, SourcePerson
from hub.accounts.service import mark_changed
from hub.health.jobs import drain_accounts_to_score
from hub.journeys.model import Stay
from hub.kit.clock import FrozenClock
from hub.kit.ids import new_id
from tests.health.conftest import BLUEPRINT

if TYPE_CHECKING:
    from tests.health.conftest import World

DAY = timedelta(days=1)
SMB = BLUEPRINT["journeys"]["smb"]
DOCUMENT: dict[str, Any] = {
    **BLUEPRINT,
    "measures": {
        **BLUEPRINT["measures"],
        "renews_in": {"kind": "attribute", "type": "subscription", "attribute": "until", "as": "days_until"},
        "since_executive": {"kind": "days_since", "of": ["person.signed_in"], "by": {"role": "sponsor"}},
    },
    "alerts": {"executive_silent": {"when": "since_executive > 60", "severity": "medium"}},
    "journeys": {
        "smb": {
            "stages": {**SMB["stages"], "pre_renewal": {}},
            "transitions": [
                *SMB["transitions"],
                {"from": "established", "to": "pre_renewal", "when": "renews_in <= 90"},
                {"from": "pre_renewal", "to": "churned", "when": "renews_in < 0"},
            ],
        }
    },
}


async def _sponsor(world: World, source: UUID) -> None:
    """Somebody with power, as a vendor knows them."""
    async with world.kit.transaction() as session:
        person = Person(id=new_id(), role="sponsor", do_not_contact=False, first_seen_at=world.now)
        session.add(person)
        await session.flush()
        session.add(SourcePerson(id=source, place="user:1", person_id=person.id, profile={}, first_seen_at=world.now))


async def test_a_silent_account_is_late_and_comes_up_for_renewal_on_its_day(world: World) -> None:
    """Overdue milestones, the end of onboarding, an executive who does not sign in any more, the quarter before the
    renewal, and its end: each exactly once."""
    await world.apply(DOCUMENT)
    begin = world.now
    account = await world.account(first_seen=begin)
    about = {"subject_type": "subscription", "subject_id": "s", "subject_state": "active"}
    await world.event(account, "subscription.started", days_ago=0, attributes={"until": "2027-05-20"}, **about)
    await _sponsor(world, UUID(int=1))
    await world.event(account, "person.signed_in", days_ago=0, people=1)
    await world.event(account, "person.signed_in", days_ago=-30, people=1, first_person=50)
    clock = FrozenClock(world.now)
    kit = replace(world.kit, clock=clock)
    async with kit.transaction() as session:
        await mark_changed(session, [account], clock.now())
    looks = 0
    for _ in range(380):
        while looked := await drain_accounts_to_score(kit):
            looks += looked
        clock.advance(DAY)

    renewal = datetime(2027, 5, 20, tzinfo=UTC)
    midnight = datetime(2026, 6, 2, tzinfo=UTC)
    stays = await world.rows(Stay, account)
    assert [(stay.stage, stay.entered_at.date()) for stay in stays] == [
        ("onboarding", begin.date()),
        ("established", (begin + 90 * DAY).date()),
        ("pre_renewal", (renewal - 90 * DAY).date()),
        ("churned", (renewal + DAY).date()),
    ]
    told = await world.told(account)
    assert [at for kind, at in told if kind == "milestone.overdue"] == [begin + 14 * DAY, begin + 30 * DAY]
    announced = await world.announced(account)
    assert announced.count("milestone.overdue") == 2
    # Silent for sixty whole days, and the sixty-first has passed; that somebody else signed in helps nothing.
    assert [(one.rule, one.opened_at) for one in await world.alerts(account)] == [
        ("executive_silent", begin + 61 * DAY)
    ]
    assert announced.count("alert.opened") == 1
    assert announced.count("stage.entered") == 4
    # Onboarding counts its days and the renewal comes nearer: one look a day, and one for each deadline.
    assert looks <= (clock.now() - midnight).days + 2 + 2
    async with kit.reading() as session:
        queue = await session.execute(text("SELECT count(*) FROM work_item WHERE list = 'accounts_to_score'"))
        assert queue.scalar_one() == 1
