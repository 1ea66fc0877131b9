"""An invented past with everything that makes measuring hard, and what each measure means, said in plain Python."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import (
    Account,
    AccountAssertion,
    Person,
    PersonAssertion,
    PersonRole,
    SourceAccount,
    SourcePerson,
)
from hub.timeline.model import EventRow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KINDS = (
    "product.used", "person.signed_in", "report.viewed", "survey.answered", "invoice.paid", "invoice.created",
    "account.identified", "subscription.changed", "subscription.started",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    5, 5.0, -2.5, 0, True, False, None, "7", " 7", "12.50", "abc", "", [1], {"a": 1}, 1e30, 1e-30, "1e999", 2**62,
    "0.3", 0.1, "2026-03-05", "2026-02-30", "20260305", "1772700000", "1772700000000", "2026-03-05T10:00:00Z",
    "2026-03-05T10:00:00.123+02:00", "2026-02-20 08:00", "99999999999999999999", "plan", "true", "9" * 400,
)  # fmt: skip

ATTRIBUTES = ("x", "at", "mrr_minor", "currency")


@dataclass(frozen=True)
class Past:
    """Rows as they are stored."""

    accounts: list[UUID]
    places: list[UUID]
    events: list[dict[str, Any]]
    assertions: list[tuple[UUID, UUID | None, datetime]]
    persons: list[tuple[UUID, UUID, datetime]] = field(default_factory=list)
    roles: list[tuple[UUID, str | None, datetime]] = field(default_factory=list)


def uuid(rng: Random) -> UUID:
    return UUID(int=rng.getrandbits(128))


def invent(rng: Random, *, accounts: int = 12, events: int = 700) -> Past:
    """Accounts with one to three places, some of which move; events on a coarse grid, so that many coincide."""
    ids = [uuid(rng) for _ in range(accounts)]
    places, assertions = [], []
    for account in ids:
        for _ in range(rng.randint(1, 3)):
            place = uuid(rng)
            places.append(place)
            at = NOW - rng.randint(60, 200) * DAY
            for holder in [account, *rng.sample([*ids, None], rng.choice((0, 0, 1, 2)))]:
                assertions.append((place, holder, at))
                at += rng.randint(1, 40) * DAY
    persons = [uuid(rng) for _ in range(accounts * 4)]
    somebody = [uuid(rng) for _ in range(accounts * 2)]
    known: list[tuple[UUID, UUID, datetime]] = []
    for person in persons:
        at = NOW - rng.randint(60, 200) * DAY
        for somebody_else in rng.sample([*somebody, None], rng.choice((1, 1, 2))):
            # Who once is somebody may become somebody else, but never nobody again.
            if somebody_else is not None:
                known.append((person, somebody_else, at))
            at += rng.randint(1, 80) * DAY
    known.sort(key=lambda one: one[2])
    unknown = [uuid(rng) for _ in range(4)]
    connections = [uuid(rng) for _ in range(2)]
    rows = [_event(rng, rng.choice(places), [*persons, *unknown], connections) for _ in range(events)]
    rows += [row for event in rows if rng.random() < 0.1 for row in _corrected(rng, event)]
    assertions.sort(key=lambda one: one[2])
    return Past(ids, places, rows, assertions, known, _roles(rng, somebody))


def _roles(rng: Random, somebody: Sequence[UUID]) -> list[tuple[UUID, str | None, datetime]]:
    """What each person is known to be since when: told late, told otherwise later, taken back; of some nothing."""
    found: list[tuple[UUID, str | None, datetime]] = []
    for person in somebody:
        at = NOW - rng.randint(5, 220) * DAY
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            found.append((person, rng.choice(("administrator", "champion", "end_user", None)), at))
            at += rng.randint(1, 60) * DAY
    return sorted(found, key=lambda one: one[2])


def _event(rng: Random, place: UUID, people: Sequence[UUID], connections: Sequence[UUID]) -> dict[str, Any]:
    occurred = NOW - timedelta(hours=rng.randint(-20, 150) * 12 + rng.choice((0, 0, 1)))
    kind = rng.choice(KINDS)
    about = kind.partition(".")[0] if kind.startswith(("invoice", "subscription")) and rng.random() < 0.9 else None
    return {
        "source_account_id": place,
        "id": uuid(rng),
        "revision": 0,
        "kind": "thing.deleted" if about and rng.random() < 0.05 else kind,
        "occurred_at": occurred,
        "recorded_at": occurred + timedelta(hours=rng.choice((0, 0, 1, 24, 24 * 30))),
        "retracted_at": None,
        "flow": "operational_execution",
        "people": rng.sample(list(people), rng.choice((0, 1, 1, 1, 2))),
        "subject_type": about,
        "subject_id": rng.choice("abcde") if about else None,
        "subject_state": rng.choice(("open", "paid", "active", "past_due", None)) if about else None,
        "amount_minor": rng.choice((None, 100, 250, 2**40, -5)),
        "currency": rng.choice((None, "USD", "USD", "USD", "USD", "EUR")),
        "value": rng.choice((None, 0.5, 9.0, 0.1, 0.2, 1e300, math.nan, math.inf, 7.25, -3.0)),
        "attributes": {name: rng.choice(ODD_VALUES) for name in ATTRIBUTES if rng.random() < 0.8},
        "changes": None,
        "version": rng.choice((None, "1", "2", "10")),
        "connection_id": rng.choice(connections) if about else None,
    }  # fmt: skip


def _corrected(rng: Random, event: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The row is retracted, and mostly its next revision takes its place."""
    event["retracted_at"] = event["recorded_at"] + timedelta(hours=rng.choice((1, 48, 900)))
    if rng.random() < 0.7:
        yield {**event, "revision": 1, "recorded_at": event["retracted_at"], "retracted_at": None, "value": 4.0}


