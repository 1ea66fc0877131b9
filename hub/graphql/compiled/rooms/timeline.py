"""The account timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, func, literal_column, select

from hub.accounts import queries as accounts
from hub.connections import queries as connections
from hub.graphql.compiled.forms import Arguments, Bound, Column, Made, Many, One, by, global_id, shape, whole
from hub.graphql.compiled.rooms.owned import account_at
from hub.graphql.compiled.rooms.pages import page_of
from hub.graphql.scalars import money
from hub.graphql.types.timeline import Event, Subject, wanted_events
from hub.kit.paging import AnySelect
from hub.plays import queries as plays
from hub.timeline import queries as timeline

ROW = timeline.EventRow


def declare() -> None:
    """The forms of this room."""
    shape(
        Event,
        ROW,
        id=global_id("evt", ROW.source_account_id, ROW.id),
        account=account_at(timeline.ACCOUNT_OF_EVENT),
        subject=Made(_subject, (ROW.subject_type, ROW.subject_id, ROW.subject_state)),
        amount=Made(money, (ROW.amount_minor, ROW.currency)),
        connection=Column(connections.name_of(ROW.connection_id)),
        caused_by_run=One(key=ROW.caused_by_run, at=plays.Run.id),
        people=Many(ROW.people, _people_of),
    )


def events_of(given: Arguments) -> Bound:
    """A page of an account's timeline."""
    page, wanted = page_of(timeline.NEWEST_FIRST, given), wanted_events(given.get("filter"))

    def read(key: Any, columns: Sequence[Any]) -> AnySelect:
        return timeline.select_timeline(key, columns, page, wanted)

    order = timeline.NEWEST_FIRST
    return Bound(
        read=read,
        places=(order.column, order.id),
        sort=by(order, page),
        most=page.limit + 1,
        spends=page.limit,
        page=page,
        order=order,
    )


def _people_of(given: Arguments) -> Bound:
    """The people whom an event names as source persons, each once, in the order of the event."""

    def query(named: Any) -> AnySelect:
        each = func.unnest(named).table_valued("id", with_ordinality="place", name="each").render_derived()
        source = accounts.SourcePerson
        known = (
            select(source.person_id, func.min(each.c.place).label("place"))
            .select_from(each)
            .join(source, source.id == each.c.id)
            .group_by(source.person_id)
            .subquery("known")
        )
        return select(accounts.Person).join(known, known.c.person_id == accounts.Person.id)

    return whole(query, literal_column("known.place", BigInteger), accounts.Person.id, most=10)


def _subject(type_: str | None, id_: str | None, state: str | None) -> Subject | None:
    if type_ is None or id_ is None:
        return None
    return Subject(type=type_, vendor_id=id_, state=state)
