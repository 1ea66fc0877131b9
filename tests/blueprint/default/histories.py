"""The smallest history for each milestone and each alert of the shipped blueprint, and one that just is not enough."""

from __future__ import annotations

from datetime import timedelta

from hub.accounts.roles import PersonRole
from tests.blueprint.default.world import Case, Said
from tests.health.conftest import NOW

ADMINISTRATOR, CHAMPION, SPONSOR = PersonRole.ADMINISTRATOR, PersonRole.CHAMPION, PersonRole.SPONSOR


def used(people: int = 1, days_ago: float = 1, times: int = 1, *, feature: str = "search") -> Said:
    """Something was done in the product."""
    return Said("product.used", days_ago, people, times, attributes={"feature": feature})


def signed_in(times: int, days_ago: float = 1, *, people: int = 1, role: PersonRole | None = None) -> Said:
    """Somebody signed in."""
    return Said("person.signed_in", days_ago, people, times, role)


def read(times: int = 1, days_ago: float = 1, *, people: int = 1, role: PersonRole | None = None) -> Said:
    """A report was viewed."""
    return Said("report.viewed", days_ago, people, times, role)


def met(type_: str, days_ago: float = 1, *, role: PersonRole | None = None) -> Said:
    """A meeting was held."""
    return Said("meeting.held", days_ago, 1, role=role, attributes={"type": type_})


def pays(*, licences: int = 10, renews_in: float | None = None, state: str = "active", days_ago: float = 400) -> Said:
    """A subscription as it is since then, by the month or, with `renews_in` days, by the year."""
    attributes: dict[str, object] = {"quantity": licences, "mrr_minor": 10_000, "currency": "USD", "interval": "month"}
    if renews_in is not None:
        end = (NOW + timedelta(days=renews_in)).isoformat()
        attributes |= {"interval": "year", "current_period_end": end}
    return Said("subscription.changed", days_ago, 0, attributes=attributes, subject=("subscription", "s", state))


def ticket(number: int, state: str = "open", days_ago: float = 2) -> Said:
    """A support ticket as it is since then."""
    kind = "ticket.solved" if state == "solved" else "ticket.created"
    return Said(kind, days_ago, subject=("ticket", str(number), state))


def rated(score: float, days_ago: float) -> Said:
    """Somebody said how likely they are to recommend us."""
    return Said("survey.answered", days_ago, value=score, attributes={"survey": "nps"})


def as_ever(days_ago: float) -> tuple[Said, ...]:
    """A month like the one before it."""
    return (used(8, days_ago, 5), read(3, days_ago))


BIG = Said("account.identified", 500, 0, attributes={"employees": 500})
SIGNED = Said("contract.signed", 130, 0)
KICKOFF = met("kickoff", 120)
IMPLEMENTED = Said("implementation.completed", 110)
IN_IMPLEMENTATION = (BIG, SIGNED, KICKOFF)
IN_ADOPTION = (*IN_IMPLEMENTATION, IMPLEMENTED)
TERM_ENDS = pays(renews_in=80)
WEEKS = (3, 10, 17, 24)


def steady(times: int, *, but: int | None = None) -> tuple[Said, ...]:
    """So many sign-ins in each of the last four weeks, in the last of them only `but`."""
    return tuple(signed_in(times if week != 24 or but is None else but, week) for week in WEEKS)


def daily(days: int) -> tuple[Said, ...]:
    """An administrator views a report on each of so many days before today."""
    return tuple(read(1, 1 + day, role=ADMINISTRATOR) for day in range(days))


