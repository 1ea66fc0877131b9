"""Inventing an org: the same companies that pay by Stripe and use the product, as sales and support know them.

Accounts came by one import, so they share a stamp. Each company has contacts, a sale that was won, renewals, what is
in the pipeline, cases, calls, meetings and a contract. Among them is what a hub has to get right: a case that was
closed before it was created, an account that was entered twice and merged, one that was deleted, somebody who left.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from hub.sandbox.chance import seeded
from hub.sandbox.companies import Company, CompanyBase, Role, add_months
from hub.sandbox.salesforce.ids import make_id
from hub.sandbox.salesforce.org import Org, Record
from hub.sandbox.stories import Story

_TITLES: Final = {
    Role.ADMINISTRATOR: "Head of Operations",
    Role.CHAMPION: "Team Lead",
    Role.SPONSOR: "Chief Operating Officer",
    Role.END_USER: "Specialist",
}
_ROLES: Final = {Role.CHAMPION: "Champion", Role.SPONSOR: "Executive Sponsor", Role.END_USER: "Business User"}
_CASES: Final = {
    Story.DECLINING: 6,
    Story.CHURNED: 7,
    Story.FAILING_PAYMENTS: 3,
    Story.REFERENCEABLE: 2,
    Story.SILENT: 0,
}
_CASE_SUBJECTS: Final = ("Export stops at 10,000 rows", "Cannot invite a colleague", "Sign-in fails", "Wrong totals")
_KNOWN_PEOPLE: Final = 6
_ZERO_DECIMALS: Final = ("jpy",)


def invent_org(base: CompanyBase, clock: Callable[[], datetime] | None = None) -> Org:
    """The org of this base, as it stands at the end of its history. `clock` stamps what is written afterwards."""
    rng = seeded(base.seed, "salesforce")
    org = Org(id=make_id(rng, "Organization"), rng=rng, clock=clock or (lambda: base.until))
    org.insert("Organization", base.began, Id=org.id, Name="Sandbox Ltd")
    owners = [
        org.insert("User", base.began, Name=name, Email=f"{name.split()[0].lower()}@sandbox.example", IsActive=True)
        for name in ("Ada Calloway", "Ben Ferris", "Cleo Marsh")
    ]
    imported = base.until - timedelta(days=700, minutes=3)
    accounts = [
        _Told(base, org, company, rng.choice(owners)["Id"]).live_through(imported) for company in base.companies
    ]
    _oddities(base, org, accounts, imported)
    return org


class _Told:
    """What the org holds of one company."""

    def __init__(self, base: CompanyBase, org: Org, company: Company, owner: str) -> None:
        self.base = base
        self.org = org
        self.company = company
        self.owner = owner
        self.rng = seeded(base.seed, company.id, "salesforce")
        self.account: Record = {}
        self.contacts: list[Record] = []

    def live_through(self, imported: datetime) -> Record:
        self.account = self._account(imported)
        for person in self.company.people[:_KNOWN_PEOPLE]:
            given, _, family = person.name.partition(" ")
            contact = self._put(
                "Contact",
                min(person.joined, self.base.until),
                AccountId=self.account["Id"],
                Name=person.name,
                FirstName=given,
                LastName=family,
                Email=person.email,
                Title=_TITLES[person.role],
            )
            self.contacts.append(contact)
        self._sales()
        self._support()
        self._activities()
        self._contract()
        return self.account

    def _account(self, imported: datetime) -> Record:
        company = self.company
        website = self.rng.choice(("https://www.{}/", "http://{}", "{}", "www.{}/en")).format(company.domain)
        return self._put(
            "Account",
            imported,
            Name=company.name,
            Website=website,
            Type="Former Customer" if company.churned_at else "Customer",
            Industry=company.industry,
            NumberOfEmployees=company.employees,
        )

    def _sales(self) -> None:
        """The first sale, a renewal each year, and what is in the pipeline."""
        company = self.company
        yearly = self._money(company.unit_price * company.licences * 12)
        start, number = company.since, 0
        while start < self.base.until:
            won = company.churned_at is None or start < company.churned_at
            self._opportunity(start, "New Business" if number == 0 else "Renewal", yearly, won=won)
            start, number = add_months(start, 12), number + 1
        if company.churned_at is None:
            grows = company.story is Story.EXPANDING
            amount = yearly * 2 if grows else yearly
            self._opportunity(start, "Expansion" if grows else "Renewal", amount, won=None)

    def _opportunity(self, closing: datetime, kind: str, amount: Decimal, *, won: bool | None) -> None:
        began = min(closing, self.base.until) - timedelta(days=self.rng.randint(40, 80))
        steps = [(began, "Qualification", 20, "Pipeline"), (began + timedelta(days=20), "Proposal", 60, "BestCase")]
        if won is not None:
            end = ("Closed Won", 100, "Closed") if won else ("Closed Lost", 0, "Omitted")
            steps.append((closing, *end))
        at, stage, probability, forecast = steps[-1]
        opportunity = self._put(
            "Opportunity",
            began,
            AccountId=self.account["Id"],
            Name=f"{self.company.name}: {kind.lower()}",
            Type=kind,
            Amount=amount,
            CurrencyIsoCode=self.company.currency.upper(),
            StageName=stage,
            LastStageChangeDate=at,
            Probability=probability,
            ForecastCategory=forecast,
            CloseDate=closing.date(),
            IsClosed=won is not None,
            IsWon=bool(won),
        )
        opportunity |= {"LastModifiedDate": at, "SystemModstamp": at}
        for at, stage, probability, forecast in steps:
            fields = {"StageName": stage, "Probability": probability, "ForecastCategory": forecast}
            self.org.insert(
                "OpportunityHistory",
                at,
                OpportunityId=opportunity["Id"],
                Amount=amount,
                CurrencyIsoCode=self.company.currency.upper(),
                CloseDate=closing.date(),
                **fields,
            )
        for person, contact in zip(self.company.people, self.contacts, strict=False):
            if person.role in _ROLES:
                role = {"Role": _ROLES[person.role], "IsPrimary": person.role is Role.CHAMPION}
                ids = {"OpportunityId": opportunity["Id"], "ContactId": contact["Id"]}
                self.org.insert("OpportunityContactRole", max(began, contact["CreatedDate"]), **ids, **role)

    def _support(self) -> None:
        for number in range(_CASES.get(self.company.story, 1)):
            created = self._moment(200)
            closed = created + timedelta(hours=self.rng.uniform(2, 100))
            solved = closed < self.base.until and not (self.company.story is Story.DECLINING and number == 0)
            case = self._put(
                "Case",
                created,
                AccountId=self.account["Id"],
                ContactId=self.rng.choice(self.contacts)["Id"],
                CaseNumber=f"{self.rng.randrange(10**8):08}",
                Subject=self.rng.choice(_CASE_SUBJECTS),
                Status="Closed" if solved else "Working",
                Priority=self.rng.choice(("Low", "Medium", "High")),
                Origin=self.rng.choice(("Email", "Web", "Phone")),
                IsClosed=solved,
                IsEscalated=not solved,
                ClosedDate=_milliseconds(closed) if solved else None,
            )
            if solved:
                case |= {"LastModifiedDate": case["ClosedDate"], "SystemModstamp": case["ClosedDate"]}

    def _activities(self) -> None:
        """A call and a meeting each quarter while somebody looks after them, and a meeting that is planned."""
        quiet = self.company.quiet_since or self.base.until
        for months in (0, 3, 6, 9):
            at = add_months(self.base.until - timedelta(days=300), months)
            if self.company.since < at < quiet:
                about = {"AccountId": self.account["Id"], "WhatId": self.account["Id"]}
                who = self.rng.choice(self.contacts)["Id"]
                done = {"Status": "Completed", "IsClosed": True, "CompletedDateTime": at + timedelta(minutes=20)}
                self._put("Task", at, Subject="Call", TaskSubtype="Call", Priority="Normal", WhoId=who, **about, **done)
                self._meeting("Business review", at - timedelta(days=14), at + timedelta(days=7), who)
        if self.company.churned_at is None:
            soon = self.base.until + timedelta(days=10)
            self._meeting("Renewal planning", self.base.until - timedelta(days=1), soon, self.contacts[0]["Id"])

    def _meeting(self, subject: str, noted: datetime, start: datetime, who: str) -> None:
        times = {"StartDateTime": _milliseconds(start), "EndDateTime": _milliseconds(start + timedelta(hours=1))}
        about = {"AccountId": self.account["Id"], "WhatId": self.account["Id"], "WhoId": who}
        self._put("Event", noted, Subject=subject, IsChild=False, IsRecurrence=False, **about, **times)

    def _contract(self) -> None:
        company = self.company
        ends = company.churned_at.date() if company.churned_at else company.renews_on
        self._put(
            "Contract",
            company.since,
            AccountId=self.account["Id"],
            ContractNumber=f"{self.rng.randrange(10**8):08}",
            Status="Activated",
            StatusCode="Activated",
            StartDate=company.since.date(),
            EndDate=ends,
            ContractTerm=_months(company.since.date(), ends),
            ActivatedDate=company.since,
        )

    def _put(self, kind: str, at: datetime, **fields: Any) -> Record:
        return self.org.insert(kind, at, OwnerId=self.owner, **fields)

    def _moment(self, days: int) -> datetime:
        """Some time in the last days of the company's own history."""
        ends = self.company.churned_at or self.base.until
        return max(self.company.since, ends - timedelta(hours=self.rng.uniform(1, days * 24)))

    def _money(self, minor: int) -> Decimal:
        return Decimal(minor) if self.company.currency in _ZERO_DECIMALS else Decimal(minor).scaleb(-2)


