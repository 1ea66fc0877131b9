"""Usage: two years of work in the product, told week by week as Segment messages.

Weeks are counted back from the end of the history, so that the last four and the four before them are exactly
the two windows that a decline shows in. People work on working days, in the working hours of their own time
zone. In recent weeks everybody who is at work is seen every week; before that every few weeks only, which
keeps the history small without letting anybody drop out of a 28-day window.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from random import Random
from typing import Final

from hub.sandbox import messages as say
from hub.sandbox.chance import seeded
from hub.sandbox.companies import Company, CompanyBase, Person, Role
from hub.sandbox.messages import Message
from hub.sandbox.names import ADVANCED_FEATURES, BASIC_FEATURES, INTEGRATIONS, Zone
from hub.sandbox.stories import ARCS, Story, share_at_work

WEEK: Final = timedelta(days=7)
LONGEST_VISIT: Final = timedelta(minutes=45)

_PAGES: Final = ("Home", "Reports", "Settings", "Dashboards")

# What people of each role do once they have signed in, with its weight.
_ACTIONS: Final = {
    Role.ADMINISTRATOR: {"Report Viewed": 3, "Automation Run": 3, "Data Exported": 1, "Feature Used": 3},
    Role.CHAMPION: {"Report Viewed": 3, "Dashboard Created": 2, "Feature Used": 4, "Automation Run": 1},
    Role.SPONSOR: {"Report Viewed": 5, "Data Exported": 1},
    Role.END_USER: {"Report Viewed": 4, "Dashboard Created": 1, "Feature Used": 4, "Data Exported": 1},
}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How dense the history is.

    recent_weeks: how long before its end everybody is seen every week. every: weeks between two visits before
    that, at most three if nobody shall drop out of a 28-day window. actions: the mean number of actions in
    one visit.
    """

    recent_weeks: int = 13
    every: int = 3
    actions: float = 1.6


def history(base: CompanyBase, rhythm: Rhythm | None = None) -> Iterator[Message]:
    """Every message of the base, the oldest first, made as it is asked for: never all in memory."""
    rhythm = rhythm or Rhythm()
    return heapq.merge(
        *(company_history(base, company, rhythm) for company in base.companies), key=itemgetter("timestamp")
    )


