"""Accounts, people, and what they said."""

from __future__ import annotations

from sqlalchemy import select

from hub.accounts import queries as accounts
from hub.feedback import queries as feedback
from hub.graphql.compiled.forms import Arguments, Bound, Many, One, Same, everywhere, global_id, paged, shape
from hub.graphql.compiled.rooms.health import alerts_of
from hub.graphql.compiled.rooms.owned import account_at
from hub.graphql.compiled.rooms.pages import few, page_of
from hub.graphql.compiled.rooms.plays import next_task_of, runs_of, tasks_of
from hub.graphql.compiled.rooms.timeline import events_of
from hub.graphql.types.accounts import Account
from hub.graphql.types.brief import ALIVE, Brief, CurrentState, Risk
from hub.graphql.types.feedback import Feedback
from hub.graphql.types.node import texts
from hub.graphql.types.people import Person
from hub.health import queries as health
from hub.journeys import queries as journeys

ROW = accounts.Account
SAID = feedback.Feedback

HEALTH = One(key=ROW.id, at=health.Health.account_id, always=True)
WATCH = One(key=ROW.id, at=health.Watch.account_id, where=(health.Watch.ended_at.is_(None),))
STAY = One(key=ROW.id, at=journeys.Stay.account_id, where=(journeys.Stay.left_at.is_(None),))


def declare() -> None:
    """The forms of this room."""
    shape(
        Account,
        ROW,
        id=global_id("acc", ROW.id),
        parent=account_at(ROW.parent_id),
        timeline=Many(ROW.id, events_of),
        people=Many(ROW.id, _people_of),
        journey=Same(),
        health=HEALTH,
        alerts=Many(ROW.id, alerts_of),
        watch=WATCH,
        runs=Many(ROW.id, runs_of),
        tasks=Many(ROW.id, tasks_of),
        feedback=Many(ROW.id, _feedback_of),
        brief=Same(),
    )
    shape(
        Brief,
        None,
        current_state=Same(),
        next_action=Many(ROW.id, next_task_of, first=True),
        risk=Same(),
        feedback=Many(ROW.id, _last_feedback_of),
    )
    shape(CurrentState, None, health=HEALTH, stay=STAY)
    shape(Risk, None, alerts=Many(ROW.id, _alive_alerts_of), watch=WATCH)
    shape(
        Person,
        accounts.Person,
        id=global_id("per", accounts.Person.id),
        account=account_at(accounts.Person.account_id),
    )
    shape(
        Feedback,
        SAID,
        id=global_id("fbk", SAID.id),
        account=account_at(SAID.account_id),
        person=One(key=SAID.person_id, at=accounts.Person.id),
    )


def all_feedback(given: Arguments) -> Bound:
    """A page of what all accounts said."""
    return paged(everywhere(select(SAID)), feedback.FEEDBACK, page_of(feedback.FEEDBACK, given))


def _people_of(given: Arguments) -> Bound:
    wanted = accounts.PeopleFilter(roles=texts(given.get("role"), "role"))
    return paged(lambda key: accounts.select_people(key, wanted), accounts.PEOPLE, page_of(accounts.PEOPLE, given))


def _feedback_of(given: Arguments) -> Bound:
    page = page_of(feedback.FEEDBACK, given)
    return paged(lambda key: select(SAID).where(SAID.account_id == key), feedback.FEEDBACK, page)


def _last_feedback_of(given: Arguments) -> Bound:
    return paged(lambda key: select(SAID).where(SAID.account_id == key), feedback.FEEDBACK, few(5), spends=0)


def _alive_alerts_of(given: Arguments) -> Bound:
    row = health.Alert
    return paged(lambda key: health.select_alerts(ALIVE).where(row.account_id == key), health.ALERTS, few(5), spends=0)