def _oddities(base: CompanyBase, org: Org, accounts: list[Record], imported: datetime) -> None:
    rng: Random = seeded(base.seed, "salesforce", "oddities")
    first = accounts[0]
    twin = org.insert("Account", imported, OwnerId=first["OwnerId"], Name=f"{first['Name']} (old)", Website=None)
    lost = {"Name": "Robin Vale", "LastName": "Vale", "Email": "robin.vale@sandbox.example", "Title": "Buyer"}
    org.insert("Contact", imported, AccountId=twin["Id"], OwnerId=first["OwnerId"], **lost)
    org.merge("Account", first["Id"], twin["Id"], base.until - timedelta(days=20))
    test = org.insert("Account", imported, OwnerId=first["OwnerId"], Name="Test, delete me", Website="n/a")
    org.delete("Account", test["Id"], base.until - timedelta(days=400))
    if contacts := [one for one in org.tables["Contact"].values() if one["AccountId"] == accounts[-1]["Id"]]:
        org.delete("Contact", rng.choice(contacts)["Id"], base.until - timedelta(days=12))
    # Imported from an older help desk: its closing date came along, its creation is the import's.
    org.insert(
        "Case",
        imported,
        AccountId=first["Id"],
        OwnerId=first["OwnerId"],
        CaseNumber="00000001",
        Subject="Imported from the old help desk",
        Status="Closed",
        Priority="Low",
        Origin="Web",
        IsClosed=True,
        IsEscalated=False,
        ClosedDate=imported - timedelta(days=90),
    )


def _milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _months(start: date, end: date) -> int:
    return max(1, (end.year - start.year) * 12 + end.month - start.month)
