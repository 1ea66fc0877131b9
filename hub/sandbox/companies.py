"""Companies: the invented customer base that stands behind every vendor double.

One seed gives one world: the same companies, people and stories on every machine, so that a test, a demo and
a plugin's author talk about the same `Northwind Labs`. What a company *does* follows from here: `usage`
renders its people's work as Segment messages, `billing` its contract as Stripe objects. History is two years
long and ends at `until`.
"""

import calendar
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from hub.sandbox import names
from hub.sandbox.chance import seeded
from hub.sandbox.stories import ARCS, Arc, Interval, Plan, Story, cast

HISTORY: Final = timedelta(days=730)

# Monthly price of one licence in minor units; the yen has none smaller than itself.
UNIT_PRICE: Final = {
    Plan.STARTER: {"usd": 4_900, "eur": 4_500, "jpy": 7_200},
    Plan.GROWTH: {"usd": 11_900, "eur": 10_900, "jpy": 17_500},
    Plan.SCALE: {"usd": 24_900, "eur": 22_900, "jpy": 36_800},
}


class Role(StrEnum):
    ADMINISTRATOR = "administrator"
    CHAMPION = "champion"
    SPONSOR = "sponsor"
    END_USER = "end user"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a company. `anonymous_id` is set for those who looked around before they signed up."""

    id: str
    name: str
    email: str
    role: Role
    zone: names.Zone
    joined: datetime
    anonymous_id: str | None


@dataclass(frozen=True, slots=True)
class BillingContact:
    """What Stripe knows a company by: always an e-mail address, and mostly the company's id as `metadata.group_id`."""

    email: str
    carries_group_id: bool


@dataclass(frozen=True, slots=True)
class Company:
    """An invented customer. `id` is its Segment group id; money is in minor units of `currency`.

    `behind`: a new company that has not got through its set-up. `quiet_since`: nobody has been at work after
    that. `usual`: the share of its people at work in a usual week.
    """

    id: str
    name: str
    domain: str
    industry: str
    employees: int
    story: Story
    plan: Plan
    interval: Interval
    currency: str
    licences: int
    since: datetime
    renews_on: date
    churned_at: datetime | None
    quiet_since: datetime | None
    behind: bool
    usual: float
    people: tuple[Person, ...]
    billing: BillingContact

    @property
    def unit_price(self) -> int:
        """Monthly price of one licence, in minor units."""
        return UNIT_PRICE[self.plan][self.currency]

    @property
    def mrr(self) -> int:
        """Monthly recurring revenue in minor units; nothing once it has churned."""
        return 0 if self.churned_at else self.unit_price * self.licences

    @property
    def administrator(self) -> Person:
        return self.people[0]

    def licences_at(self, at: datetime) -> int:
        """An expanding company buys a licence for everybody who joins; the others keep what they bought."""
        if self.story is not Story.EXPANDING:
            return self.licences
        return self.licences - sum(person.joined > at for person in self.people)

    def renewal_after(self, at: datetime) -> date:
        """The next renewal as it is known at that time: contracts run for a year."""
        renewal = self.since
        while renewal <= at:
            renewal = add_months(renewal, 12)
        return renewal.date()


@dataclass(frozen=True, slots=True)
class CompanyBase:
    """The invented world: companies with two years of history that ends at `until` (UTC)."""

    seed: int
    until: datetime
    companies: tuple[Company, ...]

    @property
    def began(self) -> datetime:
        return self.until - HISTORY

    def told(self, story: Story) -> list[Company]:
        """The companies that follow this story."""
        return [company for company in self.companies if company.story is story]


def invent(seed: int = 7, accounts: int = 60, *, until: datetime) -> CompanyBase:
    """The base of `accounts` companies that this seed gives. Raises ValueError for a naive `until` or no accounts."""
    if until.tzinfo is None or accounts < 1:
        raise ValueError("a base needs an aware time to end at and at least one account")
    until = until.astimezone(UTC).replace(microsecond=0)
    rng = seeded(seed, "cast")
    stories = cast(accounts)
    rng.shuffle(stories)
    titles = _titles(rng, accounts)
    companies = [
        _company(seeded(seed, number), story, title, until)
        for number, (story, title) in enumerate(zip(stories, titles, strict=True))
    ]
    return CompanyBase(seed, until, tuple(_share_an_accountant(_bill_by_mail_alone(companies))))


