"""What people do about alerts through the API: about one, or about up to 100 at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from hub.graphql import ids
from hub.graphql.context import Info
from hub.graphql.declare import about, argument, given, maybe, mutation, output
from hub.graphql.ids import Prefix
from hub.graphql.refusals import Conflict, InvalidInput, NotAllowed, NotFound, Refusal, refusal_of
from hub.graphql.types.alerts import Alert
from hub.graphql.types.node import several
from hub.health import handling


@given
class AlertAcknowledgeInput:
    """Which alert somebody has seen."""

    id: strawberry.ID = about("The alert.")
    expected_version: int | None = maybe("The version that you have read: refused when there is another one.")


@output
class AlertAcknowledged:
    """The alert is acknowledged."""

    alert: Alert = about("The alert as it is now.")


@given
class AlertAssignInput:
    """Which alert is whose."""

    id: strawberry.ID = about("The alert.")
    owner: str | None = maybe("Who looks after it; nobody when left out.")
    expected_version: int | None = maybe("The version that you have read: refused when there is another one.")


@output
class AlertAssigned:
    """The alert is somebody's, or nobody's."""

    alert: Alert = about("The alert as it is now.")


@given
class AlertSnoozeInput:
    """Which alert to put off, and for how long."""

    id: strawberry.ID = about("The alert.")
    until: datetime | None = maybe("Until when nobody is reminded of it; it is back at once when left out.")
    expected_version: int | None = maybe("The version that you have read: refused when there is another one.")


@output
class AlertSnoozed:
    """The alert is put off, or back."""

    alert: Alert = about("The alert as it is now.")


@given
class AlertResolveInput:
    """Which alert is over."""

    id: strawberry.ID = about("The alert.")
    expected_version: int | None = maybe("The version that you have read: refused when there is another one.")


@output
class AlertResolved:
    """The alert is resolved."""

    alert: Alert = about("The alert as it is now.")


@given
class AlertRearmInput:
    """Which resolved alert may be followed by another one."""

    id: strawberry.ID = about("The alert.")
    expected_version: int | None = maybe("The version that you have read: refused when there is another one.")


@output
class AlertRearmed:
    """The alert's rule may open the next alert."""

    alert: Alert = about("The alert as it is now.")


@output
class AlertRefused:
    """An alert of several that was not changed, and why."""

    alert: strawberry.ID = about("The alert's id, as it was given.")
    refusal: Refusal = about("Why.")


@output
class AlertsChanged:
    """What came of a wish about several alerts: each was changed or refused by itself."""

    alerts: list[Alert] = about("The alerts as they are now, in the order given.")
    refused: list[AlertRefused] = about("Those that were not changed.")


@given
class AlertsAcknowledgeInput:
    """Which alerts somebody has seen."""

    ids: list[strawberry.ID] = about("At most 100 alerts.")


@given
class AlertsAssignInput:
    """Which alerts are whose."""

    ids: list[strawberry.ID] = about("At most 100 alerts.")
    owner: str | None = maybe("Who looks after it; nobody when left out.")


@given
class AlertsSnoozeInput:
    """Which alerts to put off, and for how long."""

    ids: list[strawberry.ID] = about("At most 100 alerts.")
    until: datetime | None = maybe("Until when nobody is reminded of it; it is back at once when left out.")


@given
class AlertsResolveInput:
    """Which alerts are over."""

    ids: list[strawberry.ID] = about("At most 100 alerts.")


@given
class AlertsRearmInput:
    """Which resolved alerts may be followed by another one."""

    ids: list[strawberry.ID] = about("At most 100 alerts.")


AlertAcknowledgeResult = Annotated[
    AlertAcknowledged | NotAllowed | NotFound | InvalidInput | Conflict,
    strawberry.union("AlertAcknowledgeResult", description="What came of `alertAcknowledge`."),
]
AlertAssignResult = Annotated[
    AlertAssigned | NotAllowed | NotFound | InvalidInput | Conflict,
    strawberry.union("AlertAssignResult", description="What came of `alertAssign`."),
]
AlertSnoozeResult = Annotated[
    AlertSnoozed | NotAllowed | NotFound | InvalidInput | Conflict,
    strawberry.union("AlertSnoozeResult", description="What came of `alertSnooze`."),
]
AlertResolveResult = Annotated[
    AlertResolved | NotAllowed | NotFound | InvalidInput | Conflict,
    strawberry.union("AlertResolveResult", description="What came of `alertResolve`."),
]
AlertRearmResult = Annotated[
    AlertRearmed | NotAllowed | NotFound | InvalidInput | Conflict,
    strawberry.union("AlertRearmResult", description="What came of `alertRearm`."),
]
AlertsAcknowledgeResult = Annotated[
    AlertsChanged | NotAllowed | NotFound | InvalidInput,
    strawberry.union("AlertsAcknowledgeResult", description="What came of `alertsAcknowledge`."),
]
AlertsAssignResult = Annotated[
    AlertsChanged | NotAllowed | NotFound | InvalidInput,
    strawberry.union("AlertsAssignResult", description="What came of `alertsAssign`."),
]
AlertsSnoozeResult = Annotated[
    AlertsChanged | NotAllowed | NotFound | InvalidInput,
    strawberry.union("AlertsSnoozeResult", description="What came of `alertsSnooze`."),
]
AlertsResolveResult = Annotated[
    AlertsChanged | NotAllowed | NotFound | InvalidInput,
    strawberry.union("AlertsResolveResult", description="What came of `alertsResolve`."),
]
AlertsRearmResult = Annotated[
    AlertsChanged | NotAllowed | NotFound | InvalidInput,
    strawberry.union("AlertsRearmResult", description="What came of `alertsRearm`."),
]