async def store(session: AsyncSession, past: Past, *, since: datetime | None = None) -> None:
    """Write the rows (with `since`, only the events recorded later); the mapping stands as the newest assertion."""
    if since is None:
        await store_identity(session, past)
    later = [row for row in past.events if since is None or row["recorded_at"] > since]
    await session.execute(insert(EventRow), later)


async def store_identity(session: AsyncSession, past: Past) -> None:
    """Accounts, places, assertions and source persons."""
    newest = {place: holder for place, holder, _ in past.assertions}
    seen: dict[str, Any] = {"first_seen_at": NOW - 400 * DAY}
    of_account = {"time_zone": "UTC", "facts": {}, "created_at": NOW - 400 * DAY, **seen}
    of_assertion = {"reason": "resolved", "evidence": {}, "actor": "hub"}
    accounts = [{"id": id_, "name": f"Account {number}", **of_account} for number, id_ in enumerate(past.accounts)]
    places = [{"id": one, "place": str(one), "account_id": newest[one], "profile": {}, **seen} for one in past.places]
    assertions = [
        {"source_account_id": place, "account_id": holder, "recorded_at": at, **of_assertion}
        for place, holder, at in past.assertions
    ]
    roles = {person: role for person, role, _ in past.roles}
    everybody = [
        {"id": one, "role": roles.get(one), "do_not_contact": False, **seen}
        for one in dict.fromkeys(somebody for _, somebody, _ in past.persons)
    ]
    is_now = {source: person for source, person, _ in past.persons}
    persons = [
        {"id": id_, "place": str(id_), "person_id": person, "profile": {}, **seen} for id_, person in is_now.items()
    ]
    held = [{"source_person_id": source, "person_id": person, "recorded_at": at} for source, person, at in past.persons]
    for table, rows in ((Account, accounts), (SourceAccount, places), (AccountAssertion, assertions)):
        await session.execute(insert(table), rows)
    if persons:
        await session.execute(upsert(Person).on_conflict_do_nothing(), everybody)
        await session.execute(insert(SourcePerson), persons)
        await session.execute(insert(PersonAssertion), held)
    if past.roles:
        known = [{"person_id": person, "role": role, "recorded_at": at} for person, role, at in past.roles]
        await session.execute(insert(PersonRole), known)


