"""The registry of event kinds: `object.action` in the past tense, the flow each belongs to, and what it means.

A plugin's own kinds are `x.<plugin>.<object>.<action>` and need no entry. The printed list is
`schema/event-kinds.json`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.sdk.events import Flow


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event."""

    name: str
    flow: Flow
    meaning: str


_BY_FLOW: dict[Flow, dict[str, str]] = {
    Flow.INTENT_DEMAND: {
        "trial.started": "An account began to try the product.",
        "trial.ended": "A trial ran out or was ended.",
        "page.viewed": "Somebody looked at a page of the product or its site.",
        "opportunity.created": "A sale or renewal began to be worked on.",
        "opportunity.changed": "Owner, amount, stage or date of an opportunity changed.",
        "opportunity.stage_changed": "An opportunity's history got an entry: stage, amount, probability or close date.",
        "opportunity.won": "An opportunity was won.",
        "opportunity.lost": "An opportunity was lost.",
        "message.sent": "A message to a person left the hub.",
        "message.shown": "A person saw a message.",
        "message.clicked": "A person followed a message.",
        "message.dismissed": "A person closed a message.",
        "message.answered": "A person answered a message or survey.",
    },
    Flow.ORDER_TO_CASH: {
        "customer.created": "The billing system knows the account.",
        "customer.updated": "The account's billing details changed.",
        "customer.deleted": "The account was removed from the billing system.",
        "subscription.started": "A paid subscription began.",
        "subscription.changed": "Plan, quantity, price or state of a subscription changed.",
        "subscription.canceled": "A subscription ended.",
        "contract.signed": "A contract came into force.",
        "contract.changed": "Term, dates or state of a contract changed.",
        "invoice.created": "An invoice was issued.",
        "invoice.paid": "An invoice was paid.",
        "invoice.payment_failed": "A payment of an invoice failed.",
        "invoice.voided": "An invoice was voided or written off.",
    },
    Flow.FINANCIAL_PERFORMANCE: {
        "payment.succeeded": "A charge went through.",
        "payment.failed": "A charge did not go through.",
        "payment.refunded": "Money went back.",
        "payment.disputed": "A charge is contested.",
        "credit.granted": "A credit note was issued.",
    },
    Flow.OPERATIONAL_EXECUTION: {
        "product.used": "Somebody did something in the product; `feature` says what.",
        "setup.completed": "An administrator finished setting up.",
        "implementation.completed": "The implementation project is done and was accepted.",
        "module.adopted": "A module of the product was taken into use; `module` says which.",
        "training.attended": "Somebody took part in a training; `training` says which.",
        "person.signed_in": "Somebody signed in.",
        "person.signed_out": "Somebody signed out.",
        "data.exported": "Data was taken out of the product.",
        "report.viewed": "Somebody looked at a report.",
        "ticket.created": "A support ticket was opened.",
        "ticket.updated": "State, priority or another property of a support ticket changed.",
        "ticket.solved": "A support ticket was solved.",
        "task.updated": "State, owner or due date of somebody's task in another system changed.",
        "meeting.scheduled": "A meeting with somebody of the account was planned or moved.",
        "meeting.held": "A meeting with somebody of the account took place.",
        "meeting.missed": "A meeting that was agreed did not take place.",
        "survey.answered": "Somebody answered a survey; `value` is the score.",
        "conversation.created": "Somebody began a conversation.",
        "conversation.replied": "The customer wrote in a conversation.",
        "conversation.answered": "One of ours, or a bot, wrote in a conversation.",
        "conversation.assigned": "A conversation was given to one of ours.",
        "conversation.snoozed": "A conversation was put off.",
        "conversation.closed": "A conversation was closed.",
        "conversation.reopened": "A closed or snoozed conversation was opened again.",
        "conversation.rated": "The customer rated a conversation; `value` is 1 to 5.",
        "conversation.remarked": "The customer explained a rating; `remark` has the words.",
    },
    Flow.PEOPLE_GOVERNANCE: {
        "account.identified": "A vendor told what it knows of the account.",
        "account.merged": "Two accounts of one vendor turned out to be one.",
        "account.created": "The account appeared in the product.",
        "account.deleted": "The account was removed from the product.",
        "person.identified": "A vendor told what it knows of a person.",
        "person.added": "Somebody joined the account.",
        "person.removed": "Somebody left the account.",
        "person.role_changed": "Somebody became something else at the account; `role` says what.",
        "person.invited": "Somebody was invited.",
        "person.signed_up": "Somebody registered.",
        "person.aliased": "Two ids turned out to be one person.",
        "person.erasure_requested": "A person asked to be erased.",
    },
    Flow.META: {
        "thing.deleted": "The vendor deleted the record of a thing.",
        "stage.entered": "The account entered a stage of its journey.",
        "milestone.reached": "A proof of value was reached.",
        "milestone.overdue": "A milestone was not reached in its time.",
        "band.changed": "The health band changed.",
        "band.overridden": "A person set the health band, with a reason, for a time.",
        "band.override_ended": "A band that a person had set ran out, or was taken back.",
        "alert.opened": "An alert opened.",
        "alert.acknowledged": "A person saw an alert.",
        "alert.assigned": "An alert was given to somebody.",
        "alert.snoozed": "A person put an alert off.",
        "alert.snooze_ended": "An alert that was put off is back.",
        "alert.resolved": "An alert ended.",
        "alert.rearmed": "A person let an alert rule open again.",
        "watch.entered": "The account went on the watch list.",
        "watch.moved": "Saving the account came to another status.",
        "watch.left": "The account left the watch list.",
        "run.started": "A play started on the account.",
        "run.ended": "A play ended on the account.",
        "run.held_out": "The account was left out of a play, so that others can be compared with it.",
        "notice.given": "A play told one of our own people something.",
        "task.created": "A task was given to somebody.",
        "task.completed": "A task was done.",
        "task.escalated": "A task was late, and somebody else was told.",
        "feedback.recorded": "The customer said something.",
    },
}

KINDS: dict[str, Kind] = {
    name: Kind(name, flow, meaning) for flow, kinds in _BY_FLOW.items() for name, meaning in kinds.items()
}


def flow_of(kind: str) -> Flow:
    """The flow of a kind; a plugin's own kinds belong to operational execution unless their events say otherwise."""
    known = KINDS.get(kind)
    return known.flow if known else Flow.OPERATIONAL_EXECUTION
