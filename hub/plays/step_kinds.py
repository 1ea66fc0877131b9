"""What a play does: have a vendor act, give work, wait, decide between two ways, ask, tell, note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from hub.accounts.roles import PersonRole
from hub.blueprint.problems import Path
from hub.blueprint.values import Duration, Entry, Name, format_duration
from hub.measures.definitions import Scalar, Selection
from hub.plays.business_time import BusinessTime
from hub.plays.kinds import kind_in, one_or_more
from hub.plays.team import CSM
from hub.plays.templates import check_template

MOST_STEPS: Final = 50


Addressee: TypeAlias = PersonRole | Literal["any"]


class Audience(Entry):
    """The people at the account whom a step addresses: those with one of the roles, or everybody (`any`)."""

    role: Annotated[tuple[Addressee, ...], one_or_more(Addressee), Field(min_length=1)]


class Fallible(Entry):
    """A step. When it fails, the run is held until a person decides, or does the steps of `on_failure` and goes on
    behind them. (What is unclear, because a vendor cannot tell whether it happened, is always for a person.)"""

    on_failure: Annotated[tuple[Step, ...], Field(max_length=MOST_STEPS)] = ()


class ActionStep(Fallible):
    """Have a vendor do something: `<connector>.<action>`, once for each person of `to`, or once where `to` is absent.

    `connection` is the connection's name; by default the one that is called like the connector. `input` is what the
    action takes; its texts are templates. The person's address need not be written: a field of the action that is
    called `user` (the product's id of the person) or `email`, and is not in `input`, is the person's.
    """

    action: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
    connection: str | None = None
    to: Audience | None = None
    input: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _texts_are_templates(self) -> ActionStep:
        check_template(self.input, facts=True)
        return self

    @property
    def name(self) -> str:
        return self.action

    @property
    def connector(self) -> str:
        return self.action.partition(".")[0]

    @property
    def action_name(self) -> str:
        return self.action.partition(".")[2]

    @property
    def connection_name(self) -> str:
        return self.connection or self.connector


class Escalation(Entry):
    """Whom to tell of a task that is not done, and how long after it was due."""

    after: Duration = timedelta(days=1)
    to: Name


class TaskStep(Fallible):
    """Give somebody work: the one who has the role `owner` (`csm`: the owner of the account, or a role of the section
    `team`). The run waits until it is done, unless `until_done` is false.

    `remind` says how long before its time the owner is reminded, `checklist` what belongs to it.
    """

    task: Annotated[str, Field(min_length=1)]
    details: str | None = None
    owner: Name = CSM
    due: Duration | None = None
    remind: Annotated[tuple[Duration, ...], one_or_more(str), Field(max_length=10)] = ()
    escalate: Escalation | None = None
    checklist: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(max_length=50)] = ()
    until_done: bool = True

    @field_validator("task", "details", "checklist")
    @classmethod
    def _texts_are_templates(cls, value: Any) -> Any:
        check_template(value)
        return value

    @model_validator(mode="after")
    def _what_is_late_has_a_time(self) -> TaskStep:
        if self.due is None and (self.remind or self.escalate):
            raise ValueError("what reminds, and what escalates, needs a time: add `due`")
        if self.due is not None and any(before >= self.due for before in self.remind):
            raise ValueError("a reminder comes after the task was given: make `remind` shorter than `due`")
        return self

    @property
    def name(self) -> str:
        return self.task


Span: TypeAlias = Annotated[
    Annotated[Duration, Tag("span")] | Annotated[BusinessTime, Tag("business")],
    Discriminator(lambda value: "business" if isinstance(value, Mapping | BusinessTime) else "span"),
]
"""A span of time (`3d`), or one that passes in business hours only (`{business: 4h}`)."""

Until: TypeAlias = Annotated[
    Annotated[str, Tag("rule")] | Annotated[Selection, Tag("event")],
    Discriminator(lambda value: "event" if isinstance(value, Mapping | Selection) else "rule"),
]
"""A rule that holds, or an event that happens (`{event: invoice.paid}`)."""


class WaitStep(Fallible):
    """Let time pass; with `until`, no longer than until that rule holds or that event happens.

    An event counts from the step before on, so that an answer which comes at once is not missed: since that action,
    task or question began, or that wait ended. In a play that runs for each person it is an event of that person.
    """

    wait: Span
    until: Until | None = None

    @property
    def name(self) -> str:
        match self.wait:
            case BusinessTime(business=span):
                return f"{span} of business time"
            case span:
                return format_duration(span)


class BranchStep(Fallible):
    """Do the steps of `then` if the rule holds when its turn comes, else those of `otherwise`; then go on behind
    them."""

    branch: str
    then: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MOST_STEPS)]
    otherwise: Annotated[tuple[Step, ...], Field(max_length=MOST_STEPS)] = ()

    @property
    def name(self) -> str:
        return self.branch


class Default(StrEnum):
    """What happens when nobody answered in time."""

    GO_ON = "go_on"
    END = "end"


class ApproveStep(Fallible):
    """Ask somebody whether the play shall go on; with a no it ends. `default` is what happens when nobody has answered
    by `due`; without a time the run waits for an answer."""

    approve: Annotated[str, Field(min_length=1)]
    details: str | None = None
    owner: Name = CSM
    due: Duration | None = None
    default: Default = Default.END

    @field_validator("approve", "details")
    @classmethod
    def _texts_are_templates(cls, value: str | None) -> str | None:
        check_template(value)
        return value

    @property
    def name(self) -> str:
        return self.approve


class NotifyStep(Fallible):
    """Tell one of our own people something, without waiting for them: a fact (`notice.given`) that subscriptions and
    outgoing webhooks carry to wherever they read."""

    notify: Annotated[str, Field(min_length=1)]
    to: Name = CSM

    @field_validator("notify")
    @classmethod
    def _texts_are_templates(cls, value: str) -> str:
        check_template(value)
        return value

    @property
    def name(self) -> str:
        return self.notify


class SetStep(Fallible):
    """Note facts on the account, by name; texts are templates."""

    set: Annotated[dict[Name, Scalar], Field(min_length=1)]

    @field_validator("set")
    @classmethod
    def _texts_are_templates(cls, value: dict[str, Scalar]) -> dict[str, Scalar]:
        check_template(value)
        return value

    @property
    def name(self) -> str:
        return ", ".join(self.set)


STEPS: Final[dict[str, type[Entry]]] = {
    "action": ActionStep,
    "task": TaskStep,
    "wait": WaitStep,
    "branch": BranchStep,
    "approve": ApproveStep,
    "notify": NotifyStep,
    "set": SetStep,
}

Step: TypeAlias = Annotated[
    Annotated[ActionStep, Tag("action")]
    | Annotated[TaskStep, Tag("task")]
    | Annotated[WaitStep, Tag("wait")]
    | Annotated[BranchStep, Tag("branch")]
    | Annotated[ApproveStep, Tag("approve")]
    | Annotated[NotifyStep, Tag("notify")]
    | Annotated[SetStep, Tag("set")],
    kind_in(STEPS),
]

for _kind in STEPS.values():
    _kind.model_rebuild()


def kind_of(step: Entry) -> str:
    """The name of a step's kind, as it stands in the document."""
    return next(name for name, model in STEPS.items() if isinstance(step, model))


def texts_without_person(step: Step) -> dict[str, Any]:
    """The templates of a step that may name a person only where the play runs for each of them."""
    match step:
        case ActionStep():
            return {} if step.to else {"input": step.input}
        case TaskStep() | ApproveStep():
            return {
                name: text
                for name in ("task", "approve", "details", "checklist")
                if (text := getattr(step, name, None))
            }
        case NotifyStep():
            return {"notify": step.notify}
        case SetStep():
            return {"set": step.set}
        case _:
            return {}


def walk(steps: Iterable[Step], way: Path = ("steps",)) -> Iterator[tuple[Path, Step]]:
    """Every step with its way inside the play, those inside branches too, in the order in which a run numbers them: a
    branch, then the steps of `then`, then those of `otherwise`; and behind each step those of its `on_failure`."""
    for nth, step in enumerate(steps):
        yield (*way, nth), step
        if isinstance(step, BranchStep):
            yield from walk(step.then, (*way, nth, "then"))
            yield from walk(step.otherwise, (*way, nth, "otherwise"))
        yield from walk(step.on_failure, (*way, nth, "on_failure"))


def program(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps as a run numbers them (see `walk`)."""
    return tuple(step for _, step in walk(steps))


def inside(step: Step, number: int) -> range:
    """The numbers of the steps inside the step with this number, without those of `on_failure`."""
    ways = (*step.then, *step.otherwise) if isinstance(step, BranchStep) else ()
    return range(number + 1, number + 1 + len(program(ways)))


def on_failure(step: Step, number: int) -> range:
    """The numbers of the steps that are done when the step with this number fails."""
    first = inside(step, number).stop
    return range(first, first + len(program(step.on_failure)))


def not_taken(step: BranchStep, number: int, *, holds: bool) -> range:
    """The numbers of the steps that the branch with this number leaves out."""
    otherwise = number + 1 + len(program(step.then))
    return range(otherwise, inside(step, number).stop) if holds else range(number + 1, otherwise)