def add_months(start: datetime, months: int) -> datetime:
    """The same day so many months later (or earlier), or the month's last day where it has no such day."""
    ahead = start.year * 12 + start.month - 1 + months
    year, month = divmod(ahead, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def _titles(rng: Random, accounts: int) -> list[tuple[str, names.Trade]]:
    """Distinct names: every first word is used once before any is used again, then with another trade."""
    firsts = list(names.FIRST_WORDS)
    rng.shuffle(firsts)
    offset = rng.randrange(len(names.TRADES))
    titles = []
    for number in range(accounts):
        lap, place = divmod(number, len(firsts))
        titles.append((firsts[place], names.TRADES[(offset + place * 5 + lap) % len(names.TRADES)]))
    return titles


def _company(rng: Random, story: Story, title: tuple[str, names.Trade], until: datetime) -> Company:
    arc = ARCS[story]
    first, trade = title
    name = f"{first} {trade.word}"
    behind = story is Story.NEW and rng.random() < 0.5
    # Only a company that has had more than four weeks can be behind.
    renewal = until + timedelta(days=rng.randint(*((315, 330) if behind else arc.renewal_in)))
    since = add_months(renewal, -12 * rng.randint(*arc.years)).replace(hour=rng.randrange(8, 17))
    churned_at = until - timedelta(days=rng.randint(60, 200), hours=3) if story is Story.CHURNED else None
    people = _people(rng, arc, story, names.domain_of(name), since, until)
    return Company(
        id=f"org_{rng.getrandbits(40):010x}",
        name=name,
        domain=names.domain_of(name),
        industry=trade.industry,
        employees=len(people) * rng.randint(3, 40),
        story=story,
        plan=rng.choice(arc.plans),
        interval=rng.choice(arc.intervals),
        currency=rng.choices(("usd", "eur", "jpy"), (70, 25, 5))[0],
        licences=max(len(people), round(len(people) * rng.uniform(*arc.spare))),
        since=since,
        renews_on=renewal.date(),
        churned_at=churned_at,
        quiet_since=_quiet_since(rng, story, churned_at, until),
        behind=behind,
        usual=rng.uniform(*arc.active),
        people=people[:3] if behind else people,
        billing=BillingContact(f"billing@{names.domain_of(name)}", carries_group_id=True),
    )


def _quiet_since(rng: Random, story: Story, churned_at: datetime | None, until: datetime) -> datetime | None:
    if churned_at is not None:
        return churned_at - timedelta(days=rng.randint(2, 20))
    return until - timedelta(days=rng.randint(62, 85)) if story is Story.SILENT else None


def _people(rng: Random, arc: Arc, story: Story, domain: str, since: datetime, until: datetime) -> tuple[Person, ...]:
    """The administrator first, then a champion, a sponsor and end users, in the order in which they joined."""
    count = rng.randint(*arc.people)
    chosen = zip(rng.sample(names.GIVEN_NAMES, count), rng.sample(names.FAMILY_NAMES, count), strict=True)
    zone = rng.choice(names.ZONES)
    roles = (Role.ADMINISTRATOR, Role.CHAMPION, Role.SPONSOR)
    return tuple(
        Person(
            id=f"usr_{rng.getrandbits(40):010x}",
            name=f"{given} {family}",
            email=_address(rng, given, family, domain),
            role=roles[number] if number < len(roles) else Role.END_USER,
            zone=zone if rng.random() < 0.85 else rng.choice(names.ZONES),
            joined=_joined(rng, story, number, count, since, until),
            anonymous_id=f"anon-{rng.getrandbits(64):016x}" if rng.random() < 0.15 else None,
        )
        for number, (given, family) in enumerate(chosen)
    )


def _address(rng: Random, given: str, family: str, domain: str) -> str:
    if rng.random() < 0.06:
        return f"{names.mailbox(given, family)}.sandbox{rng.randrange(1000)}@{rng.choice(names.FREE_MAIL)}"
    return f"{names.mailbox(given, family)}@{domain}"


def _joined(rng: Random, story: Story, number: int, count: int, since: datetime, until: datetime) -> datetime:
    """The administrator joins with the contract, the others within three weeks; an expanding company keeps adding."""
    if number == 0:
        return since
    first_weeks = since + timedelta(minutes=number * 7, hours=rng.uniform(1, min(21.0, number * 4)) * 24)
    if story is Story.EXPANDING and number >= 3:
        ago = timedelta(days=150 * (count - number) / count + rng.uniform(2, 10))
        return max(first_weeks, until - ago)
    return min(first_weeks, until - timedelta(days=1))


def _bill_by_mail_alone(companies: list[Company]) -> list[Company]:
    """Every ninth company is known to Stripe by an address at its own domain and by nothing else."""
    return [
        _billed(company, company.billing.email, carries_group_id=number % 9 != 4)
        for number, company in enumerate(companies)
    ]


def _share_an_accountant(companies: list[Company]) -> list[Company]:
    """Two companies receive their invoices at one accounting office; only the first is also known by its id."""
    for number in range(min(2, len(companies))):
        company = companies[number]
        address = f"{company.domain.split('.')[0]}@{names.SHARED_BILLING_DOMAIN}"
        companies[number] = _billed(company, address, carries_group_id=number == 0)
    return companies


def _billed(company: Company, email: str, *, carries_group_id: bool) -> Company:
    return replace(company, billing=BillingContact(email, carries_group_id))
