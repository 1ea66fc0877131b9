"""What a play does next: pure functions of its definition, the state of a step, and the time.

Nothing here reads or writes; `steps` asks these questions and carries out the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, assert_never
from uuid import UUID

from hub.health.vocabulary import Band
from hub.plays.model import CallStatus, StepStatus
from hub.plays.step_kinds import (
    ActionStep,
    ApproveStep,
    Audience,
    BranchStep,
    NotifyStep,
    SetStep,
    Step,
    TaskStep,
    WaitStep,
)
from hub.plays.trigger_kinds import (
    AlertOpened,
    BandChanged,
    ByHand,
    Calendar,
    EventRecorded,
    MilestoneOverdue,
    MilestoneReached,
    RuleEntered,
    RuleExited,
    Scheduled,
    StageEntered,
    Trigger,
)


def occurrence_of(trigger: Trigger, topic: str, payload: Mapping[str, Any]) -> str | None:
    """What makes this fact a reason to start the play, as the text that tells it from any other; None when it is none.

    The same fact always gives the same text, and a play starts once on an account for each text.
    """
    match trigger:
        case AlertOpened():
            fits = topic == "alert.opened" and payload["rule"] == trigger.alert
            return f"alert:{payload['alert_id']}" if fits else None
        case BandChanged():
            fits = topic == "band.changed" and payload["band"] in trigger.band
            fits = fits and (not trigger.previously or (payload["previous_band"] or Band.UNKNOWN) in trigger.previously)
            return f"score:{payload['score_id']}" if fits else None
        case StageEntered():
            fits = topic == "stage.entered" and payload["stage"] == trigger.stage
            fits = fits and trigger.segment in (None, payload["segment"])
            return f"stay:{payload['stay_id']}" if fits else None
        case MilestoneReached():
            fits = topic == "milestone.reached" and payload["milestone"] == trigger.milestone_reached
            return _milestone("reached", payload) if fits else None
        case MilestoneOverdue():
            fits = topic == "milestone.overdue" and payload["milestone"] == trigger.milestone_overdue
            return _milestone("overdue", payload) if fits else None
        case RuleEntered() | RuleExited() | EventRecorded() | Scheduled() | Calendar() | ByHand():
            return None  # all but the last one are looked for when an account is looked at: see `following`
        case _:
            assert_never(trigger)


def _milestone(what: str, payload: Mapping[str, Any]) -> str:
    return f"milestone_{what}:{payload['stay_id']}:{payload['milestone']}"


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person at the account, as far as a play needs to know them. `user` is the product's own id of them."""

    id: UUID
    name: str | None = None
    email: str | None = None
    user: str | None = None
    role: str | None = None
    title: str | None = None
    do_not_contact: bool = False


def addressed(audience: Audience, people: Iterable[Somebody]) -> list[Somebody]:
    """Whom a step addresses, in a steady order; never anybody who does not want to be contacted."""
    return sorted(
        (
            person
            for person in people
            if not person.do_not_contact and ("any" in audience.role or person.role in audience.role)
        ),
        key=lambda person: person.id,
    )


def nobody_addressed(audience: Audience) -> str:
    """Why a step was skipped that found nobody to address."""
    if "any" in audience.role:
        return "Nobody at the account may be contacted."
    return f"Nobody at the account who may be contacted is {' or '.join(audience.role).replace('_', ' ')}."


ADDRESSES = ("user", "email")
"""Fields of an action's input that say whom it is for, and are called like what is known of a person."""


def address(person: Somebody, fields: Iterable[str], given: Iterable[str]) -> dict[str, str] | None:
    """The fields of an action that the person's address goes into, as far as the play does not give them itself.

    None when an address is needed and not known: the person cannot be reached this way.
    """
    wanted = [name for name in ADDRESSES if name in set(fields) - set(given)]
    known = {name: value for name in wanted if (value := getattr(person, name)) is not None}
    return known if len(known) == len(wanted) else None