MILESTONES: dict[tuple[str, str, str], Case] = {
    ("smb", "onboarding", "active_since_purchase"): Case((used(),), (), known_for=5),
    ("smb", "onboarding", "setup_completed"): Case((Said("setup.completed"),), (used(),), known_for=10),
    ("smb", "onboarding", "new_users_added"): Case((used(2),), (used(1),), known_for=10),
    ("smb", "onboarding", "first_wow"): Case((read(),), (signed_in(1),), known_for=10),
    ("smb", "onboarding", "fifth_of_licences_used"): Case((pays(), used(2)), (pays(), used(1)), known_for=10),
    ("smb", "onboarding", "onboarded_well"): Case(
        (Said("setup.completed"), read(people=3)), (Said("setup.completed"), read(people=2)), known_for=20
    ),
    ("smb", "established", "steady_sign_ins"): Case(steady(3), steady(3, but=2)),
    ("smb", "established", "more_people"): Case((used(10, 40), used(11)), (used(11, 40), used(12))),
    ("smb", "established", "ten_people_joined"): Case(
        (Said("person.signed_up", 27, people=10),),
        (Said("person.signed_up", 27, people=9), Said("person.signed_up", 28, people=10)),
    ),
    ("smb", "established", "reports_read_daily"): Case(daily(5), (*daily(4), read(9, role=ADMINISTRATOR), read(1, 5))),
    ("smb", "established", "advanced_use_growing"): Case(
        (used(1, 40, 5, feature="forecasting"), used(1, 1, 6, feature="api access")),
        (used(1, 40, 6, feature="forecasting"), used(1, 1, 7, feature="api access")),
    ),
    ("smb", "established", "module_adopted"): Case((Said("module.adopted"),), (used(),), looks=(5,)),
    ("smb", "pre_renewal", "engaged_before_renewal"): Case(
        (TERM_ENDS, used(2, 40), signed_in(4, people=2), signed_in(4, people=1)),
        (TERM_ENDS, used(2, 40), signed_in(4, people=2), signed_in(3, people=1)),
        known_for=300,
    ),
    ("smb", "pre_renewal", "nothing_open"): Case(
        (TERM_ENDS, ticket(1), ticket(1, "solved", 1)), (TERM_ENDS, ticket(1)), known_for=300
    ),
    ("enterprise", "pre_sales", "goals_agreed"): Case((BIG, met("discovery")), (BIG, met("demo")), known_for=20),
    ("enterprise", "contract", "kickoff_held"): Case((BIG, SIGNED, met("kickoff")), (BIG, SIGNED, met("demo"))),
    ("enterprise", "implementation", "active_since_purchase"): Case((*IN_IMPLEMENTATION, used()), IN_IMPLEMENTATION),
    ("enterprise", "implementation", "setup_completed"): Case(
        (*IN_IMPLEMENTATION, Said("setup.completed")), (*IN_IMPLEMENTATION, used()), looks=(5,)
    ),
    ("enterprise", "implementation", "new_users_added"): Case(
        (*IN_IMPLEMENTATION, used(5)), (*IN_IMPLEMENTATION, used(4))
    ),
    ("enterprise", "implementation", "first_wow"): Case(
        (*IN_IMPLEMENTATION, used(feature="Dashboard Created")), (*IN_IMPLEMENTATION, used())
    ),
    ("enterprise", "implementation", "implementation_completed"): Case(
        (*IN_IMPLEMENTATION, Said("implementation.completed")), IN_IMPLEMENTATION, looks=(5,)
    ),
    ("enterprise", "adoption", "fifth_of_licences_used"): Case(
        (*IN_ADOPTION, pays(), used(2)), (*IN_ADOPTION, pays(), used(1))
    ),
    ("enterprise", "adoption", "boot_camp_held"): Case((*IN_ADOPTION, met("boot_camp")), IN_ADOPTION),
    ("enterprise", "adoption", "ten_people_joined"): Case(
        (*IN_ADOPTION, Said("person.added", times=10)), (*IN_ADOPTION, Said("person.added", times=9))
    ),
    ("enterprise", "adoption", "steady_sign_ins"): Case(
        (*IN_ADOPTION, *steady(10)), (*IN_ADOPTION, *steady(10, but=9))
    ),
    ("enterprise", "adoption", "more_people"): Case(
        (*IN_ADOPTION, used(10, 40), used(11)), (*IN_ADOPTION, used(11, 40), used(12))
    ),
    ("enterprise", "adoption", "reports_read_daily"): Case(
        (*IN_ADOPTION, *daily(5)), (*IN_ADOPTION, *daily(4), read(1, 7, role=ADMINISTRATOR))
    ),
    ("enterprise", "adoption", "advanced_use_growing"): Case(
        (*IN_ADOPTION, used(1, 40, 10, feature="forecasting"), used(1, 1, 12, feature="forecasting")),
        (*IN_ADOPTION, used(1, 40, 10, feature="forecasting"), used(1, 1, 11, feature="forecasting")),
    ),
    ("enterprise", "retention", "business_review_attended"): Case(
        (*IN_ADOPTION, met("business_review", 119, role=SPONSOR)),
        (*IN_ADOPTION, met("business_review", 120, role=SPONSOR), met("business_review", 5)),
        known_for=300,
    ),
    ("enterprise", "retention", "ten_people_joined"): Case(
        (*IN_ADOPTION, Said("person.added", times=10)), (*IN_ADOPTION, Said("person.added", times=9)), known_for=300
    ),
    ("enterprise", "retention", "module_adopted"): Case(
        (*IN_ADOPTION, Said("module.adopted")), (*IN_ADOPTION, used()), known_for=300, looks=(5,)
    ),
    ("enterprise", "pre_renewal", "renewal_review_held"): Case(
        (*IN_ADOPTION, TERM_ENDS, met("business_review", 89, role=CHAMPION)),
        (*IN_ADOPTION, TERM_ENDS, met("business_review", 90, role=CHAMPION)),
        known_for=300,
    ),
    ("enterprise", "pre_renewal", "engaged_before_renewal"): Case(
        (*IN_ADOPTION, TERM_ENDS, used(1, 40), signed_in(4)),
        (*IN_ADOPTION, TERM_ENDS, used(1, 40), signed_in(3)),
        known_for=300,
    ),
    ("enterprise", "pre_renewal", "nothing_open"): Case(
        (*IN_ADOPTION, TERM_ENDS), (*IN_ADOPTION, TERM_ENDS, ticket(1)), known_for=300
    ),
}
"""By segment, stage and milestone."""

