"""What people do through the API. A refusal is a value; the room's service decides and writes, here it is committed."""

from __future__ import annotations

from typing import Annotated

import strawberry

from hub.feedback import service as feedback
from hub.feedback.queries import FeedbackKind
from hub.graphql import ids
from hub.graphql.alerting import AlertMutations
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, given, maybe, mutation, output
from hub.graphql.ids import Prefix
from hub.graphql.refusals import InvalidInput, NotAllowed, NotFound
from hub.graphql.saving import SavingMutations
from hub.graphql.types.feedback import Feedback
from hub.graphql.types.node import text
from hub.graphql.types.plays import Run, Task
from hub.plays import service as plays


@given
class PlayStartInput:
    """Which play to start on which account."""

    play: str = about("The play's name in the blueprint.")
    account: strawberry.ID = about("The account.")


@output
class PlayStarted:
    """The play has been started; its first step follows at once."""

    run: Run = about("The run.")


@given
class TaskCompleteInput:
    """Which task is done, and with what outcome."""

    id: strawberry.ID = about("The task.")
    outcome: str | None = maybe("What came of it, in your own words.")


@output
class TaskCompleted:
    """The task is done; the play that waited for it goes on."""

    task: Task = about("The task as it is now.")


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


PlayStartResult = Annotated[
    PlayStarted | NotAllowed | NotFound | InvalidInput,
    strawberry.union("PlayStartResult", description="What came of `playStart`."),
]
TaskCompleteResult = Annotated[
    TaskCompleted | NotAllowed | NotFound | InvalidInput,
    strawberry.union("TaskCompleteResult", description="What came of `taskComplete`."),
]
FeedbackRecordResult = Annotated[
    FeedbackRecorded | NotAllowed | NotFound | InvalidInput,
    strawberry.union("FeedbackRecordResult", description="What came of `feedbackRecord`."),
]


@output
class Mutation(AlertMutations, SavingMutations):
    """Everything that can be done. Several in one request are done one after the other, each in its own transaction."""

    @mutation
    async def play_start(
        self,
        info: Info,
        input: Annotated[PlayStartInput, argument("Which play, on which account.")],  # noqa: A002  # its name
    ) -> PlayStartResult:
        """Start a play on an account by hand. Refused while it is under way there. For csm and admin."""
        account_id = ids.read(Prefix.ACCOUNT, input.account, "account")
        async with info.context.writing() as session:
            run = await plays.start_play(session, info.context.viewer, input.play, account_id, now=info.context.now)
            return PlayStarted(run=Run.of(run))

    @mutation
    async def task_complete(
        self,
        info: Info,
        input: Annotated[TaskCompleteInput, argument("Which task, and its outcome.")],  # noqa: A002  # its name
    ) -> TaskCompleteResult:
        """Say that a task is done. Doing it again changes nothing. For csm and admin."""
        task_id = ids.read(Prefix.TASK, input.id)
        async with info.context.writing() as session:
            task = await plays.complete_task(
                session, info.context.viewer, task_id, text(input.outcome, "outcome"), now=info.context.now
            )
            return TaskCompleted(task=Task.of(task))

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
