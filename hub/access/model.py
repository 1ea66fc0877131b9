"""API keys and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, false
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base
from hub.kit.ids import new_id


class ApiKey(Base):
    """A key: only its SHA-256 is stored (the key itself has 256 random bits, so no slow hash is needed).

    `owner` limits it to the accounts of that owner; `ad_hoc` permits documents that are not trusted ones.
    """

    __tablename__ = "api_key"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    owner: Mapped[str | None]
    ad_hoc: Mapped[bool] = mapped_column(server_default=false())
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class AuditEntry(Base):
    """One change made by a person or a key."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]]

    __table_args__ = (Index(None, "subject", "at"),)