def nobody_reached(people: int, fields: Iterable[str], given: Iterable[str]) -> str:
    """Why a step was skipped that addresses somebody and reaches nobody."""
    wanted = [name for name in ADDRESSES if name in set(fields) - set(given)]
    return f"No {' or '.join(wanted)} is known of any of the {people} addressed."


def call_key(run_id: UUID, step: int, recipient: str = "", round_: int = 0) -> str:
    """The idempotency key of an action: `run:step`, the person where it is for one, and how often a person had it
    asked anew."""
    key = f"{run_id}:{step}:{recipient}" if recipient else f"{run_id}:{step}"
    return f"{key}#{round_}" if round_ else key


@dataclass(frozen=True, slots=True)
class AskVendor:
    """An action step begins: decide whom it addresses, and write that down."""


@dataclass(frozen=True, slots=True)
class GiveTask:
    """A task step begins; `due_at` is when the task is due, `rest` says whether the run waits for it."""

    due_at: datetime | None
    rest: bool


@dataclass(frozen=True, slots=True)
class BeginWait:
    """A wait begins; how long it lasts may depend on where the account is."""


@dataclass(frozen=True, slots=True)
class AskRule:
    """Which way to go depends on a rule."""


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Somebody is to say yes or no; `due_at` is when the default stands in for an answer."""

    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class TakeDefault:
    """Nobody answered in time."""


@dataclass(frozen=True, slots=True)
class Tell:
    """One of our own people is to be told something."""


@dataclass(frozen=True, slots=True)
class SetFacts:
    """Facts are to be noted on the account."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before `until`, or, without a time, before somebody does something."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class GoOn:
    """The step is over."""


@dataclass(frozen=True, slots=True)
class MakeCalls:
    """The calls of an action step that are still open are to be made."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A person has to decide."""


Move: TypeAlias = (
    AskVendor
    | MakeCalls
    | GiveTask
    | BeginWait
    | AskRule
    | AskApproval
    | TakeDefault
    | Tell
    | SetFacts
    | Rest
    | GoOn
    | Hold
)


def next_move(step: Step, status: StepStatus, due_at: datetime | None, now: datetime) -> Move:
    """What to do about the current step of a running run."""
    match status:
        case StepStatus.PENDING:
            return _begin(step, now)
        case StepStatus.WAITING:
            return _continue(step, due_at, now)
        case StepStatus.DONE | StepStatus.SKIPPED:
            return GoOn()
        case StepStatus.FAILED:
            return GoOn() if step.on_failure else Hold()
        case StepStatus.UNKNOWN:
            return Hold()
        case _:
            assert_never(status)


def _begin(step: Step, now: datetime) -> Move:
    match step:
        case ActionStep():
            return AskVendor()
        case TaskStep():
            return GiveTask(due_at=None if step.due is None else now + step.due, rest=step.until_done)
        case WaitStep():
            return BeginWait()
        case BranchStep():
            return AskRule()
        case ApproveStep():
            return AskApproval(due_at=None if step.due is None else now + step.due)
        case NotifyStep():
            return Tell()
        case SetStep():
            return SetFacts()
        case _:
            assert_never(step)


def _continue(step: Step, due_at: datetime | None, now: datetime) -> Move:
    match step:
        case ActionStep():
            return MakeCalls()
        case TaskStep():
            return Rest(until=None)
        case WaitStep():
            return GoOn() if due_at is None or due_at <= now else Rest(until=due_at)
        case ApproveStep():
            return TakeDefault() if due_at is not None and due_at <= now else Rest(until=due_at)
        case BranchStep() | NotifyStep() | SetStep():
            return GoOn()  # they never wait
        case _:
            assert_never(step)


def settle(statuses: Sequence[CallStatus]) -> StepStatus:
    """What became of an action step once each of its calls has ended: the worst of them, unclear being the worst."""
    if CallStatus.UNKNOWN in statuses:
        return StepStatus.UNKNOWN
    if CallStatus.FAILED in statuses:
        return StepStatus.FAILED
    return StepStatus.DONE if CallStatus.DONE in statuses else StepStatus.SKIPPED
