"""Accounts, people, and the mapping from what vendors know to who it is.

A *source account* is a vendor's own account, a *source person* a vendor's own user; their ids are derived from the
connection and the vendor's name for them, so events can point at them before anybody knows whose they are. Which
account they belong to is decided by identity alone, as an append-only list of assertions; `account_id` and `person_id`
repeat the newest one, so that reading needs no search.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base
from hub.kit.ids import new_id

ACCOUNT_TEXT = "lower(account.name || ' ' || translate(coalesce(account.domain, ''), '.-_', '   '))"
PERSON_TEXT = (
    "lower(coalesce(person.name, '') || ' ' || translate(coalesce(person.email, ''), '@.-_+', '     ') || ' ' || "
    "coalesce(person.title, ''))"
)
"""What search looks at. The migration `0012_search` has indexes over exactly these expressions; they are not repeated
here, because PostgreSQL prints expressions in its own words and comparing would always find a difference."""


class Account(Base):
    """A customer company. `merged_into` points at the survivor of a merge; undoing the merge clears it.

    `anchor` is the source account that it was made for: where that one belongs, this account lives on. `name`,
    `domain`, `owner`, `time_zone` and `facts` follow from the profiles of its source accounts. `parent_by` is the
    person who said to which account it belongs; without one it follows from what its sources say (`families`).
    `owner_by` is the person who said who owns it, likewise (`owners`); `AccountOwner` has since when.
    """

    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    domain: Mapped[str | None]
    owner: Mapped[str | None]
    owner_by: Mapped[str | None]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    parent_by: Mapped[str | None]
    time_zone: Mapped[str]
    facts: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    first_seen_at: Mapped[datetime]
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    anchor: Mapped[UUID | None] = mapped_column(unique=True)

    __table_args__ = (
        Index("ix_account_live", "name", "id", postgresql_where=text("merged_into IS NULL")),
        Index(None, "owner"),
        Index(None, "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index(None, "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
    )


class SourceAccount(Base):
    """A vendor's own account. Without an `account_id` its events wait in the holding area.

    `profile_times` says since when each attribute of the profile is known to be so (ISO 8601), `profile_at` is the
    newest of them, `first_seen_at` the time of the earliest event.
    """

    __tablename__ = "source_account"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID | None]
    place: Mapped[str]
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    profile: Mapped[dict[str, Any]]
    profile_times: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    profile_at: Mapped[datetime | None]
    first_seen_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_source_account_account", "account_id", "id"),
        Index("ix_source_account_holding", "first_seen_at", postgresql_where=text("account_id IS NULL")),
    )


class FirstSighting(Base):
    """From `recorded_at` on, the earliest event known of the source account is that of `first_seen_at`. Never changed;
    `SourceAccount.first_seen_at` repeats the newest."""

    __tablename__ = "first_sighting"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    source_account_id: Mapped[UUID]
    first_seen_at: Mapped[datetime]
    recorded_at: Mapped[datetime]

    __table_args__ = (Index(None, "source_account_id", "id"),)


class AccountOwner(Base):
    """From `recorded_at` on, the account's vendors name the owner (NULL: none), or the person `assigned_by` has
    assigned them (NULL: took the assignment back). Never changed.

    The owner is whom the newest assignment names, or, where it was taken back or nobody made any, whom the vendors name
    last; `Account.owner` repeats it.
    """

    __tablename__ = "account_owner"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    account_id: Mapped[UUID]
    owner: Mapped[str | None]
    assigned_by: Mapped[str | None]
    recorded_at: Mapped[datetime]

    __table_args__ = (Index(None, "account_id", "id"),)


class AccountKey(Base):
    """A key that a source account asserts; `relation` is `is` or `member`."""

    __tablename__ = "account_key"

    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    relation: Mapped[str] = mapped_column(primary_key=True)
    source_account_id: Mapped[UUID] = mapped_column(primary_key=True)
    asserted_at: Mapped[datetime]

    __table_args__ = (Index(None, "source_account_id"),)


class AssertionReason(StrEnum):
    """Why a source account was assigned."""

    RESOLVED = "resolved"
    RELEASED = "released"
    MERGED = "merged"
    MERGE_UNDONE = "merge_undone"


class AccountAssertion(Base):
    """From `recorded_at` on, the source account belongs to the account (NULL: to none known). Never changed."""

    __tablename__ = "account_assertion"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    source_account_id: Mapped[UUID]
    account_id: Mapped[UUID | None]
    reason: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    actor: Mapped[str]
    recorded_at: Mapped[datetime]
    merge_id: Mapped[UUID | None]

    __table_args__ = (Index(None, "source_account_id", "id"), Index(None, "account_id", "id"))


class Merge(Base):
    """Two accounts declared one, by whom and why; `undone_at` when that was taken back."""

    __tablename__ = "merge"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    winner_id: Mapped[UUID]
    loser_id: Mapped[UUID]
    reason: Mapped[str]
    actor: Mapped[str]
    merged_at: Mapped[datetime]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]

    __table_args__ = (
        Index("uq_merge_loser", "loser_id", unique=True, postgresql_where=text("undone_at IS NULL")),
        Index("ix_merge_winner", "winner_id", postgresql_where=text("undone_at IS NULL")),
    )


class MergeSuggestion(Base):
    """Two accounts share a key that is too weak to merge them silently: a person decides."""

    __tablename__ = "merge_suggestion"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    other_id: Mapped[UUID]
    key_kind: Mapped[str]
    key_value: Mapped[str]
    suggested_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decision: Mapped[str | None]

    __table_args__ = (
        Index("ix_merge_suggestion_open", "suggested_at", "id", postgresql_where=text("decided_at IS NULL")),
    )


class Person(Base):
    """Somebody at an account. Personal data: `name`, `email`, `title`.

    They belong to the account where they were seen last. `anchor` is the source person that they were made for. Of one
    who was erased only that they were there is left, so that who was counted stays counted.
    """

    __tablename__ = "person"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    name: Mapped[str | None]
    email: Mapped[str | None]
    role: Mapped[str | None]
    title: Mapped[str | None]
    time_zone: Mapped[str | None]
    do_not_contact: Mapped[bool]
    first_seen_at: Mapped[datetime]
    merged_into: Mapped[UUID | None]
    anchor: Mapped[UUID | None] = mapped_column(unique=True)
    erased_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "account_id", "id"),)


class SourcePerson(Base):
    """A vendor's own user, and which person that is held to be now (`PersonAssertion` has since when)."""

    __tablename__ = "source_person"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID | None]
    place: Mapped[str]
    person_id: Mapped[UUID | None]
    profile: Mapped[dict[str, Any]]
    profile_times: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    profile_at: Mapped[datetime | None]
    first_seen_at: Mapped[datetime]

    __table_args__ = (Index(None, "person_id"),)