class Oracle:
    """Every kind of measure, said in plain Python over lists of rows, from the document itself."""

    def __init__(self, past: Past, document: Mapping[str, Any], as_of: datetime, known_at: datetime | None) -> None:
        self.past, self.document, self.as_of, self.known_at = past, document, as_of, known_at
        held = [one for one in past.assertions if known_at is None or one[2] <= known_at]
        self.holder = {place: account for place, account, _ in held}
        self.person = {source: who for source, who, at in past.persons if known_at is None or at <= known_at}
        self.role = {person: role for person, role, at in past.roles if known_at is None or at <= known_at}

    def value(self, account: UUID, name: str) -> float | None:
        entry = self.document[name]
        found = getattr(self, f"_{entry['kind']}")(account, entry)
        nothing_is_nought = entry["kind"] in ("count", "days", "people", "sum", "things")
        missing = entry.get("missing", "zero" if nothing_is_nought else "unknown")
        if found is None:
            return 0.0 if missing == "zero" else None
        return None if math.isnan(found) else float(found)

    def visible(self, row: Mapping[str, Any]) -> bool:
        if self.known_at is None:
            return row["retracted_at"] is None
        return row["recorded_at"] <= self.known_at and (
            row["retracted_at"] is None or row["retracted_at"] > self.known_at
        )

    def events(self, account: UUID, entry: Mapping[str, Any], span: str = "window") -> list[dict[str, Any]]:
        """The visible events of the account that the entry selects, inside its window."""
        until = self.as_of - days(entry.get("shift", "0d"))
        rows = [
            row
            for row in self.past.events
            if self.holder.get(row["source_account_id"]) == account
            and self.visible(row)
            and row["occurred_at"] <= until
        ]
        if span in entry:
            rows = [row for row in rows if row["occurred_at"] > until - days(entry[span])]
        rows = [row for row in rows if any(_selected(row, one) for one in entry.get("of", ("account.identified",)))]
        return [row for row in rows if "by" not in entry or any(self.asked_for(one, entry) for one in row["people"])]

    def asked_for(self, source: UUID, entry: Mapping[str, Any]) -> bool:
        """Whether a source person is somebody with one of the entry's roles."""
        person = self.person.get(source)
        roles = entry.get("by", {}).get("role")
        return roles is None or (
            person is not None and self.role.get(person) in ([roles] if isinstance(roles, str) else roles)
        )

    def things(self, account: UUID, entry: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """All things of the type that exist, and those of them that the entry means; each as its newest event."""
        everything = self.events(account, {**entry, "of": [{"event": None, "where": {}}]})
        newest: dict[Any, dict[str, Any]] = {}
        for row in sorted(everything, key=_told):
            if row["subject_type"] == entry["type"]:
                newest[row["connection_id"], row["subject_id"]] = row
        existing = [row for row in newest.values() if row["kind"] != "thing.deleted"]
        meant = [row for row in existing if "state" not in entry or row["subject_state"] in entry["state"]]
        return existing, [row for row in meant if _fits(row, entry.get("where", {}))]

    def _count(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        return len(self.events(account, entry)) or None

    def _days(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        return len({row["occurred_at"].astimezone(UTC).date() for row in self.events(account, entry)}) or None

    def _people(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        there = {one for row in self.events(account, entry) for one in row["people"] if self.asked_for(one, entry)}
        return len({self.person.get(person) or person for person in there}) or None

    def _sum(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        return _total(self.events(account, entry), entry.get("field", "value"))

    def _last(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        field_ = entry.get("field", "value")
        rows = [row for row in self.events(account, entry, "valid_for") if _has(row, field_)]
        newest = max(rows, key=lambda row: (row["occurred_at"], row["id"]), default=None)
        number = None if newest is None else _number(newest, field_)
        return None if number is None else float(number)

    def _days_since(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        until = self.as_of - days(entry.get("shift", "0d"))
        times = [row["occurred_at"] for row in self.events(account, entry)]
        return (until - max(times)).days if times else None

    def _things(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        existing, meant = self.things(account, entry)
        if not existing:
            return None
        return (_total(meant, entry["sum"]) or 0.0) if "sum" in entry else len(meant)

    def _attribute(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        name = entry["attribute"]
        if "type" in entry:
            rows = [row for row in self.things(account, entry)[1] if _text(row, name) is not None]
        else:
            told = [row for row in self.events(account, entry) if _text(row, name) is not None]
            rows = sorted(told, key=lambda row: (row["occurred_at"], row["id"]))[-1:]
        at = self.as_of - days(entry.get("shift", "0d"))
        values = [self._meaning(row, name, entry.get("as", "number"), at) for row in rows]
        known = [value for value in values if value is not None]
        return (min if entry.get("pick") == "lowest" else max)(known, default=None)

    def _meaning(self, row: Mapping[str, Any], name: str, meaning: str, at: datetime) -> float | None:
        if meaning == "number":
            number = _number(row, name)
            return None if number is None else float(number)
        moment = MOMENTS.get(str(row["attributes"][name]))
        if moment is None:
            return None
        return math.ceil((moment - at) / DAY) if meaning == "days_until" else math.floor((at - moment) / DAY)

    def _ratio(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        above, below = self.value(account, entry["numerator"]), self.value(account, entry["denominator"])
        return None if above is None or not below else above / below

    def _change(self, account: UUID, entry: Mapping[str, Any]) -> float | None:
        measure = self.document[entry["measure"]]
        over = days(entry.get("over") or measure["window"]) + days(measure.get("shift", "0d"))
        earlier = Oracle(self.past, {"before": {**measure, "shift": f"{over // DAY}d"}}, self.as_of, self.known_at)
        earlier.document = {**self.document, **earlier.document}
        now, before = self.value(account, entry["measure"]), earlier.value(account, "before")
        return None if now is None or not before else 100.0 * (now - before) / abs(before)


MOMENTS = {
    "2026-03-05": datetime(2026, 3, 5, tzinfo=UTC),
    "20260305": datetime(2026, 3, 5, tzinfo=UTC),
    "1772700000": datetime.fromtimestamp(1772700000, UTC),
    "1772700000000": datetime.fromtimestamp(1772700000, UTC),
    "2026-03-05T10:00:00Z": datetime(2026, 3, 5, 10, tzinfo=UTC),
    "2026-03-05T10:00:00.123+02:00": datetime(2026, 3, 5, 8, 0, 0, 123000, tzinfo=UTC),
    "2026-02-20 08:00": datetime(2026, 2, 20, 8, tzinfo=UTC),
}
"""Which of the odd values are moments, and which."""


def _told(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sorts the events of a thing: the last one tells its state."""
    begins = row["kind"].endswith((".created", ".started"))
    deleted, version = row["kind"] == "thing.deleted", row["version"]
    return row["occurred_at"], deleted, not begins, version is not None, version or "", row["id"]


def days(text: str) -> timedelta:
    return timedelta(days=int(text.removesuffix("d")))


def _selected(row: Mapping[str, Any], selection: Any) -> bool:
    if isinstance(selection, str):
        return bool(row["kind"] == selection)
    return selection["event"] in (None, row["kind"]) and _fits(row, selection.get("where", {}))


def _fits(row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    return all(_holds(row, name, wanted) for name, wanted in where.items())


def _holds(row: Mapping[str, Any], name: str, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        wanted = {"any_of": wanted if isinstance(wanted, list) else [wanted]}
    text, number = _text(row, name), _number(row, name)
    holds = [
        text in [_as_text(value) for value in wanted["any_of"]] if "any_of" in wanted else True,
        text is not None and any(fnmatchcase(text.lower(), like.lower()) for like in wanted["like"])
        if "like" in wanted
        else True,
        number is not None and number >= wanted["at_least"] if "at_least" in wanted else True,
        number is not None and number <= wanted["at_most"] if "at_most" in wanted else True,
        (text is not None) is wanted["present"] if "present" in wanted else True,
    ]
    return all(holds)


def _as_text(value: Any) -> str | None:
    """A JSON value as PostgreSQL's ->> gives it; lists and objects are never asked for."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(Decimal(str(value)), "f") if isinstance(value, int | float) else "…"


def _text(row: Mapping[str, Any], name: str) -> str | None:
    return _as_text(row["attributes"].get(name))


def _has(row: Mapping[str, Any], name: str) -> bool:
    return _number(row, name) is not None if name in ("value", "amount") else _text(row, name) is not None


def _number(row: Mapping[str, Any], name: str) -> Decimal | None:
    if name == "amount":
        return None if row["amount_minor"] is None else Decimal(row["amount_minor"])
    if name == "value":
        return Decimal(repr(row["value"])) if row["value"] is not None and abs(row["value"]) < 1e18 else None
    text = _text(row, name)
    if text in ("true", "false"):
        return Decimal(text == "true")
    return Decimal(text) if text is not None and re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,40})?", text) else None


def _total(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    numbers = [(row, number) for row in rows if (number := _number(row, name)) is not None]
    if name == "amount" or name.endswith("_minor"):
        told = [None if name == "amount" else _text(row, "currency") for row, _ in numbers]
        currencies = {
            row["currency"] if text is None else text.upper() for (row, _), text in zip(numbers, told, strict=True)
        }
        if len(currencies - {None}) > 1:
            return math.nan
    return float(sum(number for _, number in numbers)) if numbers else None