@output
class AlertMutations:
    """What can be done about alerts."""

    @mutation
    async def alert_acknowledge(
        self,
        info: Info,
        input: Annotated[AlertAcknowledgeInput, argument("Which alert.")],  # noqa: A002  # its name in the schema
    ) -> AlertAcknowledgeResult:
        """Say that you have seen an alert and look after it. Doing it again changes nothing. For csm and admin."""
        return AlertAcknowledged(alert=await _change(info, input.id, handling.Acknowledge(), input.expected_version))

    @mutation
    async def alert_assign(
        self,
        info: Info,
        input: Annotated[AlertAssignInput, argument("Which alert.")],  # noqa: A002  # its name in the schema
    ) -> AlertAssignResult:
        """Give an alert to somebody. Doing it again changes nothing. For csm and admin."""
        return AlertAssigned(alert=await _change(info, input.id, handling.Assign(input.owner), input.expected_version))

    @mutation
    async def alert_snooze(
        self,
        info: Info,
        input: Annotated[AlertSnoozeInput, argument("Which alert.")],  # noqa: A002  # its name in the schema
    ) -> AlertSnoozeResult:
        """Put an alert off for 90 days at most; it is kept up to date meanwhile. Doing it again changes nothing. For
        csm and admin."""
        return AlertSnoozed(alert=await _change(info, input.id, handling.Snooze(input.until), input.expected_version))

    @mutation
    async def alert_resolve(
        self,
        info: Info,
        input: Annotated[AlertResolveInput, argument("Which alert.")],  # noqa: A002  # its name in the schema
    ) -> AlertResolveResult:
        """Close an alert before its rule does; it stays quiet until it is armed again. Doing it again changes nothing.
        For csm and admin."""
        return AlertResolved(alert=await _change(info, input.id, handling.Resolve(), input.expected_version))

    @mutation
    async def alert_rearm(
        self,
        info: Info,
        input: Annotated[AlertRearmInput, argument("Which alert.")],  # noqa: A002  # its name in the schema
    ) -> AlertRearmResult:
        """Let the rule of a resolved alert open the next one at once. Doing it again changes nothing. For csm and
        admin."""
        return AlertRearmed(alert=await _change(info, input.id, handling.Rearm(), input.expected_version))

    @mutation
    async def alerts_acknowledge(
        self,
        info: Info,
        input: Annotated[AlertsAcknowledgeInput, argument("Which alerts.")],  # noqa: A002  # its name in the schema
    ) -> AlertsAcknowledgeResult:
        """Say that you have seen several alerts and look after them. See `alertAcknowledge`. For csm and admin."""
        return await _change_several(info, input.ids, handling.Acknowledge())

    @mutation
    async def alerts_assign(
        self,
        info: Info,
        input: Annotated[AlertsAssignInput, argument("Which alerts.")],  # noqa: A002  # its name in the schema
    ) -> AlertsAssignResult:
        """Give several alerts to somebody. See `alertAssign`. For csm and admin."""
        return await _change_several(info, input.ids, handling.Assign(input.owner))

    @mutation
    async def alerts_snooze(
        self,
        info: Info,
        input: Annotated[AlertsSnoozeInput, argument("Which alerts.")],  # noqa: A002  # its name in the schema
    ) -> AlertsSnoozeResult:
        """Put several alerts off. See `alertSnooze`. For csm and admin."""
        return await _change_several(info, input.ids, handling.Snooze(input.until))

    @mutation
    async def alerts_resolve(
        self,
        info: Info,
        input: Annotated[AlertsResolveInput, argument("Which alerts.")],  # noqa: A002  # its name in the schema
    ) -> AlertsResolveResult:
        """Close several alerts. See `alertResolve`. For csm and admin."""
        return await _change_several(info, input.ids, handling.Resolve())

    @mutation
    async def alerts_rearm(
        self,
        info: Info,
        input: Annotated[AlertsRearmInput, argument("Which alerts.")],  # noqa: A002  # its name in the schema
    ) -> AlertsRearmResult:
        """Let the rules of several resolved alerts open the next ones. See `alertRearm`. For csm and admin."""
        return await _change_several(info, input.ids, handling.Rearm())


async def _change(info: Info, id_: strawberry.ID, wish: handling.Wish, expected_version: int | None) -> Alert:
    alert_id = ids.read(Prefix.ALERT, id_)
    async with info.context.writing() as session:
        viewer, now = info.context.viewer, info.context.now
        return Alert.of(await handling.change_alert(session, viewer, alert_id, wish, now, expected_version))


async def _change_several(info: Info, given_ids: list[strawberry.ID], wish: handling.Wish) -> AlertsChanged:
    named = {ids.read(Prefix.ALERT, id_, "ids"): id_ for id_ in several(given_ids, "ids")}
    async with info.context.writing() as session:
        handled = await handling.change_alerts(session, info.context.viewer, list(named), wish, info.context.now)
        return AlertsChanged(
            alerts=[Alert.of(alert) for alert in handled.alerts],
            refused=[AlertRefused(alert=named[id_], refusal=refusal_of(why)) for id_, why in handled.refused.items()],
        )
