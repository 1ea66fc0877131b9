"""Which role may read which field: one decision for every field of the schema.

A field that stands nowhere here is for admins alone, and `hub schema export` fails until somebody has decided. A
document is looked at before it is carried out, in whatever way that is done then. One that reads what is not for the
viewer's role is refused as a whole, so that no answer has holes that a screen takes for facts. Services check roles as
well; here it is told from field to field.

A page (`AccountConnection`, `AccountEdge`) is for whoever may read its entries. Mutations answer with a refusal, so a
document is not refused for one; what it would give back then is not looked at either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

from hub.access.service import Role
from hub.graphql.errors import Code, coded

Roles = frozenset[Role]

ANYBODY: Final = frozenset(Role)
ADMINS: Final = frozenset({Role.ADMIN})
READERS: Final = frozenset({Role.ADMIN, Role.CSM, Role.VIEWER})
WRITERS: Final = frozenset({Role.ADMIN, Role.CSM})
ADVOCACY: Final = frozenset({Role.ADMIN, Role.CSM, Role.MARKETING})

DECIDED: Final[tuple[tuple[Roles, Mapping[str, str]], ...]] = (
    (
        ANYBODY,
        {
            "Conflict": "message remedy",
            "InvalidInput": "message remedy path",
            "Node": "id",
            "NotAllowed": "message remedy",
            "NotFound": "message remedy",
            "PageInfo": "hasNextPage hasPreviousPage startCursor endCursor",
            "Query": "viewer node nodes",
            "Refusal": "message remedy",
            "Viewer": "actor role owner",
        },
    ),
    (
        READERS,
        {
            "Account": "id name domain owner timeZone facts createdAt firstSeenAt parent timeline timelineDays things "
            "people journey health familyHealth alerts watch runs tasks feedback brief",
            "Alert": "id account rule severity status openedAt updatedAt acknowledgedAt acknowledgedBy resolvedAt "
            "resolvedBy values owner snoozedUntil rearmedAt version blueprintVersion",
            "AlertChange": "cursor at topic account alert",
            "BandOverride": "band reason by since until",
            "BecauseOf": "reason cameFrom rule values",
            "BlueprintVersion": "version appliedAt appliedBy comment document",
            "Brief": "currentState nextAction risk feedback",
            "Change": "cursor at topic account",
            "CapTerm": "name atMost holds takesMicroPoints",
            "CurrentState": "health stay",
            "DayCount": "day events",
            "DayScore": "day points band computedBand",
            "Event": "id kind flow occurredAt recordedAt title url subject amount value unit attributes changes "
            "account people connection causedByRun",
            "Explanation": "before after microPoints points terms",
            "ExplanationTerm": "cause name microPoints points before after evidenceBefore evidenceAfter",
            "Feedback": "id account kind theme text status recordedAt recordedBy person",
            "Health": "band points coverage segment stage changedAt score computedBand override trends byDay history "
            "explain",
            "HealthChange": "cursor at band previousBand points newBlueprint account score previousScore",
            "HealthRollUp": "points microPoints weightedSum revenueMinor accounts weighed unscored "
            "unscoredRevenueMinor unvalued red yellow green purple unknown",
            "HealthTrend": "days before after changeMicroPoints direction",
            "IndicatorScore": "indicator points weight partMicroPoints measures",
            "Journey": "stay stays",
            "MeasureScore": "measure value points weight partMicroPoints",
            "Milestone": "name status expectedAt reachedAt overdueAt evidence",
            "Money": "amountMinor currency exponent formatted",
            "Owned": "id account",
            "Person": "id name email role title timeZone doNotContact firstSeenAt erasedAt account",
            "Play": "name description enabled level trigger steps effect state",
            "PlayEffect": "treated heldOut difference low high verdict needed",
            "PlaySide": "accounts reached",
            "PlayStep": "kind name",
            "PlayWords": "step kind name recipient texts problem",
            "Query": "account accounts alerts blueprint blueprints feedback playPreview plays runs "
            "search segmentHealth tasks watchList",
            "Risk": "alerts watch",
            "Run": "id account play occurrence status holdout trigger blueprintVersion ending goalBy goalReachedAt "
            "startedAt updatedAt endedAt steps depth person",
            "RunChange": "cursor at topic account run",
            "RunStep": "index kind name status attempts result problem startedAt finishedAt dueAt",
            "Score": "id asOf knownAt points microPoints band computedBand coverage segment stage profile "
            "blueprintVersion indicators caps",
            "SegmentHealth": "segment health",
            "Stay": "id account segment stage enteredAt recordedAt leftAt becauseOf blueprintVersion status milestones",
            "Subject": "type vendorId state",
            "Subscription": "alertChanged healthChanged runChanged taskChanged",
            "ChecklistPoint": "text doneAt doneBy",
            "TaskComment": "author body createdAt",
            "Task": "id account title details owner dueAt status kind approved outcome createdAt completedAt "
            "checklist comments escalatedAt escalatedTo "
            "completedBy run overdue",
            "TaskChange": "cursor at topic account task",
            "Thing": "type vendorId state since attributes connection event",
            "WatchEntry": "id account status reasons owner revenueAtRisk nextAction nextActionDue version enteredAt "
            "statusSince endedAt daysInStatus daysOnList history",
            "WatchReason": "alert rule severity values band previousBand text by at",
            "WatchStep": "status at by note",
        },
    ),
    (
        WRITERS,
        {
            "AccountOwnerAssigned": "account",
            "AccountPlaced": "account",
            "AlertAcknowledged": "alert",
            "AlertAssigned": "alert",
            "AlertRearmed": "alert",
            "AlertRefused": "alert refusal",
            "AlertResolved": "alert",
            "AlertSnoozed": "alert",
            "AlertsChanged": "alerts refused",
            "ApprovalDecided": "task",
            "BandOverridden": "override",
            "BandRestored": "account",
            "FeedbackRecorded": "feedback",
            "Mutation": "accountAssignOwner accountPlace "
            "alertAcknowledge alertAssign alertRearm alertResolve alertSnooze "
            "alertsAcknowledge alertsAssign alertsRearm alertsResolve alertsSnooze "
            "approvalDecide bandOverride bandRestore feedbackRecord "
            "playStart playStartMany runCancel runPause runRepeat runResume runRetry runSkip "
            "taskAssign taskComment taskComplete taskTick "
            "watchAdd watchAssign watchMove watchPlan",
            "PlayReach": "accounts underWay people first",
            "PlayStarted": "run runs",
            "PlayStartedOnMany": "accounts",
            "Query": "playReach",
            "RunCanceled": "run",
            "RunPaused": "run",
            "RunRepeated": "run",
            "RunResumed": "run",
            "RunRetried": "run",
            "RunSkipped": "run",
            "TaskAssigned": "task",
            "TaskCommented": "task",
            "TaskTicked": "task",
            "TaskCompleted": "task",
            "WatchAdded": "entry",
            "WatchAssigned": "entry",
            "WatchMoved": "entry",
            "WatchPlanned": "entry",
        },
    ),
    (
        ADVOCACY,
        {
            "Evidence": "kind statement at",
            "Query": "references",
            "Reference": "id name domain purpleSince points evidence",
        },
    ),
    (READERS, {"Reference": "account"}),
    (
        ADMINS,
        {
            "AuditEntry": "number at actor action subject details",
            "BlueprintApplied": "version previous accounts",
            "BlueprintBroken": "message remedy problems",
            "BlueprintChange": "kind section entry parts",
            "BlueprintChecked": "name sections",
            "BlueprintEntries": "section entries",
            "BlueprintPart": "path before after",
            "BlueprintPlace": "segment stage band",
            "BlueprintPlanned": "version changes accounts moved stages bands first",
            "BlueprintProblem": "file line column path message",
            "InstalledConnector": "id name connector tenant status problem createdAt streams quarantined",
            "Mutation": "blueprintApply blueprintCheck blueprintPlan personErase "
            "playPause playResume playSimulate playSwitchOff playSwitchOn",
            "PersonEraseRequested": "doneAt requestedAt",
            "PlannedCount": "before after accounts",
            "PlannedMove": "before after account",
            "PlaySimulated": "since until accounts totals leftOut runs",
            "PlaySwitched": "play moved",
            "SimulatedCount": "what times",
            "SimulatedRun": "account accountId person at trigger heldOut ended said",
            "SimulatedWords": "at outcome why words",
            "QuarantinedRecord": "id stage stream recordId reason firstSeenAt lastSeenAt attempts resolvedAt "
            "connection",
            "Query": "auditLog connections quarantine",
            "StreamProgress": "stream backfill done records startedAt updatedAt problem",
        },
    ),
)
"""Who may read what: the roles, and for each type the fields that are for these roles."""

ROLES_OF: Final[Mapping[tuple[str, str], Roles]] = {
    (type_, field): roles for roles, types in DECIDED for type_, fields in types.items() for field in fields.split()
}

NULL_FOR_OTHERS: Final = frozenset({("Reference", "account")})
"""Links that are null for whoever may not follow them: marketing reads references, and the account is not for it."""


def roles_of(type_: GraphQLNamedType, field: str) -> Roles:
    """Who may read a field of a type."""
    if (entry := _entry_of(type_)) is not None:
        return roles_of(entry, next(iter(_fields(entry))))
    return ROLES_OF.get((type_.name, field), ADMINS)


def undecided(schema: GraphQLSchema) -> list[str]:
    """The fields that nobody has decided about, and the decisions about fields that do not exist (any more)."""
    there = {
        (type_.name, field)
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not type_.name.startswith("__")
        for field in type_.fields
        if _entry_of(type_) is None
    }
    return sorted(".".join(one) for one in there ^ ROLES_OF.keys())


def forbidden(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, role: Role
) -> GraphQLError | None:
    """The refusal of an operation that reads what is not for the role, or None. Linear in the document."""
    if role is Role.ADMIN:
        return None
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    root = schema.get_root_type(operation.operation)
    if root is None:
        return None
    found = dict(_forbidden(schema, fragments, root, operation.selection_set, role, set()))
    if not found:
        return None
    fields = ", ".join(sorted(found)[:5]) + (" and more" if len(found) > 5 else "")
    needed = " or ".join(sorted(frozenset.intersection(*found.values())))
    return coded(f"The role {role} may not read {fields}; it takes {needed}.", Code.FORBIDDEN)


def _forbidden(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    type_: GraphQLNamedType,
    selections: SelectionSetNode,
    role: Role,
    spread: set[tuple[str, str]],
) -> Iterator[tuple[str, Roles]]:
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            name = selection.name.value
            if name.startswith("__"):
                continue
            if role not in (roles := roles_of(type_, name)):
                if type_.name != "Mutation" and (type_.name, name) not in NULL_FOR_OTHERS:
                    yield f"{type_.name}.{name}", roles
            elif selection.selection_set is not None:
                below = get_named_type(_fields(type_)[name].type)
                yield from _forbidden(schema, fragments, below, selection.selection_set, role, spread)
            continue
        if isinstance(selection, FragmentSpreadNode):
            fragment = fragments[selection.name.value]
            if (key := (selection.name.value, type_.name)) in spread:
                continue
            spread.add(key)
            condition: NamedTypeNode | None = fragment.type_condition
            inner = fragment.selection_set
        elif isinstance(selection, InlineFragmentNode):
            condition, inner = selection.type_condition, selection.selection_set
        else:  # there are no other kinds
            continue
        narrowed = type_ if condition is None else schema.type_map[condition.name.value]
        yield from _forbidden(schema, fragments, narrowed, inner, role, spread)


def _fields(type_: GraphQLNamedType) -> Mapping[str, GraphQLField]:
    return type_.fields if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else {}


def _entry_of(type_: GraphQLNamedType) -> GraphQLNamedType | None:
    """What a page or an edge holds; None for any other type."""
    fields = _fields(type_)
    if "pageInfo" in fields and "nodes" in fields:
        return get_named_type(fields["nodes"].type)
    if fields.keys() == {"node", "cursor"}:
        return get_named_type(fields["node"].type)
    return None
