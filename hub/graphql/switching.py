"""What people do with whole plays through the API: switch them, start them on many, look at them before they run; and
let single runs stand and go on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from hub.graphql import ids
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, given, maybe, mutation, output, resolved
from hub.graphql.ids import Prefix
from hub.graphql.refusals import InvalidInput, NotAllowed, NotFound
from hub.graphql.types.plays import Play, Run
from hub.graphql.types.portfolio import AccountFilter, WantedAccounts, wanted_accounts
from hub.graphql.types.trying import PlayReach, PlaySimulated, PlayWords
from hub.kit.errors import Invalid
from hub.plays import queries
from hub.plays import service as plays

MOST_RUNS = 500


@given
class PlayPauseInput:
    """Which play is to stand."""

    play: str = about("The play's name.")


@given
class PlayResumeInput:
    """Which paused play is to go on."""

    play: str = about("The play's name.")


@given
class PlaySwitchOnInput:
    """Which play is to run, and for whom."""

    play: str = about("The play's name.")
    existing: plays.Existing = about("What becomes of those for whom its trigger holds already.")


@given
class PlaySwitchOffInput:
    """Which play is to end."""

    play: str = about("The play's name.")
    tasks: plays.OpenTasks = about("What becomes of its open tasks.")


@given
class PlayStartManyInput:
    """Which play to start on which accounts."""

    play: str = about("The play's name.")
    accounts: AccountFilter = about("Which accounts, as in `accounts(filter:)`.")
    expected: int = about("On how many it starts, as `playReach` said; refused when it is another number by now.")


@given
class PlaySimulateInput:
    """Which play to try over which time."""

    play: str = about("The play's name.")
    since: datetime = about("From when: within the last 366 days.")
    first: int | None = maybe("How many runs come in detail: 0 to 500; 20 when not given.")


@given
class RunPauseInput:
    """Which run is to stand."""

    id: strawberry.ID = about("The run.")


@given
class RunResumeInput:
    """Which paused run is to go on."""

    id: strawberry.ID = about("The run.")


@given
class RunRepeatInput:
    """Which step of which run is to be done anew."""

    id: strawberry.ID = about("The run.")
    step: int = about("The step's index; it has to be over.")


@output
class PlaySwitched:
    """The play stands as it was asked to."""

    play: Play = about("The play.")
    moved: int = about("How many starts were put aside and begin, or how many runs end.")


@output
class PlayStartedOnMany:
    """The play is being started."""

    accounts: int = about("On how many accounts.")


@output
class RunPaused:
    """The run stands until it is resumed."""

    run: Run = about("The run as it is now.")


@output
class RunResumed:
    """The run goes on."""

    run: Run = about("The run as it is now.")


@output
class RunRepeated:
    """The run does the step anew, then goes on where it stood."""

    run: Run = about("The run as it is now.")


def _result(name: str, said: str) -> strawberry.union:  # type: ignore[valid-type]  # what a union is made by
    return strawberry.union(name, description=f"What came of `{said}`.")


PlayPauseResult = Annotated[
    PlaySwitched | NotAllowed | NotFound | InvalidInput, _result("PlayPauseResult", "playPause")
]
PlayResumeResult = Annotated[
    PlaySwitched | NotAllowed | NotFound | InvalidInput, _result("PlayResumeResult", "playResume")
]
PlaySwitchOnResult = Annotated[
    PlaySwitched | NotAllowed | NotFound | InvalidInput, _result("PlaySwitchOnResult", "playSwitchOn")
]
PlaySwitchOffResult = Annotated[
    PlaySwitched | NotAllowed | NotFound | InvalidInput, _result("PlaySwitchOffResult", "playSwitchOff")
]
PlayStartManyResult = Annotated[
    PlayStartedOnMany | NotAllowed | NotFound | InvalidInput,
    _result("PlayStartManyResult", "playStartMany"),
]
PlaySimulateResult = Annotated[
    PlaySimulated | NotAllowed | NotFound | InvalidInput, _result("PlaySimulateResult", "playSimulate")
]
RunPauseResult = Annotated[RunPaused | NotAllowed | NotFound | InvalidInput, _result("RunPauseResult", "runPause")]
RunResumeResult = Annotated[RunResumed | NotAllowed | NotFound | InvalidInput, _result("RunResumeResult", "runResume")]
RunRepeatResult = Annotated[RunRepeated | NotAllowed | NotFound | InvalidInput, _result("RunRepeatResult", "runRepeat")]

PlayName = Annotated[str, argument("The play's name.")]


@output
class PlayQuery:
    """What can be asked of plays before they run."""

    @resolved
    async def play_preview(
        self, info: Info, play: PlayName, account: Annotated[strawberry.ID, argument("The account.")]
    ) -> list[PlayWords]:
        """What a play would say on an account, step by step and to each person. Nothing is sent."""
        account_id = ids.read(Prefix.ACCOUNT, account, "account")
        _, said = await info.context.read(plays.preview, play, account_id, now=info.context.now)
        info.context.spend(len(said))
        return [PlayWords.of(one) for one in said]

    @resolved
    async def play_reach(
        self,
        info: Info,
        play: PlayName,
        filter: WantedAccounts = None,  # noqa: A002  # the argument's name in the schema
    ) -> PlayReach:
        """Whom a play would reach if it were started by hand on these accounts. For csm and admin."""
        return PlayReach.of(await info.context.read(plays.reach, play, wanted_accounts(filter)))


async def _switched(info: Info, switched: plays.Switched) -> PlaySwitched:
    definition = await info.context.read(queries.play, switched.play)
    return PlaySwitched(play=Play.of(switched.play, definition), moved=switched.moved)


@output
class SwitchMutations:
    """What can be done with whole plays."""

    @mutation
    async def play_pause(
        self,
        info: Info,
        input: Annotated[PlayPauseInput, argument("Which play.")],  # noqa: A002  # its name in the schema
    ) -> PlayPauseResult:
        """Let a play stand: it starts and sends nothing, and keeps what would have started it. For admin."""
        async with info.context.writing() as session:
            done = await plays.pause_play(session, info.context.viewer, input.play, now=info.context.now)
        return await _switched(info, done)

    @mutation
    async def play_resume(
        self,
        info: Info,
        input: Annotated[PlayResumeInput, argument("Which play.")],  # noqa: A002  # its name in the schema
    ) -> PlayResumeResult:
        """Let a paused play go on, with everything that came meanwhile. For admin."""
        async with info.context.writing() as session:
            done = await plays.resume_play(session, info.context.viewer, input.play, now=info.context.now)
        return await _switched(info, done)

    @mutation
    async def play_switch_on(
        self,
        info: Info,
        input: Annotated[PlaySwitchOnInput, argument("Which play, for whom.")],  # noqa: A002  # its name
    ) -> PlaySwitchOnResult:
        """Switch a play on that the blueprint enables, for new ones only or also for those who are there already.

        Whom a rule holds for is found when all accounts are looked at, which begins at once. For admin."""
        async with info.context.writing() as session:
            done = await plays.switch_on(session, info.context.viewer, input.play, input.existing, now=info.context.now)
        return await _switched(info, done)

    @mutation
    async def play_switch_off(
        self,
        info: Info,
        input: Annotated[PlaySwitchOffInput, argument("Which play, and its tasks.")],  # noqa: A002  # its name
    ) -> PlaySwitchOffResult:
        """Switch a play off: it starts nothing, and its runs end. For admin."""
        async with info.context.writing() as session:
            done = await plays.switch_off(session, info.context.viewer, input.play, input.tasks, now=info.context.now)
        return await _switched(info, done)

    @mutation
    async def play_start_many(
        self,
        info: Info,
        input: Annotated[PlayStartManyInput, argument("Which play, on which accounts.")],  # noqa: A002  # its name
    ) -> PlayStartManyResult:
        """Start a play by hand on all accounts of a list, except those on which it is under way. For csm and admin."""
        wanted = wanted_accounts(input.accounts)
        async with info.context.writing() as session:
            started = await plays.start_many(
                session, info.context.viewer, input.play, wanted, input.expected, now=info.context.now
            )
            return PlayStartedOnMany(accounts=started)

    @mutation
    async def play_simulate(
        self,
        info: Info,
        input: Annotated[PlaySimulateInput, argument("Which play, over which time.")],  # noqa: A002  # its name
    ) -> PlaySimulateResult:
        """Try a play over the past: whom, when, what it would have said, and what the contact budget would have
        stopped. Nothing is sent or written. Over more than 5,000 accounts it is refused: the command line takes its
        time. For admin."""
        first = 20 if input.first is None else input.first
        if not 0 <= first <= MOST_RUNS:
            raise Invalid(f"Between 0 and {MOST_RUNS} runs come in detail.", path=("first",))
        info.context.spend(first)
        if input.since.tzinfo is None:
            raise Invalid("A time has its offset from UTC.", path=("since",))
        found = await info.context.read(
            plays.simulate,
            input.play,
            since=input.since,
            now=info.context.now,
            first=first,
            at_most=plays.MOST_AT_ONCE,
        )
        return PlaySimulated.of(found)

    @mutation
    async def run_pause(
        self,
        info: Info,
        input: Annotated[RunPauseInput, argument("Which run.")],  # noqa: A002  # its name in the schema
    ) -> RunPauseResult:
        """Let a run stand where it is. For csm and admin."""
        run_id = ids.read(Prefix.RUN, input.id)
        async with info.context.writing() as session:
            run = await plays.pause_run(session, info.context.viewer, run_id, now=info.context.now)
            return RunPaused(run=Run.of(run))

    @mutation
    async def run_resume(
        self,
        info: Info,
        input: Annotated[RunResumeInput, argument("Which run.")],  # noqa: A002  # its name in the schema
    ) -> RunResumeResult:
        """Let a paused run go on; what became due meanwhile is done at once. For csm and admin."""
        run_id = ids.read(Prefix.RUN, input.id)
        async with info.context.writing() as session:
            run = await plays.resume_run(session, info.context.viewer, run_id, now=info.context.now)
            return RunResumed(run=Run.of(run))

    @mutation
    async def run_repeat(
        self,
        info: Info,
        input: Annotated[RunRepeatInput, argument("Which run, which step.")],  # noqa: A002  # its name
    ) -> RunRepeatResult:
        """Have a run do a step anew that is over; vendors are asked under new keys. For csm and admin."""
        run_id = ids.read(Prefix.RUN, input.id)
        async with info.context.writing() as session:
            run = await plays.run_again(session, info.context.viewer, run_id, input.step, now=info.context.now)
            return RunRepeated(run=Run.of(run))
