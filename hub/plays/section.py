"""The `plays` section of the blueprint: what starts a play, whom it addresses, and what it does, step by step.

Triggers and steps are told apart by the one key that names their kind (`alert: …`, `task: …`), so a document reads
like a sentence and later kinds join without changing those that are there. A run keeps the definition it was started
with, as JSON of these models: they may gain optional fields, and never lose or rename one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, RootModel, Tag, field_validator, model_validator

from hub.blueprint.problems import Path, did_you_mean
from hub.blueprint.values import Duration, Entry, Name, format_duration
from hub.health.section import Alerts
from hub.health.vocabulary import Band
from hub.journeys.section import CHURNED, Journeys
from hub.plays.templates import check_template


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


OneOrMore = BeforeValidator(_as_tuple)


class AlertOpened(Entry):
    """An alert of this rule opened."""

    alert: str


class BandChanged(Entry):
    """The health band became one of `band`; where `previously` is given, it was one of those before."""

    band: Annotated[tuple[Band, ...], OneOrMore, Field(min_length=1)]
    previously: Annotated[tuple[Band, ...], OneOrMore] = ()


class StageEntered(Entry):
    """The account entered the stage (of any segment, unless one is named)."""

    stage: str
    segment: str | None = None


class MilestoneReached(Entry):
    """The milestone was reached."""

    milestone_reached: str


class MilestoneOverdue(Entry):
    """The milestone was not reached in its time."""

    milestone_overdue: str


class ByHand(Entry):
    """Nothing but a person starts the play. (A person may start any other play as well.)"""

    by_hand: Literal[True]


TRIGGERS: Final[dict[str, type[Entry]]] = {
    "alert": AlertOpened,
    "band": BandChanged,
    "stage": StageEntered,
    "milestone_reached": MilestoneReached,
    "milestone_overdue": MilestoneOverdue,
    "by_hand": ByHand,
}


class PersonRole(StrEnum):
    """What somebody is at the account."""

    ADMINISTRATOR = "administrator"
    CHAMPION = "champion"
    SPONSOR = "sponsor"
    END_USER = "end_user"


class Audience(Entry):
    """The people at the account whom a step addresses: those with one of the roles, or everybody (`any`)."""

    role: Annotated[tuple[PersonRole | Literal["any"], ...], OneOrMore, Field(min_length=1)]


class TaskOwner(StrEnum):
    """Whose work a task is. `csm`: the owner of the account."""

    CSM = "csm"


class ActionStep(Entry):
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
        check_template(self.input, person=self.to is not None)
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


class TaskStep(Entry):
    """Give somebody work. The run waits until it is done, unless `until_done` is false."""

    task: Annotated[str, Field(min_length=1)]
    details: str | None = None
    owner: TaskOwner = TaskOwner.CSM
    due: Duration | None = None
    until_done: bool = True

    @field_validator("task", "details")
    @classmethod
    def _texts_are_templates(cls, value: str | None) -> str | None:
        check_template(value, person=False)
        return value

    @property
    def name(self) -> str:
        return self.task


class WaitStep(Entry):
    """Let time pass."""

    wait: Duration

    @property
    def name(self) -> str:
        return format_duration(self.wait)


STEPS: Final[dict[str, type[Entry]]] = {"action": ActionStep, "task": TaskStep, "wait": WaitStep}


def kind_of(step: Entry) -> str:
    """The name of a step's kind, as it stands in the document."""
    return next(name for name, model in STEPS.items() if isinstance(step, model))


def _kind_in(known: Mapping[str, type[Entry]]) -> Discriminator:
    """Tell kinds apart by the key that names them."""

    def kind(value: Any) -> str | None:
        if isinstance(value, Mapping):
            return next((name for name in known if name in value), None)
        return next((name for name, model in known.items() if isinstance(value, model)), None)

    return Discriminator(
        kind,
        custom_error_type="unknown_kind",
        custom_error_message=f"is none of the known kinds; write one of {', '.join(known)}",
    )


Trigger: TypeAlias = Annotated[
    Annotated[AlertOpened, Tag("alert")]
    | Annotated[BandChanged, Tag("band")]
    | Annotated[StageEntered, Tag("stage")]
    | Annotated[MilestoneReached, Tag("milestone_reached")]
    | Annotated[MilestoneOverdue, Tag("milestone_overdue")]
    | Annotated[ByHand, Tag("by_hand")],
    _kind_in(TRIGGERS),
]

Step: TypeAlias = Annotated[
    Annotated[ActionStep, Tag("action")] | Annotated[TaskStep, Tag("task")] | Annotated[WaitStep, Tag("wait")],
    _kind_in(STEPS),
]


class Play(Entry):
    """A defined engagement."""

    description: str = ""
    trigger: Trigger
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=50)]


class Plays(RootModel[dict[Name, Play]]):
    """The section: plays by name."""

    root: dict[Name, Play] = {}

    def problems(self, alerts: Alerts, journeys: Journeys) -> Iterator[tuple[Path, str]]:
        """Triggers that wait for something that the other sections do not have, each with its place in the section."""
        stages = {CHURNED, *(stage for journey in journeys.root.values() for stage in journey.stages)}
        milestones = {
            milestone
            for journey in journeys.root.values()
            for stage in journey.stages.values()
            for milestone in stage.milestones
        }
        known: dict[str, Collection[str]] = {
            "alert": alerts.root,
            "stage": stages,
            "segment": journeys.root,
            "milestone_reached": milestones,
            "milestone_overdue": milestones,
        }
        for name, play in self.root.items():
            for key, names in known.items():
                named = getattr(play.trigger, key, None)
                if named is not None and named not in names:
                    what = key.partition("_")[0]
                    yield (name, "trigger", key), f"there is no {what} {named!r}{did_you_mean(named, names)}"