def company_history(base: CompanyBase, company: Company, rhythm: Rhythm) -> Iterator[Message]:
    """One company's messages, the oldest first."""
    landmarks = sorted(_landmarks(base, company), key=itemgetter("timestamp"))
    weeks = -((base.until - company.since) // -WEEK)
    for week in reversed(range(weeks)):
        end = base.until - week * WEEK
        limit = say.wire_time(end)
        told = [message for message in landmarks if message["timestamp"] < limit]
        landmarks = landmarks[len(told) :]
        yield from sorted(told + _visits(base, company, week, rhythm), key=itemgetter("timestamp"))


def at_work(base: CompanyBase, company: Company, at: datetime) -> list[Person]:
    """The people who use the product in the week of `at`. The champion is the first whom a declining company loses."""
    if company.quiet_since is not None and at >= company.quiet_since:
        return []
    here = [person for person in company.people if person.joined <= at]
    if company.story is Story.DECLINING:
        here.sort(key=lambda person: person.role is Role.CHAMPION)
    days_before = (base.until - at) / timedelta(days=1)
    share = share_at_work(company.story, company.usual, days_before)
    return here[: max(1, round(share * len(here)))]


def visit(rng: Random, company: Company, person: Person, at: datetime, actions: float) -> list[Message]:
    """One visit to the product: a sign-in and what follows it, all within `LONGEST_VISIT`."""
    started = [say.track(rng, company, person, "Signed In", at)]
    if rng.random() < 0.05:
        started.append(say.page(rng, person.id, person.anonymous_id, rng.choice(_PAGES), at + _pause(rng)))
    elif rng.random() < 0.03:
        started.append(say.screen(rng, company, person, rng.choice(_PAGES), at + _pause(rng)))
    return started + _work(rng, company, person, at, actions)


def _work(rng: Random, company: Company, person: Person, at: datetime, actions: float) -> list[Message]:
    menu = _ACTIONS[person.role]
    done = []
    for _ in range(min(6, int(rng.expovariate(1 / actions) + 0.5))):
        at += _pause(rng)
        event = rng.choices(list(menu), list(menu.values()))[0]
        workspace = None if rng.random() < 0.02 else company
        properties = {"feature": _feature(rng, company)} if event == "Feature Used" else {}
        done.append(say.track(rng, workspace, person, event, at, **properties))
    return done


def _feature(rng: Random, company: Company) -> str:
    advanced = rng.random() < ARCS[company.story].advanced
    return rng.choice(ADVANCED_FEATURES if advanced else BASIC_FEATURES)


def _pause(rng: Random) -> timedelta:
    return timedelta(seconds=rng.randint(20, 380))


def _visits(base: CompanyBase, company: Company, week: int, rhythm: Rhythm) -> list[Message]:
    rng = seeded(base.seed, company.id, "week", week)
    end = base.until - week * WEEK
    recent = week < rhythm.recent_weeks
    visits: list[Message] = []
    for place, person in enumerate(at_work(base, company, end - WEEK)):
        if not recent and (week + place) % rhythm.every:
            continue
        for _ in range(rng.randint(*ARCS[company.story].sessions) if recent else 1):
            at = working_moment(rng, end - WEEK, end - LONGEST_VISIT, person.zone)
            if company.quiet_since is None or at < company.quiet_since:
                visits += visit(rng, company, person, at, rhythm.actions)
    return visits


def working_moment(rng: Random, start: datetime, end: datetime, zone: Zone) -> datetime:
    """A moment in [start, end) on a working day between 8 and 18 o'clock there; the span must hold such hours."""
    offset = timedelta(hours=zone.hours)
    while True:
        local = start + offset + rng.random() * (end - start)
        at = local.replace(hour=rng.randrange(8, 18), minute=rng.randrange(60)) - offset
        if local.weekday() < 5 and start <= at < end:
            return at


def _landmarks(base: CompanyBase, company: Company) -> list[Message]:
    """What happens once or seldom: sign-up, invitations, set-up, surveys, and the traits told anew."""
    rng = seeded(base.seed, company.id, "landmarks")
    told = [message for person in company.people for message in _arrival(rng, company, person)]
    told += _set_up(rng, company)
    told += _surveys(rng, base, company)
    last = min(base.until, company.quiet_since or base.until)
    return [message for message in told if message["timestamp"] < say.wire_time(last)]


def _arrival(rng: Random, company: Company, person: Person) -> list[Message]:
    at = person.joined
    minute = timedelta(minutes=1)
    told = []
    if person.anonymous_id is not None:
        told.append(say.page(rng, None, person.anonymous_id, "Pricing", at - 30 * minute))
        told.append(say.page(rng, None, person.anonymous_id, "Sign up", at - 20 * minute))
        told.append(say.alias(rng, person, at))
    if person is company.administrator:
        told.append(say.track(rng, company, person, "Account Created", at))
    else:
        invited = timedelta(minutes=rng.randint(60, 1200))
        told.append(say.track(rng, company, company.administrator, "Invite Sent", at - invited, to=person.email))
        told.append(say.track(rng, company, company.administrator, "Account Added User", at, user=person.id))
    told.append(say.identify(rng, person, at))
    told.append(say.group(rng, company, person, at + minute))
    told.append(say.track(rng, company, person, "Signed Up", at + minute))
    return told


def _set_up(rng: Random, company: Company) -> list[Message]:
    """The administrator completes the set-up within two weeks, unless the company is behind."""
    connected = company.since + timedelta(days=rng.uniform(1, 4))
    integration = rng.choice(INTEGRATIONS)
    admin = company.administrator
    told = [say.track(rng, company, admin, "Integration Connected", connected, integration=integration)]
    if not company.behind:
        completed = connected + timedelta(days=rng.uniform(1, 9))
        told.append(say.track(rng, company, admin, "Setup Completed", completed))
    return told


def _surveys(rng: Random, base: CompanyBase, company: Company) -> list[Message]:
    """Once a quarter up to three people answer, and the traits of the company are told anew."""
    told = []
    asked = company.since + timedelta(days=rng.randint(30, 90))
    while asked < base.until:
        here = at_work(base, company, asked)
        for person in here[: rng.randint(1, 3)]:
            at = asked + timedelta(hours=rng.uniform(0, 60))
            score = rng.randint(*ARCS[company.story].nps)
            told.append(say.track(rng, company, person, "Survey Answered", at, nps=score))
        told.append(say.group(rng, company, company.administrator, asked))
        asked += timedelta(days=90)
    return told
