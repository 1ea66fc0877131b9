"""What people do about the watch list, bands, owners and families of accounts through the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from hub.accounts import service as accounts
from hub.graphql import ids
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, given, maybe, mutation, output
from hub.graphql.ids import Prefix
from hub.graphql.refusals import Conflict, InvalidInput, NotAllowed, NotFound
from hub.graphql.types.accounts import Account
from hub.graphql.types.alerts import WatchEntry
from hub.graphql.types.health import BandOverride
from hub.health import overriding, saving
from hub.health.queries import Band, WatchStatus

EXPECTED = "The version that you have read: refused when there is another one."


@given
class WatchAddInput:
    """Which account to save, and why."""

    account: strawberry.ID = about("The account.")
    reason: str = about("Why it is at risk: 1 to 1,000 characters.")
    owner: str | None = maybe("Who saves it; the account's owner when left out.")


@output
class WatchAdded:
    """The account is on the watch list."""

    entry: WatchEntry = about("Its entry.")


@given
class WatchMoveInput:
    """How far saving an account has come."""

    id: strawberry.ID = about("The entry of the watch list.")
    status: WatchStatus = about("The status; RECOVERED and LOST end the entry.")
    note: str | None = maybe("What there is to say about it: up to 1,000 characters.")
    expected_version: int | None = maybe(EXPECTED)


@output
class WatchMoved:
    """The entry has the status."""

    entry: WatchEntry = about("The entry as it is now.")


@given
class WatchAssignInput:
    """Who saves an account."""

    id: strawberry.ID = about("The entry of the watch list.")
    owner: str | None = maybe("Who saves it; nobody when left out.")
    expected_version: int | None = maybe(EXPECTED)


@output
class WatchAssigned:
    """The entry has the owner."""

    entry: WatchEntry = about("The entry as it is now.")


@given
class WatchPlanInput:
    """What is done next to save an account."""

    id: strawberry.ID = about("The entry of the watch list.")
    next_action: str | None = maybe("What is to be done, up to 1,000 characters; nothing when left out.")
    due: datetime | None = maybe("By when.")
    expected_version: int | None = maybe(EXPECTED)


@output
class WatchPlanned:
    """The entry has the next action."""

    entry: WatchEntry = about("The entry as it is now.")


@given
class BandOverrideInput:
    """What the band of an account is, whatever its score says."""

    account: strawberry.ID = about("The account.")
    band: Band = about("The band; not UNKNOWN.")
    reason: str = about("Why: 1 to 1,000 characters.")
    until: datetime = about("Until when, a year from now at most.")


@output
class BandOverridden:
    """The band is overridden; alerts, plays and the watch list follow within moments."""

    override: BandOverride = about("The override.")


@given
class BandRestoreInput:
    """Whose computed band is to be in effect again."""

    account: strawberry.ID = about("The account.")


@output
class BandRestored:
    """The computed band is in effect again within moments."""

    account: strawberry.ID = about("The account.")


@given
class AccountPlaceInput:
    """To which account an account belongs."""

    account: strawberry.ID = about("The account.")
    parent: strawberry.ID | None = maybe("The account that it belongs to, e.g. its holding; none when left out.")


@output
class AccountPlaced:
    """The account has its place in the family."""

    account: Account = about("The account as it is now.")


@given
class AccountAssignOwnerInput:
    """Who of ours looks after an account."""

    account: strawberry.ID = about("The account.")
    owner: str | None = maybe("Who looks after it, against all vendors; when left out, whom its vendors name, again.")


@output
class AccountOwnerAssigned:
    """The account has the owner."""

    account: Account = about("The account as it is now.")


WatchAddResult = Annotated[
    WatchAdded | NotAllowed | NotFound | InvalidInput,
    strawberry.union("WatchAddResult", description="What came of `watchAdd`."),
]
WatchMoveResult = Annotated[
    WatchMoved | NotAllowed | NotFound | InvalidInput | Conflict,
    strawberry.union("WatchMoveResult", description="What came of `watchMove`."),
]
WatchAssignResult = Annotated[
    WatchAssigned | NotAllowed | NotFound | InvalidInput | Conflict,
    strawberry.union("WatchAssignResult", description="What came of `watchAssign`."),
]
WatchPlanResult = Annotated[
    WatchPlanned | NotAllowed | NotFound | InvalidInput | Conflict,
    strawberry.union("WatchPlanResult", description="What came of `watchPlan`."),
]
BandOverrideResult = Annotated[
    BandOverridden | NotAllowed | NotFound | InvalidInput,
    strawberry.union("BandOverrideResult", description="What came of `bandOverride`."),
]
BandRestoreResult = Annotated[
    BandRestored | NotAllowed | NotFound | InvalidInput,
    strawberry.union("BandRestoreResult", description="What came of `bandRestore`."),
]
AccountPlaceResult = Annotated[
    AccountPlaced | NotAllowed | NotFound | InvalidInput,
    strawberry.union("AccountPlaceResult", description="What came of `accountPlace`."),
]
AccountAssignOwnerResult = Annotated[
    AccountOwnerAssigned | NotAllowed | NotFound | InvalidInput,
    strawberry.union("AccountAssignOwnerResult", description="What came of `accountAssignOwner`."),
]


@output
class SavingMutations:
    """What can be done about the watch list, bands and families of accounts."""

    @mutation
    async def watch_add(
        self,
        info: Info,
        input: Annotated[WatchAddInput, argument("Which account, and why.")],  # noqa: A002  # its name in the schema
    ) -> WatchAddResult:
        """Put an account on the watch list (MAR), or add a reason. The same again changes nothing. For csm, admin."""
        account_id = ids.read(Prefix.ACCOUNT, input.account, "account")
        async with info.context.writing() as session:
            entry = await saving.watch_account(
                session, info.context.viewer, account_id, input.reason, info.context.now, input.owner
            )
            return WatchAdded(entry=WatchEntry.of(entry))

    @mutation
    async def watch_move(
        self,
        info: Info,
        input: Annotated[WatchMoveInput, argument("Which entry, and its status.")],  # noqa: A002  # its name
    ) -> WatchMoveResult:
        """Say how far saving an account has come. The same again changes nothing. For csm and admin."""
        watch_id = ids.read(Prefix.WATCH, input.id)
        async with info.context.writing() as session:
            entry = await saving.move_watch(
                session,
                info.context.viewer,
                watch_id,
                input.status,
                info.context.now,
                input.note,
                input.expected_version,
            )
            return WatchMoved(entry=WatchEntry.of(entry))

    @mutation
    async def watch_assign(
        self,
        info: Info,
        input: Annotated[WatchAssignInput, argument("Which entry, and who.")],  # noqa: A002  # its name in the schema
    ) -> WatchAssignResult:
        """Say who saves an account. The same again changes nothing. For csm and admin."""
        watch_id = ids.read(Prefix.WATCH, input.id)
        async with info.context.writing() as session:
            entry = await saving.assign_watch(
                session, info.context.viewer, watch_id, input.owner, info.context.now, input.expected_version
            )
            return WatchAssigned(entry=WatchEntry.of(entry))

    @mutation
    async def watch_plan(
        self,
        info: Info,
        input: Annotated[WatchPlanInput, argument("Which entry, and what is next.")],  # noqa: A002  # its name
    ) -> WatchPlanResult:
        """Say what is done next to save an account. The same again changes nothing. For csm and admin."""
        watch_id = ids.read(Prefix.WATCH, input.id)
        async with info.context.writing() as session:
            entry = await saving.plan_watch(
                session,
                info.context.viewer,
                watch_id,
                input.next_action,
                input.due,
                info.context.now,
                input.expected_version,
            )
            return WatchPlanned(entry=WatchEntry.of(entry))

    @mutation
    async def band_override(
        self,
        info: Info,
        input: Annotated[BandOverrideInput, argument("Which band, and why.")],  # noqa: A002  # its name in the schema
    ) -> BandOverrideResult:
        """Put a band into effect for a time, whatever the score says; replaces an earlier one. For csm and admin."""
        account_id = ids.read(Prefix.ACCOUNT, input.account, "account")
        async with info.context.writing() as session:
            made = await overriding.override_band(
                session, info.context.viewer, account_id, input.band, input.reason, input.until, info.context.now
            )
            return BandOverridden(override=BandOverride.of(made))

    @mutation
    async def band_restore(
        self,
        info: Info,
        input: Annotated[BandRestoreInput, argument("Which account.")],  # noqa: A002  # its name in the schema
    ) -> BandRestoreResult:
        """Take an override back before it runs out. The same again changes nothing. For csm and admin."""
        account_id = ids.read(Prefix.ACCOUNT, input.account, "account")
        async with info.context.writing() as session:
            await overriding.end_override(session, info.context.viewer, account_id, info.context.now)
            return BandRestored(account=input.account)

    @mutation
    async def account_place(
        self,
        info: Info,
        input: Annotated[AccountPlaceInput, argument("Which account, and where.")],  # noqa: A002  # its name
    ) -> AccountPlaceResult:
        """Say to which account an account belongs, for health rolled up. The same again changes nothing. For csm and
        admin."""
        account_id = ids.read(Prefix.ACCOUNT, input.account, "account")
        parent_id = ids.read(Prefix.ACCOUNT, input.parent, "parent") if input.parent else None
        async with info.context.writing() as session:
            account = await accounts.set_parent(session, info.context.viewer, account_id, parent_id, info.context.now)
            return AccountPlaced(account=Account.of(account))

    @mutation
    async def account_assign_owner(
        self,
        info: Info,
        input: Annotated[AccountAssignOwnerInput, argument("Which account, and who.")],  # noqa: A002  # its name
    ) -> AccountAssignOwnerResult:
        """Say who looks after an account. It stands against all vendors until it is taken back. The same again changes
        nothing. For csm and admin."""
        account_id = ids.read(Prefix.ACCOUNT, input.account, "account")
        async with info.context.writing() as session:
            account = await accounts.assign_owner(
                session, info.context.viewer, account_id, input.owner, info.context.now
            )
            return AccountOwnerAssigned(account=Account.of(account))
