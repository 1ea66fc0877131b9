"""What people do about plays through the API: start one, help a held run on, end it, and answer what it asks."""

from __future__ import annotations

from typing import Annotated

import strawberry

from hub.graphql import ids
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, given, maybe, mutation, output
from hub.graphql.ids import Prefix
from hub.graphql.refusals import InvalidInput, NotAllowed, NotFound
from hub.graphql.types.node import text
from hub.graphql.types.plays import Run, Task
from hub.kit.errors import Invalid
from hub.plays import queries as tasks
from hub.plays import service as plays


@given
class PlayStartInput:
    """Which play to start on which account."""

    play: str = about("The play's name in the blueprint.")
    account: strawberry.ID = about("The account.")


@output
class PlayStarted:
    """The play has been started; its first step follows at once."""

    run: Run = about("The run; the first one where the play runs for each of several people.")
    runs: list[Run] = about("All runs that it came to.")


@given
class RunCancelInput:
    """Which run to end, and why."""

    id: strawberry.ID = about("The run.")
    reason: str = about("Why: 1 to 1,000 characters, kept with the steps and tasks that it leaves out.")


@output
class RunCanceled:
    """The run has ended; its open tasks are canceled."""

    run: Run = about("The run as it is now.")


@given
class RunRetryInput:
    """Which held run is to do its step anew."""

    id: strawberry.ID = about("The run.")


@output
class RunRetried:
    """The run does its step anew."""

    run: Run = about("The run as it is now.")


@given
class RunSkipInput:
    """Which run is to go on without the step at which it stands."""

    id: strawberry.ID = about("The run.")


@output
class RunSkipped:
    """The run goes on with its next step."""

    run: Run = about("The run as it is now.")


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
class TaskAssignInput:
    """Whose work a task is from now on."""

    id: strawberry.ID = about("The task.")
    owner: str | None = maybe("Who does it; nobody in particular when left out.")


@output
class TaskAssigned:
    """The task is somebody's, or nobody's."""

    task: Task = about("The task as it is now.")


@given
class TaskCommentInput:
    """What to say about a task."""

    id: strawberry.ID = about("The task.")
    body: str = about("1 to 1,000 characters.")


@output
class TaskCommented:
    """It has been said; a comment is never changed."""

    task: Task = about("The task.")


@given
class TaskTickInput:
    """Which point of a task's checklist is done, or is not after all."""

    id: strawberry.ID = about("The task.")
    point: int = about("Which point, the first being 0.")
    done: bool | None = maybe("Whether it is done; it is, when left out.")


@output
class TaskTicked:
    """The point stands as asked."""

    task: Task = about("The task as it is now.")


@given
class ApprovalDecideInput:
    """The answer to what a play asks."""

    id: strawberry.ID = about("The task of the kind `APPROVAL`.")
    approved: bool = about("Yes or no.")
    comment: str | None = maybe("Why, in your own words.")


@output
class ApprovalDecided:
    """The answer is noted: with a yes the play goes on, with a no it ends. The first answer stands."""

    task: Task = about("The task as it is now.")


PlayStartResult = Annotated[
    PlayStarted | NotAllowed | NotFound | InvalidInput,
    strawberry.union("PlayStartResult", description="What came of `playStart`."),
]
RunCancelResult = Annotated[
    RunCanceled | NotAllowed | NotFound | InvalidInput,
    strawberry.union("RunCancelResult", description="What came of `runCancel`."),
]
RunRetryResult = Annotated[
    RunRetried | NotAllowed | NotFound | InvalidInput,
    strawberry.union("RunRetryResult", description="What came of `runRetry`."),
]
RunSkipResult = Annotated[
    RunSkipped | NotAllowed | NotFound | InvalidInput,
    strawberry.union("RunSkipResult", description="What came of `runSkip`."),
]
TaskCompleteResult = Annotated[
    TaskCompleted | NotAllowed | NotFound | InvalidInput,
    strawberry.union("TaskCompleteResult", description="What came of `taskComplete`."),
]
TaskAssignResult = Annotated[
    TaskAssigned | NotAllowed | NotFound | InvalidInput,
    strawberry.union("TaskAssignResult", description="What came of `taskAssign`."),
]
TaskCommentResult = Annotated[
    TaskCommented | NotAllowed | NotFound | InvalidInput,
    strawberry.union("TaskCommentResult", description="What came of `taskComment`."),
]
TaskTickResult = Annotated[
    TaskTicked | NotAllowed | NotFound | InvalidInput,
    strawberry.union("TaskTickResult", description="What came of `taskTick`."),
]
ApprovalDecideResult = Annotated[
    ApprovalDecided | NotAllowed | NotFound | InvalidInput,
    strawberry.union("ApprovalDecideResult", description="What came of `approvalDecide`."),
]


