"""What happened in Intercom in the last months of the base's history, company by company.

Whoever struggles writes more often and rates lower. Somebody who looked around before signing up asked something as a
lead then: the lead stands beside the user, at no company, until somebody merges the two.
"""

from datetime import timedelta
from random import Random
from typing import Final

from hub.sandbox.chance import seeded
from hub.sandbox.companies import Company, CompanyBase, Person
from hub.sandbox.intercom.workspace import Workspace
from hub.sandbox.names import Zone
from hub.sandbox.stories import ARCS, Story
from hub.sandbox.usage import at_work, working_moment

TOLD: Final = timedelta(days=120)
"""How far back conversations go."""

HOME: Final = Zone("America/Los_Angeles", -8)

_TROUBLED: Final = {Story.DECLINING, Story.FAILING_PAYMENTS, Story.CHURNED}
_SUBJECTS: Final = ("Export is slow", "How do I invite my team?", "Billing question", "A report looks wrong", "Thanks!")


def invent_workspace(base: CompanyBase, zone: Zone = HOME) -> Workspace:
    """The workspace of this base, as it stands at the end of its history."""
    workspace = Workspace(f"ws{base.seed:06}", zone, base.seed)
    for company in base.companies:
        rng = seeded(base.seed, company.id, "intercom")
        contacts = _people(workspace, company)
        _leads(rng, workspace, company)
        _conversations(rng, base, workspace, company, contacts)
    return workspace


def _people(workspace: Workspace, company: Company) -> dict[str, str]:
    """The company and its people; gives the contact of each person."""
    since = int(company.since.timestamp())
    remote = workspace.add_company(
        since,
        remote=company.id,
        name=company.name,
        website=f"https://www.{company.domain}/",
        industry=company.industry,
        size=company.employees,
        plan=company.plan.value,
    ).thing.id
    return {person.id: _contact(workspace, person, remote) for person in company.people}


def _contact(workspace: Workspace, person: Person, company: str) -> str:
    at = int(person.joined.timestamp())
    facts = {"role": "user", "external": person.id, "email": person.email, "name": person.name}
    return workspace.add_contact(at, companies=(company,), **facts).thing.id


def _leads(rng: Random, workspace: Workspace, company: Company) -> None:
    for person in company.people:
        if person.anonymous_id is not None:
            at = int((person.joined - timedelta(minutes=25)).timestamp())
            facts = {"role": "lead", "external": None, "email": None, "name": f"Visitor {rng.randrange(10_000)}"}
            lead = workspace.add_contact(at, companies=(), **facts).thing.id
            workspace.begin(lead, at, "", "What does it cost for a team?")


def _conversations(
    rng: Random, base: CompanyBase, workspace: Workspace, company: Company, contacts: dict[str, str]
) -> None:
    many = rng.randint(3, 7) if company.story in _TROUBLED else rng.randint(0, 4)
    for _ in range(many):
        at = working_moment(rng, base.until - TOLD, base.until - timedelta(days=1), company.people[0].zone)
        people = [person for person in at_work(base, company, at) if person.joined < at]
        if not people:
            continue
        person = rng.choice(people)
        _talk(rng, workspace, company, contacts[person.id], int(at.timestamp()))


def _talk(rng: Random, workspace: Workspace, company: Company, contact: str, at: int) -> None:
    """Question, answer, perhaps another round, an end, and perhaps a rating: a day at most."""
    talk = workspace.begin(contact, at, rng.choice(_SUBJECTS), "Can you help me with this?").thing.id
    at += rng.randint(120, 14_400)
    workspace.reply(talk, at, "Of course: here is how.", admin=True)
    if rng.random() < 0.4:
        workspace.note(talk, at + 30, "Seen before.")
        workspace.reply(talk, at + 600, "That did not help.")
        at += 3_600
        workspace.reply(talk, at, "Then let us try this.", admin=True)
    if rng.random() < 0.85:
        at += rng.randint(60, 7_200)
        workspace.close(talk, at)
        if rng.random() < 0.5:
            stars = min(5, max(1, round(rng.randint(*ARCS[company.story].nps) / 2)))
            workspace.rate(talk, at + 120, stars, "This took too long." if stars < 3 else None)