ALERTS: dict[str, Case] = {
    "active_people_decline": Case((used(5, 40), used(3)), (used(5, 40), used(4))),
    "key_person_left": Case(
        (Said("person.removed", 89, role=CHAMPION),),
        (Said("person.removed", 90, role=CHAMPION), Said("person.removed")),
    ),
    "executive_away": Case(
        (signed_in(1, 61, role=SPONSOR), used(1, 30)), (signed_in(1, 60, role=SPONSOR), used(1, 30))
    ),
    "usage_rise": Case((used(1, 40, 20), used(1, 1, 30)), (used(1, 40, 20), used(1, 1, 29))),
    "usage_fall": Case((used(1, 40, 20), used(1, 1, 10)), (used(1, 40, 20), used(1, 1, 11))),
    "licences_unused": Case((pays(), used(4)), (pays(), used(5))),
    "low_reporting": Case((used(2),), (used(2), read())),
    "data_export": Case(
        (Said("data.exported", 40, times=3), Said("data.exported", times=10)),
        (Said("data.exported", 40, times=4), Said("data.exported", times=10)),
    ),
    "many_open_tickets": Case(
        tuple(ticket(nth) for nth in range(5)), (*(ticket(nth) for nth in range(5)), ticket(0, "solved", 1))
    ),
    "open_tickets_before_renewal": Case((TERM_ENDS, ticket(1)), (pays(renews_in=92), ticket(1)), known_for=300),
    "business_review_missed": Case(
        (Said("meeting.missed", 179, times=2, attributes={"type": "business_review"}),),
        (
            Said("meeting.missed", 179, attributes={"type": "business_review"}),
            Said("meeting.missed", 180, attributes={"type": "business_review"}),
        ),
    ),
    "first_90_days_at_risk": Case((pays(), used(1, 35)), (pays(), used(1, 35)), known_for=90, known_for_not=90.5),
    "implementation_late": Case(IN_IMPLEMENTATION, IN_IMPLEMENTATION, known_for=130, looks=(91,), looks_not=(90,)),
    # Promoters who stay friendly are nine points less; who has become a detractor is ten.
    "score_drop": Case(
        (pays(), *as_ever(61), *as_ever(31), *as_ever(1), rated(10, 31), rated(5, 1)),
        (pays(), *as_ever(61), *as_ever(31), *as_ever(1), rated(10, 31), rated(6, 1)),
        known_for=300,
        looks=(30,),
    ),
    "renewal_at_risk": Case((pays(renews_in=90), used(1, 35)), (pays(renews_in=91), used(1, 35)), known_for=300),
}
"""By rule."""
