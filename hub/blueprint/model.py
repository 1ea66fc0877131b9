"""Stored versions of the blueprint."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Identity
from sqlalchemy.orm import Mapped, mapped_column

from hub.kit.db import Base


class BlueprintVersion(Base):
    """One immutable version; the newest is in force. `comment` is why it was made.

    `digest` is the SHA-256 of the canonical document.

    The document is `json`, not `jsonb`: in it the order of entries has a meaning (the first segment whose
    rule holds is the account's, stages follow one another), and `jsonb` would sort them.
    """

    __tablename__ = "blueprint_version"

    version: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    digest: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    applied_at: Mapped[datetime]
    applied_by: Mapped[str]
    comment: Mapped[str | None]
