"""What a record tells is on the timeline once."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select, text

from hub.accounts.model import Account, Person, SourceAccount
from hub.kit.runtime import Kit
from hub.timeline.model import EventRow
from tests.timeline.acme import About, Named, Record, Told, tell

ACME_INC = Named(place="group:1", keys=["segment.group=1"], profile={"name": "Acme Inc"})
ANN = Named(place="user:ann", keys=["segment.user=ann", "email=ann@acme.example"], profile={"name": "Ann"})


async def test_an_event_arrives_at_its_account_with_its_people(kit: Kit, acme: UUID) -> None:
    """One record makes an event, an account, a person, and an entry on the list of accounts to score."""
    at = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
    ticket = About(type="ticket", id="7", state="open", attributes={"priority": "high"})
    told = Told(kind="ticket.created", at=at, account=ACME_INC, people=[ANN], thing=ticket, title="Help!")
    assert await tell(kit, acme, Record(id="r1", events=[told])) == 1
    async with kit.reading() as session:
        event = (await session.execute(select(EventRow))).scalar_one()
        account = (await session.execute(select(Account))).scalar_one()
        person = (await session.execute(select(Person))).scalar_one()
        place = await session.get(SourceAccount, event.source_account_id)
        marked = (await session.execute(text("SELECT list, key FROM work_item"))).all()
    assert (event.kind, event.occurred_at, event.flow, event.title) == (
        "ticket.created",
        at,
        "operational_execution",
        "Help!",
    )
    assert (event.subject_type, event.subject_id, event.subject_state) == ("ticket", "7", "open")
    assert event.attributes == {"priority": "high"}
    assert (event.stream, event.record_id, event.version) == ("records", "r1", "1")
    assert place is not None
    assert place.account_id == account.id
    assert (account.name, account.first_seen_at) == ("Acme Inc", at)
    assert (person.name, person.email, person.account_id) == ("Ann", "ann@acme.example", account.id)
    assert marked == [("accounts_to_score", str(account.id))]
