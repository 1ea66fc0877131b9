"""What a look at accounts means for the runs on them.

The exit rule ends a run, what a wait waits for lets it go on, and that its goal was reached in time is noted, also of a
run that has ended and of the holdout.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import polars as pl
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.blueprint.service import Blueprint
from hub.health.remembering import with_asked
from hub.health.waking import STILL
from hub.kit import work
from hub.kit.db import json_text
from hub.kit.errors import Invalid
from hub.measures.definitions import Selection
from hub.measures.rules import Rule
from hub.measures.section import Catalogue
from hub.plays.asking import rule_of
from hub.plays.awaited import Awaited, came
from hub.plays.enrolling import TO_ADVANCE
from hub.plays.section import kept
from hub.plays.step_kinds import WaitStep, program

log = structlog.get_logger()

MOVES = ("running", "paused")
"""Runs that rules move; a paused one is told, and does it when it goes on."""


def moves_by_itself(blueprint: Blueprint, rule: Rule | None) -> bool:
    """Whether a rule names what time alone changes every day; what measures do in time is looked after elsewhere."""
    return rule is not None and bool(rule.names - blueprint.section("measures", Catalogue).names - STILL)


async def move_runs(session: AsyncSession, blueprint: Blueprint, frame: pl.DataFrame, now: datetime) -> frozenset[UUID]:
    """Look at the runs on the accounts of a batch; `frame` has a row for each account, with everything that a rule may
    name. Returns the accounts on which a run asks for what moves by itself. At most seven statements, whatever their
    number."""
    found = await session.execute(
        text(
            "SELECT r.id, r.account_id, r.person_id, r.definition, r.step, r.status, r.ending IS NOT NULL AS ending, "
            "r.goal_by IS NOT NULL AND r.goal_reached_at IS NULL AND r.goal_by >= :now AS seeks, "
            "w.kind, w.status AS at, w.due_at, w.result "
            "FROM run r LEFT JOIN run_step w ON w.run_id = r.id AND w.index = r.step "
            "WHERE r.account_id = ANY(CAST(:ids AS uuid[])) AND (r.status IN ('running', 'held', 'paused') "
            "OR (r.goal_by >= :now AND r.goal_reached_at IS NULL)) ORDER BY r.id"
        ),
        {"ids": [UUID(account_id) for account_id in frame["account_id"]], "now": now},
    )
    rows = found.all()
    if not rows:
        return frozenset()
    place = {UUID(account_id): nth for nth, account_id in enumerate(frame["account_id"])}
    plays = [kept(orjson.dumps(row.definition)) for row in rows]
    rules = _readable(blueprint, {rule for play in plays for _, rule in play.rules()})
    asked = _Asked(blueprint, await with_asked(session, frame, rules.values(), now), rules)
    ends, goes_on, reached = [], [], []
    awaited: list[Awaited] = []
    restless: set[UUID] = set()
    for row, play in zip(rows, plays, strict=True):
        nth = place[row.account_id]
        if any(asked.moves(rule) for _, rule in play.rules()):
            restless.add(row.account_id)
        if row.seeks and play.goal is not None and asked.holds(play.goal.when, nth):
            reached.append(row.id)
        if row.status in MOVES and not row.ending and play.exit is not None and asked.holds(play.exit, nth):
            ends.append({"id": row.id, "ending": {"reason": "exit", **asked.because(play.exit, nth)}})
        elif row.status in MOVES and row.kind == "wait" and row.at == "waiting":
            step = program(play.steps)[row.step]
            match step.until if isinstance(step, WaitStep) else None:
                case Selection() as event:
                    since = datetime.fromisoformat(row.result["since"])
                    awaited.append(Awaited(row.id, row.account_id, row.person_id, event, since, row.due_at))
                case str() as rule if asked.holds(rule, nth):
                    goes_on.append({"run_id": row.id, "index": row.step, "result": asked.because(rule, nth)})
    numbers = {row.id: row.step for row in rows}
    for run_id, result in (await came(session, awaited, now)).items():
        goes_on.append({"run_id": run_id, "index": numbers[run_id], "result": result})
    await _write(session, ends, goes_on, reached, now)
    return frozenset(restless)


def _readable(blueprint: Blueprint, texts: Collection[str]) -> dict[str, Rule]:
    """The rules by their text; one that names what there is no more is left out."""
    found = {}
    for rule in sorted(texts):
        try:
            found[rule] = rule_of(blueprint, rule)
        except Invalid as error:
            log.warning("play.rule_cannot_be_asked", rule=rule, reason=error.message)
    return found


class _Asked:
    """Rules of runs, each held once against the whole batch. One that cannot be read never holds."""

    def __init__(self, blueprint: Blueprint, frame: pl.DataFrame, rules: Mapping[str, Rule]) -> None:
        self._blueprint, self._frame, self._rules = blueprint, frame, rules
        self._held: dict[str, list[bool]] = {}

    def holds(self, rule: str, nth: int) -> bool:
        """Whether a rule holds for the account of this row."""
        if rule not in self._rules:
            return False
        if rule not in self._held:
            self._held[rule] = self._rules[rule].holds(self._frame).to_list()
        return self._held[rule][nth]

    def moves(self, rule: str) -> bool:
        """Whether it names what time alone changes every day."""
        return moves_by_itself(self._blueprint, self._rules.get(rule))

    def because(self, rule: str, nth: int) -> dict[str, Any]:
        """The rule, and the values for which it holds."""
        return {"rule": rule, "holds": True, "values": self._rules[rule].values(self._frame.row(nth, named=True))}


async def _write(
    session: AsyncSession,
    ends: Sequence[Mapping[str, Any]],
    goes_on: Sequence[Mapping[str, Any]],
    reached: Sequence[UUID],
    now: datetime,
) -> None:
    if reached:
        await session.execute(
            text("UPDATE run SET goal_reached_at = :now WHERE id = ANY(CAST(:ids AS uuid[]))"),
            {"now": now, "ids": list(reached)},
        )
    if ends:
        await session.execute(
            text(
                "UPDATE run SET ending = e.ending FROM jsonb_to_recordset(CAST(:rows AS jsonb)) "
                "AS e(id uuid, ending jsonb) WHERE run.id = e.id AND run.status IN ('running', 'paused')"
            ),
            {"rows": json_text(ends)},
        )
    if goes_on:
        await session.execute(
            text(
                "UPDATE run_step SET due_at = :now, result = g.result FROM jsonb_to_recordset(CAST(:rows AS jsonb)) "
                "AS g(run_id uuid, index int, result jsonb) WHERE run_step.run_id = g.run_id "
                "AND run_step.index = g.index AND run_step.status = 'waiting'"
            ),
            {"rows": json_text(goes_on), "now": now},
        )
    moved = [str(row["id"]) for row in ends] + [str(row["run_id"]) for row in goes_on]
    await work.mark(session, TO_ADVANCE, moved, due_at=now)