@output
class PlayMutations:
    """What can be done about plays."""

    @mutation
    async def play_start(
        self,
        info: Info,
        input: Annotated[PlayStartInput, argument("Which play, on which account.")],  # noqa: A002  # its name
    ) -> PlayStartResult:
        """Start a play on an account by hand. Refused while it is under way there. For csm and admin."""
        account_id = ids.read(Prefix.ACCOUNT, input.account, "account")
        async with info.context.writing() as session:
            runs = await plays.start_play(session, info.context.viewer, input.play, account_id, now=info.context.now)
            return PlayStarted(run=Run.of(runs[0]), runs=[Run.of(run) for run in runs])

    @mutation
    async def run_cancel(
        self,
        info: Info,
        input: Annotated[RunCancelInput, argument("Which run, and why.")],  # noqa: A002  # its name in the schema
    ) -> RunCancelResult:
        """End a run at once. What a vendor is being asked at this moment cannot be called back. For csm and admin."""
        run_id = ids.read(Prefix.RUN, input.id)
        async with info.context.writing() as session:
            reason = text(input.reason, "reason") or "Canceled by hand."
            run = await plays.cancel(session, info.context.viewer, run_id, reason, now=info.context.now)
            return RunCanceled(run=Run.of(run))

    @mutation
    async def run_retry(
        self,
        info: Info,
        input: Annotated[RunRetryInput, argument("Which run.")],  # noqa: A002  # its name in the schema
    ) -> RunRetryResult:
        """Have a held run do its step anew, although an unclear one may have happened. For csm and admin."""
        run_id = ids.read(Prefix.RUN, input.id)
        async with info.context.writing() as session:
            run = await plays.try_again(session, info.context.viewer, run_id, now=info.context.now)
            return RunRetried(run=Run.of(run))

    @mutation
    async def run_skip(
        self,
        info: Info,
        input: Annotated[RunSkipInput, argument("Which run.")],  # noqa: A002  # its name in the schema
    ) -> RunSkipResult:
        """Have a run go on without the step at which it stands: held, waiting or not begun. For csm and admin."""
        run_id = ids.read(Prefix.RUN, input.id)
        async with info.context.writing() as session:
            run = await plays.skip_step(session, info.context.viewer, run_id, now=info.context.now)
            return RunSkipped(run=Run.of(run))

    @mutation
    async def task_complete(
        self,
        info: Info,
        input: Annotated[TaskCompleteInput, argument("Which task, and its outcome.")],  # noqa: A002  # its name
    ) -> TaskCompleteResult:
        """Say that a task is done. Doing it again changes nothing. For csm and admin."""
        task_id = ids.read(Prefix.TASK, input.id)
        async with info.context.writing() as session:
            outcome = text(input.outcome, "outcome")
            task = await plays.complete_task(session, info.context.viewer, task_id, outcome, now=info.context.now)
            return TaskCompleted(task=Task.of(task))

    @mutation
    async def task_assign(
        self,
        info: Info,
        input: Annotated[TaskAssignInput, argument("Which task, and to whom.")],  # noqa: A002  # its name
    ) -> TaskAssignResult:
        """Hand an open task to somebody else. For csm and admin."""
        task_id = ids.read(Prefix.TASK, input.id)
        async with info.context.writing() as session:
            owner = text(input.owner, "owner")
            task = await plays.assign_task(session, info.context.viewer, task_id, owner, now=info.context.now)
            return TaskAssigned(task=Task.of(task))

    @mutation
    async def task_comment(
        self,
        info: Info,
        input: Annotated[TaskCommentInput, argument("Which task, and what to say.")],  # noqa: A002  # its name
    ) -> TaskCommentResult:
        """Say something about a task. For csm and admin."""
        task_id = ids.read(Prefix.TASK, input.id)
        async with info.context.writing() as session:
            body = (text(input.body, "body") or "").strip()
            if not body:
                raise Invalid("A comment says something.", path=("body",))
            await plays.comment_on_task(session, info.context.viewer, task_id, body, now=info.context.now)
            found = await tasks.tasks(session, info.context.viewer, [task_id])
            return TaskCommented(task=Task.of(found[task_id]))

    @mutation
    async def task_tick(
        self,
        info: Info,
        input: Annotated[TaskTickInput, argument("Which point of which task.")],  # noqa: A002  # its name
    ) -> TaskTickResult:
        """Tick off a point of a task's checklist, or take that back. For csm and admin."""
        task_id = ids.read(Prefix.TASK, input.id)
        async with info.context.writing() as session:
            task = await plays.tick_task(
                session, info.context.viewer, task_id, input.point, done=input.done is not False, now=info.context.now
            )
            return TaskTicked(task=Task.of(task))

    @mutation
    async def approval_decide(
        self,
        info: Info,
        input: Annotated[ApprovalDecideInput, argument("Which question, and the answer.")],  # noqa: A002  # its name
    ) -> ApprovalDecideResult:
        """Say yes or no where a play asks. For csm and admin."""
        task_id = ids.read(Prefix.TASK, input.id)
        async with info.context.writing() as session:
            task = await plays.decide_approval(
                session,
                info.context.viewer,
                task_id,
                approved=input.approved,
                comment=text(input.comment, "comment"),
                now=info.context.now,
            )
            return ApprovalDecided(task=Task.of(task))
