"""Rules of plays, held against one account at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health.asking import frame_now
from hub.health.remembering import with_asked
from hub.journeys.rules import known_names
from hub.kit.errors import Invalid
from hub.measures.rules import Rule, RuleInvalid


@dataclass(frozen=True, slots=True)
class Held:
    """Whether a rule holds for an account, and the values that it looked at."""

    rule: str
    holds: bool
    values: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """As it is kept with a step."""
        return {"rule": self.rule, "holds": self.holds, "values": self.values}


def rule_of(blueprint: Blueprint, text: str) -> Rule:
    """The rule, read anew: a run keeps its text, and the measures are those of the blueprint in force.

    Raises `Invalid` when it names what there is no more.
    """
    try:
        return Rule.parse(text, known_names(blueprint))
    except RuleInvalid as error:
        raise Invalid(
            f"The rule {text!r} cannot be asked any more: it {error.message}.",
            remedy="Cancel the run, or bring the measure back.",
        ) from error


async def ask(session: AsyncSession, blueprint: Blueprint, text: str, account_id: UUID, now: datetime) -> Held:
    """Hold a rule against an account as it is now. Raises `Invalid` (see `rule_of`)."""
    rule = rule_of(blueprint, text)
    frame = await with_asked(session, await frame_now(session, blueprint, [account_id], now), [rule], now)
    if frame.is_empty():
        return Held(text, holds=False, values={})
    return Held(text, bool(rule.holds(frame)[0]), rule.values(frame.row(0, named=True)))
