"""What people do with the blueprint through the API: hold a document against the rules, look what it would change, put
it in force."""

from __future__ import annotations

from typing import Annotated

import strawberry

from hub.blueprint import queries as blueprints
from hub.blueprint import service as documents
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, given, maybe, mutation, output, resolved
from hub.graphql.refusals import InvalidInput, NotAllowed, NotFound
from hub.graphql.types.blueprint import BlueprintBroken, BlueprintPlanned, BlueprintVersion
from hub.graphql.types.node import text
from hub.kit.errors import Invalid
from hub.sections import SECTIONS, applying, checked, planning

MOST_FILES = 200
MOST_VERSIONS = 200


@given
class BlueprintFileInput:
    """One file of a document."""

    name: str = about("What problems call it, e.g. `alerts.yaml`.")
    text: str = about("Its YAML.")


@given
class BlueprintCheckInput:
    """The document to check."""

    files: list[BlueprintFileInput] = about("Its files, at least one; an entry may stand in any of them, once.")


@given
class BlueprintPlanInput:
    """The draft to look at."""

    files: list[BlueprintFileInput] = about("Its files, at least one; an entry may stand in any of them, once.")
    first: int | None = maybe("How many of the accounts that would change are named: 0 to 200; 20 when not given.")


@given
class BlueprintApplyInput:
    """The document to put in force."""

    files: list[BlueprintFileInput] = about("Its files, at least one; an entry may stand in any of them, once.")
    comment: str | None = maybe("Why; kept with the version.")


@output
class BlueprintEntries:
    """How many entries a section has."""

    section: str = about("The section, e.g. `alerts`.")
    entries: int = about("How many entries.")


@output
class BlueprintChecked:
    """The document is right. It has not been put in force."""

    name: str = about("Its name.")
    sections: list[BlueprintEntries] = about("Its sections.")


@output
class BlueprintApplied:
    """The document is in force."""

    version: int = about("The version in force.")
    previous: int | None = about("The version before; null for the first one, the same when nothing has changed.")
    accounts: int = about("How many accounts are being scored anew.")


BlueprintCheckResult = Annotated[
    BlueprintChecked | NotAllowed | NotFound | InvalidInput | BlueprintBroken,
    strawberry.union("BlueprintCheckResult", description="What came of `blueprintCheck`."),
]
BlueprintPlanResult = Annotated[
    BlueprintPlanned | NotAllowed | NotFound | InvalidInput | BlueprintBroken,
    strawberry.union("BlueprintPlanResult", description="What came of `blueprintPlan`."),
]
BlueprintApplyResult = Annotated[
    BlueprintApplied | NotAllowed | NotFound | InvalidInput | BlueprintBroken,
    strawberry.union("BlueprintApplyResult", description="What came of `blueprintApply`."),
]


@output
class BlueprintQuery:
    """What can be read of the blueprint."""

    @resolved
    async def blueprint(
        self, info: Info, version: Annotated[int | None, argument("Which version; the one in force when null.")] = None
    ) -> BlueprintVersion | None:
        """A version of the blueprint; null when there is none."""
        found = await info.context.read(blueprints.version, _number(version, "version"))
        return BlueprintVersion.of(found) if found else None

    @resolved
    async def blueprints(
        self,
        info: Info,
        first: Annotated[int, argument("How many, the newest first: 0 to 200.")] = 20,
        older_than: Annotated[int | None, argument("Only versions before this one.")] = None,
    ) -> list[BlueprintVersion]:
        """The versions of the blueprint; the first one is in force."""
        limit = _between(first, MOST_VERSIONS, "first")
        info.context.spend(limit)
        found = await info.context.read(blueprints.versions, older_than=_number(older_than, "olderThan"), limit=limit)
        return [BlueprintVersion.of(version) for version in found]


@output
class BlueprintMutation:
    """What can be done with the blueprint."""

    @mutation
    async def blueprint_check(
        self,
        info: Info,
        input: Annotated[BlueprintCheckInput, argument("The document.")],  # noqa: A002  # its name in the schema
    ) -> BlueprintCheckResult:
        """Say of every mistake in a document where it stands. Nothing is changed. For admin."""
        info.context.viewer.require()
        document = _document(input.files)
        counts = {name: len(document.get(name) or ()) for name in SECTIONS}
        sections = [BlueprintEntries(section=name, entries=count) for name, count in counts.items()]
        return BlueprintChecked(name=document["name"], sections=sections)

    @mutation
    async def blueprint_plan(
        self,
        info: Info,
        input: Annotated[BlueprintPlanInput, argument("The draft.")],  # noqa: A002  # its name in the schema
    ) -> BlueprintPlanResult:
        """Show what a draft would change: entries, and which accounts change stage or band. Nothing is changed.

        With more than 5,000 accounts that takes too long for an answer; use the command line then. For admin.
        """
        info.context.viewer.require()
        first = _between(20 if input.first is None else input.first, 200, "first")
        found = await info.context.read(
            planning.plan, _document(input.files), now=info.context.now, first=first, at_most=planning.MOST_AT_ONCE
        )
        return BlueprintPlanned.of(found)

    @mutation
    async def blueprint_apply(
        self,
        info: Info,
        input: Annotated[BlueprintApplyInput, argument("The document, and why.")],  # noqa: A002  # its name
    ) -> BlueprintApplyResult:
        """Put a document in force as a new version, and have every account scored under it. What is in force already
        is left alone. For admin."""
        info.context.viewer.require()
        document, comment = _document(input.files), text(input.comment, "comment")
        async with info.context.writing() as session:
            done = await applying.apply(session, info.context.viewer, document, comment=comment, now=info.context.now)
        return BlueprintApplied(version=done.version, previous=done.previous, accounts=done.accounts)


def _document(files: list[BlueprintFileInput]) -> documents.Document:
    """The document that the files are, checked. Raises `Invalid` and `BlueprintInvalid`."""
    by_name = {file.name: file.text for file in files}
    if not 1 <= len(files) <= MOST_FILES or len(by_name) < len(files):
        raise Invalid(f"Give 1 to {MOST_FILES} files, each with a name of its own.", path=("files",))
    return checked(lambda: documents.read_texts(by_name))


def _between(number: int, most: int, name: str) -> int:
    if not 0 <= number <= most:
        raise Invalid(f"`{name}` is a number from 0 to {most}.", path=(name,))
    return number


def _number(version: int | None, name: str) -> int | None:
    if version is not None and version < 1:
        raise Invalid("A version is a number from 1 on.", path=(name,))
    return version
