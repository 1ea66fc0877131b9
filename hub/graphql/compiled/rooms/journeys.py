"""Journeys, stays and milestones."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from hub.accounts import queries as accounts
from hub.graphql.compiled.forms import Arguments, Bound, Column, Made, Many, global_id, paged, shape, whole
from hub.graphql.compiled.rooms.accounts import STAY
from hub.graphql.compiled.rooms.owned import account_at
from hub.graphql.compiled.rooms.pages import page_of
from hub.graphql.types.journeys import BecauseOf, Journey, Milestone, MilestoneStatus, Stay
from hub.journeys import queries as journeys

ROW = journeys.Stay
PROOF = journeys.MilestoneProgress
MOST_MILESTONES = 50


def declare() -> None:
    """The forms of this room. How a stay goes is for the resolvers to say: they have the blueprint in force."""
    shape(Journey, None, stay=STAY, stays=Many(accounts.Account.id, _stays_of))
    shape(
        Stay,
        ROW,
        id=global_id("sta", ROW.id),
        account=account_at(ROW.account_id),
        because_of=Made(BecauseOf.of, (ROW.because,)),
        milestones=Many(ROW.id, _milestones_of),
    )
    shape(
        Milestone,
        PROOF,
        name=Column(PROOF.milestone),
        status=Made(_status, (PROOF.reached_at, PROOF.overdue_at)),
    )


def _stays_of(given: Arguments) -> Bound:
    page = page_of(journeys.NEWEST_FIRST, given)
    return paged(lambda key: select(ROW).where(ROW.account_id == key), journeys.NEWEST_FIRST, page)


def _milestones_of(given: Arguments) -> Bound:
    return whole(
        lambda key: select(PROOF).where(PROOF.stay_id == key),
        PROOF.expected_at,
        PROOF.milestone,
        most=MOST_MILESTONES,
    )


def _status(reached: datetime | None, overdue: datetime | None) -> MilestoneStatus:
    if reached:
        return MilestoneStatus.REACHED
    return MilestoneStatus.OVERDUE if overdue else MilestoneStatus.EXPECTED
