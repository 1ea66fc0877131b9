"""Plays that are looked at before they run: what they would say, whom they would reach, what they would have done."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from hub.graphql.declare import about, output, vocabulary
from hub.graphql.types.accounts import Account
from hub.plays import service as plays

vocabulary(
    plays.Existing,
    SKIP="Only those for whom its trigger holds from now on.",
    START="Also those for whom it holds already.",
)
vocabulary(plays.OpenTasks, LEAVE="Whoever has them may finish them.", CLOSE="They are canceled.")
vocabulary(
    plays.Outcome,
    SENT="Said at once.",
    LATE="Said later, because of the contact budget.",
    DROPPED="Not said: the contact budget would have stopped it.",
    SKIPPED="Not said: there was nobody to say it to.",
    FAILED="It could not have been said.",
)
vocabulary(
    plays.End,
    DONE="All steps were through.",
    EXIT="Its exit rule held.",
    HELD="A step failed, and a person would have had to decide.",
    UNDER_WAY="It would still be under way.",
)


@output
class PlayWords:
    """What a step says: once, or to one person."""

    step: int = about("The step's place, counted from 0, those inside branches too.")
    kind: str = about("What sort of step.")
    name: str = about("The step's name.")
    recipient: str | None = about("Name or address of the person; null when it is for nobody in particular.")
    texts: JSON | None = about("Its texts, filled in, by name; null with a problem.")
    problem: str | None = about("Why it says nothing; null when it does.")

    @classmethod
    def of(cls, said: plays.Said) -> PlayWords:
        """The words as the API shows them."""
        person = said.person
        return cls(
            step=said.step,
            kind=said.kind,
            name=said.name,
            recipient=None if person is None else person.name or person.email or str(person.id),
            texts=None if said.texts is None else JSON(said.texts),
            problem=said.problem,
        )


@output
class PlayReach:
    """Whom a play would reach if it were started on a list of accounts."""

    accounts: int = about("On how many it would start.")
    under_way: int = about("On how many more it is under way, so that it would not.")
    people: int = about("How many people there its steps are for.")
    first: list[Account] = about("The first 20 of the accounts, by name.")

    @classmethod
    def of(cls, found: plays.Reach) -> PlayReach:
        """The reach as the API shows it."""
        return cls(
            accounts=found.accounts,
            under_way=found.under_way,
            people=found.people,
            first=[Account.of(account) for account in found.first],
        )


@output
class SimulatedWords:
    """Something that a play would have said."""

    at: datetime = about("When.")
    outcome: plays.Outcome = about("What would have become of it.")
    why: str | None = about("Why it was late, or not said; null when it was said at once.")
    words: PlayWords = about("What.")


@output
class SimulatedRun:
    """A run that would have been."""

    account: str = about("The account's name.")
    account_id: strawberry.ID = about("The account's id.")
    person: str | None = about("The person's name; null when the run is for the account.")
    at: datetime = about("When it would have started.")
    trigger: JSON = about("What would have started it.")
    held_out: bool = about("Whether the account would have been left out, to compare with.")
    ended: plays.End = about("Where it would stand now.")
    said: list[SimulatedWords] = about("What it would have said, in the order of time.")

    @classmethod
    def of(cls, name: str, run: plays.Rehearsal) -> SimulatedRun:
        """The run as the API shows it."""
        return cls(
            account=name,
            account_id=strawberry.ID(f"acc_{run.account_id.hex}"),
            person=run.person.name if run.person else None,
            at=run.at,
            trigger=JSON(dict(run.trigger)),
            held_out=run.held_out,
            ended=run.ended,
            said=[
                SimulatedWords(at=word.at, outcome=word.outcome, why=word.why, words=PlayWords.of(word.said))
                for word in run.words
            ],
        )


@output
class SimulatedCount:
    """How often something was, or would have been."""

    what: str = about("An outcome, `runs`, `held_out`, or why a start would have been refused.")
    times: int = about("How often.")


@output
class PlaySimulated:
    """What a play would have done. Nothing was sent or written."""

    since: datetime = about("From when.")
    until: datetime = about("To when.")
    accounts: int = about("How many accounts were looked at.")
    totals: list[SimulatedCount] = about("Runs, those held out, and how often each outcome was.")
    left_out: list[SimulatedCount] = about("Starts that the play would have refused, by why.")
    runs: list[SimulatedRun] = about("The first runs, by account.")

    @classmethod
    def of(cls, found: plays.Simulation) -> PlaySimulated:
        """The simulation as the API shows it."""
        return cls(
            since=found.since,
            until=found.until,
            accounts=found.accounts,
            totals=[SimulatedCount(what=what, times=times) for what, times in sorted(found.totals.items())],
            left_out=[SimulatedCount(what=what, times=times) for what, times in found.left_out.most_common()],
            runs=[SimulatedRun.of(found.names[run.account_id], run) for run in found.first],
        )
