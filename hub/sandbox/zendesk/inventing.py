"""Inventing a desk: the support of the companies that the other doubles know.

Organizations carry their domain, every other one the product's account id; people write tickets as their company's
story goes. Among them: a ticket that was deleted, two that were merged, a rating that was only offered; where there are
many companies also somebody who left, and somebody who was known twice.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from hub.sandbox.chance import seeded
from hub.sandbox.companies import Company, CompanyBase
from hub.sandbox.stories import Story
from hub.sandbox.zendesk.desk import Desk, Row, wire_time

MANY: Final = 20
_TICKETS: Final = {Story.DECLINING: 7, Story.CHURNED: 8, Story.FAILING_PAYMENTS: 4, Story.SILENT: 1}
_SUBJECTS: Final = ("The export is empty", "How do I add a colleague?", "Report is slow", "Invoice question")


def invent_desk(base: CompanyBase, clock: Callable[[], datetime] | None = None) -> Desk:
    """The desk of this base, as it stands at the end of its history."""
    desk = Desk(clock or (lambda: base.until))
    for number, company in enumerate(base.companies):
        _company(base, desk, company, carries_id=number % 2 == 0)
    tickets = [one for one in desk.tables["tickets"].values() if one["status"] != "closed"]
    if len(tickets) >= 3:  # a base of a few companies may have fewer
        desk.delete_ticket(tickets[0]["id"], base.until - timedelta(days=2))
        desk.merge_tickets(tickets[2]["id"], tickets[1]["id"], base.until - timedelta(days=1))
    if len(base.companies) >= MANY:
        _people(base, desk)
    return desk


def _people(base: CompanyBase, desk: Desk) -> None:
    """Somebody left; somebody wrote from a second address, which made a second user."""
    gone, known, *_ = list(desk.tables["users"].values())
    desk.delete_user(gone["id"], base.until - timedelta(days=4))
    facts = {name: value for name, value in known.items() if name not in ("id", "created_at", "updated_at")}
    second = desk.put("users", base.until - timedelta(days=6), **facts | {"email": f"private.{known['email']}"})
    desk.merge_users(known["id"], second["id"], base.until - timedelta(days=3))


def _company(base: CompanyBase, desk: Desk, company: Company, *, carries_id: bool) -> None:
    rng = seeded(base.seed, company.id, "zendesk")
    organization = desk.put(
        "organizations",
        company.since,
        name=company.name,
        external_id=company.id if carries_id else None,
        domain_names=[company.domain],
        deleted_at=None,
    )
    users = [
        desk.put(
            "users",
            person.joined,
            name=person.name,
            email=person.email,
            role="end-user",
            iana_time_zone=person.zone.name,
            organization_id=organization["id"],
            active=True,
        )
        for person in company.people
    ]
    ends = company.churned_at or base.until
    for number in range(_TICKETS.get(company.story, 2)):
        at = max(company.since, ends - timedelta(hours=rng.uniform(30, 150 * 24)))
        ticket = desk.put(
            "tickets",
            at,
            subject=rng.choice(_SUBJECTS),
            description="Hello, …",
            status="new",
            priority=rng.choice(("low", "normal", "high", "urgent")),
            type="question",
            requester_id=rng.choice(users)["id"],
            assignee_id=1,
            organization_id=organization["id"],
            via={"channel": rng.choice(("email", "web", "chat"))},
            tags=[],
        )
        desk.tell(ticket["id"], at, [{"event_type": "Create", "status": "new"}], {})
        solved = min(at + timedelta(hours=rng.uniform(1, 90)), base.until)
        if not (company.story is Story.DECLINING and number == 0):
            desk.change_ticket(ticket["id"], solved, status="solved")
            _rate(base, desk, ticket, solved, company)


def _rate(base: CompanyBase, desk: Desk, ticket: Row, solved: datetime, company: Company) -> None:
    """A rating is offered with the solution, and given hours later or never."""
    rng = seeded(base.seed, ticket["id"], "rating")
    score = rng.choice(("offered", "good", "good_with_comment" if company.usual > 0.7 else "bad"))
    given = min(solved + timedelta(hours=rng.uniform(1, 20)), base.until)
    desk.put(
        "satisfaction_ratings",
        solved,
        score=score,
        comment="Thank you!" if score == "good_with_comment" else None,
        ticket_id=ticket["id"],
        requester_id=ticket["requester_id"],
        updated_at=wire_time(solved if score == "offered" else given),
    )
