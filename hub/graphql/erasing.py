"""Having people erased through the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from hub.accounts import service as accounts
from hub.graphql import ids
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, given, maybe, mutation, output
from hub.graphql.ids import Prefix
from hub.graphql.refusals import InvalidInput, NotAllowed, NotFound


@given
class PersonEraseInput:
    """Who is to be erased."""

    person: strawberry.ID = about("The person.")
    reason: str | None = maybe("Why, e.g. the number of their request: up to 1,000 characters, and nothing of them.")


@output
class PersonEraseRequested:
    """The person is erased within moments; it cannot be undone."""

    requested_at: datetime = about("When it was first asked for.")
    done_at: datetime | None = about("When it was carried out; null while it is under way.")


PersonEraseResult = Annotated[
    PersonEraseRequested | NotAllowed | NotFound | InvalidInput,
    strawberry.union("PersonEraseResult", description="What came of `personErase`."),
]


@output
class ErasureMutations:
    """What is done about people's data."""

    @mutation
    async def person_erase(
        self,
        info: Info,
        input: Annotated[PersonEraseInput, argument("Who.")],  # noqa: A002  # its name in the schema
    ) -> PersonEraseResult:
        """Erase a person's data everywhere, and whatever is told of them later. For admin."""
        person_id = ids.read(Prefix.PERSON, input.person, "person")
        async with info.context.writing() as session:
            asked = await accounts.request_erasure(
                session, info.context.viewer, person_id, reason=input.reason, now=info.context.now
            )
            return PersonEraseRequested(requested_at=asked.requested_at, done_at=asked.done_at)
