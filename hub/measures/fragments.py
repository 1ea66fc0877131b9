"""The words that the statements of this room are made of: moments, windows, kinds, attributes, places.

Values are always bound, never written into the text. `e` is an event everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hub.measures.definitions import By, Condition, Of, Scalar, Where

NUMBER: Final = r"^[+-]?[0-9]{1,18}(\.[0-9]{1,40})?$"
"""What counts as a number in an attribute, be it a JSON number or text: none of these can overflow a sum."""

NOW: Final = timedelta(0)

NEWEST_OF_THING: Final = (
    "e.occurred_at DESC, (e.kind = 'thing.deleted') DESC, (e.kind LIKE '%.created' OR e.kind LIKE '%.started'), "
    'e.version COLLATE "C" DESC NULLS LAST, e.id DESC'
)
"""Which event tells a thing's state. Vendors count in seconds: of several in the same one, a deletion is the newest and
what began the thing is the oldest (an invoice over nothing is issued and paid at once)."""


@dataclass(frozen=True, slots=True)
class Question:
    """For which accounts (None: all), as of when, and as known when (None: as known now)."""

    account_ids: Sequence[UUID] | None
    as_of: datetime
    known_at: datetime | None


@dataclass(slots=True)
class Fragments:
    """What the fragments of one statement share: the question, and the parameters bound so far."""

    question: Question
    parameters: list[Any] = field(default_factory=list)
    _bound: dict[tuple[str, str], str] = field(default_factory=dict)

    def bind(self, value: Any, type_: str) -> str:
        """A parameter of the statement; the same value is bound once."""
        key = (type_, repr(value))
        if key not in self._bound:
            self.parameters.append(value)
            self._bound[key] = f"${len(self.parameters)}::{type_}"
        return self._bound[key]

    def ago(self, span: timedelta) -> str:
        """The moment so long before the one asked."""
        return self.bind(self.question.as_of - span, "timestamptz")

    def within(self, shift: timedelta | None, window: timedelta | None) -> str:
        """Events up to the moment asked, or to `shift` before it; with a window, none older than that."""
        until = shift or NOW
        upper = f"e.occurred_at <= {self.ago(until)}"
        return upper if window is None else f"{upper} AND e.occurred_at > {self.ago(until + window)}"

    def visible(self) -> str:
        """Events that are known when the question is asked."""
        if self.question.known_at is None:
            return "e.retracted_at IS NULL"
        known = self.bind(self.question.known_at, "timestamptz")
        return f"e.recorded_at <= {known} AND (e.retracted_at IS NULL OR e.retracted_at > {known})"

    def chosen(self, of: Of) -> str:
        """Events that one of the selections means."""
        plain = sorted({selection.event for selection in of if not selection.where})
        options = [f"e.kind = ANY({self.bind(plain, 'text[]')})"] if plain else []
        options += [
            f"(e.kind = {self.bind(selection.event, 'text')} AND {self.where(selection.where)})"
            for selection in of
            if selection.where
        ]
        return options[0] if len(options) == 1 else f"({' OR '.join(options)})"

    def by(self, by: By | None) -> str:
        """Events in which somebody of the roles took part (TRUE when nobody is asked for)."""
        if by is None:
            return "TRUE"
        if self.question.known_at is None:
            known = "source_person s"
            mine = "s.id = ANY(e.people)"
        else:
            moment = self.bind(self.question.known_at, "timestamptz")
            known = (
                "unnest(e.people) AS w(id) CROSS JOIN LATERAL (SELECT h.person_id FROM person_assertion h "
                f"WHERE h.source_person_id = w.id AND h.recorded_at <= {moment} ORDER BY h.id DESC LIMIT 1) s"
            )
            mine = "TRUE"
        is_asked_for = self.of_role("r.role", by)
        return f"EXISTS (SELECT 1 FROM {known} JOIN {self.role()} WHERE {mine} AND {is_asked_for})"

    def role(self) -> str:
        """What is joined as `r` to have the role of the person `s.person_id`, as it is known when the question is
        asked."""
        if self.question.known_at is None:
            return "person r ON r.id = s.person_id"
        return (
            "LATERAL (SELECT h.role FROM person_role h WHERE h.person_id = s.person_id "
            f"AND h.recorded_at <= {self.bind(self.question.known_at, 'timestamptz')} ORDER BY h.id DESC LIMIT 1) r "
            "ON true"
        )

    def of_role(self, column: str, by: By) -> str:
        """Whether a column holds one of the roles."""
        return f"{column} = ANY({self.bind([str(role) for role in by.role], 'text[]')})"

    def where(self, where: Where) -> str:
        """Attributes that are as they must be (TRUE when nothing is asked of them)."""
        return " AND ".join(self._condition(name, condition) for name, condition in where.items()) or "TRUE"

    def _condition(self, name: str, condition: Condition) -> str:
        parts = []
        if condition.any_of is not None:
            values = [_as_json_text(value) for value in condition.any_of]
            parts.append(f"{self.attribute(name)} = ANY({self.bind(values, 'text[]')})")
        if condition.like is not None:
            patterns = [_as_like(pattern) for pattern in condition.like]
            parts.append(f"lower({self.attribute(name)}) LIKE ANY({self.bind(patterns, 'text[]')})")
        if condition.at_least is not None:
            parts.append(f"{self.number(name)} >= {self.bind(condition.at_least, 'float8')}")
        if condition.at_most is not None:
            parts.append(f"{self.number(name)} <= {self.bind(condition.at_most, 'float8')}")
        if condition.present is not None:
            parts.append(f"{self.attribute(name)} IS {'NOT ' if condition.present else ''}NULL")
        return " AND ".join(parts)

    def attribute(self, name: str) -> str:
        """An attribute as text."""
        return f"(e.attributes ->> {self.bind(name, 'text')})"

    def number(self, name: str) -> str:
        """An attribute as a decimal number; NULL when it is none. True counts as one, false as nought."""
        text = self.attribute(name)
        return (
            f"(CASE WHEN {text} ~ '{NUMBER}' THEN {text}::numeric "
            f"WHEN {text} = 'true' THEN 1::numeric WHEN {text} = 'false' THEN 0::numeric END)"
        )

    def field(self, name: str) -> str:
        """A field of an event as a decimal number: `value`, `amount`, or the attribute of that name."""
        if name == "amount":
            return "e.amount_minor::numeric"
        if name == "value":
            return "(CASE WHEN abs(e.value) < 1e18 THEN e.value::numeric END)"
        return self.number(name)

    def places(self) -> str:
        """Each place (source account) with the account that it belongs to."""
        asked, known = self.question.account_ids, self.question.known_at
        if known is None:
            mine = "IS NOT NULL" if asked is None else f"= ANY({self.bind(list(asked), 'uuid[]')})"
            return f"SELECT s.id AS place, s.account_id FROM source_account s WHERE s.account_id {mine}"
        held = f"h.recorded_at <= {self.bind(known, 'timestamptz')}"
        mine = "n.account_id IS NOT NULL"
        if asked is not None:
            accounts = self.bind(list(asked), "uuid[]")
            ever = f"SELECT a.source_account_id FROM account_assertion a WHERE a.account_id = ANY({accounts})"
            held, mine = f"{held} AND h.source_account_id IN ({ever})", f"n.account_id = ANY({accounts})"
        return (
            "SELECT n.place, n.account_id FROM (SELECT DISTINCT ON (h.source_account_id) "
            "h.source_account_id AS place, h.account_id FROM account_assertion h "
            f"WHERE {held} ORDER BY h.source_account_id, h.id DESC) n WHERE {mine}"
        )

    def persons(self, visitors: str) -> str:
        """Who each source person among the `id`s of a sub-query is: `id`, `person_id`."""
        if self.question.known_at is None:
            return "source_person"
        return (
            "(SELECT DISTINCT ON (h.source_person_id) h.source_person_id AS id, h.person_id FROM person_assertion h "
            f"WHERE h.recorded_at <= {self.bind(self.question.known_at, 'timestamptz')} "
            f"AND h.source_person_id IN (SELECT w.id FROM {visitors} w) ORDER BY h.source_person_id, h.id DESC)"
        )

    def asked(self) -> str:
        """The accounts that the answer has a row for. Long ago, those that had a place then."""
        if self.question.account_ids is not None:
            return f"SELECT DISTINCT unnest({self.bind(list(self.question.account_ids), 'uuid[]')}) AS account_id"
        if self.question.known_at is None:
            return "SELECT a.id AS account_id FROM account a WHERE a.merged_into IS NULL"
        return "SELECT DISTINCT p.account_id FROM places p"


def _as_like(pattern: str) -> str:
    escaped = pattern.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def _as_json_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
