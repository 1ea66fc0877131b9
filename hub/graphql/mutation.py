"""What people do through the API. A refusal is a value; the room's service decides and writes, here it is committed."""

from __future__ import annotations

from typing import Annotated

import strawberry

from hub.feedback import service as feedback
from hub.feedback.queries import FeedbackKind
from hub.graphql import ids
from hub.graphql.alerting import AlertMutations
from hub.graphql.blueprint import BlueprintMutation
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, given, maybe, mutation, output
from hub.graphql.erasing import ErasureMutations
from hub.graphql.ids import Prefix
from hub.graphql.playing import PlayMutations
from hub.graphql.refusals import InvalidInput, NotAllowed, NotFound
from hub.graphql.saving import SavingMutations
from hub.graphql.switching import SwitchMutations
from hub.graphql.types.feedback import Feedback


@given
class FeedbackRecordInput:
    """What somebody at an account said."""

    account: strawberry.ID = about("The account.")
    text: str = about("What was said: 1 to 10,000 characters.")
    kind: FeedbackKind = about("What sort of thing was said.")
    person: strawberry.ID | None = maybe("Who said it, a person of this account.")
    theme: str | None = maybe("What it is about.")
    idempotency_key: str | None = maybe(
        "Any text that is new for each thing said: sending the same again records nothing twice."
    )


@output
class FeedbackRecorded:
    """The feedback is recorded."""

    feedback: Feedback = about("The feedback.")


FeedbackRecordResult = Annotated[
    FeedbackRecorded | NotAllowed | NotFound | InvalidInput,
    strawberry.union("FeedbackRecordResult", description="What came of `feedbackRecord`."),
]


@output
class Mutation(AlertMutations, BlueprintMutation, ErasureMutations, PlayMutations, SavingMutations, SwitchMutations):
    """Everything that can be done. Several in one request are done one after the other, each in its own transaction."""

    @mutation
    async def feedback_record(
        self,
        info: Info,
        input: Annotated[FeedbackRecordInput, argument("What was said.")],  # noqa: A002  # its name in the schema
    ) -> FeedbackRecordResult:
        """Record what somebody at an account said. For csm and admin."""
        account_id = ids.read(Prefix.ACCOUNT, input.account, "account")
        person_id = ids.read(Prefix.PERSON, input.person, "person") if input.person else None
        async with info.context.writing() as session:
            recorded = await feedback.record(
                session,
                info.context.viewer,
                account_id,
                input.text,
                input.kind,
                person_id,
                input.theme,
                input.idempotency_key,
                info.context.now,
            )
            return FeedbackRecorded(feedback=Feedback.of(recorded))
