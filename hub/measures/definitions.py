"""The kinds of measure, as a blueprint defines them (see `section` for the whole of it)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationInfo,
    model_validator,
)

from hub.accounts.roles import PersonRole
from hub.blueprint.checking import DOCUMENT
from hub.blueprint.problems import did_you_mean
from hub.blueprint.values import Duration, Entry
from hub.measures.usage import selections
from hub.sdk.events import KIND
from hub.sdk.kinds import KINDS


class Missing(StrEnum):
    """What a measure is worth when nothing is there to measure: nought, or unknown (then it has no weight)."""

    ZERO = "zero"
    UNKNOWN = "unknown"


class Meaning(StrEnum):
    """How an attribute becomes a number: as it is, or as whole days between the date it holds and the moment
    asked.

    `days_until` rounds up and `days_since` down, so a date in the calendar counts as people count it.
    """

    NUMBER = "number"
    DAYS_UNTIL = "days_until"
    DAYS_SINCE = "days_since"


class Pick(StrEnum):
    """Which value stands for the account when several things have one."""

    LOWEST = "lowest"
    HIGHEST = "highest"


def _known_kind(kind: str) -> str:
    if kind in KINDS or (kind.startswith("x.") and kind.count(".") == 3 and KIND.match(kind)):
        return kind
    raise ValueError(f"{kind!r} is not a kind of event{did_you_mean(kind, KINDS)}")


EventKind = Annotated[StrictStr, AfterValidator(_known_kind)]
Scalar: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr


def _as_condition(value: Any) -> Any:
    """`feature: forecasting` and `feature: [a, b]` are short for `feature: {any_of: [...]}`."""
    if isinstance(value, list):
        return {"any_of": value}
    return value if isinstance(value, dict | Condition) else {"any_of": [value]}


class Condition(Entry):
    """What an attribute must be: one of some values, like a pattern (`*` stands for anything, case does not
    count), within bounds, or just there. All that is said must hold.
    """

    any_of: tuple[Scalar, ...] | None = Field(None, min_length=1)
    like: tuple[Annotated[StrictStr, Field(min_length=1, max_length=200)], ...] | None = Field(None, min_length=1)
    at_least: float | None = None
    at_most: float | None = None
    present: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        if not self.model_fields_set:
            raise ValueError("say any_of, at_least, at_most, present or like")
        return self


_SHORT_CONDITION = BeforeValidator(_as_condition, json_schema_input_type=Scalar | list[Scalar] | Condition)
Where = dict[Annotated[str, Field(min_length=1, max_length=200)], Annotated[Condition, _SHORT_CONDITION]]


class Selection(Entry):
    """Events of one kind, all of them or those with certain attributes."""

    event: EventKind
    where: Where = Field(default_factory=dict)


def _as_selection(value: Any) -> Any:
    return {"event": value} if isinstance(value, str) else value


_ONE_OR_MORE = BeforeValidator(
    lambda value: (value,) if isinstance(value, str) else value, json_schema_input_type=PersonRole | list[PersonRole]
)


class Used(Entry):
    """A kind of use: all that the section `usage` names so."""

    usage: str


def _as_selections(value: Any, info: ValidationInfo) -> Any:
    """`{usage: advanced}` stands for the selections of the section `usage`; the other entries keep their places."""
    if not isinstance(value, list):
        return value
    document = (info.context or {}).get(DOCUMENT, {})
    placed, more = [], []
    for entry in value:
        found = list(selections(entry["usage"], document)) if isinstance(entry, dict) and [*entry] == ["usage"] else []
        placed.append(found[0] if found else entry)
        more += found[1:]
    return placed + more


_SHORT_SELECTION = BeforeValidator(_as_selection, json_schema_input_type=str | Selection | Used)
Of = Annotated[tuple[Annotated[Selection, _SHORT_SELECTION], ...], Field(min_length=1), BeforeValidator(_as_selections)]


class By(Entry):
    """Who took part: only events with somebody of one of these roles. The role is the one that is known of them when
    the question is asked (as known at), whenever the event was, since people keep theirs for longer than a window is
    wide, and vendors tell it late."""

    role: Annotated[tuple[PersonRole, ...], _ONE_OR_MORE, Field(min_length=1)]


class _Measure(Entry):
    title: str | None = None
    missing: Missing = Missing.UNKNOWN


class Count(_Measure):
    """How many events."""

    kind: Literal["count"]
    of: Of
    by: By | None = None
    window: Duration | None = None
    shift: Duration | None = None
    missing: Missing = Missing.ZERO


class Days(_Measure):
    """On how many different days (UTC); ten events on one day are one. What is done daily is not what is done often."""

    kind: Literal["days"]
    of: Of
    by: By | None = None
    window: Duration | None = None
    shift: Duration | None = None
    missing: Missing = Missing.ZERO


class People(_Measure):
    """How many different people; somebody with two logins counts once. With `by`, only people of these roles."""

    kind: Literal["people"]
    of: Of
    by: By | None = None
    window: Duration | None = None
    shift: Duration | None = None
    missing: Missing = Missing.ZERO


class Sum(_Measure):
    """The sum of a field of events: `value`, `amount` (minor units), or an attribute.

    Added as decimals, so the order of rows never changes a bit. Money in two currencies has no sum: it is
    unknown.
    """

    kind: Literal["sum"]
    of: Of
    field: str = "value"
    window: Duration | None = None
    shift: Duration | None = None
    missing: Missing = Missing.ZERO


class Last(_Measure):
    """The field of the newest event that has it, as long as it is valid."""

    kind: Literal["last"]
    of: Of
    by: By | None = None
    field: str = "value"
    valid_for: Duration | None = None
    shift: Duration | None = None


class DaysSince(_Measure):
    """Whole days since the newest event; unknown when there was none."""

    kind: Literal["days_since"]
    of: Of
    by: By | None = None
    shift: Duration | None = None


class Things(_Measure):
    """How many things are in one of the states (any state when none is named), or the sum of an attribute of
    theirs.

    Unknown means here that no thing of the type is known at all: a customer who canceled has an MRR of
    nought, one whose billing nobody has connected has none that we know.
    """

    kind: Literal["things"]
    type: str
    state: tuple[str, ...] | None = Field(None, min_length=1)
    where: Where = Field(default_factory=dict)
    sum: str | None = None
    shift: Duration | None = None
    missing: Missing = Missing.ZERO


class Attribute(_Measure):
    """An attribute of the account's things of a `type`, or of the account itself.

    The account's own attributes are what its newest event of the kinds in `of` said that has the attribute:
    reading them from events keeps them true to the moment asked.
    """

    kind: Literal["attribute"]
    attribute: str
    meaning: Meaning = Field(Meaning.NUMBER, alias="as")
    type: str | None = None
    state: tuple[str, ...] | None = Field(None, min_length=1)
    where: Where = Field(default_factory=dict)
    pick: Pick = Pick.HIGHEST
    of: Of = (Selection(event="account.identified"),)
    shift: Duration | None = None

    @model_validator(mode="after")
    def _of_things_or_of_the_account(self) -> Attribute:
        named = self.model_fields_set
        if self.type is None and named & {"state", "where", "pick"}:
            raise ValueError("state, where and pick choose among things: name their type")
        if self.type is not None and "of" in named:
            raise ValueError("of names the events that tell the account's own attributes: leave out type or of")
        return self


class Ratio(_Measure):
    """One measure divided by another; unknown when the second is nought."""

    kind: Literal["ratio"]
    numerator: str
    denominator: str


class Change(_Measure):
    """By how many per cent a measure differs from what it was `over` ago (its window when not said)."""

    kind: Literal["change"]
    measure: str
    over: Duration | None = None


class Expression(_Measure):
    """A number made of other measures by a formula (see `rules`)."""

    kind: Literal["expression"]
    expression: str


ReadMeasure: TypeAlias = Count | Days | People | Sum | Last | DaysSince | Things | Attribute
DerivedMeasure: TypeAlias = Ratio | Change | Expression
Measure = Annotated[ReadMeasure | DerivedMeasure, Field(discriminator="kind")]
