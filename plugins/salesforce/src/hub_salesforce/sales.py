"""Opportunities with their history, and contracts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from hub import sdk
from hub_salesforce import models
from hub_salesforce.config import SalesforceConfig
from hub_salesforce.places import place, url_of

EMITS_OF_OPPORTUNITY = frozenset({"opportunity.created", "opportunity.changed", "opportunity.won", "opportunity.lost"})
EMITS_OF_CONTRACT = frozenset({"contract.signed", "contract.changed"})


def of_opportunity(opportunity: models.Opportunity, config: SalesforceConfig) -> Iterable[sdk.Event]:
    """Its beginning, its state after this change, and its end."""
    if opportunity.account is None:
        return
    account = place(opportunity.account)
    yield sdk.Event(
        kind="opportunity.created",
        occurred_at=opportunity.created,
        account=account,
        natural_key=f"opportunity.created:{opportunity.id}",
        attributes={"opportunity": opportunity.id},
    )
    amount = _amount(opportunity.amount, opportunity.currency, config)
    state = ("won" if opportunity.is_won else "lost") if opportunity.is_closed else "open"
    facts = {
        "stage": opportunity.stage,
        "type": opportunity.type,
        "probability": opportunity.probability,
        "close_date": opportunity.close_date.isoformat(),
        "owner": opportunity.owner_email,
        **_money(amount),
    }
    yield sdk.Event(
        kind="opportunity.changed",
        occurred_at=opportunity.modified,
        account=account,
        subject=sdk.Subject("opportunity", opportunity.id, state, facts),
        amount=amount,
        title=opportunity.name,
        url=url_of(config, opportunity.id),
    )
    if opportunity.is_closed:
        ended = opportunity.stage_since or _midnight(opportunity.close_date)
        yield sdk.Event(
            kind=f"opportunity.{state}",
            occurred_at=ended,
            account=account,
            amount=amount,
            title=opportunity.name,
            natural_key=f"opportunity.{state}:{opportunity.id}:{ended.isoformat()}",
            attributes={"opportunity": opportunity.id, "stage": opportunity.stage},
        )


def of_opportunity_entry(entry: models.OpportunityEntry, config: SalesforceConfig) -> Iterable[sdk.Event]:
    """An entry of the history: the opportunity as it was from then on. Its state follows from the forecast."""
    if entry.account is None:
        return
    amount = _amount(entry.amount, entry.currency, config)
    facts = {
        "stage": entry.stage,
        "probability": entry.probability,
        "close_date": entry.close_date.isoformat() if entry.close_date else None,
        **_money(amount),
    }
    yield sdk.Event(
        kind="opportunity.stage_changed",
        occurred_at=entry.created,
        account=place(entry.account),
        subject=sdk.Subject("opportunity", entry.opportunity, _state_of(entry), facts),
        amount=amount,
        natural_key=f"opportunity.entry:{entry.id}",
    )


def _state_of(entry: models.OpportunityEntry) -> str:
    """`Closed` is the forecast category of a won stage; a lost one is omitted from forecasts, at no probability."""
    if entry.forecast == "Closed":
        return "won"
    return "lost" if entry.forecast == "Omitted" and not entry.probability else "open"


def of_contract(contract: models.Contract) -> Iterable[sdk.Event]:
    """Its terms after this change, and when it came into force."""
    state = {"Activated": "active", "InApproval": "in_approval"}.get(contract.state or contract.status, "draft")
    facts = {
        "number": contract.number,
        "status": contract.status,
        "start_date": contract.start.isoformat() if contract.start else None,
        "end_date": contract.end.isoformat() if contract.end else None,
        "months": contract.months,
        "owner": contract.owner_email,
    }
    yield sdk.Event(
        kind="contract.changed",
        occurred_at=contract.modified,
        account=place(contract.account),
        subject=sdk.Subject("contract", contract.id, state, facts),
    )
    if contract.activated:
        yield sdk.Event(
            kind="contract.signed",
            occurred_at=contract.activated,
            account=place(contract.account),
            natural_key=f"contract.signed:{contract.id}",
            attributes={"contract": contract.id, "number": contract.number},
        )


def _amount(amount: Decimal | None, currency: str | None, config: SalesforceConfig) -> sdk.Amount | None:
    return None if amount is None else sdk.Amount.of(amount, currency or config.currency)


def _money(amount: sdk.Amount | None) -> dict[str, Any]:
    """The amount among a thing's attributes, where measures find it."""
    return {"amount_minor": amount.minor, "currency": amount.currency} if amount else {}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
