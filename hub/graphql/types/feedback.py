"""The voice of the customer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from hub.accounts import queries as accounts
from hub.feedback import queries as feedback
from hub.feedback.queries import FeedbackKind, FeedbackStatus
from hub.graphql.context import Info
from hub.graphql.declare import about, output, resolved, vocabulary
from hub.graphql.types.node import Owned
from hub.graphql.types.people import Person

vocabulary(
    FeedbackKind,
    PRAISE="They are glad about something.",
    REQUEST="They wish for something.",
    PROBLEM="Something does not work for them.",
    QUESTION="They want to know something.",
)
vocabulary(
    FeedbackStatus,
    NEW="Nobody has looked at it yet.",
    TRIAGED="Somebody has sorted it.",
    PLANNED="It is going to be done.",
    SHIPPED="It has been done.",
    ANSWERED="They have been told.",
    DECLINED="It is not going to be done, for a reason.",
)


@output
class Feedback(Owned):
    """One thing that a customer said."""

    person_key: strawberry.Private[UUID | None]
    kind: FeedbackKind = about("What sort of thing was said.")
    theme: str | None = about("What it is about; null when not sorted yet.")
    text: str = about("What was said.")
    status: FeedbackStatus = about("What has become of it.")
    recorded_at: datetime = about("When it was recorded.")
    recorded_by: str = about("Who recorded it.")

    @resolved
    def person(self, info: Info) -> Person | None:
        """Who said it; null when that is not known."""
        if self.person_key is None:
            return None
        return info.context.promise(Person.of, accounts.people, self.person_key)

    @classmethod
    def of(cls, row: feedback.Feedback) -> Feedback:
        """The feedback as the API shows it."""
        return cls(
            id=strawberry.ID(f"fbk_{row.id.hex}"),
            account_key=row.account_id,
            person_key=row.person_id,
            kind=FeedbackKind(row.kind),
            theme=row.theme,
            text=row.text,
            status=FeedbackStatus(row.status),
            recorded_at=row.recorded_at,
            recorded_by=row.recorded_by,
        )
