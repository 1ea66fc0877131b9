"""The blueprint: its versions, what is wrong with a document, and what a draft would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from datetime import datetime
from typing import cast

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info as AnyInfo
from strawberry.types.field import StrawberryField

from hub.accounts import queries as accounts
from hub.blueprint import queries as blueprints
from hub.blueprint.service import BlueprintInvalid, Change, ChangeKind, Part, Problem
from hub.graphql.context import Info
from hub.graphql.declare import about, output, resolved, vocabulary
from hub.graphql.refusals import Refusal
from hub.graphql.types.accounts import Account
from hub.health.previewing import Place
from hub.health.vocabulary import Band
from hub.sections import planning

vocabulary(
    ChangeKind,
    ADDED="It was not there before.",
    REMOVED="It is not there any more.",
    CHANGED="It says something else.",
    MOVED="It stands behind another one than before; of segments the first whose rule holds takes an account.",
)


@output
class BlueprintVersion:
    """One version of the blueprint: what health, journey and play mean here. It never changes."""

    version: int = about("Its number; the highest one is in force.")
    applied_at: datetime = about("Since when it is, or was, in force.")
    applied_by: str = about("Who put it in force.")
    comment: str | None = about("Why; null when nobody said.")

    @resolved
    def document(self, info: Info) -> str:
        """The whole document as YAML. Comments of its file are not kept."""
        return cast("str", cast("Awaitable[str]", info.context.load(blueprints.documents, self.version)))

    @classmethod
    def of(cls, version: blueprints.Version) -> BlueprintVersion:
        """The version as the API shows it."""
        return cls(
            version=version.version,
            applied_at=version.applied_at,
            applied_by=version.applied_by,
            comment=version.comment,
        )


@output
class BlueprintProblem:
    """One thing that is wrong with a document."""

    file: str | None = about("The file, as it was named; null where no place is known.")
    line: int | None = about("The line, counted from 1; null where no place is known.")
    column: int | None = about("The column, counted from 1; null where no place is known.")
    path: list[str] = about("The way to the part that is wrong, from the top of the document.")
    message: str = about("What is wrong, and, where a name is unknown, the nearest one that is known.")

    @classmethod
    def of(cls, problem: Problem) -> BlueprintProblem:
        """The problem as the API shows it."""
        place = problem.place
        return cls(
            file=place.file if place else None,
            line=place.line if place else None,
            column=place.column if place else None,
            path=[str(step) for step in problem.path],
            message=problem.message,
        )


@output
class BlueprintBroken(Refusal):
    """The document cannot be used; nothing has been changed."""

    problems: list[BlueprintProblem] = about("Everything that is wrong with it, in the order of the document.")


class RefuseBroken(strawberry.ExceptionHandler[BlueprintInvalid, BlueprintBroken]):
    """`BlueprintInvalid` as a value."""

    def handle(self, exception: BlueprintInvalid, *, field: StrawberryField, info: AnyInfo) -> BlueprintBroken:
        return BlueprintBroken(
            message=exception.message.partition(":")[0] + ".",
            remedy=exception.remedy,
            problems=[BlueprintProblem.of(problem) for problem in exception.problems],
        )


@output
class BlueprintPart:
    """One part of an entry that differs."""

    path: list[str] = about("The way to it inside the entry.")
    before: JSON | None = about("What it was; null when it was not there.")
    after: JSON | None = about("What it is; null when it is not there any more.")

    @classmethod
    def of(cls, part: Part) -> BlueprintPart:
        """The part as the API shows it."""
        path = [str(step) for step in part.path]
        return cls(path=path, before=_json(part.before), after=_json(part.after))


def _json(value: object) -> JSON | None:
    return None if value is None else JSON(value)


@output
class BlueprintChange:
    """An entry of a section that differs."""

    kind: ChangeKind = about("What became of it.")
    section: str = about("The section, e.g. `alerts`.")
    entry: str = about("Its name there; empty for a section that is one value, such as the name.")
    parts: list[BlueprintPart] = about("Of a changed entry, the parts that differ.")

    @classmethod
    def of(cls, change: Change) -> BlueprintChange:
        """The change as the API shows it."""
        parts = [BlueprintPart.of(part) for part in change.parts]
        return cls(kind=change.kind, section=change.section, entry=change.entry, parts=parts)


@output
class BlueprintPlace:
    """Where an account is, or would be."""

    segment: str | None = about("Its segment; null when it is on no journey.")
    stage: str | None = about("Its stage; null when it is on no journey.")
    band: Band = about("Its band.")

    @classmethod
    def of(cls, place: Place) -> BlueprintPlace:
        """The place as the API shows it."""
        return cls(segment=place.segment, stage=place.stage, band=place.band)


@output
class PlannedMove:
    """An account that would change its segment, stage or band."""

    before: BlueprintPlace = about("Where it would be now under the version in force.")
    after: BlueprintPlace = about("Where the draft would put it.")
    moved: strawberry.Private[planning.Moved]

    @resolved
    def account(self, info: Info) -> Account | None:
        """The account; null when it has been deleted since."""
        return info.context.promise(Account.of, accounts.accounts, self.moved.account_id)

    @classmethod
    def of(cls, moved: planning.Moved) -> PlannedMove:
        """The move as the API shows it."""
        return cls(before=BlueprintPlace.of(moved.before), after=BlueprintPlace.of(moved.after), moved=moved)


@output
class PlannedCount:
    """How many accounts would go from one to the other."""

    before: str = about("The stage as `segment.stage`, or the band, now; empty for none.")
    after: str = about("The stage or band then; empty for none.")
    accounts: int = about("How many accounts.")

    @classmethod
    def all_of(cls, counted: Counter[tuple[str, str]]) -> list[PlannedCount]:
        """The counts, the largest first."""
        return [cls(before=before, after=after, accounts=count) for (before, after), count in counted.most_common()]


@output
class BlueprintPlanned:
    """What a draft would change. Nothing has been changed."""

    version: int | None = about("The version that it was compared with; null when none is in force.")
    changes: list[BlueprintChange] = about("The entries that differ.")
    accounts: int = about("How many accounts were worked out; none where the draft says nothing new.")
    moved: int = about("How many of them would change their segment, stage or band.")
    stages: list[PlannedCount] = about("How many would go from which stage to which.")
    bands: list[PlannedCount] = about("How many would go from which band to which.")
    first: list[PlannedMove] = about("The first accounts that would change.")

    @classmethod
    def of(cls, plan: planning.Plan) -> BlueprintPlanned:
        """The plan as the API shows it."""
        return cls(
            version=plan.version,
            changes=[BlueprintChange.of(change) for change in plan.changes],
            accounts=plan.accounts,
            moved=plan.moved,
            stages=PlannedCount.all_of(plan.stages),
            bands=PlannedCount.all_of(plan.bands),
            first=[PlannedMove.of(moved) for moved in plan.first],
        )