class PersonAssertion(Base):
    """From `recorded_at` on, the source person is held to be the person. Never changed."""

    __tablename__ = "person_assertion"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    source_person_id: Mapped[UUID]
    person_id: Mapped[UUID]
    recorded_at: Mapped[datetime]

    __table_args__ = (Index(None, "source_person_id", "id"),)


class PersonRole(Base):
    """From `recorded_at` on, the person is known to have the role (NULL: none). Never changed; `Person.role` repeats
    the newest."""

    __tablename__ = "person_role"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    person_id: Mapped[UUID]
    role: Mapped[str | None]
    recorded_at: Mapped[datetime]

    __table_args__ = (Index(None, "person_id", "id"),)


class PersonPlace(Base):
    """A source person was seen at a source account, last on that day (a day, so that a busy person costs little)."""

    __tablename__ = "person_place"

    source_person_id: Mapped[UUID] = mapped_column(primary_key=True)
    source_account_id: Mapped[UUID] = mapped_column(primary_key=True)
    seen_on: Mapped[date] = mapped_column(Date)

    __table_args__ = (Index(None, "source_account_id"),)


class PersonKey(Base):
    """A key that a source person asserts."""

    __tablename__ = "person_key"

    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    source_person_id: Mapped[UUID] = mapped_column(primary_key=True)
    asserted_at: Mapped[datetime]

    __table_args__ = (Index(None, "source_person_id"),)


class Erasure(Base):
    """The tombstone of a person: who asked for it, how far it is (`position`), and what was removed (`counts`).

    It holds nothing of the person. `done_at` is empty while there is something to be removed.
    """

    __tablename__ = "erasure"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(unique=True)
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    reason: Mapped[str | None]
    position: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    done_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "requested_at", "id"),)


class ErasedKey(Base):
    """A key that an erased person had, as a keyed digest. `alias` stands in its place: what it joined stays joined."""

    __tablename__ = "erased_key"

    digest: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str]
    erasure_id: Mapped[UUID] = mapped_column(ForeignKey("erasure.id"))

    __table_args__ = (Index(None, "erasure_id"),)


class ErasedSource(Base):
    """A source person that was, or turned out to be, an erased person."""

    __tablename__ = "erased_source"

    source_person_id: Mapped[UUID] = mapped_column(primary_key=True)
    erasure_id: Mapped[UUID] = mapped_column(ForeignKey("erasure.id"))

    __table_args__ = (Index(None, "erasure_id"),)
